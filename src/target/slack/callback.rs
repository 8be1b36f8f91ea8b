//! What Slack posts to us: clicks on our buttons, and the handshake of its Events API.
//!
//! Proof is an HMAC-SHA256 of `v0:<timestamp>:<body>` under the app's signing secret, in hex behind
//! `v0=` (<https://docs.slack.dev/authentication/verifying-requests-from-slack>). It is checked on
//! the raw bytes before anything is read. What is not ours is accepted and passed over: Slack shows
//! a warning beside a button that nobody answers.

use jiff::Timestamp;
use serde_json::Value;

use crate::auth::proof::{any_holds, hex, hmac_sha256};
use crate::domain::message::DedupKey;
use crate::domain::secret::Secret;
use crate::domain::signal::{Event, Signal, Subject};
use crate::target::contract::{Answer, Callback, Heard, Refusal};
use crate::target::slack::blocks::{ACKNOWLEDGE, APPROVE, DECLINE, RESOLVE};
use crate::template::text::cut;

/// How far Slack's clock may be from ours, either way, in seconds.
const TOLERANCE: u64 = 300;
/// Longest challenge that is given back; Slack's have 50 characters or so.
const CHALLENGE_CHARS: usize = 500;

/// Reads a call, after checking that Slack speaks.
///
/// # Errors
/// [`Refusal`] when it cannot be shown to come from Slack, is older than five minutes, or is neither
/// form nor JSON.
pub fn read(call: &Callback<'_>, secrets: &[Secret]) -> Result<Heard, Refusal> {
    if secrets.is_empty() {
        return Err(Refusal::NotSetUp("set `signing_secret` (Basic Information of the Slack app)"));
    }
    prove(call, secrets)?;
    let payload = payload(call)?;
    let nothing = Heard { signals: Vec::new(), answer: Answer::default() };
    Ok(match payload["type"].as_str() {
        Some("url_verification") => {
            let challenge = payload["challenge"].as_str().unwrap_or_default();
            let body = cut(challenge, CHALLENGE_CHARS).into_owned();
            Heard { answer: Answer { content_type: "text/plain", body }, ..nothing }
        }
        Some("block_actions") => Heard { signals: clicks(&payload, call.now), ..nothing },
        _ => nothing,
    })
}

fn prove(call: &Callback<'_>, secrets: &[Secret]) -> Result<(), Refusal> {
    const MISSING: Refusal = Refusal::Forged("the signature of Slack is missing");
    let sent = call.header("x-slack-signature").ok_or(MISSING)?;
    let time = call.header("x-slack-request-timestamp").ok_or(MISSING)?;
    let seconds: i64 = time.parse().map_err(|_| Refusal::Forged("the timestamp is no number"))?;
    if seconds.abs_diff(call.now.as_second()) > TOLERANCE {
        return Err(Refusal::Forged("the timestamp is more than five minutes from now; compare the clocks"));
    }
    let parts: [&[u8]; 4] = [b"v0:", time.as_bytes(), b":", call.body];
    let made = |secret: &Secret| format!("v0={}", hex(&hmac_sha256(secret, &parts))).into_bytes();
    let is_right = any_holds(secrets, sent.trim().as_bytes(), made);
    if is_right { Ok(()) } else { Err(Refusal::Forged("the signature is wrong; compare `signing_secret`")) }
}

/// Clicks come as a form with one field `payload`, events as JSON.
fn payload(call: &Callback<'_>) -> Result<Value, Refusal> {
    let unreadable = |what: &str| Refusal::Unreadable(what.to_owned());
    if call.header("content-type").is_some_and(|kind| kind.contains("json")) {
        return serde_json::from_slice(call.body).map_err(|_| unreadable("the body is no JSON"));
    }
    let mut fields = url::form_urlencoded::parse(call.body);
    let field = fields.find(|(name, _)| name == "payload").ok_or_else(|| {
        unreadable("there is no `payload` in the form; set this address as the Request URL of Interactivity")
    })?;
    serde_json::from_str(&field.1).map_err(|_| unreadable("`payload` is no JSON"))
}

fn clicks(payload: &Value, now: Timestamp) -> Vec<Signal> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let user = &payload["user"];
    let names = [&user["username"], &user["name"], &user["id"]].map(text);
    let who = names.iter().find(|name| !name.is_empty()).cloned().unwrap_or_default();
    let mut signals = Vec::new();
    for action in payload["actions"].as_array().into_iter().flatten() {
        let name = text(&action["action_id"]);
        let event = match name.as_str() {
            ACKNOWLEDGE => Event::Acknowledged,
            RESOLVE => Event::Resolved,
            APPROVE => Event::Approved,
            DECLINE => Event::Declined,
            _ => continue,
        };
        let value = text(&action["value"]);
        // A word about a job has its number before the key.
        let (job, key) = match event {
            Event::Approved | Event::Declined => value.split_once(' ').unwrap_or_default(),
            _ => ("", value.as_str()),
        };
        let Some(key) = DedupKey::written(key) else { continue };
        let clicked = text(&action["action_ts"]);
        signals.push(Signal {
            id: [&text(&payload["container"]["message_ts"]), &clicked, &text(&user["id"]), &name]
                .map(String::as_str)
                .join(" "),
            about: Subject::Key(key),
            event,
            who: who.clone(),
            text: job.to_owned(),
            at: moment(&clicked).unwrap_or(now),
        });
    }
    signals
}

/// `1548426417.840180`: seconds and, behind the point, microseconds.
fn moment(text: &str) -> Option<Timestamp> {
    let (seconds, micros) = text.split_once('.')?;
    let micros: i32 = micros.get(..6)?.parse().ok()?;
    Timestamp::new(seconds.parse().ok()?, micros.checked_mul(1000)?).ok()
}
