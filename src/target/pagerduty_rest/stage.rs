//! The calls of one try and their order: which follows which reply.
//!
//! Takes the call that was made and its reply, gives the next call or the end. What may be repeated
//! comes first, the note last. An incident is found by its key, so nothing is opened twice.

use serde_json::Value;

use crate::domain::exchange::Reply;
use crate::domain::message::{Action, Message, RemoteRef};
use crate::domain::outcome::Outcome;
use crate::target::pagerduty_rest::verdict::{is_duplicate, is_settled, of_reply};

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Which open incident has our key.
    LookUp { is_taken: bool },
    /// Opens one. `is_second`: what was found open has been resolved in the meantime.
    Create { is_second: bool },
    /// Brings an open one up to date.
    Update { id: String },
    /// Acknowledges or resolves.
    Change { id: String },
    /// Adds a note.
    Note { id: String },
}

/// What comes after a reply.
#[derive(Debug)]
pub enum Next {
    /// The try is over.
    Over(Outcome),
    /// One more call.
    Call(Stage),
}

impl Stage {
    /// What a try begins with. What was opened before may have been resolved by a person since, so
    /// a trigger asks; a resolve of something resolved is harmless and does not.
    pub fn first(message: &Message) -> Stage {
        match (message.action, &message.remote) {
            (Action::Trigger, None) if !message.may_exist => Stage::Create { is_second: false },
            (Action::Acknowledge | Action::Resolve, Some(remote)) => {
                Stage::Change { id: remote.0.split(' ').next().unwrap_or_default().to_owned() }
            }
            (Action::Trigger | Action::Acknowledge | Action::Resolve, _) => Stage::LookUp { is_taken: false },
        }
    }
}

/// Reads a reply to `stage`. `has_note`: there is something to say in a note.
pub fn after(stage: &Stage, message: &Message, has_note: bool, reply: &Reply) -> Next {
    match stage {
        Stage::LookUp { is_taken } => found(*is_taken, message, reply),
        Stage::Create { is_second } => created(*is_second, reply),
        Stage::Update { id } => match of_reply(reply) {
            Outcome::Delivered { .. } if has_note => Next::Call(Stage::Note { id: id.clone() }),
            Outcome::Delivered { .. } => Next::Over(open(id)),
            _ if is_settled(reply) => Next::Call(Stage::Create { is_second: true }),
            other => Next::Over(other),
        },
        Stage::Change { id } => match of_reply(reply) {
            Outcome::Delivered { .. } if has_note => Next::Call(Stage::Note { id: id.clone() }),
            Outcome::Delivered { .. } => Next::Over(changed(message, id)),
            // Somebody was faster.
            _ if is_settled(reply) => Next::Over(changed(message, id)),
            other => Next::Over(other),
        },
        // The change itself is done; a note that fails is not worth doing it again.
        Stage::Note { id } => Next::Over(changed(message, id)),
    }
}

fn found(is_taken: bool, message: &Message, reply: &Reply) -> Next {
    let Outcome::Delivered { .. } = of_reply(reply) else { return Next::Over(of_reply(reply)) };
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let Some(incidents) = answer["incidents"].as_array() else {
        let reason = format!("answered {} without a list of incidents; check base_url", reply.status);
        return Next::Over(Outcome::Hold { reason });
    };
    // An empty or unknown filter gives all open incidents: only one that bears our key is ours.
    let ours = |incident: &&Value| incident["incident_key"] == message.dedup_key.as_str();
    let id = incidents.iter().find(ours).and_then(id_of);
    match (message.action, id, is_taken) {
        (Action::Trigger, Some(id), true) => Next::Over(open(&id)),
        (Action::Trigger, Some(id), false) => Next::Call(Stage::Update { id }),
        (Action::Trigger, None, false) => Next::Call(Stage::Create { is_second: false }),
        (Action::Trigger, None, true) => Next::Over(changing()),
        (Action::Acknowledge | Action::Resolve, Some(id), _) => Next::Call(Stage::Change { id }),
        // Nothing is open.
        (Action::Acknowledge | Action::Resolve, None, _) => Next::Over(Outcome::delivered()),
    }
}

fn created(is_second: bool, reply: &Reply) -> Next {
    match of_reply(reply) {
        _ if is_duplicate(reply) && !is_second => Next::Call(Stage::LookUp { is_taken: true }),
        _ if is_duplicate(reply) => Next::Over(changing()),
        Outcome::Delivered { .. } => {
            let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            match id_of(&answer["incident"]) {
                Some(id) => Next::Over(open(&id)),
                None => Next::Over(Outcome::Hold {
                    reason: format!("answered {} without an incident; check base_url", reply.status),
                }),
            }
        }
        other => Next::Over(other),
    }
}

fn changing() -> Outcome {
    let reason =
        "an incident with this key was open, and a moment later it was not, or the reverse".to_owned();
    Outcome::Retry { reason, after: None, whole_target: false }
}

fn id_of(incident: &Value) -> Option<String> {
    let id = incident["id"].as_str()?;
    let is_id = (1..=40).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_id.then(|| id.to_owned())
}

fn open(id: &str) -> Outcome {
    Outcome::Delivered { remote: Some(RemoteRef(id.to_owned())) }
}

fn changed(message: &Message, id: &str) -> Outcome {
    match message.action {
        Action::Trigger | Action::Acknowledge => open(id),
        Action::Resolve => Outcome::delivered(),
    }
}
