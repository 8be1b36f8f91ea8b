//! Work on the queue: what is owed, what became of it, what is stuck, and the orders of people
//! about it. Whatever changes something is written to the audit with the one who wanted it.

use hyper::StatusCode;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::delivery::State as DeliveryState;
use crate::server::admin::delivery_json;
use crate::server::answer::{self, Answer, ProblemDetails};
use crate::server::callbacks;
use crate::server::ordering::{carry_out, not_found, plain, read_json, stumbled};
use crate::server::paths::{Endpoint, Found};
use crate::server::query::{Query, Refusal, unknown_word, wrong};
use crate::server::state::{Head, State};
use crate::server::{recorded, replay};
use crate::store::orders::{AuditRecord, Filter, Orphan, OrphanFilter, What};

/// Stands for what waits for a target that is not configured any more.
const PARKED: &str = "parked";
/// Rows of an answer, unless asked otherwise.
const ROWS: usize = 100;
/// Most rows of an answer.
const ROWS_MAX: usize = 1000;
/// Questions to the store for one answer; each walks a bounded number of rows.
const QUESTIONS_MAX: usize = 25;
/// What still fires counts as an orphan after so much silence.
const SILENT_FOR: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
/// Characters of a reason that are kept.
const REASON_CHARS: usize = 300;

/// What comes with the call besides its head.
pub(super) struct Asked<'a> {
    pub query: &'a str,
    pub body: Incoming,
}

/// Answers one call of these endpoints.
pub(super) async fn answer(
    app: &State,
    head: &Head<'_>,
    found: &Found<'_, Endpoint>,
    asked: Asked<'_>,
) -> Answer {
    let done = match found.endpoint {
        Endpoint::Deliveries => deliveries(app, head, asked.query).await,
        Endpoint::Delivery => delivery(app, found.param("id")).await,
        Endpoint::RetryDelivery => match id_of(found.param("id")) {
            Ok(id) => carry_out(app, head, What::Retry(id)).await,
            Err(refused) => Err(refused),
        },
        Endpoint::DropDelivery => drop_delivery(app, head, found.param("id"), asked.body).await,
        Endpoint::Orphans => orphans(app, head, asked.query).await,
        Endpoint::ResolveOrphan => resolve(app, head, found.param("lane")).await,
        Endpoint::Replay => match read_json(app, head, asked.body).await {
            Ok(wanted) => replay::run(app, head, wanted).await,
            Err(refused) => Err(refused),
        },
        Endpoint::Signals => callbacks::signals(app, asked.query).await,
        Endpoint::Events => recorded::events(app, head, asked.query).await,
        Endpoint::Audit => audit(app, asked.query).await,
        _ => Err(wrong("this is not a matter of the queue")),
    };
    done.unwrap_or_else(|refused| *refused)
}

async fn deliveries(app: &State, head: &Head<'_>, query: &str) -> Result<Answer, Refusal> {
    let names = ["target", "state", "key", "since", "until", "event", "before", "limit"];
    let query = Query::read(query, &names)?;
    let book = app.books.current();
    let former = book.former.current();
    if let Some(target) = query.text("target")
        && !(book.targets.contains_key(target) || former.contains_key(target))
    {
        let known = book.targets.keys().chain(former.keys());
        return Err(unknown_word("target", target, known.map(AsRef::as_ref)));
    }
    let known = || DeliveryState::ALL.map(DeliveryState::as_str).into_iter().chain([PARKED]);
    let state = |word: &str| {
        let state = DeliveryState::ALL.into_iter().find(|state| state.as_str() == word);
        state.ok_or_else(|| unknown_word("state", word, known()))
    };
    let event =
        |text: &str| Uuid::parse_str(text).map_err(|_| wrong("event: write the id of an accepted call"));
    let parked = query.words("state").any(|word| word == PARKED);
    let states = match parked {
        false => query.words("state").map(state).collect::<Result<_, _>>()?,
        true if query.words("state").count() == 1 => vec![DeliveryState::Waiting, DeliveryState::Held],
        true => {
            return Err(wrong("state: `parked` stands alone: it is what waits for targets that are gone"));
        }
    };
    let drained = former.iter().filter(|(_, former)| former.drains).map(|(name, _)| name);
    let served = book.targets.keys().chain(drained).filter(|_| parked);
    let mut filter = Filter {
        target: query.text("target").map(str::to_owned),
        not_of: served.map(ToString::to_string).collect(),
        states,
        key: query.text("key").map(str::to_owned),
        since: query.time("since", head.now)?,
        until: query.time("until", head.now)?,
        event: query.text("event").map(event).transpose()?,
        before: query.number("before")?,
        limit: query.limit(ROWS, ROWS_MAX)?,
    };
    let mut found = Vec::new();
    for _ in 0..QUESTIONS_MAX {
        let question = filter.clone();
        let (page, next) =
            app.store.read(move |reader| reader.deliveries(&question)).await.map_err(stumbled)?;
        filter.limit -= page.len();
        filter.before = next;
        found.extend(page);
        if next.is_none() || filter.limit == 0 {
            break;
        }
    }
    let rows: Vec<Value> = found.iter().map(delivery_json).collect();
    Ok(answer::json(StatusCode::OK, &json!({ "deliveries": rows, "next": filter.before })))
}

async fn delivery(app: &State, id: &str) -> Result<Answer, Refusal> {
    let id = id_of(id)?;
    match app.store.read(move |reader| reader.delivery(id)).await.map_err(stumbled)? {
        Some(record) => Ok(answer::json(StatusCode::OK, &delivery_json(&record))),
        None => Err(not_found(&format!("there is no delivery {id}; it may be past its retention"))),
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Drop {
    reason: String,
}

async fn drop_delivery(app: &State, head: &Head<'_>, id: &str, body: Incoming) -> Result<Answer, Refusal> {
    let id = id_of(id)?;
    let Drop { reason } = read_json(app, head, body).await?;
    let reason = app.books.current().redactor.clean(&plain(&reason, REASON_CHARS));
    carry_out(app, head, What::Drop(id, reason)).await
}

async fn orphans(app: &State, head: &Head<'_>, query: &str) -> Result<Answer, Refusal> {
    let query = Query::read(query, &["silent_for", "limit"])?;
    let filter = OrphanFilter {
        now: head.now,
        silent_for: query.duration("silent_for")?.unwrap_or(SILENT_FOR),
        lane: None,
        limit: query.limit(ROWS, ROWS_MAX)?,
    };
    let found = app.store.read(move |reader| reader.orphans(&filter)).await.map_err(stumbled)?;
    let book = app.books.current();
    let rows: Vec<Value> = found
        .iter()
        .map(|orphan| orphan_json(orphan, book.targets.contains_key(orphan.target.as_str())))
        .collect();
    Ok(answer::json(StatusCode::OK, &json!({ "orphans": rows })))
}

async fn resolve(app: &State, head: &Head<'_>, lane: &str) -> Result<Answer, Refusal> {
    let lane = id_of(lane)?;
    let filter = OrphanFilter { now: head.now, silent_for: Default::default(), lane: Some(lane), limit: 1 };
    let found = app.store.read(move |reader| reader.orphans(&filter)).await.map_err(stumbled)?;
    if let Some(orphan) = found.first()
        && !app.books.current().targets.contains_key(orphan.target.as_str())
    {
        let detail = format!(
            "its target {} is not in the configuration any more, so nobody can tell it; put it back, reload, and resolve again",
            orphan.target
        );
        return Err(Box::new(ProblemDetails::new(StatusCode::CONFLICT, detail).into_answer()));
    }
    carry_out(app, head, What::Resolve(lane)).await
}

async fn audit(app: &State, query: &str) -> Result<Answer, Refusal> {
    let limit = Query::read(query, &["limit"])?.limit(ROWS, ROWS_MAX)?;
    let found = app.store.read(move |reader| reader.audit(limit)).await.map_err(stumbled)?;
    let rows: Vec<Value> = found.iter().map(audit_json).collect();
    Ok(answer::json(StatusCode::OK, &json!({ "audit": rows })))
}

fn id_of(text: &str) -> Result<i64, Refusal> {
    text.parse().map_err(|_| wrong("this is not a number; lists show the numbers of deliveries and lanes"))
}

fn orphan_json(orphan: &Orphan, configured: bool) -> Value {
    json!({
        "lane": orphan.lane,
        "target": orphan.target,
        "configured": configured,
        "dedup_key": orphan.key,
        "latest": orphan.latest,
        "touched_at": orphan.touched_at.to_string(),
        "why": if orphan.over { "over" } else { "silent" },
    })
}

fn audit_json(record: &AuditRecord) -> Value {
    json!({
        "at": record.at.to_string(),
        "who": record.who,
        "what": record.what,
        "about": record.about,
        "detail": record.detail,
    })
}
