//! What the writer records besides events: what a try came to, and bytes that could not be read.
//! Whatever is written here may be written twice and counts once.

use rusqlite::{OptionalExtension, Transaction, params};

use crate::domain::delivery::State;
use crate::domain::message::Action;
use crate::store::boundary::{Done, LaneId, Settled, Settlement, Why};
use crate::store::records::Quarantined;
use crate::store::rows::{self, millis};
use crate::store::sqlite_casebook::{Casebook, Line};
use crate::store::sqlite_follows;
use crate::store::sqlite_runs::settled;

/// Writes what a try came to; returns whether a delivery ended by it that had not ended before.
pub fn settle(transaction: &Transaction<'_>, settlement: &Settlement) -> rusqlite::Result<bool> {
    let ended = settlement
        .settled
        .iter()
        .filter_map(|settled| deliver(transaction, settled, millis(settlement.now)).transpose())
        .collect::<rusqlite::Result<Vec<_>>>()?;
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
            millis(settlement.now),
            settlement.fall_now,
            settlement.given_up,
            settlement.after.begun,
        ])?;
    if let Some(following) = &settlement.follows {
        sqlite_follows::settle(transaction, settlement.lane, following, millis(settlement.now))?;
    }
    let concerns: Option<(i64, String, Option<i64>)> = transaction
        .prepare_cached("SELECT incident, target, job FROM lanes WHERE id = ?1 AND incident IS NOT NULL")?
        .query_row([settlement.lane], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    if let Some((incident, target, job)) = concerns {
        tell(Casebook(transaction), incident, &target, &ended, millis(settlement.now))?;
        if let Some(job) = job {
            settled(transaction, job, &ended, &settlement.after, millis(settlement.now))?;
        }
    }
    Ok(closed > 0)
}

/// Writes what became of one delivery; returns it if it has ended by that.
fn deliver<'s>(
    transaction: &Transaction<'_>,
    settled: &'s Settled,
    now: i64,
) -> rusqlite::Result<Option<(Action, State, &'s str)>> {
    let Settled { id, state, reason, by, attempt } = settled;
    let tries = attempt.as_ref().map_or(0, |attempt| attempt.n);
    // Settling twice (a retried write whose first try did commit) changes nothing: what is
    // finished stays so, and a try has its number. Looked up first: RETURNING would make a table for
    // its answer.
    let action: Option<i64> = transaction
        .prepare_cached("SELECT action FROM deliveries WHERE id = ?1 AND state < 2")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    let Some(action) = action else { return Ok(None) };
    let finished = (!state.is_open()).then_some(now);
    transaction
        .prepare_cached(
            "UPDATE deliveries SET state = ?2, reason = ?3, by = ?4, finished_at = ?5, attempts = max(attempts, ?6)
             WHERE id = ?1",
        )?
        .execute(params![id, rows::state_number(*state), reason, by, finished, tries])?;
    if let Some(attempt) = attempt {
        transaction
            .prepare_cached(
                "INSERT OR IGNORE INTO attempts(delivery, n, at, took, status, outcome, excerpt)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                id,
                attempt.n,
                millis(attempt.at),
                i64::try_from(attempt.took.as_micros()).unwrap_or(i64::MAX),
                attempt.status,
                attempt.outcome,
                attempt.excerpt,
            ])?;
    }
    // Nonsense is told by whoever reads it.
    let action = rows::action(action).unwrap_or(Action::Trigger);
    Ok((!state.is_open()).then_some((action, *state, reason.as_str())))
}

/// What came of deliveries, on the time line of their incident; what was folded away is no news.
fn tell(
    book: Casebook<'_>,
    incident: i64,
    target: &str,
    ended: &[(Action, State, &str)],
    now: i64,
) -> rusqlite::Result<()> {
    for (action, state, reason) in ended.iter().filter(|(_, state, _)| *state != State::Superseded) {
        let delivered = *state == State::Delivered;
        let text = if delivered { action.as_str().to_owned() } else { format!("{action}: {reason}") };
        book.write_at(incident, now, Line { kind: state.as_str(), who: "", target, text: &text })?;
        if delivered && *action == Action::Trigger {
            book.notified(incident, now)?;
        }
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
