//! The calls of one try and their order: which follows which reply.
//!
//! Takes the call that was made and its reply, gives the next call or the end. What may be repeated
//! comes first, the note, which may not, last. Pure; the wording of calls is not here.

use std::time::Duration;

use serde_json::Value;

use crate::domain::exchange::Reply;
use crate::domain::message::{Action, Message, RemoteRef};
use crate::domain::outcome::Outcome;
use crate::target::opsgenie::verdict;
use crate::target::opsgenie::words::Dialect;

/// Pauses before the questions what became of a write. After the last the alias has to do: what is
/// sent again folds into it.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_millis(1000),
    Duration::from_millis(2000),
];

/// A call. `alert` is the vendor's id, where it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Create, which folds into an open alert of the same alias.
    Create,
    /// Which open alert has our alias.
    LookUp,
    /// Acknowledge or close.
    Change { alert: Option<String> },
    /// What became of a write: `0` questions were asked before.
    Confirm { request: String, asked: usize, alert: Option<String> },
    /// Brings an open alert up to date.
    Priority { alert: Option<String> },
    /// Its one line.
    Message { alert: Option<String> },
    /// Its text.
    Description { alert: Option<String> },
    /// Says it in a note, where the change itself takes none.
    Note { alert: Option<String> },
}

/// What comes after a reply.
#[derive(Debug)]
pub enum Next {
    /// The try is over.
    Over(Outcome),
    /// One more call, after a pause.
    Call(Stage, Duration),
}

impl Next {
    fn call(stage: Stage) -> Next {
        Next::Call(stage, Duration::ZERO)
    }
}

/// Reads a reply to `stage`.
pub fn after(stage: Stage, message: &Message, dialect: Dialect, updates: bool, reply: &Reply) -> Next {
    match stage {
        Stage::Create => written(reply, None, message, dialect, updates),
        Stage::Change { alert } => written(reply, alert, message, dialect, updates),
        Stage::LookUp => match (reply.status, text(&said(reply), "id")) {
            (200, Some(id)) => Next::call(Stage::Change { alert: Some(id) }),
            // Nothing open has our alias.
            (404, _) => Next::Over(Outcome::delivered()),
            _ => Next::Over(verdict::of_question(reply)),
        },
        Stage::Confirm { request, asked, alert } => {
            confirmed(request, asked, alert, message, dialect, updates, reply)
        }
        Stage::Priority { alert } => updated(reply, message, alert, |alert| Stage::Message { alert }),
        Stage::Message { alert } => updated(reply, message, alert, |alert| Stage::Description { alert }),
        Stage::Description { alert } => match verdict::of_write(reply) {
            Outcome::Delivered { .. } => Next::Over(delivered(message, alert)),
            other => Next::Over(other),
        },
        // The change itself is done; a note that fails is not worth doing it again.
        Stage::Note { alert } => Next::Over(delivered(message, alert)),
    }
}

fn written(reply: &Reply, alert: Option<String>, message: &Message, dialect: Dialect, updates: bool) -> Next {
    match verdict::of_write(reply) {
        Outcome::Delivered { .. } => {}
        other => return Next::Over(other),
    }
    match text(&said(reply), "requestId") {
        Some(request) => Next::Call(Stage::Confirm { request, asked: 0, alert }, PAUSES[0]),
        None => settled(alert, message, dialect, updates),
    }
}

fn confirmed(
    request: String,
    asked: usize,
    alert: Option<String>,
    message: &Message,
    dialect: Dialect,
    updates: bool,
    reply: &Reply,
) -> Next {
    let answer = said(reply);
    let data = if answer["data"].is_object() { &answer["data"] } else { &answer };
    let alert = text(data, "alertId").or(alert);
    let success = data["isSuccess"].as_bool().or_else(|| data["success"].as_bool());
    match (reply.status, success) {
        (200, Some(false)) => {
            let why = text(data, "status").unwrap_or_else(|| "without a reason".to_owned());
            Next::Over(verdict::of_failure(message.action, &why))
        }
        (200, _) => settled(alert, message, dialect, updates),
        (404, _) => match PAUSES.get(asked + 1) {
            Some(pause) => Next::Call(Stage::Confirm { request, asked: asked + 1, alert }, *pause),
            None => settled(alert, message, dialect, updates),
        },
        // It was taken; what became of it is not told now, and asking again costs more than it gives.
        _ => settled(alert, message, dialect, updates),
    }
}

/// The write itself is done. What an open alert shows is brought up to date, because creating it
/// again only counts; a note follows where the change could not take it along.
fn settled(alert: Option<String>, message: &Message, dialect: Dialect, updates: bool) -> Next {
    let may_be_older = message.may_exist || message.remote.is_some();
    let can_be_named = dialect == Dialect::Alias || alert.is_some();
    match message.action {
        Action::Trigger if updates && may_be_older && can_be_named => Next::call(Stage::Priority { alert }),
        Action::Acknowledge | Action::Resolve
            if dialect == Dialect::Id && alert.is_some() && message.note.is_some() =>
        {
            Next::call(Stage::Note { alert })
        }
        Action::Trigger | Action::Acknowledge | Action::Resolve => Next::Over(delivered(message, alert)),
    }
}

fn updated(
    reply: &Reply,
    message: &Message,
    alert: Option<String>,
    next: impl FnOnce(Option<String>) -> Stage,
) -> Next {
    match verdict::of_write(reply) {
        Outcome::Delivered { .. } => Next::call(next(alert)),
        // Closed in the meantime by somebody: there is nothing to bring up to date.
        Outcome::Hold { .. } if reply.status == 404 => Next::Over(delivered(message, alert)),
        other => Next::Over(other),
    }
}

fn delivered(message: &Message, alert: Option<String>) -> Outcome {
    let lasts = message.action != Action::Resolve;
    Outcome::Delivered { remote: alert.filter(|_| lasts).map(RemoteRef) }
}

fn said(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_default()
}

fn text(value: &Value, name: &str) -> Option<String> {
    value[name].as_str().filter(|text| !text.is_empty() && text.len() <= 200).map(str::to_owned)
}
