//! What a ticket system posts when a ticket changes: `{"ticket": {"id", "status"}, "comment": {"body",
//! "author"}, "by", "at", "event_id"}`, all but the ticket's id may be missing.
//!
//! The call is signed, or bears a token. Gives signals.

use serde_json::Value;

use crate::domain::signal::{Event, Signal, Subject};
use crate::target::contract::{Answer, Callback, Heard, Refusal};
use crate::target::desk::course::Phase;
use crate::target::desk::ear::{Ear, name_of};
use crate::target::desk::stamp;
use crate::target::ticket::States;

/// Reads a call, after checking who speaks.
pub(super) fn hear(ear: &Ear, header: &str, states: &States, call: &Callback<'_>) -> Result<Heard, Refusal> {
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
    let name = stamp::id(&said["event_id"]).unwrap_or_else(|| name_of(call.body));
    let at = [&said["at"], &ticket["updated_at"]].into_iter().find_map(stamp::time).unwrap_or(call.now);
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
    if !stamp::word(&comment["body"]).is_empty() {
        let who = if comment["author"].is_string() { &comment["author"] } else { by };
        signals.push(signal(Event::Commented, who, stamp::word(&comment["body"])));
    }
    let status = stamp::word(&ticket["status"]);
    if !status.is_empty() {
        let event = match states.phase(status) {
            Phase::Open => Event::TicketMoved,
            Phase::Closed | Phase::Sealed => Event::TicketClosed,
        };
        signals.push(signal(event, by, status));
    }
    Ok(Heard { signals, answer: Answer::default() })
}
