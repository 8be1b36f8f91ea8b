//! Recorded events with their bodies, for those who try another configuration on them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::server::answer::{self, Answer};
use crate::server::ordering::stumbled;
use crate::server::query::{Query, Refusal, wrong};
use crate::server::state::{Head, State};
use crate::store::orders::{Recorded, Recording};

/// Events of an answer, unless asked otherwise, and the most.
const EVENTS: usize = 100;
const EVENTS_MAX: usize = 1000;

/// `GET /api/v1/events`: oldest first, as many as fit; `next` says where to go on.
pub(super) async fn events(app: &State, head: &Head<'_>, query: &str) -> Result<Answer, Refusal> {
    let query = Query::read(query, &["since", "until", "source", "after", "limit"])?;
    let wanted = Recorded {
        since: query.time("since", head.now)?,
        until: query.time("until", head.now)?,
        source: query.text("source").map(str::to_owned),
        uids: Vec::new(),
        after: query.number("after")?.unwrap_or(0),
        limit: query.limit(EVENTS, EVENTS_MAX)?,
    };
    if wanted.since.is_none() {
        return Err(wrong(
            "since: write a time, as in 2026-08-01T03:00:00Z, or how long ago it was, as in 24h",
        ));
    }
    let (since, until) = (wanted.since.map(|at| at.to_string()), wanted.until.map(|at| at.to_string()));
    let (found, next) = app.store.read(move |reader| reader.recorded(&wanted)).await.map_err(stumbled)?;
    let redactor = &app.books.current().redactor;
    let events: Vec<Value> =
        found.into_iter().map(|event| event_json(event, &|text| redactor.clean(text))).collect();
    Ok(answer::json(
        StatusCode::OK,
        &json!({ "since": since, "until": until, "events": events, "next": next }),
    ))
}

/// A body that is no text comes in base64.
fn event_json(event: Recording, clean: &dyn Fn(&str) -> String) -> Value {
    let mut shown = json!({
        "id": event.uid.to_string(),
        "source": event.source,
        "received_at": event.received_at.to_string(),
    });
    match String::from_utf8(event.body) {
        Ok(text) => shown["body"] = clean(&text).into(),
        Err(bytes) => shown["body_base64"] = BASE64_STANDARD.encode(bytes.as_bytes()).into(),
    }
    shown
}
