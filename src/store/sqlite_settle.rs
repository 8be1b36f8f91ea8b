//! What the writer records besides events: what a try came to, and bytes that could not be read.
//! Whatever is written here may be written twice and counts once.

use std::borrow::Cow;
use std::time::Duration;

use rusqlite::{OptionalExtension, Transaction, params};

use crate::domain::delivery::State;
use crate::domain::message::{Action, JobId};
use crate::store::boundary::{DeliveryId, Done, LaneId, Settled, Settlement, Why};
use crate::store::incidents::IncidentId;
use crate::store::records::Quarantined;
use crate::store::rows::{self, millis};
use crate::store::sqlite_casebook::{Casebook, Line};
use crate::store::sqlite_follows;
use crate::store::sqlite_runs as runs;

/// Writes what a try came to; returns whether a delivery ended by it that had not ended before.
pub fn settle(transaction: &Transaction<'_>, settlement: &Settlement) -> rusqlite::Result<bool> {
    let now = millis(settlement.now);
    let mut ended = Vec::new();
    for settled in &settlement.settled {
        if deliver(transaction, settled, now)? {
            ended.push(settled);
        }
    }
    let closed = i64::try_from(ended.len()).unwrap_or(i64::MAX);
    transaction
        .prepare_cached(
            "UPDATE lanes SET waiting = max(0, waiting - ?2), due = ?3, seen = ?4, remote = ?5, begun = ?9, touched_at = ?6,
                    fall_at = CASE WHEN ?7 AND fall_at IS NOT NULL THEN ?6 WHEN waiting <= ?2 THEN NULL ELSE fall_at END,
                    dead = coalesce(?8, dead), acked_at = CASE WHEN ?4 THEN acked_at END
             WHERE id = ?1",
        )?
        .execute(params![
            settlement.lane,
            closed,
            millis(settlement.due),
            settlement.after.seen,
            settlement.after.remote.as_ref().map(|remote| &remote.0),
            now,
            settlement.fall_now,
            settlement.given_up,
            settlement.after.begun,
        ])?;
    if let Some(following) = &settlement.follows {
        sqlite_follows::settle(transaction, settlement.lane, following, now)?;
    }
    let (mut told, mut of_job) = (Vec::new(), None);
    for settled in ended {
        let Some(concern) = concern(transaction, settlement.lane, settled.id)? else { break };
        tell(Casebook(transaction), &concern, settled, now)?;
        told.push((concern.action, settled.state, settled.reason.as_str()));
        of_job = concern.job;
    }
    if let Some(job) = of_job {
        runs::settled(transaction, job, &told, &settlement.after, now)?;
    }
    Ok(closed > 0)
}

/// Writes what became of one delivery; returns whether it has ended by that.
fn deliver(transaction: &Transaction<'_>, settled: &Settled, now: i64) -> rusqlite::Result<bool> {
    let Settled { id, state, reason, by, attempt } = settled;
    let tries = attempt.as_ref().map_or(0, |attempt| attempt.n);
    let finished = (!state.is_open()).then_some(now);
    let first = attempt.as_ref().filter(|attempt| attempt.n == 1);
    // Settling twice (a retried write whose first try did commit) changes nothing: what is
    // finished stays so, and a try has its number.
    let is_news = transaction
        .prepare_cached(
            "UPDATE deliveries SET state = ?2, reason = ?3, by = ?4, finished_at = ?5, attempts = max(attempts, ?6),
                    tried_at = coalesce(tried_at, ?7), took = coalesce(took, ?8), status = coalesce(status, ?9),
                    outcome = coalesce(outcome, ?10), excerpt = coalesce(excerpt, ?11)
             WHERE id = ?1 AND state < 2",
        )?
        .execute(params![
            id,
            rows::state_number(*state),
            reason,
            by,
            finished,
            tries,
            first.map(|attempt| millis(attempt.at)),
            first.map(|attempt| micros(attempt.took)),
            first.map(|attempt| attempt.status),
            first.map(|attempt| attempt.outcome),
            first.map(|attempt| &attempt.excerpt),
        ])?
        > 0;
    if let Some(attempt) = attempt.as_ref().filter(|attempt| is_news && attempt.n > 1) {
        transaction
            .prepare_cached(
                "INSERT OR IGNORE INTO attempts(delivery, n, at, took, status, outcome, excerpt)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                id,
                attempt.n,
                millis(attempt.at),
                micros(attempt.took),
                attempt.status,
                attempt.outcome,
                attempt.excerpt,
            ])?;
    }
    Ok(is_news && !state.is_open())
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// The incident that a delivery is about, as far as its end concerns it.
struct Concern {
    action: Action,
    target: String,
    job: Option<JobId>,
    incident: IncidentId,
    /// Nobody was told of it yet.
    untold: bool,
    /// The last entry of its time line.
    last: i64,
}

fn concern(
    transaction: &Transaction<'_>,
    lane: LaneId,
    delivery: DeliveryId,
) -> rusqlite::Result<Option<Concern>> {
    transaction
        .prepare_cached(
            "SELECT d.action, l.target, l.job, i.id, i.notified_at IS NULL,
                    (SELECT max(n) FROM timeline WHERE incident = i.id)
             FROM lanes l JOIN incidents i ON i.id = l.incident JOIN deliveries d ON d.id = ?2 WHERE l.id = ?1",
        )?
        .query_row([lane, delivery], |row| {
            Ok(Concern {
                // Nonsense is told by whoever reads it.
                action: rows::action(row.get(0)?).unwrap_or(Action::Trigger),
                target: row.get(1)?,
                job: row.get(2)?,
                incident: row.get(3)?,
                untold: row.get(4)?,
                last: row.get::<_, Option<i64>>(5)?.unwrap_or(0),
            })
        })
        .optional()
}

/// What came of a delivery, on the time line of its incident; what was folded away is no news.
fn tell(book: Casebook<'_>, concern: &Concern, settled: &Settled, now: i64) -> rusqlite::Result<()> {
    let Settled { state, reason, .. } = settled;
    if *state == State::Superseded {
        return Ok(());
    }
    let delivered = *state == State::Delivered;
    let text: Cow<'_, str> = if delivered {
        concern.action.as_str().into()
    } else {
        format!("{}: {reason}", concern.action).into()
    };
    let line = Line { kind: state.as_str(), who: "", target: &concern.target, text: &text };
    book.write_behind(concern.incident, concern.last, now, line)?;
    if delivered && concern.untold && concern.action == Action::Trigger {
        book.notified(concern.incident, now)?;
    }
    Ok(())
}

/// A delivery of a lane is about to be sent; what was announced before and is in doubt stays so.
pub fn begin(transaction: &Transaction<'_>, lane: LaneId, uid: &str) -> rusqlite::Result<Done> {
    transaction
        .prepare_cached("UPDATE lanes SET begun = coalesce(begun, ?2) WHERE id = ?1")?
        .execute(params![lane, uid])?;
    Ok(Done::Kept)
}

/// Whether the fallback targets of a lane are still to be told.
pub fn is_to_fall(transaction: &Transaction<'_>, lane: LaneId) -> rusqlite::Result<bool> {
    let mut query = transaction
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM lanes WHERE id = ?1 AND fall_at IS NOT NULL)")?;
    query.query_row([lane], |row| row.get(0))
}

/// Marks that a lane has been rescued; returns whether that was still to be done.
pub fn rescued(transaction: &Transaction<'_>, lane: LaneId, why: Why) -> rusqlite::Result<bool> {
    let mark = match why {
        Why::Fallen => "UPDATE lanes SET fall_at = NULL WHERE id = ?1 AND fall_at IS NOT NULL",
        Why::Redriven => "UPDATE lanes SET dead = NULL WHERE id = ?1 AND dead IS NOT NULL",
    };
    Ok(transaction.prepare_cached(mark)?.execute([lane])? > 0)
}

/// Keeps unreadable bytes.
pub fn quarantine(transaction: &Transaction<'_>, bytes: &Quarantined) -> rusqlite::Result<Done> {
    transaction
        .prepare_cached("INSERT INTO quarantine(source, received_at, reason, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![bytes.source, millis(bytes.received_at), bytes.reason, rows::pack(&bytes.body)])?;
    Ok(Done::Kept)
}
