//! What people do with incidents, here or at a service, as statements of the writer's transaction:
//! the move, its line on the time line, and what the other targets are told of it.

use rusqlite::params;
use uuid::Uuid;

use crate::domain::life::{Effect, Happening};
use crate::domain::message::Action;
use crate::domain::response::{Listeners, Response, Standing, respond};
use crate::domain::signal::{Event, Signal};
use crate::store::boundary::{Fresh, StoreError};
use crate::store::incidents::{Act, Acting};
use crate::store::orders::{Order, Ordered};
use crate::store::rows::millis;
use crate::store::sqlite::engine;
use crate::store::sqlite_casebook::{Case, Casebook, Line};
use crate::store::sqlite_telling::{Occasion, Outcome, Teller, Telling, over, refuse, unknown};

/// Nobody's target: whoever acts here is not shown there what he did.
const HERE: &str = "";

/// Carries out what a person ordered.
pub fn act(rows: &mut Teller<'_>, order: &Order, acting: &Acting) -> Outcome {
    let book = Casebook(rows.transaction);
    let Some(mut case) = book.case(acting.id)? else { return Ok(Err(unknown("incident", acting.id))) };
    let who = order.who.as_str();
    let (what, kind) = match &acting.act {
        Act::Approve(_) | Act::Decline(_) => return refuse("this is said about a job"),
        Act::Acknowledge => (Happening::Acknowledged(who), "acknowledged"),
        Act::Unacknowledge => (Happening::Unacknowledged(who), "unacknowledged"),
        Act::Mitigate => (Happening::Mitigated(who), "mitigated"),
        Act::Resolve => (Happening::Resolved(who), "resolved"),
        Act::Review => (Happening::Reviewed(who), "reviewed"),
        Act::Close => (Happening::Closed(who), "closed"),
        Act::Assign(owner) => (Happening::Assigned(owner), "assigned"),
        Act::Rate(level) => (Happening::Rated(*level), "rated"),
        Act::Note => {
            book.write(case.id, order.at, Line { kind: "commented", who, target: "", text: &acting.note })?;
            return Ok(Ok((Ordered { delivery: 0, at_once: false }, Vec::new())));
        }
    };
    let text = match (&acting.act, acting.note.as_str()) {
        (Act::Assign(owner), "") => format!("to {owner}"),
        (Act::Assign(owner), note) => format!("to {owner}: {note}"),
        (Act::Rate(level), "") => format!("{level}"),
        (Act::Rate(level), note) => format!("{level}: {note}"),
        (_, note) => note.to_owned(),
    };
    let moved = match book.happen(&mut case, what, order.at, Line { kind, who, target: "", text: &text })? {
        Ok(moved) => moved,
        Err(illegal) => return refuse(&illegal.0),
    };
    if !moved.is_news {
        return refuse(&format!("the incident is {} already; nothing was changed", case.life.state));
    }
    if let Act::Rate(_) = acting.act {
        // Other jobs may be meant for this level.
        rows.change("UPDATE job_plans SET due = 1 WHERE incident = ?1", [case.id])?;
    }
    let event = match (&acting.act, moved.effects.contains(&Effect::TellTaken)) {
        (_, true) => Event::Acknowledged,
        (Act::Resolve, _) => Event::Resolved,
        (Act::Unacknowledge, _) => Event::Unacknowledged,
        _ => return Ok(Ok((Ordered { delivery: 0, at_once: false }, Vec::new()))),
    };
    let keys = book.keys(&case)?;
    let note = format!("{} by {who}", capital(event.as_str()));
    let told = Told { uid: order.uid, at: order.at, note: &note };
    let fresh = follow(rows, &keys, event, HERE, &*acting.cast, told)?.1;
    let made = fresh.first().map_or(0, |made| made.open.id);
    Ok(Ok((Ordered { delivery: made, at_once: true }, fresh)))
}

/// What a service told of an incident goes on its time line, and moves it.
pub fn heard(
    book: Casebook<'_>,
    case: &mut Case,
    target: &str,
    signal: &Signal,
    at: jiff::Timestamp,
) -> Result<(), StoreError> {
    let who = if signal.who.is_empty() { "somebody" } else { signal.who.as_str() };
    let line = Line { kind: signal.event.as_str(), who, target, text: &signal.text };
    let what = match signal.event {
        Event::Acknowledged => Happening::Acknowledged(who),
        Event::Unacknowledged => Happening::Unacknowledged(who),
        Event::Resolved => Happening::Resolved(who),
        _ => return book.write(case.id, at, line),
    };
    // What comes late, or contradicts what is known, is kept with the signals and moves nothing.
    let _late = book.happen(case, what, at, line)?;
    Ok(())
}

/// What is told, and why.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// Id of the event that is made of it.
    pub uid: Uuid,
    /// When.
    pub at: jiff::Timestamp,
    /// A sentence for the texts and the record.
    pub note: &'a str,
}

/// Tells the lanes of these dedup keys what follows from an event at `origin`.
pub fn follow(
    rows: &mut Teller<'_>,
    keys: &[String],
    event: Event,
    origin: &str,
    listeners: &dyn Listeners,
    told: Told<'_>,
) -> Result<(Response, Vec<Fresh>), StoreError> {
    let mut standing = Vec::new();
    for key in keys {
        standing.extend(standings(rows, key)?);
    }
    let response = respond(event, origin, &standing, listeners);
    let fresh = carry_out(rows, keys, &response, told)?;
    Ok((response, fresh))
}

/// Marks the lanes and tells those that are to be told.
pub fn carry_out(
    rows: &mut Teller<'_>,
    keys: &[String],
    response: &Response,
    told: Told<'_>,
) -> Result<Vec<Fresh>, StoreError> {
    if let Some(is_taken) = response.acknowledged {
        let at = is_taken.then(|| millis(told.at));
        for key in keys {
            rows.change(
                "UPDATE lanes SET acked_at = ?2
                 WHERE id IN (SELECT lane FROM keyed WHERE key = ?1) AND (seen OR waiting > 0)",
                params![key, at],
            )?;
        }
    }
    if response.tell.is_empty() {
        return Ok(Vec::new());
    }
    let mut tellings = Vec::with_capacity(response.tell.len());
    for (id, action) in &response.tell {
        let Some(lane) = rows.lane(*id)? else { continue };
        let told_last = rows.last_told(&lane)?;
        let group = match (action, told_last) {
            (Action::Trigger | Action::Acknowledge, Some(group)) => group,
            // Past its retention: the key is all there is.
            (_, told_last) => over(told_last.as_deref(), &lane.key, told.at).into(),
        };
        let note = Some(told.note.to_owned());
        tellings.push((*id, lane, Telling { action: *action, group, note, proposal: None }));
    }
    let source = tellings.first().map(|(_, _, telling)| telling.group.source.clone()).unwrap_or_default();
    let occasion =
        Occasion { uid: told.uid, at: told.at, source: &source, note: told.note, reason: told.note };
    rows.tell(occasion, tellings)
}

/// The lanes of a dedup key.
pub fn standings(rows: &Teller<'_>, key: &str) -> Result<Vec<Standing>, StoreError> {
    let mut query = rows
        .transaction
        .prepare_cached(
            "SELECT id, target, seen OR waiting > 0, acked_at IS NOT NULL FROM lanes
             WHERE id IN (SELECT lane FROM keyed WHERE key = ?1) ORDER BY id",
        )
        .map_err(engine)?;
    let standing = |row: &rusqlite::Row<'_>| {
        Ok(Standing {
            lane: row.get(0)?,
            target: row.get(1)?,
            is_open: row.get(2)?,
            is_acknowledged: row.get(3)?,
        })
    };
    let found = query.query_map([key], standing).and_then(Iterator::collect);
    found.map_err(engine)
}

/// The first letter large.
pub fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
