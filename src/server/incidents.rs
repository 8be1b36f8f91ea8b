//! Incidents over the admin interface: found, told, and worked on by people, each change with the
//! one who made it.

use hyper::StatusCode;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::incident::{Level, State as Standing};
use crate::incident::markdown;
use crate::server::answer::{self, Answer, ProblemDetails};
use crate::server::changes;
use crate::server::gate;
use crate::server::jobs;
use crate::server::numbers;
use crate::server::ordering::{actor, not_found, plain, read_json, stumbled};
use crate::server::paths::{Endpoint, Found};
use crate::server::query::{Query, Refusal, unknown_word, wrong};
use crate::server::queue::Asked;
use crate::server::state::{Head, State};
use crate::store::follows::TicketRecord;
use crate::store::incidents::{Act, Acting, Entry, IncidentFilter, IncidentId, IncidentRecord, Story};
use crate::store::orders::{Order, Refused, What};
use crate::template::library::Language;

/// Rows of an answer, unless asked otherwise.
const ROWS: usize = 100;
/// Most rows of an answer.
const ROWS_MAX: usize = 1000;
/// Characters of a note that are kept.
const NOTE_CHARS: usize = 4000;
/// Characters of a name that are kept.
const NAME_CHARS: usize = 200;
/// What can be done, as the last part of the path.
const ACTS: [&str; 11] = [
    "acknowledge",
    "unacknowledge",
    "mitigate",
    "resolve",
    "review",
    "close",
    "assign",
    "rate",
    "note",
    "approve",
    "decline",
];

/// Answers one call of these endpoints.
pub(super) async fn answer(
    app: &State,
    head: &Head<'_>,
    found: &Found<'_, Endpoint>,
    asked: Asked<'_>,
) -> Answer {
    let done = match found.endpoint {
        Endpoint::Incidents => list(app, head, asked.query).await,
        Endpoint::Incident => show(app, found.param("id")).await,
        Endpoint::IncidentReport => report(app, found.param("id"), asked.query).await,
        Endpoint::IncidentAct => act(app, head, found.param("id"), found.param("act"), asked.body).await,
        Endpoint::OnCall => on_call(app, head, asked.query),
        Endpoint::Changes => changes::list(app, head, asked.query).await,
        Endpoint::Gate => gate::gate(app, head, asked.query).await,
        Endpoint::Freezes => gate::freezes(app, head, asked.query).await,
        Endpoint::SetFreeze => gate::set(app, head, asked.body).await,
        Endpoint::EndFreeze => gate::end(app, head, found.param("id")).await,
        Endpoint::Jobs => jobs::list(app, asked.query).await,
        Endpoint::Report => numbers::report(app, head, asked.query).await,
        _ => Err(wrong("this is not a matter of incidents")),
    };
    done.unwrap_or_else(|refused| *refused)
}

async fn list(app: &State, head: &Head<'_>, query: &str) -> Result<Answer, Refusal> {
    let names = ["state", "level", "service", "owner", "key", "since", "until", "before", "limit"];
    let query = Query::read(query, &names)?;
    let mut states = Vec::new();
    for word in query.words("state") {
        match (word, Standing::parse(word)) {
            (_, Some(state)) => states.push(state),
            ("open", None) => states.extend(Standing::ALL.into_iter().filter(|state| state.is_open())),
            (word, None) => {
                let known = Standing::ALL.map(Standing::as_str).into_iter().chain(["open"]);
                return Err(unknown_word("state", word, known));
            }
        }
    }
    states.sort_unstable();
    states.dedup();
    let level = |word: &str| {
        Level::parse(word).ok_or_else(|| unknown_word("level", word, Level::ALL.map(Level::as_str)))
    };
    let mut levels = query.words("level").map(level).collect::<Result<Vec<_>, _>>()?;
    levels.sort_unstable();
    levels.dedup();
    let filter = IncidentFilter {
        states,
        levels,
        service: query.text("service").map(str::to_owned),
        owner: query.text("owner").map(str::to_owned),
        key: query.text("key").map(str::to_owned),
        since: query.time("since", head.now)?,
        until: query.time("until", head.now)?,
        before: query.number("before")?,
        limit: query.limit(ROWS, ROWS_MAX)?,
    };
    let limit = filter.limit;
    let found = app.store.read(move |reader| reader.incidents(&filter)).await.map_err(stumbled)?;
    let next = if found.len() == limit { found.last().map(|last| last.id) } else { None };
    let rows: Vec<Value> = found.iter().map(incident_json).collect();
    Ok(answer::json(StatusCode::OK, &json!({ "incidents": rows, "next": next })))
}

async fn story(app: &State, id: &str) -> Result<Story, Refusal> {
    let id = id_of(id)?;
    let found = app.store.read(move |reader| reader.story(id)).await.map_err(stumbled)?;
    let mut story = found
        .ok_or_else(|| not_found(&format!("there is no incident {id}; it may be past its retention")))?;
    let book = app.books.current();
    for ticket in &mut story.tickets {
        let page = book.target(&ticket.target).and_then(|rule| rule.target.page(&ticket.remote));
        ticket.url = page.map(|url| book.redactor.clean(&url)).unwrap_or_default();
    }
    Ok(story)
}

async fn show(app: &State, id: &str) -> Result<Answer, Refusal> {
    let mut story = story(app, id).await?;
    let suspects = changes::correlate(app, &mut story).await?;
    let mut shown = incident_json(&story.incident);
    shown["changes"] = suspects.into();
    shown["dedup_keys"] = json!(story.keys);
    shown["jobs"] = jobs::of_incident(app, story.incident.id).await?.into();
    shown["tickets"] = story.tickets.iter().map(ticket_json).collect();
    shown["timeline"] = story.timeline.iter().map(entry_json).collect();
    Ok(answer::json(StatusCode::OK, &shown))
}

async fn report(app: &State, id: &str, query: &str) -> Result<Answer, Refusal> {
    let query = Query::read(query, &["language"])?;
    let word = query.text("language").unwrap_or("en");
    let language = Language::parse(word).ok_or_else(|| unknown_word("language", word, ["en", "zh"]))?;
    let mut story = story(app, id).await?;
    changes::correlate(app, &mut story).await?;
    let text = markdown::report(&story, language);
    Ok(answer::with_type(StatusCode::OK, "text/markdown; charset=utf-8", text))
}

/// What comes with an order.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Words {
    /// For the time line.
    note: String,
    /// Of `assign`.
    owner: String,
    /// Of `rate`.
    level: String,
    /// Of `approve` and `decline`: which, where it is not the one that is proposed.
    job: Option<i64>,
}

async fn act(app: &State, head: &Head<'_>, id: &str, word: &str, body: Incoming) -> Result<Answer, Refusal> {
    let id = id_of(id)?;
    if !ACTS.contains(&word) {
        return Err(unknown_word("thing to do with an incident", word, ACTS));
    }
    let words: Words = read_json(app, head, body).await?;
    let book = app.books.current();
    let clean = |text: &str, chars: usize| book.redactor.clean(&plain(text, chars));
    let note = clean(&words.note, NOTE_CHARS);
    let act = match word {
        "acknowledge" => Act::Acknowledge,
        "unacknowledge" => Act::Unacknowledge,
        "mitigate" => Act::Mitigate,
        "resolve" => Act::Resolve,
        "review" => Act::Review,
        "close" => Act::Close,
        "assign" => match clean(&words.owner, NAME_CHARS) {
            owner if owner.is_empty() => return Err(wrong("say to whom: {\"owner\": \"team-db\"}")),
            owner => Act::Assign(owner),
        },
        "rate" => match Level::parse(&words.level) {
            Some(level) => Act::Rate(level),
            None => return Err(wrong("say how bad it is: {\"level\": \"P1\"}, one of P0, P1 and P2")),
        },
        "approve" => Act::Approve(words.job),
        "decline" => Act::Decline(words.job),
        _ if note.is_empty() => return Err(wrong("say what is to be noted: {\"note\": \"…\"}")),
        _ => Act::Note,
    };
    let who = actor(app, head);
    tracing::info!(%who, incident = id, order = word, "ordered");
    let acting = Acting { id, act, note, cast: std::sync::Arc::new(book.cast()) };
    let what = What::Incident(acting);
    let order = Order { who, at: head.now, uid: app.fresh_id(head.now), what, still: None };
    match app.store.manage(order).await.map_err(stumbled)? {
        Ok(_) => show(app, &id.to_string()).await,
        Err(Refused::Unknown(why)) => Err(not_found(&why)),
        Err(Refused::Not(why)) => Err(Box::new(ProblemDetails::new(StatusCode::CONFLICT, why).into_answer())),
    }
}

/// Who is on call, by each rota.
fn on_call(app: &State, head: &Head<'_>, query: &str) -> Result<Answer, Refusal> {
    let query = Query::read(query, &["at"])?;
    let at = query.time("at", head.now)?.unwrap_or(head.now);
    let book = app.books.current();
    let rotas: serde_json::Map<String, Value> = book
        .rotas
        .iter()
        .map(|(name, rota)| (name.to_string(), json!(rota.at(&book.intervals, at).map(AsRef::<str>::as_ref))))
        .collect();
    Ok(answer::json(StatusCode::OK, &json!({ "at": at.to_string(), "on_call": rotas })))
}

fn id_of(text: &str) -> Result<IncidentId, Refusal> {
    text.parse().map_err(|_| wrong("this is not a number; lists show the numbers of incidents"))
}

fn incident_json(incident: &IncidentRecord) -> Value {
    let life = &incident.life;
    let time = |time: Option<jiff::Timestamp>| time.map(|time| time.to_string());
    json!({
        "id": incident.id,
        "state": life.state.as_str(),
        "level": life.level.as_str(),
        "title": incident.title,
        "service": incident.service,
        "environment": incident.environment,
        "owner": life.owner,
        "source": incident.source,
        "dedup_key": incident.key,
        "acknowledged_by": life.acknowledged_by,
        "started_at": time(incident.started_at),
        "opened_at": life.opened_at.to_string(),
        "notified_at": time(life.notified_at),
        "acknowledged_at": time(life.acknowledged_at),
        "mitigated_at": time(life.mitigated_at),
        "resolved_at": time(life.resolved_at),
        "reviewed_at": time(life.reviewed_at),
        "closed_at": time(life.closed_at),
        "touched_at": incident.touched_at.to_string(),
        "escalates_at": time(incident.escalate_at),
        "news": incident.news,
        "reopened": life.reopened,
    })
}

fn ticket_json(ticket: &TicketRecord) -> Value {
    json!({
        "target": ticket.target,
        "id": ticket.id(),
        "name": ticket.name(),
        "url": ticket.url,
        "phase": ticket.phase.as_str(),
        "state": ticket.state,
        "assignee": ticket.who,
        "since": ticket.since.to_string(),
        "changed_at": ticket.changed_at.to_string(),
        "reminded": ticket.reminded,
    })
}

fn entry_json(entry: &Entry) -> Value {
    json!({
        "at": entry.at.to_string(),
        "kind": entry.kind,
        "who": entry.who,
        "target": entry.target,
        "text": entry.text,
    })
}
