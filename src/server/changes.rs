//! Changes in, of the sources that may post alerts: kept, then answered; and told again.

use std::sync::PoisonError;

use hyper::StatusCode;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::document::nearest;
use crate::domain::change::{Change, suspects};
use crate::plan::announce::announce;
use crate::rulebook::Rulebook;
use crate::server::answer::{self, Answer, ProblemDetails};
use crate::server::body::{Bounds, Encoding, read_within};
use crate::server::ordering::{plain, stumbled};
use crate::server::query::{Query, Refusal};
use crate::server::state::{Head, State, unavailable};
use crate::source::change;
use crate::store::event::Changed;
use crate::store::incidents::{ChangeFilter, Entry, Story};

/// Longest body: webhooks of deployments tell of whole repositories.
const BODY_MAX: usize = 1024 * 1024;
/// Characters of a name or a title that are kept.
const TEXT_CHARS: usize = 500;
/// Rows of an answer, unless asked otherwise.
const ROWS: usize = 100;
/// Most rows of an answer.
const ROWS_MAX: usize = 1000;
/// Changes shown with an incident.
const SUSPECTS_MAX: usize = 5;

/// Answers `POST /changes/{source}` and `POST /changes/{source}/{token}`.
pub(super) async fn hook(
    app: &State,
    head: &Head<'_>,
    name: &str,
    token: Option<&str>,
    body: Incoming,
) -> Answer {
    take(app, head, name, token, body).await.unwrap_or_else(|refused| *refused)
}

async fn take(
    app: &State,
    head: &Head<'_>,
    name: &str,
    token: Option<&str>,
    body: Incoming,
) -> Result<Answer, Refusal> {
    let book = app.books.current();
    let problem = |status, detail: String| Box::new(ProblemDetails::new(status, detail).into_answer());
    let Some(rule) = book.sources.get(name) else {
        let cure = nearest::cure(name, book.sources.keys().map(String::as_str));
        return Err(problem(StatusCode::NOT_FOUND, format!("there is no source with this name; {cure}")));
    };
    let refuse = |refused: crate::auth::check::Refused| {
        tracing::warn!(source = name, peer = %head.peer.addr, why = refused.why, "a change was refused");
        Box::new(ProblemDetails::from(refused).into_answer())
    };
    rule.auth.check_head(head.peer.addr.ip(), head.headers, token).map_err(refuse)?;
    let unread = |error: crate::server::body::BodyError| Box::new(error.problem().into_answer());
    let encoding = Encoding::of(head.headers).map_err(unread)?;
    app.store.takes_calls().map_err(stumbled)?;
    let bounds = Bounds { bytes: BODY_MAX, time: app.body_time };
    let body = read_within(body, encoding, bounds, &mut app.budget.held()).await.map_err(unread)?;
    rule.auth.check_body(head.headers, &body, head.now).map_err(refuse)?;
    let value = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: Vec<(String, String)> =
        head.headers.iter().map(|(name, text)| (name.as_str().to_owned(), value(text))).collect();
    let read = change::read(&headers, &body, head.now);
    let read = read.map_err(|why| problem(StatusCode::BAD_REQUEST, book.redactor.clean(&why)))?;
    let Some(change) = read.map(|change| cleaned(change, &book)) else {
        return Ok(answer::json(StatusCode::OK, &json!({ "kept": 0 })));
    };
    tracing::info!(source = name, service = change.service, kind = change.sort.as_str(), "a change");
    let uid = app.fresh_id(head.now);
    let event = announce(&book, name, &change, uid, head.now);
    let changed = Changed { source: name.to_owned(), change: change.clone(), event };
    match app.store.change(changed).await {
        Ok(()) => {
            app.recent.write().unwrap_or_else(PoisonError::into_inner).learn(change);
            Ok(answer::json(StatusCode::OK, &json!({ "kept": 1 })))
        }
        Err(error) => Err(Box::new(unavailable(format!("{error}; nothing was kept, please send it again")))),
    }
}

/// Fit to be kept and shown: one line each, bounded, without secrets.
fn cleaned(change: Change, book: &Rulebook) -> Change {
    let text = |text: &str| book.redactor.clean(&plain(text, TEXT_CHARS));
    Change {
        id: text(&change.id),
        service: text(&change.service),
        environment: text(&change.environment),
        title: text(&change.title),
        who: text(&change.who),
        link: text(&change.link),
        ..change
    }
}

/// Answers `GET /api/v1/changes`; whoever asks has been admitted.
pub(super) async fn list(app: &State, head: &Head<'_>, query: &str) -> Result<Answer, Refusal> {
    let query = Query::read(query, &["service", "since", "until", "limit"])?;
    let filter = ChangeFilter {
        service: query.text("service").map(str::to_owned),
        since: query.time("since", head.now)?,
        until: query.time("until", head.now)?,
        limit: query.limit(ROWS, ROWS_MAX)?,
    };
    let found = app.store.read(move |reader| reader.changes(&filter)).await.map_err(stumbled)?;
    let rows: Vec<Value> = found.iter().map(Change::json).collect();
    Ok(answer::json(StatusCode::OK, &json!({ "changes": rows })))
}

/// Puts the changes that came shortly before on the time line of an incident, and gives them, the
/// likeliest cause first.
pub(super) async fn correlate(app: &State, story: &mut Story) -> Result<Vec<Value>, Refusal> {
    let Some(within) = app.books.current().incidents.as_ref().map(|rules| rules.changes_within) else {
        return Ok(Vec::new());
    };
    let incident = &story.incident;
    if incident.service.is_empty() {
        return Ok(Vec::new());
    }
    let opened = incident.life.opened_at;
    let filter = ChangeFilter {
        service: Some(incident.service.clone()),
        since: opened.saturating_sub(within).ok(),
        until: Some(opened),
        limit: ROWS,
    };
    let found = app.store.read(move |reader| reader.changes(&filter)).await.map_err(stumbled)?;
    let mut found = suspects(&found, &incident.service, &incident.environment, opened, within);
    found.truncate(SUSPECTS_MAX);
    for (_, change) in &found {
        story.timeline.push(Entry {
            at: change.at,
            kind: "change".to_owned(),
            who: change.who.clone(),
            target: String::new(),
            text: format!("{}: {}", change.sort.as_str(), change.title),
        });
    }
    story.timeline.sort_by_key(|entry| entry.at);
    let told = |(weight, change): &(f64, Change)| {
        let mut told = change.json();
        told["weight"] = json!((weight * 100.0).round() / 100.0);
        told
    };
    Ok(found.iter().map(told).collect())
}
