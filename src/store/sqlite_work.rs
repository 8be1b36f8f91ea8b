//! What lanes owe, as the deliverers take it up.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use crate::domain::alert::{AlertGroup, Status};
use crate::domain::message::{DedupKey, Proposal, RemoteRef};
use crate::store::boundary::{DeliveryId, GivenUp, LaneId, LaneState, LaneWork, Open, StoreError};
use crate::store::rows::{self, delivery_uid, told};
use crate::store::sqlite::engine;

/// What a lane owes after a delivery (0: from the first); `perhaps_sent` is what the last run left in
/// doubt. None if there is no such lane.
pub fn of_lane(
    connection: &Connection,
    perhaps_sent: DeliveryId,
    lane: LaneId,
    after: DeliveryId,
    each: usize,
    groups: &mut Groups,
) -> Result<Option<LaneWork>, StoreError> {
    let head = connection
        // What is in doubt may lie before `after`.
        .prepare_cached(
            "SELECT key, seen OR EXISTS (SELECT 1 FROM deliveries d WHERE d.lane = lanes.id AND d.state < 2 AND d.id <= ?2),
                    remote, begun FROM lanes WHERE id = ?1",
        )
        .and_then(|mut query| {
            query
                .query_row([lane, perhaps_sent], |row| {
                    Ok((
                        row.get::<_, String>(0)?,
                        row.get::<_, bool>(1)?,
                        row.get::<_, Option<String>>(2)?,
                        row.get::<_, Option<String>>(3)?,
                    ))
                })
                .optional()
        })
        .map_err(engine)?;
    let Some((key, seen, remote, begun)) = head else { return Ok(None) };
    let key = stored_key(&key)?;
    let mut query = connection
        .prepare_cached(
            "SELECT d.id, d.action, d.accepted_at, d.attempts, d.grp, d.alerts, d.event, e.uid, e.first_delivery, d.note,
                    d.job
             FROM deliveries d JOIN events e ON e.id = d.event
             WHERE d.lane = ?1 AND d.id > ?2 AND d.state < 2 ORDER BY d.id LIMIT ?3",
        )
        .map_err(engine)?;
    let limit = i64::try_from(each + 1).unwrap_or(i64::MAX);
    let rows: Vec<OpenRow> =
        query.query_map(params![lane, after, limit], open_row).and_then(Iterator::collect).map_err(engine)?;
    let more = rows.len() > each;
    let open = rows
        .into_iter()
        .take(each)
        .map(|row| open(connection, lane, &key, row, groups))
        .collect::<Result<Vec<Open>, StoreError>>()?;
    let state = LaneState { seen, remote: remote.map(RemoteRef), begun };
    Ok(Some(LaneWork { state, open, more }))
}

/// Lanes of a target with a trigger that was given up.
pub fn given_up(connection: &Connection, target: &str, limit: usize) -> Result<Vec<GivenUp>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut query = connection
        .prepare_cached(
            "SELECT d.id, d.action, d.accepted_at, d.attempts, d.grp, d.alerts, d.event, e.uid, e.first_delivery,
                    d.note, d.job, l.id, l.key, l.clocks
             FROM lanes l JOIN deliveries d ON d.id = l.dead JOIN events e ON e.id = d.event
             WHERE l.target = ?1 AND l.dead IS NOT NULL LIMIT ?2",
        )
        .map_err(engine)?;
    let found: Vec<(OpenRow, LaneId, String, Vec<u8>)> = query
        .query_map(params![target, limit], |row| {
            Ok((open_row(row)?, row.get(11)?, row.get(12)?, row.get(13)?))
        })
        .and_then(Iterator::collect)
        .map_err(engine)?;
    let mut groups = Groups::default();
    found
        .into_iter()
        .map(|(row, lane, key, clocks)| {
            let still_firing = rows::clocks(&clocks)?.values().any(|clock| clock.status == Status::Firing);
            let open = open(connection, lane, &stored_key(&key)?, row, &mut groups)?;
            Ok(GivenUp { lane, open, still_firing })
        })
        .collect()
}

fn open(
    connection: &Connection,
    lane: LaneId,
    key: &DedupKey,
    row: OpenRow,
    groups: &mut Groups,
) -> Result<Open, StoreError> {
    let all = groups.of(connection, row.event)?;
    let group = all
        .get(row.group)
        .ok_or_else(|| StoreError::Engine(format!("event {} has no group {}", row.event, row.group)))?;
    let group = row.alerts.map_or_else(|| Arc::clone(group), |blob| told(group, &rows::alerts(&blob)));
    Ok(Open {
        id: row.id,
        lane,
        uid: delivery_uid(row.uid, row.id - row.first_delivery),
        key: key.clone(),
        action: rows::action(row.action)?,
        group,
        accepted_at: rows::time(row.accepted_at),
        attempts: row.attempts,
        note: row.note,
        proposal: row.proposal.map(Proposal::of),
    })
}

fn stored_key(text: &str) -> Result<DedupKey, StoreError> {
    DedupKey::written(text).ok_or_else(|| StoreError::Engine("a stored dedup key is blank".into()))
}

struct OpenRow {
    id: DeliveryId,
    action: i64,
    accepted_at: i64,
    attempts: u32,
    group: usize,
    alerts: Option<Vec<u8>>,
    event: i64,
    uid: Uuid,
    first_delivery: DeliveryId,
    note: Option<String>,
    proposal: Option<i64>,
}

fn open_row(row: &Row<'_>) -> rusqlite::Result<OpenRow> {
    Ok(OpenRow {
        id: row.get(0)?,
        action: row.get(1)?,
        accepted_at: row.get(2)?,
        attempts: row.get(3)?,
        group: row.get::<_, u32>(4)? as usize,
        alerts: row.get(5)?,
        event: row.get(6)?,
        uid: uid(row, 7)?,
        first_delivery: row.get(8)?,
        note: row.get(9)?,
        proposal: row.get(10)?,
    })
}

fn uid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    let bytes: [u8; 16] = row.get(column)?;
    Ok(Uuid::from_bytes(bytes))
}

/// The groups of the event read last: deliveries of one event lie side by side, and an event of a
/// thousand alerts must not be unpacked a thousand times.
#[derive(Default)]
pub struct Groups {
    event: Option<i64>,
    groups: Vec<Arc<AlertGroup>>,
}

impl Groups {
    fn of(&mut self, connection: &Connection, event: i64) -> Result<&[Arc<AlertGroup>], StoreError> {
        if self.event != Some(event) {
            let blob: Vec<u8> = connection
                .prepare_cached("SELECT groups FROM events WHERE id = ?1")
                .and_then(|mut query| query.query_row([event], |row| row.get(0)))
                .map_err(engine)?;
            self.groups = rows::groups(&blob)?.into_iter().map(Arc::new).collect();
            self.event = Some(event);
        }
        Ok(&self.groups)
    }
}
