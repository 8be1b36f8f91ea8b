//! What Opsgenie and JSM Operations post by themselves: their outgoing webhook.
//!
//! Takes a call, gives signals. The vendor signs nothing, so a token of ours has to come along, in
//! a header or in the query. Times stand there in milliseconds and in nanoseconds.

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::auth::proof::{any_holds, hex};
use crate::domain::message::DedupKey;
use crate::domain::secret::Secret;
use crate::domain::signal::{Event, Signal, Subject};
use crate::target::contract::{Answer, Callback, Heard, Refusal};

/// Header for the token where `Authorization` is taken.
const TOKEN_HEADER: &str = "x-relay-token";

/// Reads one call. `own` are the names under which the relay writes there.
///
/// # Errors
/// A refusal: no token is set up, the token is wrong, or the body is none of theirs.
pub fn heard(tokens: &[Secret], own: &[String], call: &Callback<'_>) -> Result<Heard, Refusal> {
    if tokens.is_empty() {
        return Err(Refusal::NotSetUp("callback_tokens"));
    }
    let given = given(call).ok_or(Refusal::Forged("the token is missing"))?;
    let held = any_holds(tokens, given.expose().as_bytes(), |token| token.expose().as_bytes().to_vec());
    if !held {
        return Err(Refusal::Forged("the token is wrong"));
    }
    let body: Value = serde_json::from_slice(call.body)
        .map_err(|error| Refusal::Unreadable(format!("no JSON: {error}")))?;
    let Some(action) = body["action"].as_str() else {
        return Err(Refusal::Unreadable("there is no `action` in it".to_owned()));
    };
    // Our own notes come back, and are no news.
    let is_ours = |signal: &Signal| signal.event == Event::Commented && own.contains(&signal.who);
    let signals = signal(action, &body, call.now).into_iter().filter(|signal| !is_ours(signal)).collect();
    Ok(Heard { signals, answer: Answer::default() })
}

/// The token of a call: `Authorization: Bearer …`, `X-Relay-Token: …` or `?token=…`.
fn given(call: &Callback<'_>) -> Option<Secret> {
    let bearer = call.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if let Some(token) = bearer.or_else(|| call.header(TOKEN_HEADER)) {
        return Some(Secret::new(token.trim()));
    }
    let url = Url::parse(call.url).ok()?;
    url.query_pairs().find(|(name, _)| name == "token").map(|(_, value)| Secret::new(value))
}

fn signal(action: &str, body: &Value, now: Timestamp) -> Option<Signal> {
    let event = match action {
        "Acknowledge" => Event::Acknowledged,
        "UnAcknowledge" => Event::Unacknowledged,
        "Close" => Event::Resolved,
        "AddNote" => Event::Commented,
        _ => return None,
    };
    let alert = &body["alert"];
    let text = |name: &str| alert[name].as_str().unwrap_or_default();
    let id = text("alertId");
    // An alert that was made by hand has its own id for an alias.
    let key = Some(text("alias")).filter(|alias| *alias != id).and_then(DedupKey::written);
    let about = match key {
        Some(key) => Subject::Key(key),
        None if id.is_empty() => return None,
        None => Subject::Remote(id.to_owned()),
    };
    let who = Some(text("username")).filter(|name| !name.is_empty());
    let when = ["updatedAt", "createdAt"].iter().find_map(|name| alert[*name].as_i64());
    Some(Signal {
        id: format!("{id} {action} {}", when.map_or_else(|| print(body), |when| when.to_string())),
        about,
        event,
        who: who.or_else(|| body["source"]["name"].as_str()).unwrap_or_default().to_owned(),
        text: text("note").to_owned(),
        at: when.and_then(moment).unwrap_or(now),
    })
}

/// What makes an event that bears no time the same as its repeat.
fn print(body: &Value) -> String {
    hex(&Sha256::digest(body.to_string().as_bytes())[..8])
}

/// Nanoseconds or milliseconds since 1970, whichever it can be.
fn moment(number: i64) -> Option<Timestamp> {
    const NANOS_FROM: i64 = 100_000_000_000_000_000;
    if number >= NANOS_FROM {
        return Timestamp::from_nanosecond(number.into()).ok();
    }
    Timestamp::from_millisecond(number).ok()
}
