//! What PagerDuty posts by itself: webhooks of version 3.
//!
//! Takes a call, gives signals. Proof is an HMAC over the body with the secret of the subscription;
//! it bears no time, so what was heard before is known by PagerDuty's id of the event.

use jiff::Timestamp;
use serde_json::Value;

use crate::auth::proof::{any_holds, hex, hmac_sha256};
use crate::domain::message::DedupKey;
use crate::domain::secret::Secret;
use crate::domain::signal::{Event, Signal, Subject};
use crate::target::contract::{Answer, Callback, Heard, Refusal};

/// Reads one call. `secrets` are those of the subscriptions that post here.
///
/// # Errors
/// A refusal: no secret is set up, none of the signatures holds, or the body is none of theirs.
pub fn heard(secrets: &[Secret], call: &Callback<'_>) -> Result<Heard, Refusal> {
    if secrets.is_empty() {
        return Err(Refusal::NotSetUp("webhook_secrets"));
    }
    prove(secrets, call)?;
    let body: Value = serde_json::from_slice(call.body)
        .map_err(|error| Refusal::Unreadable(format!("no JSON: {error}")))?;
    let event = &body["event"];
    let Some(kind) = event["event_type"].as_str() else {
        return Err(Refusal::Unreadable("there is no `event.event_type` in it".to_owned()));
    };
    let signals = signal(kind, event, call.now).into_iter().collect();
    Ok(Heard { signals, answer: Answer::default() })
}

/// Several signatures come along while a secret is replaced; one that holds is enough.
fn prove(secrets: &[Secret], call: &Callback<'_>) -> Result<(), Refusal> {
    let given = call.header("x-pagerduty-signature").ok_or(Refusal::Forged("the signature is missing"))?;
    let held = given.split(',').filter_map(|one| one.trim().strip_prefix("v1=")).fold(false, |held, one| {
        let made = |secret: &Secret| hex(&hmac_sha256(secret, &[call.body])).into_bytes();
        held | any_holds(secrets, one.to_ascii_lowercase().as_bytes(), made)
    });
    if held { Ok(()) } else { Err(Refusal::Forged("the signature is wrong")) }
}

fn signal(kind: &str, event: &Value, now: Timestamp) -> Option<Signal> {
    let data = &event["data"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (what, said) = match kind {
        "incident.acknowledged" => (Event::Acknowledged, String::new()),
        "incident.unacknowledged" => (Event::Unacknowledged, String::new()),
        "incident.resolved" => (Event::Resolved, String::new()),
        "incident.reopened" => (Event::Reopened, String::new()),
        "incident.annotated" => (Event::Commented, text(&data["content"])),
        "incident.status_update_published" => (Event::Commented, text(&data["message"])),
        _ => return None,
    };
    let at = text(&event["occurred_at"]).parse().unwrap_or(now);
    let id = text(&event["id"]);
    Some(Signal {
        id: if id.is_empty() { format!("{kind} {at}") } else { id },
        about: subject(data)?,
        event: what,
        who: who(event),
        text: said,
        at,
    })
}

/// Our dedup key, which is the incident key of what we opened; else PagerDuty's own id. Notes name
/// the incident by a reference, without its key.
fn subject(data: &Value) -> Option<Subject> {
    let incident = if data["incident"].is_object() { &data["incident"] } else { data };
    if let Some(key) = incident["incident_key"].as_str().and_then(DedupKey::written) {
        return Some(Subject::Key(key));
    }
    let id = incident["id"].as_str().filter(|id| !id.is_empty())?;
    Some(Subject::Remote(id.to_owned()))
}

/// A person, or the integration that acted. Nobody when PagerDuty did it by itself.
fn who(event: &Value) -> String {
    let names = [&event["agent"]["summary"], &event["client"]["name"]];
    names.into_iter().find_map(Value::as_str).unwrap_or_default().to_owned()
}
