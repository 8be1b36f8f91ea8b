//! Webhooks of Zendesk: those that subscribe to ticket events, whose form is Zendesk's, and those
//! that a trigger sends, whose body is the operator's: `{"ticket_id", "status", "comment", "by"}`.
//!
//! Signed over time and body (<https://developer.zendesk.com/documentation/webhooks/verifying/>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde_json::Value;

use crate::auth::proof::{any_holds, hmac_sha256, is_fresh};
use crate::domain::secret::Secret;
use crate::domain::signal::{Event, Signal, Subject};
use crate::target::contract::{Answer, Callback, Heard, Refusal};
use crate::target::desk::ear::{Ear, name_of};
use crate::target::desk::stamp;

/// Reads a call, after checking who speaks.
pub(super) fn hear(ear: &Ear, call: &Callback<'_>) -> Result<Heard, Refusal> {
    if ear.is_deaf() {
        return Err(Refusal::NotSetUp("set `webhook_secrets` to the signing secret of the webhook"));
    }
    check(ear, call)?;
    let said: Value = serde_json::from_slice(call.body)
        .map_err(|error| Refusal::Unreadable(format!("no JSON: {error}")))?;
    let of_event = stamp::word(&said["type"]).strip_prefix("zen:event-type:ticket.");
    let id = match of_event {
        Some(_) => stamp::id(&said["detail"]["id"]),
        None => stamp::id(&said["ticket_id"]),
    };
    let Some(id) = id else {
        return Err(Refusal::Unreadable("there is neither `detail.id` nor `ticket_id`".into()));
    };
    let name = call.header("x-zendesk-webhook-invocation-id").map(str::to_owned);
    let name = stamp::id(&said["id"]).or(name).unwrap_or_else(|| name_of(call.body));
    let at = stamp::time(&said["time"]).unwrap_or(call.now);
    let happened = match of_event {
        Some(event) => of_zendesk(event, &said),
        None => of_a_trigger(&said),
    };
    let signals = happened.into_iter().map(|(event, who, text)| Signal {
        id: format!("{name}-{}", event.as_str()),
        about: Subject::Remote(id.clone()),
        event,
        who,
        text,
        at,
    });
    Ok(Heard { signals: signals.collect(), answer: Answer::default() })
}

fn check(ear: &Ear, call: &Callback<'_>) -> Result<(), Refusal> {
    let signature =
        call.header("x-zendesk-webhook-signature").ok_or(Refusal::Forged("the signature is missing"))?;
    let stamped = call.header("x-zendesk-webhook-signature-timestamp").unwrap_or_default().trim();
    let at: Timestamp =
        stamped.parse().map_err(|_| Refusal::Forged("the time of the signature is missing or unreadable"))?;
    let made = |key: &Secret| BASE64.encode(hmac_sha256(key, &[stamped.as_bytes(), call.body])).into_bytes();
    if !any_holds(&ear.keys, signature.trim().as_bytes(), made) {
        return Err(Refusal::Forged("the signature is wrong"));
    }
    match is_fresh(at, call.now) {
        true => Ok(()),
        false => Err(Refusal::Forged("the signature is too old")),
    }
}

type Happened = Vec<(Event, String, String)>;

fn of_zendesk(event: &str, said: &Value) -> Happened {
    let (detail, what) = (&said["detail"], &said["event"]);
    let actor = stamp::id(&detail["actor_id"]).unwrap_or_default();
    match event {
        "status_changed" => vec![moved(stamp::word(&what["current"]), actor)],
        "soft_deleted" | "permanently_deleted" | "marked_as_spam" => {
            vec![(Event::TicketClosed, actor, event.replace('_', " "))]
        }
        "comment_added" => {
            let comment = &what["comment"];
            let who = Some(stamp::word(&comment["author"]["name"])).filter(|name| !name.is_empty());
            let who = who.map_or(actor, str::to_owned);
            vec![(Event::Commented, who, stamp::word(&comment["body"]).to_owned())]
        }
        _ => Vec::new(),
    }
}

fn of_a_trigger(said: &Value) -> Happened {
    let by = stamp::word(&said["by"]).to_owned();
    let mut happened = Vec::new();
    let comment = stamp::word(&said["comment"]);
    if !comment.is_empty() {
        happened.push((Event::Commented, by.clone(), comment.to_owned()));
    }
    let status = stamp::word(&said["status"]);
    if !status.is_empty() {
        happened.push(moved(status, by));
    }
    happened
}

fn moved(status: &str, who: String) -> (Event, String, String) {
    let status = status.to_lowercase();
    let event = match status.as_str() {
        "solved" | "closed" => Event::TicketClosed,
        _ => Event::TicketMoved,
    };
    (event, who, status)
}
