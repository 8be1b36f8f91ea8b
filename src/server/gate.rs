//! May a pipeline deploy now? And the freezes that people set to say that it may not.

use hyper::StatusCode;
use hyper::body::Incoming;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::freeze::{Freeze, Glob, NewFreeze};
use crate::domain::incident::State as Standing;
use crate::incident::budget::{Balance, balance, wanted};
use crate::incident::gate::{Known, Plan, reasons};
use crate::server::answer::{self, Answer, ProblemDetails};
use crate::server::ordering::{actor, not_found, plain, read_json, stumbled};
use crate::server::query::{Query, Refusal, wrong};
use crate::server::state::{Head, State};
use crate::store::incidents::IncidentFilter;
use crate::store::orders::{Order, Refused, What};

/// Incidents and freezes that are looked at.
const ROWS_MAX: usize = 1000;
/// Characters of a name that are kept.
const NAME_CHARS: usize = 200;
/// Characters of a reason that are kept.
const REASON_CHARS: usize = 500;

/// Answers `GET /api/v1/gate`.
pub(super) async fn gate(app: &State, head: &Head<'_>, query: &str) -> Result<Answer, Refusal> {
    let query = Query::read(query, &["service", "environment"])?;
    let Some(service) = query.text("service") else {
        return Err(wrong("say what is to be deployed: ?service=checkout"));
    };
    let book = app.books.current();
    let now = head.now;
    let open = IncidentFilter {
        states: Standing::ALL.into_iter().filter(|state| state.is_open()).collect(),
        service: Some(service.to_owned()),
        limit: ROWS_MAX,
        ..IncidentFilter::default()
    };
    let concerned = |services: &[String]| services.iter().any(|name| name == service);
    let rules: Vec<_> = book.gate.budgets.iter().filter(|rule| concerned(&rule.services)).cloned().collect();
    let filters: Vec<IncidentFilter> = rules.iter().map(|rule| wanted(rule, service, now)).collect();
    let read = app.store.read(move |reader| {
        let past = filters.iter().map(|filter| reader.incidents(filter)).collect::<Result<Vec<_>, _>>()?;
        Ok((reader.incidents(&open)?, past, reader.freezes(now, ROWS_MAX)?))
    });
    let (open, past, freezes) = read.await.map_err(stumbled)?;
    let plan = Plan { service, environment: query.text("environment").unwrap_or_default() };
    let balances: Vec<Balance> = rules
        .iter()
        .zip(&past)
        .map(|(rule, past)| balance(rule, past.iter().chain(&open), plan.environment, now))
        .collect();
    let known = Known { open: &open, freezes: &freezes, balances: &balances };
    let reasons = reasons(&book.gate, &book.intervals, known, plan, now);
    let answer = if reasons.is_empty() { "allow" } else { "deny" };
    let mut told =
        json!({ "answer": answer, "service": service, "environment": plan.environment, "reasons": reasons });
    if !balances.is_empty() {
        told["budgets"] = balances.iter().map(balance_json).collect();
    }
    Ok(answer::json(StatusCode::OK, &told))
}

fn balance_json(balance: &Balance) -> Value {
    let minutes = |seconds: f64| (seconds / 6.0).round() / 10.0;
    let (allowed, spent) = (balance.allowed.as_secs_f64(), balance.spent.as_secs_f64());
    json!({
        "objective": balance.objective,
        "window_days": balance.window.as_secs_f64() / 86_400.0,
        "allowed_minutes": minutes(allowed),
        "spent_minutes": minutes(spent),
        "left_minutes": minutes(allowed - spent),
        "left_percent": (balance.left() * 1000.0).round() / 10.0,
    })
}

/// Answers `GET /api/v1/freezes`.
pub(super) async fn freezes(app: &State, head: &Head<'_>, query: &str) -> Result<Answer, Refusal> {
    Query::read(query, &[])?;
    let now = head.now;
    let found = app.store.read(move |reader| reader.freezes(now, ROWS_MAX)).await.map_err(stumbled)?;
    let rows: Vec<Value> = found.iter().map(|freeze| freeze_json(freeze, now)).collect();
    Ok(answer::json(StatusCode::OK, &json!({ "freezes": rows })))
}

fn freeze_json(freeze: &Freeze, now: Timestamp) -> Value {
    json!({
        "id": freeze.id,
        "service": freeze.set.service.0,
        "environment": freeze.set.environment.0,
        "from": format!("{:.0}", freeze.set.from),
        "until": format!("{:.0}", freeze.set.until),
        "reason": freeze.set.reason,
        "who": freeze.who,
        "set_at": format!("{:.0}", freeze.set_at),
        "stands": freeze.stands(now),
    })
}

/// What is said of a freeze that is to be set.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Words {
    /// Of which services; of all when left out.
    service: String,
    /// In which environments; in all when left out.
    environment: String,
    /// From when on; now when left out.
    from: String,
    /// Until when.
    until: String,
    /// Why.
    reason: String,
}

/// Answers `POST /api/v1/freezes`.
pub(super) async fn set(app: &State, head: &Head<'_>, body: Incoming) -> Result<Answer, Refusal> {
    let words: Words = read_json(app, head, body).await?;
    let book = app.books.current();
    let clean = |text: &str, chars: usize| book.redactor.clean(&plain(text, chars));
    let this_second = Timestamp::from_second(head.now.as_second()).unwrap_or(head.now);
    let from = time("from", &words.from, head.now, head.now)?.unwrap_or(this_second);
    let Some(until) = time("until", &words.until, head.now, from)? else {
        return Err(wrong(
            "say when it ends: {\"until\": \"2026-08-01T06:00:00Z\"}, or how long it lasts, as in 6h",
        ));
    };
    if until <= from || until <= head.now {
        return Err(wrong("it ends before it begins: put `until` after `from` and after now"));
    }
    let reason = clean(&words.reason, REASON_CHARS);
    if reason.is_empty() {
        return Err(wrong("say why: {\"reason\": \"year-end close\"}; whoever is held up will ask"));
    }
    let glob = |text: &str| Glob(clean(text, NAME_CHARS));
    let (service, environment) = (glob(&words.service), glob(&words.environment));
    let freeze = NewFreeze { service, environment, from, until, reason };
    let id = order(app, head, What::Freeze(freeze.clone())).await?;
    let who = actor(app, head);
    let freeze = Freeze { id, set: freeze, who, set_at: head.now, ended: None };
    Ok(answer::json(StatusCode::OK, &freeze_json(&freeze, head.now)))
}

/// Answers `DELETE /api/v1/freezes/{id}`.
pub(super) async fn end(app: &State, head: &Head<'_>, id: &str) -> Result<Answer, Refusal> {
    let id = id.parse().map_err(|_| wrong("this is not a number; lists show the numbers of freezes"))?;
    let id = order(app, head, What::Thaw(id)).await?;
    Ok(answer::json(StatusCode::OK, &json!({ "ended": id })))
}

async fn order(app: &State, head: &Head<'_>, what: What) -> Result<i64, Refusal> {
    let who = actor(app, head);
    tracing::info!(%who, order = what.word(), "ordered");
    let order = Order { who, at: head.now, uid: app.fresh_id(head.now), what, still: None };
    match app.store.manage(order).await.map_err(stumbled)? {
        Ok(ordered) => Ok(ordered.delivery),
        Err(Refused::Unknown(why)) => Err(not_found(&why)),
        Err(Refused::Not(why)) => Err(Box::new(ProblemDetails::new(StatusCode::CONFLICT, why).into_answer())),
    }
}

/// A time; or a duration: after now for a beginning, after the beginning for an end.
fn time(name: &str, text: &str, now: Timestamp, after: Timestamp) -> Result<Option<Timestamp>, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let base = if name == "from" { now } else { after };
    let lasting = || base.checked_add(humantime::parse_duration(text).ok()?).ok();
    // People say when to the second, if that.
    let whole = |time: Timestamp| Timestamp::from_second(time.as_second()).ok();
    let found = text.parse().ok().or_else(lasting).and_then(whole);
    let unread =
        || format!("{name}: write a time, as in 2026-08-01T06:00:00Z, or how long from then on, as in 6h");
    found.map(Some).ok_or_else(|| wrong(&unread()))
}
