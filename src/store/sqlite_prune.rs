//! Forgetting what is past its retention, in small steps on the writer's own thread, so that no
//! step holds up intake. What is still owed is never forgotten, however old; nor are the newest
//! event and the newest lane, because the next ids are counted from them.

use rusqlite::{Connection, Transaction, params};

use crate::domain::incident::State;
use crate::store::boundary::{Done, LaneId};
use crate::store::retention::Retention;
use crate::store::rows::millis;
use crate::store::sqlite::extent;
use crate::store::sqlite_casebook::state_number;
use crate::store::sqlite_changes;
use crate::store::sqlite_freezes;
use crate::store::sqlite_quota;
use crate::store::sqlite_signals;

/// Where the round of forgetting has got to: each step goes on where the last one stopped, so
/// that no index on time is needed on the busy path.
#[derive(Debug, Clone, Copy, Default)]
pub struct Round {
    event: i64,
    lane: LaneId,
    /// After the commit the files are to be cut to what they hold ([`shorten`]).
    pub shorten: bool,
}

/// Bytes of bodies in one step: many pages are touched for a large one.
const STEP_BYTES: u64 = 8 << 20;

/// Pages that one step gives back: most of them are moved first.
const GIVEN_BACK_PAGES: u32 = 200;

/// What one step may still do.
struct Step {
    rows: u32,
    bytes: u64,
}

impl Step {
    fn is_over(&self) -> bool {
        self.rows == 0 || self.bytes == 0
    }

    fn took(&mut self, rows: i64, bytes: i64) {
        self.rows = self.rows.saturating_sub(u32::try_from(rows).unwrap_or(u32::MAX));
        self.bytes = self.bytes.saturating_sub(bytes.unsigned_abs());
    }
}

/// One small step: bytes that could not be read; the oldest events whose deliveries are all
/// finished; when the step has room left, closed lanes, and what people ordered. When the rows take
/// more than they may, the oldest goes however young it is, until they do not.
pub fn prune(
    transaction: &Transaction<'_>,
    retention: &Retention,
    round: &mut Round,
) -> rusqlite::Result<Done> {
    let excess = extent(transaction)?.used.saturating_sub(retention.used_max);
    let mut step = Step { rows: retention.rows_max, bytes: STEP_BYTES };
    let mut before = millis(retention.events_before);
    if excess > 0 {
        step.bytes = excess.min(STEP_BYTES);
        before = i64::MAX;
    }
    prune_quarantine(transaction, before, &mut step)?;
    if !step.is_over() {
        prune_events(transaction, before, &mut step, &mut round.event)?;
    }
    let more_to_give = retention.give_back && give_back(transaction)?;
    round.shorten = retention.give_back && !more_to_give;
    if more_to_give || (step.bytes == 0 && excess > STEP_BYTES) {
        return Ok(Done::Pruned(retention.rows_max));
    }
    if excess > 0 {
        // A round of its own: what is small has time.
        return Ok(Done::Pruned(retention.rows_max - step.rows));
    }
    let looked = prune_lanes(transaction, retention, step.rows, &mut round.lane)?;
    step.took(looked.into(), 0);
    let forgotten = transaction
        .prepare_cached(
            "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ?1 ORDER BY id LIMIT ?2)",
        )?
        .execute(params![millis(retention.audit_before), step.rows])?;
    step.took(i64::try_from(forgotten).unwrap_or(i64::MAX), 0);
    let quotas = sqlite_quota::forget(transaction, retention.lanes_before, step.rows)?;
    step.took(quotas.into(), 0);
    let signals = sqlite_signals::prune(transaction, millis(retention.events_before), step.rows)?;
    step.took(signals.into(), 0);
    let incidents = prune_incidents(transaction, millis(retention.audit_before), step.rows)?;
    step.took(incidents.into(), 0);
    let changes = sqlite_changes::prune(transaction, millis(retention.audit_before), step.rows)?;
    step.took(changes.into(), 0);
    let freezes = sqlite_freezes::prune(transaction, millis(retention.audit_before), step.rows)?;
    step.took(freezes.into(), 0);
    Ok(Done::Pruned(retention.rows_max - step.rows))
}

/// Forgets incidents that are over, with all that happened to them.
fn prune_incidents(transaction: &Transaction<'_>, before: i64, limit: u32) -> rusqlite::Result<u32> {
    // They lie in order of opening: the first that is young ends the search.
    let mut oldest = transaction.prepare_cached(
        "SELECT id, state, opened_at, touched_at FROM incidents
             WHERE id < (SELECT max(id) FROM incidents) ORDER BY id LIMIT ?1",
    )?;
    let mut rows = oldest.query([limit])?;
    let mut gone = 0;
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(2)? >= before {
            break;
        }
        let is_over = row.get::<_, i64>(1)? >= state_number(State::Resolved);
        if !is_over || row.get::<_, i64>(3)? >= before {
            continue;
        }
        let id: i64 = row.get(0)?;
        for table in [
            "timeline WHERE incident",
            "joined WHERE incident",
            "jobs WHERE incident",
            "job_plans WHERE incident",
            "follows WHERE incident",
            "incidents WHERE id",
        ] {
            transaction.prepare_cached(&format!("DELETE FROM {table} = ?1"))?.execute([id])?;
        }
        gone += 1;
    }
    Ok(gone)
}

/// Gives the disk back what the files do not need: pages given back leave the file, and the log its
/// length, only with a checkpoint, and on a full disk nobody may come to cause one. A reader in the
/// way is no harm: the next round tries again.
pub fn shorten(connection: &Connection) {
    let _busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
}

/// Gives up some of the pages that hold nothing; true when there may be more.
fn give_back(transaction: &Transaction<'_>) -> rusqlite::Result<bool> {
    let mut shorten =
        transaction.prepare_cached(&format!("PRAGMA incremental_vacuum({GIVEN_BACK_PAGES})"))?;
    let mut pages = shorten.query([])?;
    let mut given = 0;
    // Each step gives one page back.
    while pages.next()?.is_some() {
        given += 1;
    }
    drop(pages);
    let left: u32 =
        transaction.query_row("SELECT freelist_count FROM pragma_freelist_count", [], |row| row.get(0))?;
    Ok(left > 0 && given > 0)
}

/// Bytes that nobody could read are the first to go.
fn prune_quarantine(transaction: &Transaction<'_>, before: i64, step: &mut Step) -> rusqlite::Result<()> {
    let mut oldest = transaction
        .prepare_cached("SELECT id, received_at, length(body) FROM quarantine ORDER BY id LIMIT ?1")?;
    let mut old = oldest.query([step.rows])?;
    while let Some(row) = old.next()?
        && !step.is_over()
        && row.get::<_, i64>(1)? < before
    {
        let id: i64 = row.get(0)?;
        transaction.prepare_cached("DELETE FROM quarantine WHERE id = ?1")?.execute([id])?;
        step.took(1, row.get(2)?);
    }
    Ok(())
}

/// Events lie in order of arrival, so the first that is young ends the round.
fn prune_events(
    transaction: &Transaction<'_>,
    before: i64,
    step: &mut Step,
    from: &mut i64,
) -> rusqlite::Result<()> {
    let mut candidates = transaction.prepare_cached(
        "SELECT id, received_at, first_delivery, deliveries, EXISTS
           (SELECT 1 FROM deliveries d WHERE d.id >= first_delivery AND d.id < first_delivery + events.deliveries
            AND d.state < 2), length(body) + length(groups)
         FROM events WHERE id > ?1 AND id < (SELECT max(id) FROM events) ORDER BY id",
    )?;
    let mut old = candidates.query([*from])?;
    while !step.is_over() {
        let Some(event) = old.next()? else {
            *from = 0;
            return Ok(());
        };
        if event.get::<_, i64>(1)? >= before {
            *from = 0;
            return Ok(());
        }
        let (id, first, count): (i64, i64, i64) = (event.get(0)?, event.get(2)?, event.get(3)?);
        *from = id;
        if event.get(4)? {
            step.took(1, 0);
            continue;
        }
        step.took(1 + count, event.get(5)?);
        let range = params![first, first + count];
        transaction
            .prepare_cached("DELETE FROM attempts WHERE delivery >= ?1 AND delivery < ?2")?
            .execute(range)?;
        transaction.prepare_cached("DELETE FROM deliveries WHERE id >= ?1 AND id < ?2")?.execute(range)?;
        transaction.prepare_cached("DELETE FROM events WHERE id = ?1")?.execute([id])?;
    }
    Ok(())
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
