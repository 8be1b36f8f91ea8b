//! Recorded events once more: their bodies go through today's reader, rules and lanes.
//!
//! One call does a bounded piece, at the pace asked for, and says where to go on; whoever calls
//! shows the progress and stops by calling no more. Lanes admit a replay as they admit a peer that
//! is late: what they know already, or know to be over, is recorded and not sent. What they do not
//! know of (their memory ends, a target may be new) `history.rs` reads ahead.

use std::sync::PoisonError;
use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::alert::Status;
use crate::plan::side::read_again;
use crate::plan::suspected::suspected;
use crate::plan::{Plan, enriched, plan};
use crate::rulebook::Rulebook;
use crate::server::answer::{self, Answer, ProblemDetails};
use crate::server::history::{Ahead, Read};
use crate::server::ordering::{actor, carry_out, stumbled};
use crate::server::query::{Refusal, time, unknown_word, wrong};
use crate::server::state::{Head, State};
use crate::source::contract::Reading;
use crate::store::event::{NewEvent, NewPart};
use crate::store::orders::{REPLAY_NOTE, Recorded, Recording, What};

/// Events a second, unless asked otherwise.
const RATE: f64 = 10.0;
const RATE_MAX: f64 = 1000.0;
/// How long one call may take.
const PIECE_SECONDS: f64 = 2.0;
/// Events of one call.
const PIECE_MAX: usize = 200;
/// Event ids of one call.
const IDS_MAX: usize = 1000;

/// What is to be replayed.
#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wanted {
    since: Option<String>,
    until: Option<String>,
    source: Option<String>,
    events: Vec<String>,
    dry_run: bool,
    rate: Option<f64>,
    after: i64,
}

/// `POST /api/v1/replay`: one piece.
pub(super) async fn run(app: &State, head: &Head<'_>, wanted: Wanted) -> Result<Answer, Refusal> {
    let book = app.books.current();
    let rate = wanted.rate.unwrap_or(RATE);
    if !(rate > 0.0 && rate <= RATE_MAX) {
        return Err(wrong(&format!("rate: write events a second, more than 0 and at most {RATE_MAX}")));
    }
    let query = question(&book, head, &wanted, rate)?;
    let (since, until) = (query.since.map(|at| at.to_string()), query.until.map(|at| at.to_string()));
    let mut ahead = app.ahead.lock().await;
    let range = Recorded { limit: 0, after: 0, ..query.clone() };
    match ahead.read(&app.store, app.clock.as_ref(), &book, range, wanted.after).await.map_err(stumbled)? {
        Read::All => {}
        // Nothing has been sent yet; it goes on where it is.
        Read::InPart => {
            let piece = json!({ "dry_run": wanted.dry_run, "since": since, "until": until, "events": [], "next": wanted.after });
            return Ok(answer::json(StatusCode::OK, &piece));
        }
        Read::TooMany => {
            return Err(wrong("since: too many alerts came between then and now; begin later"));
        }
    }
    let ahead = &*ahead;
    let (events, next) = app.store.read(move |reader| reader.recorded(&query)).await.map_err(stumbled)?;
    let mut told = Vec::with_capacity(events.len());
    if !wanted.dry_run && !events.is_empty() {
        let first = events.first().map(|event| event.uid.to_string()).unwrap_or_default();
        let word = if events.len() == 1 { "event" } else { "events" };
        carry_out(app, head, What::Note(format!("{} {word} from {first} on", events.len()))).await?;
    }
    for (place, event) in events.iter().enumerate() {
        if wanted.dry_run {
            told.push(rehearse(app, head, &book, ahead, event));
            continue;
        }
        if place > 0 || wanted.after > 0 {
            tokio::time::sleep(Duration::from_secs_f64(1.0 / rate)).await;
        }
        match perform(app, head, &book, ahead, event).await {
            Ok(one) => told.push(one),
            Err(error) => {
                let done = place.checked_sub(1).and_then(|last| events.get(last));
                let after = done.map_or(wanted.after, |event| event.id);
                let problem = ProblemDetails::unavailable(error.to_string(), Duration::from_secs(2));
                return Err(Box::new(problem.with("events", told).with("next", after).into_answer()));
            }
        }
    }
    Ok(answer::json(
        StatusCode::OK,
        &json!({ "dry_run": wanted.dry_run, "since": since, "until": until, "events": told, "next": next }),
    ))
}

fn question(book: &Rulebook, head: &Head<'_>, wanted: &Wanted, rate: f64) -> Result<Recorded, Refusal> {
    if wanted.since.is_none() && wanted.events.is_empty() {
        return Err(wrong(
            "say what to replay: `since`, as in 1h or 2026-08-01T03:00:00Z, or `events`, a list of ids",
        ));
    }
    if wanted.events.len() > IDS_MAX {
        return Err(wrong(&format!("events: at most {IDS_MAX} ids at once; use since and until for more")));
    }
    if let Some(source) = &wanted.source
        && !book.sources.contains_key(source)
    {
        return Err(unknown_word("source", source, book.sources.keys().map(String::as_str)));
    }
    let read = |name: &str, text: &Option<String>| {
        text.as_deref().map(|text| time(name, text, head.now)).transpose()
    };
    let id = |text: &String| {
        Uuid::parse_str(text)
            .map_err(|_| wrong("events: write the ids that the answers to accepted calls hold"))
    };
    let uids = wanted.events.iter().map(id).collect::<Result<Vec<Uuid>, _>>()?;
    // An id begins with the time at which the event came: nothing older need be looked at.
    let earliest = uids.iter().filter_map(Uuid::get_timestamp).map(|stamp| stamp.to_unix().0).min();
    let earliest = earliest.and_then(|second| jiff::Timestamp::from_second(i64::try_from(second).ok()?).ok());
    let per_piece = (rate * PIECE_SECONDS).ceil().clamp(1.0, PIECE_MAX as f64) as usize;
    Ok(Recorded {
        since: read("since", &wanted.since)?.or(earliest),
        // What comes in meanwhile is no part of it.
        until: Some(read("until", &wanted.until)?.unwrap_or(head.now)),
        source: wanted.source.clone(),
        uids,
        after: wanted.after,
        limit: if wanted.dry_run { PIECE_MAX } else { per_piece },
    })
}

/// What would become of it.
fn rehearse(app: &State, head: &Head<'_>, book: &Rulebook, ahead: &Ahead, event: &Recording) -> Value {
    match understood(app, head, book, event) {
        Err(why) => outline(event, json!({ "passed_over": why })),
        Ok((_, mut plan)) => {
            let left_out = ahead.leave_out(&mut plan);
            let parts: Vec<Value> = plan.parts.iter().map(|part| part_json(&plan, part)).collect();
            let notes = [plan.notes(), left_out].concat();
            outline(event, json!({ "deliveries": parts, "notes": notes }))
        }
    }
}

async fn perform(
    app: &State,
    head: &Head<'_>,
    book: &Rulebook,
    ahead: &Ahead,
    event: &Recording,
) -> Result<Value, crate::store::boundary::StoreError> {
    let (reading, mut plan) = match understood(app, head, book, event) {
        Ok(understood) => understood,
        Err(why) => return Ok(outline(event, json!({ "passed_over": why }))),
    };
    let now = app.clock.now();
    let mut notes = vec![format!("{REPLAY_NOTE}{} by {}", event.uid, actor(app, head))];
    notes.extend(ahead.leave_out(&mut plan));
    notes.extend(plan.notes());
    notes.extend(reading.notes);
    // A replay is no emergency: it gives way like every call.
    app.store.takes_calls()?;
    let accepted = app
        .store
        .accept(NewEvent {
            uid: app.fresh_id(now),
            source: event.source.clone(),
            received_at: now,
            body: event.body.clone(),
            window: book.dedup_window,
            groups: plan.groups,
            parts: plan.parts,
            notes,
        })
        .await?;
    let done = json!({
        "accepted_as": accepted.uid.to_string(),
        "made": accepted.deliveries,
        "duplicate": accepted.duplicate,
    });
    Ok(outline(event, done))
}

/// Reads and plans it as if it came now. What inhibits is what fires now: old news teaches nothing.
fn understood(
    app: &State,
    head: &Head<'_>,
    book: &Rulebook,
    event: &Recording,
) -> Result<(Reading, Plan), String> {
    let reading = read_again(book, event)?;
    let mut groups = enriched(book, reading.groups.clone());
    let recent = app.recent.read().unwrap_or_else(PoisonError::into_inner);
    suspected(book, &mut groups, &recent, head.now);
    drop(recent);
    let active = app.active.lock().unwrap_or_else(PoisonError::into_inner);
    Ok((reading, plan(book, groups, &active, head.now)))
}

fn outline(event: &Recording, mut more: Value) -> Value {
    more["id"] = event.uid.to_string().into();
    more["source"] = event.source.clone().into();
    more["received_at"] = event.received_at.to_string().into();
    more
}

fn part_json(plan: &Plan, part: &NewPart) -> Value {
    let firing = part.truncated || part.alerts.iter().any(|told| told.clock.status == Status::Firing);
    let group = plan.groups.get(part.group as usize);
    let names = part.alerts.iter().filter_map(|told| group?.alerts.get(told.place as usize));
    let names: Vec<&str> =
        names.filter_map(|alert| alert.labels.get("alertname").map(String::as_str)).collect();
    json!({
        "target": &*part.target,
        "dedup_key": part.key.as_str(),
        "action": if firing { "trigger" } else { "resolve" },
        "alerts": names,
        // A resolve is sent only where something is open.
        "if_open": !firing,
    })
}
