//! What the answers of PagerDuty's REST API mean.
//!
//! Takes a reply, gives an outcome. Errors come as `{"error": {"message", "code", "errors"}}`.

use std::time::Duration;

use serde_json::Value;

use crate::domain::exchange::Reply;
use crate::domain::outcome::Outcome;
use crate::target::verdict::{WAIT_MAX, by_status, sentence};
use crate::template::text::cut;

/// Already resolved, already acknowledged, not found.
const SETTLED: [u64; 3] = [1001, 1002, 2100];
/// Somebody has changed the incident between our call and its turn.
const STALE: u64 = 1005;
/// The user in the `From` header is unknown.
const NO_SUCH_USER: u64 = 1008;
/// What a 400 speaks of when a setting is wrong rather than this message.
const OF_SETTINGS: [&str; 6] =
    ["requester user", "from header", "service", "escalation policy", "assignee", "priority"];

/// The answer to any call.
pub fn of_reply(reply: &Reply) -> Outcome {
    let (code, told) = told(reply);
    match reply.status {
        200..=299 if serde_json::from_slice::<Value>(&reply.body).is_ok_and(|said| said.is_object()) => {
            Outcome::delivered()
        }
        200..=299 => Outcome::Hold {
            reason: sentence(reply, "this is not PagerDuty's answer, which would be JSON: check base_url"),
        },
        400 if code == STALE => {
            let reason = format!("{told}; it has been changed in the meantime");
            Outcome::Retry { reason, after: None, whole_target: false }
        }
        400 => {
            let lower = told.to_lowercase();
            if code == NO_SUCH_USER || OF_SETTINGS.iter().any(|word| lower.contains(word)) {
                let hint = "check from, service_id, escalation_policy_id, assignees and priorities";
                return Outcome::Hold { reason: format!("{told}; {hint}") };
            }
            Outcome::Rejected { reason: told }
        }
        401 => {
            Outcome::Hold { reason: format!("{told}; check api_key, and base_url for accounts in the EU") }
        }
        402 => Outcome::Hold { reason: format!("{told}; the plan of the account does not include this") },
        403 => Outcome::Hold { reason: format!("{told}; the key may not write, or not to this service") },
        404 => Outcome::Hold { reason: format!("{told}; check service_id and base_url") },
        429 => match by_status(reply) {
            Outcome::Retry { after, whole_target, .. } => {
                Outcome::Retry { reason: told, after: after.or_else(|| reset(reply)), whole_target }
            }
            other => other,
        },
        _ => by_status(reply),
    }
}

/// An open incident of this service has the key already.
pub fn is_duplicate(reply: &Reply) -> bool {
    let (_, told) = told(reply);
    let lower = told.to_lowercase();
    reply.status == 400
        && lower.contains("already exists")
        && (lower.contains("dedup key") || lower.contains("incident_key") || lower.contains("incident key"))
}

/// The incident is not open any more, or is in the state that was wanted.
pub fn is_settled(reply: &Reply) -> bool {
    let (code, told) = told(reply);
    let lower = told.to_lowercase();
    (400..500).contains(&reply.status)
        && (SETTLED.contains(&code)
            || lower.contains("already resolved")
            || lower.contains("already acknowledged"))
}

/// The vendor's code, and one sentence.
fn told(reply: &Reply) -> (u64, String) {
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let error = &answer["error"];
    let code = error["code"].as_u64().unwrap_or_default();
    let errors = error["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let all: Vec<&str> = error["message"].as_str().into_iter().chain(errors).collect();
    if all.is_empty() {
        return (code, sentence(reply, ""));
    }
    (code, format!("answered {}: {} ({code})", reply.status, cut(&all.join("; "), 500)))
}

/// The vendor's own header beside a 429: seconds until the window is over.
fn reset(reply: &Reply) -> Option<Duration> {
    let seconds: u64 = reply.header("ratelimit-reset")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(WAIT_MAX))
}
