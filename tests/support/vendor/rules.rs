//! What Events API v2 checks before it takes an event, and the answers it gives: a pure function
//! from a request to an event or a refusal. Limits are PagerDuty's documented ones, in characters
//! where it counts characters.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// Largest request in bytes.
pub const MAX_BODY: usize = 512 * 1024;
const MAX_SUMMARY: usize = 1024;
const MAX_DEDUP_KEY: usize = 255;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    Trigger,
    Acknowledge,
    Resolve,
}

/// An event that passed.
#[derive(Debug, Clone)]
pub struct Event {
    pub routing_key: String,
    pub action: Action,
    /// Made up when a trigger brought none.
    pub dedup_key: String,
    /// Empty unless a trigger.
    pub summary: String,
    /// Empty unless a trigger.
    pub severity: String,
    /// The whole body.
    pub body: Value,
}

/// Status and body of an answer.
pub type Answer = (u16, Value);

/// The answer to an event that passed.
pub fn accepted(event: &Event) -> Answer {
    (202, json!({ "status": "success", "message": "Event processed", "dedup_key": event.dedup_key }))
}

/// The answer to too many events; the event was not stored.
pub fn throttled() -> Answer {
    let message = "Requests for this service are arriving too quickly.  Please retry later.";
    (429, json!({ "status": "throttle exceeded", "message": message }))
}

fn refused(errors: &[String]) -> Answer {
    (400, json!({ "status": "invalid event", "message": "Event object is invalid", "errors": errors }))
}

/// Reads an event. `spare_key` is used when a trigger has no dedup key.
pub fn read(
    content_type: &str,
    body: &[u8],
    routing_keys: &BTreeSet<String>,
    spare_key: &str,
) -> Result<Event, Answer> {
    if body.len() > MAX_BODY {
        return Err((413, json!({ "status": "invalid event", "message": "Payload too large" })));
    }
    if content_type.split(';').next().is_none_or(|kind| !kind.trim().eq_ignore_ascii_case("application/json"))
    {
        return Err(refused(&["Content-Type must be application/json".to_owned()]));
    }
    let Ok(Value::Object(fields)) = serde_json::from_slice::<Value>(body) else {
        return Err(refused(&["the body is not a JSON object".to_owned()]));
    };
    let body = Value::Object(fields);
    let mut errors = Vec::new();
    let routing_key = text(&body, "/routing_key").unwrap_or_default();
    if routing_key.chars().count() != 32 || !routing_keys.contains(routing_key) {
        errors.push("'routing_key' is invalid".to_owned());
    }
    let action = match text(&body, "/event_action") {
        Some("trigger") => Some(Action::Trigger),
        Some("acknowledge") => Some(Action::Acknowledge),
        Some("resolve") => Some(Action::Resolve),
        _ => None,
    };
    if action.is_none() {
        errors.push("'event_action' must be one of trigger, acknowledge, resolve".to_owned());
    }
    let dedup_key = text(&body, "/dedup_key").unwrap_or_default();
    if dedup_key.chars().count() > MAX_DEDUP_KEY {
        errors.push(format!("'dedup_key' is longer than {MAX_DEDUP_KEY} characters"));
    }
    if body.get("dedup_key").is_some_and(|key| !key.is_string() && !key.is_null()) {
        errors.push("'dedup_key' must be a string".to_owned());
    }
    match action {
        Some(Action::Trigger) => trigger(&body, &mut errors),
        Some(_) if dedup_key.is_empty() => errors.push("'dedup_key' is missing or blank".to_owned()),
        _ => {}
    }
    let (Some(action), true) = (action, errors.is_empty()) else { return Err(refused(&errors)) };
    let of_trigger = |path| match action {
        Action::Trigger => text(&body, path).unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    Ok(Event {
        routing_key: routing_key.to_owned(),
        action,
        dedup_key: if dedup_key.is_empty() { spare_key.to_owned() } else { dedup_key.to_owned() },
        summary: of_trigger("/payload/summary"),
        severity: of_trigger("/payload/severity"),
        body,
    })
}

/// What only a trigger has to bring.
fn trigger(body: &Value, errors: &mut Vec<String>) {
    let mut need = |path: &str, name: &str| {
        let found = text(body, path).filter(|text| !text.trim().is_empty());
        if found.is_none() {
            errors.push(format!("'{name}' is missing or blank"));
        }
        found
    };
    let summary = need("/payload/summary", "payload.summary");
    let severity = need("/payload/severity", "payload.severity");
    need("/payload/source", "payload.source");
    if summary.is_some_and(|text| text.chars().count() > MAX_SUMMARY) {
        errors.push(format!("'payload.summary' is longer than {MAX_SUMMARY} characters"));
    }
    if severity.is_some_and(|text| !["critical", "error", "warning", "info"].contains(&text)) {
        errors.push("'payload.severity' must be one of critical, error, warning, info".to_owned());
    }
    for name in ["component", "group", "class"] {
        if body.pointer(&format!("/payload/{name}")).is_some_and(|value| !value.is_string()) {
            errors.push(format!("'payload.{name}' must be a string"));
        }
    }
    let timestamp = body.pointer("/payload/timestamp").map(|value| value.as_str().unwrap_or_default());
    if timestamp.is_some_and(|text| text.parse::<jiff::Timestamp>().is_err()) {
        errors.push("'payload.timestamp' is not an ISO 8601 time".to_owned());
    }
    if body.pointer("/payload/custom_details").is_some_and(|details| !details.is_object()) {
        errors.push("'payload.custom_details' must be an object".to_owned());
    }
    for (list, field, prefix) in [("links", "href", "http"), ("images", "src", "https://")] {
        let entries = match body.get(list) {
            None => continue,
            Some(entries) => entries.as_array().map_or(&[] as &[Value], Vec::as_slice),
        };
        let good = |entry: &Value| entry[field].as_str().is_some_and(|url| url.starts_with(prefix));
        if !body[list].is_array() || !entries.iter().all(good) {
            errors.push(format!("'{list}' must be a list of objects with '{field}'"));
        }
    }
}

fn text<'a>(body: &'a Value, path: &str) -> Option<&'a str> {
    body.pointer(path).and_then(Value::as_str)
}
