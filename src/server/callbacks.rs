//! What services post back: read and verified by the target's kind, kept with what follows from it,
//! then answered as the service expects.
//!
//! Like intake, nothing is answered with 2xx before it is on disk, and the relay's own trouble is a
//! 503: services repeat that.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{StatusCode, Uri};
use serde_json::{Value, json};

use crate::domain::secret::Redactor;
use crate::domain::signal::{Event, Signal};
use crate::rulebook::{Rulebook, TargetRule};
use crate::server::answer::{self, Answer, ProblemDetails};
use crate::server::body::{Bounds, Encoding, read_within};
use crate::server::ordering::{plain, stumbled};
use crate::server::query::{Query, Refusal};
use crate::server::state::{Head, State, unavailable};
use crate::store::boundary::StoreError;
use crate::store::hearing::{Hearing, SignalFilter, SignalRecord};
use crate::target::contract::{self, Callback, Refusal as Unheard};

/// Longest body of a callback: larger than anything that a service posts.
const BODY_MAX: usize = 1024 * 1024;
/// Characters of a comment or a name that are kept.
const TEXT_CHARS: usize = 4000;
const NAME_CHARS: usize = 200;
/// Rows of an answer, unless asked otherwise.
const ROWS: usize = 100;
/// Most rows of an answer.
const ROWS_MAX: usize = 1000;

/// Answers `POST /callbacks/{target}`.
pub(super) async fn answer(app: &State, head: &Head<'_>, name: &str, uri: &Uri, body: Incoming) -> Answer {
    let book = app.books.current();
    let Some(rule) = book.target(name) else {
        let detail =
            "there is no target of this name; callbacks go to /callbacks/ and the name in relay.yaml";
        return ProblemDetails::new(StatusCode::NOT_FOUND, detail).into_answer();
    };
    // An answer that comes when nobody waits for it any more is none: what stands on disk by then is
    // known again when it is repeated.
    let within = rule.target.awaits_answer();
    let heard = hear(app, head, &book, &rule, (uri, body, within / 3));
    tokio::time::timeout(within / 6 * 5, heard).await.unwrap_or_else(|_| {
        tracing::error!(target_name = %rule.name, ?within, "a callback could not be kept in time");
        unavailable("what you tell us could not be kept in time; come again")
    })
}

/// Reads a callback and keeps what it says. Of the time that the service waits the body may take a
/// third.
async fn hear(
    app: &State,
    head: &Head<'_>,
    book: &Rulebook,
    rule: &TargetRule,
    (uri, body, body_time): (&Uri, Incoming, Duration),
) -> Answer {
    let body = match Encoding::of(head.headers) {
        Ok(encoding) => {
            let bounds = Bounds { bytes: BODY_MAX, time: body_time };
            read_within(body, encoding, bounds, &mut app.budget.held()).await
        }
        Err(error) => Err(error),
    };
    let body = match body {
        Ok(body) => body,
        Err(error) => return error.problem().into_answer(),
    };
    let url = format!("{}{}", book.external_url, uri.path_and_query().map_or("", |path| path.as_str()));
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: Vec<(String, String)> =
        head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let name = &rule.name;
    let call = Callback { url: &url, headers: &headers, body: &body, now: head.now };
    match rule.target.callback(&call) {
        Ok(heard) => keep(app, head, book, name, heard).await,
        Err(refusal) => {
            let problem = refused(&refusal);
            let (status, detail) = (problem.status().as_u16(), format!("{refusal:?}"));
            tracing::warn!(target_name = %name, peer = %head.peer.addr, status, detail, "a callback was refused");
            problem.into_answer()
        }
    }
}

async fn keep(
    app: &State,
    head: &Head<'_>,
    book: &Rulebook,
    name: &Arc<str>,
    heard: contract::Heard,
) -> Answer {
    let contract::Heard { signals, answer } = heard;
    if !signals.is_empty() {
        let signals =
            signals.into_iter().map(|signal| (app.fresh_id(head.now), cleaned(signal, &book.redactor)));
        let signals: Vec<(uuid::Uuid, Signal)> = signals.collect();
        for (_, signal) in &signals {
            tracing::info!(
                target_name = %name, event = signal.event.as_str(), about = %signal.about, who = signal.who,
                "a service told us"
            );
        }
        let events: Vec<Event> = signals.iter().map(|(_, signal)| signal.event).collect();
        let hearing =
            Hearing { target: Arc::clone(name), signals, at: head.now, cast: Arc::new(book.cast()) };
        match app.store.hear(hearing).await {
            Ok(kept) => {
                tracing::debug!(target_name = %name, ?kept, "signals were kept");
                events.into_iter().for_each(|event| app.metrics.signal_heard(name, event));
            }
            Err(error) => {
                return not_kept(&error);
            }
        }
    }
    if answer.content_type.is_empty() {
        return answer::text(StatusCode::OK, "");
    }
    answer::with_type(StatusCode::OK, answer.content_type, answer.body)
}

/// What the service wrote, fit to be kept and shown: one line each, bounded, without secrets.
fn cleaned(signal: Signal, redactor: &Redactor) -> Signal {
    let text = |text: &str, chars: usize| redactor.clean(&plain(text, chars));
    Signal { who: text(&signal.who, NAME_CHARS), text: text(&signal.text, TEXT_CHARS), ..signal }
}

fn not_kept(error: &StoreError) -> Answer {
    tracing::error!(%error, "a callback could not be kept");
    unavailable("what you tell us could not be kept; come again")
}

fn refused(refusal: &Unheard) -> ProblemDetails {
    match refusal {
        Unheard::NotSpoken => {
            ProblemDetails::new(StatusCode::NOT_FOUND, "targets of this kind listen to no callbacks")
        }
        Unheard::NotSetUp(setting) => ProblemDetails::new(
            StatusCode::NOT_FOUND,
            format!("this target does not listen yet: set `{setting}`, which proves who speaks"),
        ),
        Unheard::Forged(why) => ProblemDetails::new(StatusCode::UNAUTHORIZED, *why),
        Unheard::Unreadable(why) => ProblemDetails::new(StatusCode::BAD_REQUEST, why.clone()),
    }
}

/// Answers `GET /api/v1/signals`; whoever asks has been admitted.
pub(super) async fn signals(app: &State, query: &str) -> Result<Answer, Refusal> {
    let query = Query::read(query, &["target", "key", "before", "limit"])?;
    let filter = SignalFilter {
        target: query.text("target").map(str::to_owned),
        key: query.text("key").map(str::to_owned),
        before: query.number("before")?,
        limit: query.limit(ROWS, ROWS_MAX)?,
    };
    let limit = filter.limit;
    let found = app.store.read(move |reader| reader.signals(&filter)).await.map_err(stumbled)?;
    let next = if found.len() == limit { found.last().map(|last| last.id) } else { None };
    let rows: Vec<Value> = found.iter().map(signal_json).collect();
    Ok(answer::json(StatusCode::OK, &json!({ "signals": rows, "next": next })))
}

fn signal_json(record: &SignalRecord) -> Value {
    json!({
        "id": record.id,
        "target": record.target,
        "dedup_key": record.key,
        "event": record.event,
        "who": record.who,
        "text": record.text,
        "at": record.at.to_string(),
        "heard_at": record.heard_at.to_string(),
        "echo": record.echo,
    })
}
