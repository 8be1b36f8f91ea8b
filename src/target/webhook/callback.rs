//! What a system behind a webhook target tells back: a small JSON object of our own form.
//!
//! `{"event": "acknowledged", "dedup_key": "…", "who": "alice", "text": "…", "id": "…"}`, with a
//! bearer token. `event` is one of the words of [`Event`]; without `id`, the same words about the same
//! key count once a second.

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::auth::proof::{any_holds, hex};
use crate::domain::message::DedupKey;
use crate::domain::secret::Secret;
use crate::domain::signal::{Event, Signal, Subject};
use crate::target::contract::{Answer, Callback, Heard, Refusal};

#[derive(Debug, Deserialize)]
struct Told {
    event: String,
    dedup_key: String,
    #[serde(default)]
    who: String,
    #[serde(default)]
    text: String,
    id: Option<String>,
    at: Option<Timestamp>,
}

/// Reads one callback.
pub fn read(call: &Callback<'_>, tokens: &[Secret]) -> Result<Heard, Refusal> {
    if tokens.is_empty() {
        return Err(Refusal::NotSetUp("callback_tokens"));
    }
    let given =
        call.header("authorization").and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
    if !any_holds(tokens, given.trim().as_bytes(), |token| token.expose().as_bytes().to_vec()) {
        return Err(Refusal::Forged("the bearer token is missing or wrong"));
    }
    let told: Told = serde_json::from_slice(call.body)
        .map_err(|error| Refusal::Unreadable(format!("this is no signal: {error}")))?;
    let words = || Event::ALL.map(Event::as_str).join(", ");
    let event = Event::parse(&told.event)
        .ok_or_else(|| Refusal::Unreadable(format!("`event` is one of {}", words())))?;
    let key = DedupKey::written(&told.dedup_key)
        .ok_or_else(|| Refusal::Unreadable("`dedup_key` is empty".to_owned()))?;
    let at = told.at.unwrap_or(call.now);
    let id = told
        .id
        .unwrap_or_else(|| hex(&Sha256::digest([call.body, at.as_second().to_string().as_bytes()].concat())));
    let signal = Signal { id, about: Subject::Key(key), event, who: told.who, text: told.text, at };
    Ok(Heard { signals: vec![signal], answer: Answer::default() })
}
