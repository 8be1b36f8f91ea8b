//! What a business rule of ServiceNow posts: `{"sys_id", "state", "state_name", "comment", "by", "at"}`,
//! all but the id may be missing. ServiceNow has no webhooks of its own; docs/targets/servicenow.md
//! shows the rule. It proves itself by a token.

use serde_json::Value;

use crate::domain::signal::{Event, Signal, Subject};
use crate::target::contract::{Answer, Callback, Heard, Refusal};
use crate::target::desk::course::Phase;
use crate::target::desk::ear::{Ear, name_of, name_of_timeless};
use crate::target::desk::stamp;
use crate::target::servicenow::States;

/// Reads a call, after checking who speaks.
pub(super) fn hear(ear: &Ear, states: &States, call: &Callback<'_>) -> Result<Heard, Refusal> {
    if ear.is_deaf() {
        return Err(Refusal::NotSetUp("set `webhook_tokens`, and send one of them along"));
    }
    ear.check_token(call)?;
    let said: Value = serde_json::from_slice(call.body)
        .map_err(|error| Refusal::Unreadable(format!("no JSON: {error}")))?;
    let Some(id) = stamp::id(&said["sys_id"]) else {
        return Err(Refusal::Unreadable("there is no `sys_id`".into()));
    };
    let at = stamp::time(&said["at"]);
    let name = at.map_or_else(|| name_of_timeless(call), |_| name_of(call.body));
    let at = at.unwrap_or(call.now);
    let signal = |event: Event, text: &str| Signal {
        id: format!("{name}-{}", event.as_str()),
        about: Subject::Remote(id.clone()),
        event,
        who: stamp::word(&said["by"]).to_owned(),
        text: text.to_owned(),
        at,
    };
    let mut signals = Vec::new();
    let comment = stamp::word(&said["comment"]);
    if !comment.is_empty() {
        signals.push(signal(Event::Commented, comment));
    }
    let state = stamp::id(&said["state"]).unwrap_or_default();
    if !state.is_empty() {
        let event = match states.phase(&state) {
            Phase::Open => Event::TicketMoved,
            Phase::Closed | Phase::Sealed => Event::TicketClosed,
        };
        let name = stamp::word(&said["state_name"]);
        signals.push(signal(event, if name.is_empty() { &state } else { name }));
    }
    Ok(Heard { signals, answer: Answer::default() })
}
