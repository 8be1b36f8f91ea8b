//! Forgetting what is past its retention, in small steps on the writer's own thread, so that no
//! step holds up intake. What is still owed is never forgotten, however old.

use rusqlite::{Transaction, params};

use crate::store::boundary::{Done, LaneId, Retention};
use crate::store::rows::millis;

/// One small step of forgetting: the oldest events whose deliveries are all finished, then closed
/// lanes, then quarantine.
pub fn prune(
    transaction: &Transaction<'_>,
    retention: &Retention,
    from_lane: &mut LaneId,
) -> rusqlite::Result<Done> {
    let before = millis(retention.events_before);
    let old: Vec<(i64, i64, i64)> = transaction
        .prepare_cached(
            "SELECT id, first_delivery, deliveries FROM events WHERE received_at < ?1 AND NOT EXISTS
               (SELECT 1 FROM deliveries d WHERE d.id >= first_delivery AND d.id < first_delivery + events.deliveries
                AND d.state < 2)
             ORDER BY id LIMIT ?2",
        )?
        .query_map(params![before, retention.rows_max], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut gone = u32::try_from(old.len()).unwrap_or(u32::MAX);
    for (event, first, count) in old {
        let range = params![first, first + count];
        transaction
            .prepare_cached("DELETE FROM attempts WHERE delivery >= ?1 AND delivery < ?2")?
            .execute(range)?;
        transaction.prepare_cached("DELETE FROM deliveries WHERE id >= ?1 AND id < ?2")?.execute(range)?;
        transaction.prepare_cached("DELETE FROM events WHERE id = ?1")?.execute([event])?;
    }
    gone += prune_lanes(transaction, retention, from_lane)?;
    let quarantined = transaction
        .prepare_cached(
            "DELETE FROM quarantine WHERE id IN
               (SELECT id FROM quarantine WHERE received_at < ?1 ORDER BY id LIMIT ?2)",
        )?
        .execute(params![before, retention.rows_max])?;
    Ok(Done::Pruned(gone + u32::try_from(quarantined).unwrap_or(u32::MAX)))
}

/// Walks the lanes in rounds, so that no index on time is needed on the busy path.
fn prune_lanes(
    transaction: &Transaction<'_>,
    retention: &Retention,
    from: &mut LaneId,
) -> rusqlite::Result<u32> {
    let (last, looked): (Option<i64>, u32) = transaction
        .prepare_cached(
            "SELECT max(id), count(*) FROM (SELECT id FROM lanes WHERE id > ?1 ORDER BY id LIMIT ?2)",
        )?
        .query_row(params![*from, retention.rows_max], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let gone = transaction
        .prepare_cached(
            "DELETE FROM lanes WHERE id > ?1 AND id <= ?2 AND waiting = 0 AND seen = 0 AND touched_at < ?3",
        )?
        .execute(params![*from, last.unwrap_or(*from), millis(retention.lanes_before)])?;
    *from = if looked < retention.rows_max { 0 } else { last.unwrap_or(0) };
    Ok(u32::try_from(gone).unwrap_or(u32::MAX))
}
