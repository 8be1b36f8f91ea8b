//! Forgetting what is past its retention, in small steps on the writer's own thread, so that no
//! step holds up intake. What is still owed is never forgotten, however old; nor are the newest
//! event and the newest lane, because the next ids are counted from them.

use rusqlite::{Transaction, params};

use crate::store::boundary::{Done, LaneId, Retention};
use crate::store::rows::millis;
use crate::store::sqlite_quota;
use crate::store::sqlite_signals;

/// Where the round of forgetting has got to: each step goes on where the last one stopped, so
/// that no index on time is needed on the busy path.
#[derive(Debug, Clone, Copy, Default)]
pub struct Round {
    event: i64,
    lane: LaneId,
}

/// One small step: the oldest events whose deliveries are all finished; when a step has room left,
/// closed lanes; then quarantine and quotas of days past.
pub fn prune(
    transaction: &Transaction<'_>,
    retention: &Retention,
    round: &mut Round,
) -> rusqlite::Result<Done> {
    let mut left = prune_events(transaction, retention, &mut round.event)?;
    left = left.saturating_sub(prune_lanes(transaction, retention, left, &mut round.lane)?);
    let quarantined = transaction
        .prepare_cached(
            "DELETE FROM quarantine WHERE id IN
               (SELECT id FROM quarantine WHERE received_at < ?1 ORDER BY id LIMIT ?2)",
        )?
        .execute(params![millis(retention.events_before), left])?;
    left = left.saturating_sub(u32::try_from(quarantined).unwrap_or(u32::MAX));
    left = left.saturating_sub(sqlite_quota::forget(transaction, retention.lanes_before, left)?);
    left -= sqlite_signals::prune(transaction, millis(retention.events_before), left)?.min(left);
    Ok(Done::Pruned(retention.rows_max - left))
}

/// Returns how many rows this step may still touch. Events lie in order of arrival, so the first
/// that is young ends the round.
fn prune_events(
    transaction: &Transaction<'_>,
    retention: &Retention,
    from: &mut i64,
) -> rusqlite::Result<u32> {
    let mut candidates = transaction.prepare_cached(
        "SELECT id, received_at, first_delivery, deliveries, EXISTS
           (SELECT 1 FROM deliveries d WHERE d.id >= first_delivery AND d.id < first_delivery + events.deliveries
            AND d.state < 2)
         FROM events WHERE id > ?1 AND id < (SELECT max(id) FROM events) ORDER BY id",
    )?;
    let mut left = retention.rows_max;
    let mut old = candidates.query([*from])?;
    while left > 0 {
        let Some(event) = old.next()? else {
            *from = 0;
            return Ok(left);
        };
        if event.get::<_, i64>(1)? >= millis(retention.events_before) {
            *from = 0;
            return Ok(left);
        }
        let (id, first, count): (i64, i64, i64) = (event.get(0)?, event.get(2)?, event.get(3)?);
        *from = id;
        left = left.saturating_sub(1);
        if event.get(4)? {
            continue;
        }
        left = left.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
        let range = params![first, first + count];
        transaction
            .prepare_cached("DELETE FROM attempts WHERE delivery >= ?1 AND delivery < ?2")?
            .execute(range)?;
        transaction.prepare_cached("DELETE FROM deliveries WHERE id >= ?1 AND id < ?2")?.execute(range)?;
        transaction.prepare_cached("DELETE FROM events WHERE id = ?1")?.execute([id])?;
    }
    Ok(left)
}

/// Walks the lanes in rounds; returns how many it looked at.
fn prune_lanes(
    transaction: &Transaction<'_>,
    retention: &Retention,
    limit: u32,
    from: &mut LaneId,
) -> rusqlite::Result<u32> {
    if limit == 0 {
        return Ok(0);
    }
    let (last, looked): (Option<i64>, u32) = transaction
        .prepare_cached(
            "SELECT max(id), count(*) FROM (SELECT id FROM lanes WHERE id > ?1 ORDER BY id LIMIT ?2)",
        )?
        .query_row(params![*from, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // A lane outlives the events that tell of it: their record names its target and key.
    let before = retention.lanes_before.min(retention.events_before);
    transaction
        .prepare_cached(
            "DELETE FROM lanes WHERE id > ?1 AND id <= ?2 AND waiting = 0 AND seen = 0 AND touched_at < ?3
               AND id < (SELECT max(id) FROM lanes)",
        )?
        .execute(params![*from, last.unwrap_or(*from), millis(before)])?;
    *from = if looked < limit { 0 } else { last.unwrap_or(0) };
    Ok(looked)
}
