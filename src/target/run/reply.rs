//! Judging replies, where all job platforms are the same: what surely was not started may be tried
//! again, and of everything else nobody knows.

use serde_json::Value;

use crate::domain::exchange::Reply;
use crate::domain::message::RemoteRef;
use crate::domain::outcome::Outcome;
use crate::domain::signal::Event;
use crate::target::contract::{Found, Inquiry};
use crate::target::verdict::{by_status, sentence};

/// What a start came to that was not answered with the platform's yes. A gateway that gives up
/// waiting (502, 504) or a server that trips (500) may have started the run before.
pub fn not_started(reply: &Reply) -> Outcome {
    match by_status(reply) {
        Outcome::Retry { reason, .. } if !matches!(reply.status, 408 | 425 | 429 | 503) => {
            Outcome::Unknown { reason }
        }
        Outcome::Delivered { .. } => Outcome::Unknown {
            reason: sentence(reply, "this names no run; look at the platform, and check base_url"),
        },
        outcome => outcome,
    }
}

/// A question that was not answered: nothing has changed by it, so it may be asked again.
pub fn unanswered(reply: &Reply) -> Outcome {
    match by_status(reply) {
        Outcome::Delivered { .. } => Outcome::Hold {
            reason: sentence(
                reply,
                "this is no answer of the platform's API; check base_url and the credentials",
            ),
        },
        outcome => outcome,
    }
}

/// A run has been started.
pub fn started(run: &str) -> Outcome {
    Outcome::Delivered { remote: Some(RemoteRef(run.to_owned())) }
}

/// What a cancel came to: what is gone or over need not be cancelled any more.
pub fn cancelled(reply: &Reply) -> Outcome {
    match reply.status {
        404 | 405 | 409 | 410 => Outcome::delivered(),
        _ => by_status(reply),
    }
}

/// So a run stands.
pub fn stands(event: Event, state: &str, output: String) -> Inquiry {
    Inquiry::Known(Found { event, state: state.to_owned(), who: String::new(), output })
}

/// A question about a run that was not answered with what was asked.
pub fn no_telling(reply: &Reply) -> Inquiry {
    Inquiry::Failed(match reply.status {
        404 | 410 => {
            Outcome::Rejected { reason: sentence(reply, "the platform does not know this run (any more)") }
        }
        _ => unanswered(reply),
    })
}

/// What a run has written; nothing where the platform does not say.
pub fn text(reply: &Reply) -> String {
    if reply.status == 200 { String::from_utf8_lossy(&reply.body).into_owned() } else { String::new() }
}

/// The body as JSON; null when it is none.
pub fn json(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_default()
}

/// An id: a number or a text, fit to stand in a path and in a remote ref.
pub fn id(value: &Value) -> Option<String> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let is_dots = text.chars().all(|c| c == '.');
    (!text.is_empty() && text.len() <= 200 && !is_dots && text.chars().all(fits)).then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_of_any_size_keeps_its_digits_and_a_path_is_none() {
        let large: Value = serde_json::from_str("18446744073709551615").expect("a number");
        assert_eq!(id(&large).as_deref(), Some("18446744073709551615"));
        assert_eq!(id(&json!("a-1")).as_deref(), Some("a-1"));
        for none in [json!(null), json!(""), json!("../x"), json!(".."), json!("a b"), json!({}), json!(true)]
        {
            assert_eq!(id(&none), None, "{none}");
        }
    }

    #[test]
    fn only_what_surely_did_not_start_is_tried_again() {
        for (status, word) in [
            (200, "unknown"),
            (400, "rejected"),
            (401, "hold"),
            (408, "retry"),
            (429, "retry"),
            (500, "unknown"),
            (501, "hold"),
            (502, "unknown"),
            (503, "retry"),
            (504, "unknown"),
        ] {
            assert_eq!(not_started(&Reply { status, ..Reply::default() }).word(), word, "{status}");
        }
    }
}
