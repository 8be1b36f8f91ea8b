//! What the writer records besides events: what a try came to, and bytes that could not be read.
//! Whatever is written here may be written twice and counts once.

use rusqlite::{Transaction, params};

use crate::store::boundary::{Done, LaneId, Quarantined, Settled, Settlement};
use crate::store::rows::{self, millis};

/// Writes what a try came to.
pub fn settle(transaction: &Transaction<'_>, settlement: &Settlement) -> rusqlite::Result<Done> {
    let mut closed = 0;
    for Settled { id, state, reason, by, attempt } in &settlement.settled {
        let finished = (!state.is_open()).then(|| millis(settlement.now));
        // Settling twice (a retried write whose first try did commit) changes nothing: what is
        // finished stays so, and a try that is counted already is not counted again. What was put off
        // without a try says so.
        let changed = transaction
            .prepare_cached(
                "UPDATE deliveries SET state = ?2, reason = ?3, by = ?4, finished_at = ?5, attempts = max(attempts, ?6)
                 WHERE id = ?1 AND state < 2 AND (?2 > 1 OR ?6 = 0 OR attempts < ?6)",
            )?
            .execute(params![id, rows::state_number(*state), reason, by, finished, attempt.as_ref().map_or(0, |attempt| attempt.n)])?;
        closed += if state.is_open() { 0 } else { changed };
        if let Some(attempt) = attempt
            && changed > 0
        {
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO attempts(delivery, n, at, took, status, outcome, excerpt)
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
    }
    transaction
        .prepare_cached(
            "UPDATE lanes SET waiting = max(0, waiting - ?2), due = ?3, seen = ?4, remote = ?5, begun = ?9, touched_at = ?6,
                    fall_at = CASE WHEN ?7 AND fall_at IS NOT NULL THEN ?6 WHEN waiting <= ?2 THEN NULL ELSE fall_at END,
                    dead = coalesce(?8, dead), acked_at = CASE WHEN ?4 THEN acked_at END
             WHERE id = ?1",
        )?
        .execute(params![
            settlement.lane,
            i64::try_from(closed).unwrap_or(0),
            millis(settlement.due),
            settlement.after.seen,
            settlement.after.remote.as_ref().map(|remote| &remote.0),
            millis(settlement.now),
            settlement.fall_now,
            settlement.given_up,
            settlement.after.begun,
        ])?;
    Ok(Done::Kept)
}

/// A delivery of a lane is about to be sent; what was announced before and is in doubt stays so.
pub fn begin(transaction: &Transaction<'_>, lane: LaneId, uid: &str) -> rusqlite::Result<Done> {
    transaction
        .prepare_cached("UPDATE lanes SET begun = coalesce(begun, ?2) WHERE id = ?1")?
        .execute(params![lane, uid])?;
    Ok(Done::Kept)
}

/// The fallback targets of a lane have been told.
pub fn fallen(transaction: &Transaction<'_>, lane: LaneId) -> rusqlite::Result<Done> {
    transaction.prepare_cached("UPDATE lanes SET fall_at = NULL WHERE id = ?1")?.execute([lane])?;
    Ok(Done::Kept)
}

/// What was given up in a lane is told again, or over.
pub fn redriven(transaction: &Transaction<'_>, lane: LaneId) -> rusqlite::Result<Done> {
    transaction.prepare_cached("UPDATE lanes SET dead = NULL WHERE id = ?1")?.execute([lane])?;
    Ok(Done::Kept)
}

/// Keeps unreadable bytes.
pub fn quarantine(transaction: &Transaction<'_>, bytes: &Quarantined) -> rusqlite::Result<Done> {
    transaction
        .prepare_cached("INSERT INTO quarantine(source, received_at, reason, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![bytes.source, millis(bytes.received_at), bytes.reason, rows::pack(&bytes.body)])?;
    Ok(Done::Kept)
}
