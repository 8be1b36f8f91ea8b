//! What a ticket system posts when a ticket changes: `{"ticket": {"id", "status"}, "comment": {"body",
//! "author"}, "by", "at", "event_id"}`, all but the ticket's id may be missing.
//!
//! The call is signed, or bears a token. Gives signals.

use serde_json::Value;

use crate::domain::signal::{Event, Signal, Subject};
use crate::target::contract::{Answer, Callback, Heard, Refusal};
use crate::target::desk::course::Phase;
use crate::target::desk::ear::{name_of, name_of_timeless};
use crate::target::desk::stamp;
use crate::target::ticket::Tickets;

/// Reads a call, after checking who speaks.
pub(super) fn hear(tickets: &Tickets, call: &Callback<'_>) -> Result<Heard, Refusal> {
    let (ear, header) = (&tickets.ear, tickets.signature_header.as_str());
    if ear.is_deaf() {
        return Err(Refusal::NotSetUp("set `webhook_secrets` or `webhook_tokens`"));
    }
    if call.header(header).is_some() {
        ear.check_signature(call, header)?;
    } else if ear.tokens.is_empty() {
        return Err(Refusal::Forged("the signature is missing"));
    } else {
        ear.check_token(call)?;
    }
    let said: Value = serde_json::from_slice(call.body)
        .map_err(|error| Refusal::Unreadable(format!("no JSON: {error}")))?;
    let ticket = &said["ticket"];
    let Some(id) = stamp::id(&ticket["id"]) else {
        return Err(Refusal::Unreadable("there is no id in `ticket`".into()));
    };
    let at = [&said["at"], &ticket["updated_at"]].into_iter().find_map(stamp::time);
    let name = match (stamp::id(&said["event_id"]), at) {
        (Some(id), _) => id,
        (None, Some(_)) => name_of(call.body),
        (None, None) => name_of_timeless(call),
    };
    let at = at.unwrap_or(call.now);
    let signal = |event: Event, who: &Value, text: &str| Signal {
        id: format!("{name}-{}", event.as_str()),
        about: Subject::Remote(id.clone()),
        event,
        who: stamp::word(who).to_owned(),
        text: text.to_owned(),
        at,
    };
    let mut signals = Vec::new();
    let (comment, by) = (&said["comment"], &said["by"]);
    let who = if comment["author"].is_string() { &comment["author"] } else { by };
    // Our own comments come back, and are no news.
    if !stamp::word(&comment["body"]).is_empty() && stamp::word(who) != tickets.requester {
        signals.push(signal(Event::Commented, who, stamp::word(&comment["body"])));
    }
    let status = stamp::word(&ticket["status"]);
    if !status.is_empty() {
        let event = match tickets.states.phase(status) {
            Phase::Open => Event::TicketMoved,
            Phase::Closed | Phase::Sealed => Event::TicketClosed,
        };
        signals.push(signal(event, by, status));
    }
    Ok(Heard { signals, answer: Answer::default() })
}
