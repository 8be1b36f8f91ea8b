//! The reading side of the embedded engine. Read transactions are short: a long one would hold
//! the write-ahead log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use crate::domain::alert::{AlertGroup, Status};
use crate::domain::change::Change;
use crate::domain::freeze::Freeze;
use crate::domain::incident::Level;
use crate::domain::message::{DedupKey, Proposal, RemoteRef};
use crate::domain::rails::Record;
use crate::store::boundary::{
    DeliveryId, DueLane, GivenUp, LaneId, LaneState, LaneWork, Open, Reader, StoreError,
};
use crate::store::disk::Extent;
use crate::store::follows::{Asking, Pending};
use crate::store::hearing::{SignalFilter, SignalRecord};
use crate::store::incidents::{ChangeFilter, Due, Figure, IncidentFilter, IncidentId, IncidentRecord, Story};
use crate::store::jobs::{DuePlan, JobFilter, JobRecord, OpenRun};
use crate::store::orders::{AuditRecord, Filter, Orphan, OrphanFilter, REDRIVE_NOTE, Recorded, Recordings};
use crate::store::records::{Backlog, DeliveryRecord, EventRecord, Owed, Page};
use crate::store::rows::{self, delivery_uid, told};
use crate::store::sqlite::{engine, extent};
use crate::store::sqlite_changes;
use crate::store::sqlite_figures;
use crate::store::sqlite_follows;
use crate::store::sqlite_freezes;
use crate::store::sqlite_incidents;
use crate::store::sqlite_job_list;
use crate::store::sqlite_search as search;
use crate::store::sqlite_signals;

/// A reader.
#[derive(Debug)]
pub struct SqliteReader {
    connection: Connection,
    perhaps_sent: DeliveryId,
}

impl SqliteReader {
    /// Takes over an open connection. `perhaps_sent`: see `sqlite::Found`.
    pub fn new(connection: Connection, perhaps_sent: DeliveryId) -> SqliteReader {
        SqliteReader { connection, perhaps_sent }
    }

    fn one_lane(
        &self,
        lane: LaneId,
        after: DeliveryId,
        each: usize,
        groups: &mut Groups,
    ) -> Result<Option<LaneWork>, StoreError> {
        let head = self
            .connection
            // What is in doubt may lie before `after`.
            .prepare_cached(
                "SELECT key, seen OR EXISTS (SELECT 1 FROM deliveries d WHERE d.lane = lanes.id AND d.state < 2 AND d.id <= ?2),
                        remote, begun FROM lanes WHERE id = ?1",
            )
            .and_then(|mut query| {
                query
                    .query_row([lane, self.perhaps_sent], |row| {
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
        let mut query = self
            .connection
            .prepare_cached(
                "SELECT d.id, d.action, d.accepted_at, d.attempts, d.grp, d.alerts, d.event, e.uid, e.first_delivery, d.note,
                        d.job
                 FROM deliveries d JOIN events e ON e.id = d.event
                 WHERE d.lane = ?1 AND d.id > ?2 AND d.state < 2 ORDER BY d.id LIMIT ?3",
            )
            .map_err(engine)?;
        let limit = i64::try_from(each + 1).unwrap_or(i64::MAX);
        let rows: Vec<OpenRow> = query
            .query_map(params![lane, after, limit], open_row)
            .and_then(Iterator::collect)
            .map_err(engine)?;
        let more = rows.len() > each;
        let open = rows
            .into_iter()
            .take(each)
            .map(|row| self.open(lane, &key, row, groups))
            .collect::<Result<Vec<Open>, StoreError>>()?;
        let state = LaneState { seen, remote: remote.map(RemoteRef), begun };
        Ok(Some(LaneWork { state, open, more }))
    }

    fn open(
        &self,
        lane: LaneId,
        key: &DedupKey,
        row: OpenRow,
        groups: &mut Groups,
    ) -> Result<Open, StoreError> {
        let all = groups.of(&self.connection, row.event)?;
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
struct Groups {
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

impl Reader for SqliteReader {
    fn due_lanes(&mut self, target: &str, limit: usize) -> Result<Vec<DueLane>, StoreError> {
        let mut query = self
            .connection
            .prepare_cached(
                "SELECT id, due FROM lanes WHERE target = ?1 AND waiting > 0 ORDER BY due LIMIT ?2",
            )
            .map_err(engine)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        query
            .query_map(params![target, limit], |row| {
                Ok(DueLane { lane: row.get(0)?, due: rows::time(row.get(1)?) })
            })
            .and_then(Iterator::collect)
            .map_err(engine)
    }

    fn lane_work(
        &mut self,
        lanes: &[(LaneId, DeliveryId)],
        each: usize,
    ) -> Vec<(LaneId, Result<LaneWork, StoreError>)> {
        let mut groups = Groups::default();
        let nothing = || LaneWork { state: LaneState::default(), open: Vec::new(), more: false };
        let mut work = |lane, after| self.one_lane(lane, after, each, &mut groups);
        lanes
            .iter()
            .map(|(lane, after)| (*lane, work(*lane, *after).map(|found| found.unwrap_or_else(nothing))))
            .collect()
    }

    fn falling(&mut self, target: &str, now: Timestamp, limit: usize) -> Result<Vec<LaneId>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached(
                "SELECT id FROM lanes WHERE target = ?1 AND fall_at <= ?2 ORDER BY fall_at LIMIT ?3",
            )
            .and_then(|mut query| {
                query.query_map(params![target, rows::millis(now), limit], |row| row.get(0))?.collect()
            })
            .map_err(engine)
    }

    fn given_up(&mut self, target: &str, limit: usize) -> Result<Vec<GivenUp>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut query = self
            .connection
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
                let still_firing =
                    rows::clocks(&clocks)?.values().any(|clock| clock.status == Status::Firing);
                let open = self.open(lane, &stored_key(&key)?, row, &mut groups)?;
                Ok(GivenUp { lane, open, still_firing })
            })
            .collect()
    }

    fn extent(&mut self) -> Result<Extent, StoreError> {
        extent(&self.connection).map_err(engine)
    }

    fn waiting(&mut self) -> Result<Vec<Backlog>, StoreError> {
        search::waiting(&self.connection).map_err(engine)
    }

    fn owed(&mut self) -> Result<BTreeMap<String, Owed>, StoreError> {
        search::owed(&self.connection).map_err(engine)
    }

    fn recent(&mut self, since: Timestamp, limit: usize) -> Result<Vec<AlertGroup>, StoreError> {
        let mut query = self
            .connection
            .prepare_cached(
                "SELECT groups FROM events WHERE received_at >= ?1 AND notes NOT LIKE '[\"' || ?3 || '%'
                 ORDER BY id DESC LIMIT ?2",
            )
            .map_err(engine)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let blobs: Vec<Vec<u8>> = query
            .query_map(params![rows::millis(since), limit, REDRIVE_NOTE], |row| row.get(0))
            .and_then(Iterator::collect)
            .map_err(engine)?;
        let mut groups = Vec::new();
        for blob in blobs.iter().rev() {
            groups.extend(rows::groups(blob)?);
        }
        Ok(groups)
    }

    fn event(&mut self, uid: Uuid) -> Result<Option<EventRecord>, StoreError> {
        search::event(&self.connection, uid)
    }

    fn deliveries(&mut self, filter: &Filter) -> Result<Page, StoreError> {
        search::page(&self.connection, filter)
    }

    fn delivery(&mut self, id: DeliveryId) -> Result<Option<DeliveryRecord>, StoreError> {
        search::range(&self.connection, id, id.saturating_add(1)).map(|mut found| found.pop())
    }

    fn orphans(&mut self, filter: &OrphanFilter) -> Result<Vec<Orphan>, StoreError> {
        search::orphans(&self.connection, filter)
    }

    fn signals(&mut self, filter: &SignalFilter) -> Result<Vec<SignalRecord>, StoreError> {
        sqlite_signals::signals(&self.connection, filter).map_err(engine)
    }

    fn incidents(&mut self, filter: &IncidentFilter) -> Result<Vec<IncidentRecord>, StoreError> {
        sqlite_incidents::incidents(&self.connection, filter)
    }

    fn figures(
        &mut self,
        filter: &IncidentFilter,
        jobs: &[String],
        take: &mut dyn FnMut(&Figure<'_>),
    ) -> Result<(), StoreError> {
        sqlite_figures::figures(&self.connection, filter, jobs, take)
    }

    fn moved(&mut self, since: Timestamp) -> Result<Vec<IncidentRecord>, StoreError> {
        sqlite_incidents::moved(&self.connection, since)
    }

    fn freezes(&mut self, now: Timestamp, limit: usize) -> Result<Vec<Freeze>, StoreError> {
        sqlite_freezes::standing(&self.connection, now, limit).map_err(engine)
    }

    fn changes(&mut self, filter: &ChangeFilter) -> Result<Vec<Change>, StoreError> {
        sqlite_changes::changes(&self.connection, filter).map_err(engine)
    }

    fn story(&mut self, id: IncidentId) -> Result<Option<Story>, StoreError> {
        sqlite_incidents::story(&self.connection, id)
    }

    fn escalations(
        &mut self,
        now: Timestamp,
        levels: &[Level],
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        sqlite_incidents::escalations(&self.connection, now, levels, limit)
    }

    fn open_runs(&mut self, limit: usize) -> Result<Vec<OpenRun>, StoreError> {
        sqlite_job_list::open_runs(&self.connection, limit)
    }

    fn due_plans(&mut self, within: Duration, limit: usize) -> Result<Vec<DuePlan>, StoreError> {
        sqlite_job_list::due_plans(&self.connection, within, limit)
    }

    fn jobs(&mut self, filter: &JobFilter) -> Result<Vec<JobRecord>, StoreError> {
        sqlite_job_list::jobs(&self.connection, filter).map_err(engine)
    }

    fn job_records(&mut self) -> Result<BTreeMap<String, Record>, StoreError> {
        sqlite_job_list::records(&self.connection).map_err(engine)
    }

    fn asking(&mut self, target: &str, now: Timestamp, limit: usize) -> Result<Vec<Asking>, StoreError> {
        sqlite_follows::due(&self.connection, target, now, limit).map_err(engine)
    }

    fn pending(
        &mut self,
        now: Timestamp,
        levels: &[Level],
        limit: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        sqlite_follows::pending(&self.connection, now, levels, limit)
    }

    fn ticket_elsewhere(&mut self, key: &str, targets: &[Arc<str>]) -> Result<Option<String>, StoreError> {
        sqlite_follows::elsewhere(&self.connection, key, targets).map_err(engine)
    }

    fn followed(&mut self) -> Result<Vec<(String, u64)>, StoreError> {
        sqlite_follows::count(&self.connection).map_err(engine)
    }

    fn audit(&mut self, limit: usize) -> Result<Vec<AuditRecord>, StoreError> {
        search::audit(&self.connection, limit).map_err(engine)
    }

    fn recorded(&mut self, wanted: &Recorded) -> Result<Recordings, StoreError> {
        search::recorded(&self.connection, wanted)
    }
}
