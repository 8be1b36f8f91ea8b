//! Webhooks of Jira, Cloud and Data Center: issues that move, close, vanish, are commented.
//!
//! Signed in `X-Hub-Signature` (WebSub): a webhook without a secret cannot prove itself and is
//! refused. Jira gives no time to check an age by, and what it calls the identifier of a call stands in a
//! header, which is not signed: a repeat is known by its body, which Jira's own retries bring unchanged.

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::signal::{Event, Signal, Subject};
use crate::target::contract::{Answer, Callback, Heard, Refusal};
use crate::target::desk::ear::{Ear, name_of};
use crate::target::desk::stamp;

/// Reads a call, after checking who speaks. `own` is the mail address of the relay's account, where it
/// is known.
pub(super) fn hear(ear: &Ear, own: Option<&str>, call: &Callback<'_>) -> Result<Heard, Refusal> {
    if ear.is_deaf() {
        return Err(Refusal::NotSetUp("set `webhook_secrets`, and the same secret at the webhook in Jira"));
    }
    ear.check_signature(call, "x-hub-signature")?;
    let said: Value = serde_json::from_slice(call.body)
        .map_err(|error| Refusal::Unreadable(format!("no JSON: {error}")))?;
    let name = name_of(call.body);
    let (event, who, text) = match what(&said) {
        Some(happened) if !is_ours(own, &said) => happened,
        _ => return Ok(Heard { signals: Vec::new(), answer: Answer::default() }),
    };
    let Some(id) = stamp::id(&said["issue"]["id"]) else {
        return Err(Refusal::Unreadable("there is no id in `issue`".into()));
    };
    let at =
        said["timestamp"].as_i64().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(call.now);
    let id_of_signal = format!("{name}-{}", event.as_str());
    let signal = Signal { id: id_of_signal, about: Subject::Remote(id), event, who, text, at };
    Ok(Heard { signals: vec![signal], answer: Answer::default() })
}

/// Our own comments come back, and are no news. Cloud tells the address of an account only where its
/// owner shows it.
fn is_ours(own: Option<&str>, said: &Value) -> bool {
    let author = stamp::word(&said["comment"]["author"]["emailAddress"]);
    own.is_some_and(|own| own.eq_ignore_ascii_case(author))
}

/// What happened, by whom, in what words; `None` when it is of no interest.
fn what(said: &Value) -> Option<(Event, String, String)> {
    let user = name(&said["user"]);
    match stamp::word(&said["webhookEvent"]) {
        "jira:issue_deleted" => Some((Event::TicketClosed, user, "deleted".into())),
        "comment_created" => {
            let comment = &said["comment"];
            Some((Event::Commented, name(&comment["author"]), words(&comment["body"])))
        }
        "jira:issue_updated" => {
            let items = said["changelog"]["items"].as_array().into_iter().flatten();
            let moved = items.rev().find(|item| item["field"] == "status")?;
            let status = &said["issue"]["fields"]["status"];
            let event = match status["statusCategory"]["key"] == "done" {
                true => Event::TicketClosed,
                false => Event::TicketMoved,
            };
            let state = [&moved["toString"], &status["name"]].map(stamp::word);
            Some((
                event,
                user,
                state.into_iter().find(|word| !word.is_empty()).unwrap_or_default().to_owned(),
            ))
        }
        _ => None,
    }
}

fn name(user: &Value) -> String {
    let names = [&user["displayName"], &user["name"], &user["accountId"]].map(stamp::word);
    names.into_iter().find(|name| !name.is_empty()).unwrap_or_default().to_owned()
}

/// The text of a comment: plain, or the texts of a document.
fn words(body: &Value) -> String {
    fn gather(node: &Value, depth: usize, text: &mut String) {
        text.push_str(node["text"].as_str().unwrap_or_default());
        if node["type"] == "paragraph" && !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        // A document is not deeper than that, and a forged one shall not exhaust the stack.
        for child in node["content"].as_array().into_iter().flatten().take_while(|_| depth < 32) {
            gather(child, depth + 1, text);
        }
    }
    if let Some(text) = body.as_str() {
        return text.trim().to_owned();
    }
    let mut text = String::new();
    gather(body, 0, &mut text);
    text.trim().to_owned()
}
