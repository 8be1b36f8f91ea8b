//! What people look for in the embedded engine: deliveries, orphans, audit, recorded events. No
//! index is kept for them on the busy path: rows are walked, a bounded number at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use crate::store::boundary::{DeliveryId, StoreError};
use crate::store::orders::{
    AttemptRecord, AuditRecord, Filter, Orphan, OrphanFilter, REPLAY_NOTE, Recorded, Recording, Recordings,
};
use crate::store::records::{Backlog, DeliveryRecord, EventRecord, Owed, Page};
use crate::store::rows::{self, millis};
use crate::store::sqlite::engine;
use crate::store::sqlite_orders::is_over;

/// Rows that one question may walk: some ten milliseconds, and no longer a read transaction.
const WALK_MAX: u32 = 20_000;
/// Events are larger.
const EVENTS_MAX: usize = 2_000;
/// And their bodies, together: one more may exceed it.
const BODIES_MAX: usize = 8 << 20;
/// Events lie in order of arrival but for those that were on their way at the same time.
const DISORDER: Duration = Duration::from_secs(60);

const COLUMNS: &str =
    "SELECT d.id, d.lane, coalesce(l.target, ''), coalesce(l.key, ''), d.action, d.state, d.reason, d.by,
    d.accepted_at, d.finished_at, e.uid
    FROM deliveries d LEFT JOIN lanes l ON l.id = d.lane LEFT JOIN events e ON e.id = d.event";

/// Deliveries from one id to before another, oldest first, with their attempts.
pub fn range(
    connection: &Connection,
    from: DeliveryId,
    to: DeliveryId,
) -> Result<Vec<DeliveryRecord>, StoreError> {
    let mut query = connection
        .prepare_cached(&format!("{COLUMNS} WHERE d.id >= ?1 AND d.id < ?2 ORDER BY d.id"))
        .map_err(engine)?;
    let mut found = query.query([from, to]).map_err(engine)?;
    let mut records = Vec::new();
    while let Some(row) = found.next().map_err(engine)? {
        let mut record = record(row)?;
        record.attempts = attempts(connection, record.id)?;
        records.push(record);
    }
    Ok(records)
}

/// One page of what the filter lets through, newest first.
pub fn page(connection: &Connection, filter: &Filter) -> Result<Page, StoreError> {
    let (from, to) = match filter.event {
        None => (0, i64::MAX),
        Some(uid) => range_of(connection, uid)?.unwrap_or((0, 0)),
    };
    let below = filter.before.unwrap_or(i64::MAX).min(to);
    let mut query = connection
        .prepare_cached(&format!("{COLUMNS} WHERE d.id >= ?1 AND d.id < ?2 ORDER BY d.id DESC"))
        .map_err(engine)?;
    let mut found = query.query([from, below]).map_err(engine)?;
    let mut records = Vec::new();
    let mut walked = 0;
    let mut last = below;
    while let Some(row) = found.next().map_err(engine)? {
        if records.len() >= filter.limit || walked >= WALK_MAX {
            return Ok((records, Some(last)));
        }
        walked += 1;
        let mut record = record(row)?;
        last = record.id;
        // Ids ascend with the time of acceptance: what follows is older still.
        if filter
            .since
            .is_some_and(|since| record.accepted_at.saturating_add(DISORDER).is_ok_and(|at| at < since))
        {
            break;
        }
        if passes(filter, &record) {
            record.attempts = attempts(connection, record.id)?;
            records.push(record);
        }
    }
    Ok((records, None))
}

fn passes(filter: &Filter, record: &DeliveryRecord) -> bool {
    filter.target.as_ref().is_none_or(|target| *target == record.target)
        && !filter.not_of.contains(&record.target)
        && filter.key.as_ref().is_none_or(|key| record.key.starts_with(key.as_str()))
        && (filter.states.is_empty() || filter.states.contains(&record.state))
        && filter.since.is_none_or(|since| record.accepted_at >= since)
        && filter.until.is_none_or(|until| record.accepted_at < until)
}

fn range_of(connection: &Connection, uid: Uuid) -> Result<Option<(i64, i64)>, StoreError> {
    connection
        .prepare_cached("SELECT first_delivery, first_delivery + deliveries FROM events WHERE uid = ?1")
        .and_then(|mut query| {
            query.query_row([uid.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(engine)
}

fn record(row: &Row<'_>) -> Result<DeliveryRecord, StoreError> {
    let number = |column| row.get::<_, i64>(column).map_err(engine);
    let text = |column| row.get::<_, String>(column).map_err(engine);
    let finished: Option<i64> = row.get(9).map_err(engine)?;
    let event: Option<[u8; 16]> = row.get(10).map_err(engine)?;
    Ok(DeliveryRecord {
        id: number(0)?,
        lane: number(1)?,
        target: text(2)?,
        key: text(3)?,
        action: rows::action(number(4)?)?,
        state: rows::state(number(5)?)?,
        reason: text(6)?,
        by: row.get(7).map_err(engine)?,
        accepted_at: rows::time(number(8)?),
        finished_at: finished.map(rows::time),
        event: event.map(Uuid::from_bytes).unwrap_or_default(),
        attempts: Vec::new(),
    })
}

fn attempts(connection: &Connection, delivery: DeliveryId) -> Result<Vec<AttemptRecord>, StoreError> {
    let read = |row: &Row<'_>| {
        Ok(AttemptRecord {
            at: rows::time(row.get(0)?),
            took: Duration::from_micros(row.get::<_, i64>(1)?.unsigned_abs()),
            status: row.get(2)?,
            outcome: row.get(3)?,
            excerpt: row.get(4)?,
        })
    };
    connection
        .prepare_cached(
            "SELECT tried_at, took, status, outcome, excerpt, 1 AS n FROM deliveries WHERE id = ?1 AND tried_at IS NOT NULL
             UNION ALL
             SELECT at, took, status, outcome, excerpt, n FROM attempts WHERE delivery = ?1 ORDER BY n",
        )
        .and_then(|mut query| query.query_map([delivery], read)?.collect())
        .map_err(engine)
}

/// Lanes that are open at their target, owe nothing, and are over or silent.
pub fn orphans(connection: &Connection, filter: &OrphanFilter) -> Result<Vec<Orphan>, StoreError> {
    let silent_since = filter.now.saturating_sub(filter.silent_for).map_or(0, millis);
    let mut found = Vec::new();
    let mut after = filter.lane.map_or(0, |lane| lane.saturating_sub(1));
    loop {
        let last: Option<i64> = connection
            .prepare_cached("SELECT max(id) FROM (SELECT id FROM lanes WHERE id > ?1 ORDER BY id LIMIT ?2)")
            .and_then(|mut query| query.query_row(params![after, WALK_MAX], |row| row.get(0)))
            .map_err(engine)?;
        let Some(last) = filter.lane.or(last) else { return Ok(found) };
        let mut query = connection
            .prepare_cached(
                "SELECT id, target, key, latest, touched_at, clocks FROM lanes
                 WHERE id > ?1 AND id <= ?2 AND seen = 1 AND waiting = 0 ORDER BY id",
            )
            .map_err(engine)?;
        let mut lanes = query.query([after, last]).map_err(engine)?;
        while let Some(row) = lanes.next().map_err(engine)? {
            let touched: i64 = row.get(4).map_err(engine)?;
            let clocks: Vec<u8> = row.get(5).map_err(engine)?;
            let over = is_over(&rows::clocks(&clocks)?);
            if !over && touched >= silent_since {
                continue;
            }
            found.push(Orphan {
                lane: row.get(0).map_err(engine)?,
                target: row.get(1).map_err(engine)?,
                key: row.get(2).map_err(engine)?,
                latest: row.get(3).map_err(engine)?,
                touched_at: rows::time(touched),
                over,
            });
            if found.len() >= filter.limit {
                return Ok(found);
            }
        }
        if filter.lane.is_some() {
            return Ok(found);
        }
        after = last;
    }
}

/// What each target is owed, and has open. Walks all lanes, a piece at a time.
pub fn owed(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Owed>> {
    let mut piece = connection.prepare_cached(
        "SELECT target, sum(waiting), sum(seen) FROM lanes
         WHERE id > ?1 AND id <= ?2 AND (waiting > 0 OR seen = 1) GROUP BY target",
    )?;
    let last: i64 = connection.query_row("SELECT coalesce(max(id), 0) FROM lanes", [], |row| row.get(0))?;
    let (mut owed, mut after) = (BTreeMap::<String, Owed>::new(), 0);
    while after < last {
        let to = after + i64::from(WALK_MAX);
        let mut rows = piece.query([after, to])?;
        while let Some(row) = rows.next()? {
            let of_target = owed.entry(row.get(0)?).or_default();
            of_target.waiting += row.get::<_, i64>(1)?.unsigned_abs();
            of_target.open += row.get::<_, i64>(2)?.unsigned_abs();
        }
        after = to;
    }
    Ok(owed)
}

/// The newest orders.
pub fn audit(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<AuditRecord>> {
    connection
        .prepare_cached("SELECT at, who, what, about, detail FROM audit ORDER BY id DESC LIMIT ?1")?
        .query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok(AuditRecord {
                at: rows::time(row.get(0)?),
                who: row.get(1)?,
                what: row.get(2)?,
                about: row.get(3)?,
                detail: row.get(4)?,
            })
        })?
        .collect()
}

/// Recorded events, oldest first.
pub fn recorded(connection: &Connection, wanted: &Recorded) -> Result<Recordings, StoreError> {
    let mut first = wanted.after;
    if let Some(since) = wanted.since {
        let surely_before = since.saturating_sub(DISORDER).unwrap_or(since);
        first = first.max(first_since(connection, millis(surely_before))? - 1);
    }
    let mut query = connection
        .prepare_cached(
            "SELECT id, uid, source, received_at, body, length(body) > 1 AND notes NOT LIKE '[\"' || ?2 || '%'
             FROM events WHERE id > ?1 ORDER BY id",
        )
        .map_err(engine)?;
    let mut found = query.query(params![first, REPLAY_NOTE]).map_err(engine)?;
    let (mut recordings, mut walked, mut last, mut bytes) = (Vec::new(), 0, first, 0);
    while let Some(row) = found.next().map_err(engine)? {
        if recordings.len() >= wanted.limit || walked >= EVENTS_MAX || bytes >= BODIES_MAX {
            return Ok((recordings, Some(last)));
        }
        walked += 1;
        last = row.get(0).map_err(engine)?;
        let received_at = rows::time(row.get(3).map_err(engine)?);
        if wanted.until.is_some_and(|until| received_at.saturating_sub(DISORDER).is_ok_and(|at| at >= until))
        {
            break;
        }
        let recording = Recording {
            id: last,
            uid: Uuid::from_bytes(row.get(1).map_err(engine)?),
            source: row.get(2).map_err(engine)?,
            received_at,
            body: Vec::new(),
        };
        if row.get(5).map_err(engine)? && wants(wanted, &recording) {
            let body: Vec<u8> = row.get(4).map_err(engine)?;
            let body = rows::unpack(&body)?;
            bytes += body.len();
            recordings.push(Recording { body, ..recording });
        }
    }
    Ok((recordings, None))
}

fn wants(wanted: &Recorded, recording: &Recording) -> bool {
    (wanted.uids.is_empty() || wanted.uids.contains(&recording.uid))
        && wanted.source.as_ref().is_none_or(|source| *source == recording.source)
        && wanted.since.is_none_or(|since| recording.received_at >= since)
        && wanted.until.is_none_or(|until| recording.received_at < until)
}

/// The first event that was received at this time or later, found by halving.
fn first_since(connection: &Connection, since: i64) -> Result<i64, StoreError> {
    let (mut low, mut high): (i64, i64) = connection
        .query_row("SELECT coalesce(min(id), 0), coalesce(max(id), 0) + 1 FROM events", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .map_err(engine)?;
    let mut at = connection
        .prepare_cached("SELECT id, received_at FROM events WHERE id >= ?1 ORDER BY id LIMIT 1")
        .map_err(engine)?;
    while low < high {
        let middle = low + (high - low) / 2;
        let found: Option<(i64, i64)> =
            at.query_row([middle], |row| Ok((row.get(0)?, row.get(1)?))).optional().map_err(engine)?;
        match found {
            Some((id, received)) if received < since => low = id + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// What each target is owed.
pub fn waiting(connection: &Connection) -> rusqlite::Result<Vec<Backlog>> {
    // Only the head of a lane can be held; its time and its state come in one number, so that it
    // is looked up once (LIMIT keeps the two queries apart).
    let mut query = connection.prepare_cached(
        "SELECT target, sum(waiting), sum(head & 1), min(head >> 1) FROM (
                SELECT target, waiting, (SELECT d.accepted_at * 2 + d.state FROM deliveries d
                    WHERE d.lane = lanes.id AND d.state < 2 ORDER BY d.id LIMIT 1) AS head
                FROM lanes WHERE waiting > 0 LIMIT -1)
             GROUP BY target",
    )?;
    query
        .query_map([], |row| {
            let count =
                |column: usize| row.get::<_, Option<i64>>(column).map(|sum| sum.unwrap_or(0).unsigned_abs());
            Ok(Backlog {
                target: row.get(0)?,
                waiting: count(1)?,
                held: count(2)?,
                oldest: row.get::<_, Option<i64>>(3)?.map(rows::time),
            })
        })
        .and_then(Iterator::collect)
}

/// One event by its outside id, with its deliveries.
pub fn event(connection: &Connection, uid: Uuid) -> Result<Option<EventRecord>, StoreError> {
    let head = connection
        .prepare_cached(
            "SELECT source, received_at, notes, first_delivery, deliveries FROM events WHERE uid = ?1",
        )
        .and_then(|mut query| {
            query
                .query_row([uid.as_bytes()], |row| {
                    let range: (i64, i64) = (row.get(3)?, row.get(4)?);
                    Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?, range))
                })
                .optional()
        })
        .map_err(engine)?;
    let Some((source, received_at, notes, (first, count))) = head else { return Ok(None) };
    let deliveries = range(connection, first, first + count)?;
    let notes = serde_json::from_str(&notes).unwrap_or_default();
    Ok(Some(EventRecord { uid, source, received_at: rows::time(received_at), notes, deliveries }))
}
