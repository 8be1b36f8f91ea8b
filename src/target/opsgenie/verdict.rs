//! What the answers of Opsgenie and JSM Operations mean.
//!
//! Takes a reply, or the text of a failure that a later question brought to light, gives an
//! outcome. Their 202 only says that a write was taken.

use std::time::Duration;

use serde_json::Value;

use crate::domain::exchange::Reply;
use crate::domain::message::Action;
use crate::domain::outcome::Outcome;
use crate::target::verdict::{WAIT_MAX, by_status, sentence};
use crate::template::text::cut;

/// The answer to a write.
pub fn of_write(reply: &Reply) -> Outcome {
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    match reply.status {
        // Notes of JSM answer 201 with the note.
        200..=299 if answer.is_object() => Outcome::delivered(),
        204 => Outcome::delivered(),
        200..=299 => {
            let hint = "this is not Opsgenie's answer, which would be a 202 with a requestId: check base_url";
            Outcome::Hold { reason: sentence(reply, hint) }
        }
        _ => of_question(reply),
    }
}

/// The answer to a question, where it is none that was expected.
pub fn of_question(reply: &Reply) -> Outcome {
    match reply.status {
        200..=299 => {
            Outcome::Hold { reason: sentence(reply, "this is not Opsgenie's answer: check base_url") }
        }
        401 => {
            let hint = "check the key, and that base_url is that of its region (EU accounts have their own)";
            Outcome::Hold { reason: sentence(reply, hint) }
        }
        402 => Outcome::Hold { reason: sentence(reply, "the plan of the account does not include this") },
        403 => {
            let hint = "give the key (API integration) the right to create and update alerts";
            Outcome::Hold { reason: sentence(reply, hint) }
        }
        429 => {
            let Outcome::Retry { reason, after, whole_target } = by_status(reply) else {
                return by_status(reply);
            };
            Outcome::Retry { reason, after: after.or_else(|| period(reply)), whole_target }
        }
        _ => by_status(reply),
    }
}

/// What a write came to that was taken and then failed. Nothing left to close or to acknowledge is
/// what was wanted.
pub fn of_failure(action: Action, why: &str) -> Outcome {
    let lower = why.to_lowercase();
    let is_gone = ["not exist", "not found", "already", "closed"].iter().any(|word| lower.contains(word));
    match action {
        Action::Acknowledge | Action::Resolve if is_gone => Outcome::delivered(),
        Action::Trigger | Action::Acknowledge | Action::Resolve => {
            Outcome::Rejected { reason: format!("taken and then not done: {}", cut(why, 300)) }
        }
    }
}

/// The vendor's own header beside a 429: until the bucket is full again.
fn period(reply: &Reply) -> Option<Duration> {
    let seconds: u64 = reply.header("x-ratelimit-period-in-sec")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(WAIT_MAX))
}
