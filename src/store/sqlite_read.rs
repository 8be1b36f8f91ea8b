//! The reading side of the embedded engine. Read transactions are short: a long one would hold
//! the write-ahead log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use uuid::Uuid;

use crate::domain::alert::AlertGroup;
use crate::domain::change::Change;
use crate::domain::freeze::Freeze;
use crate::domain::incident::Level;
use crate::domain::rails::Record;
use crate::store::boundary::{DeliveryId, DueLane, GivenUp, LaneId, LaneState, LaneWork, StoreError};
use crate::store::disk::Extent;
use crate::store::follows::{Asking, Pending};
use crate::store::hearing::{SignalFilter, SignalRecord};
use crate::store::incidents::{ChangeFilter, Due, Figure, IncidentFilter, IncidentId, IncidentRecord, Story};
use crate::store::jobs::{DuePlan, JobFilter, JobRecord, OpenRun};
use crate::store::orders::{AuditRecord, Filter, Orphan, OrphanFilter, REDRIVE_NOTE, Recorded, Recordings};
use crate::store::reader::Reader;
use crate::store::records::{Backlog, DeliveryRecord, EventRecord, Owed, Page};
use crate::store::rows::{self};
use crate::store::sqlite::{engine, extent};
use crate::store::sqlite_changes;
use crate::store::sqlite_figures;
use crate::store::sqlite_follows;
use crate::store::sqlite_freezes;
use crate::store::sqlite_incidents;
use crate::store::sqlite_job_list;
use crate::store::sqlite_search as search;
use crate::store::sqlite_signals;
use crate::store::sqlite_work::{self, Groups, of_lane};

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

    fn run(&self, statement: &str) -> Result<(), StoreError> {
        let ran = self.connection.prepare_cached(statement).and_then(|mut prepared| prepared.execute([]));
        ran.map(|_| ()).map_err(engine)
    }
}

impl Reader for SqliteReader {
    fn hold(&mut self) -> Result<(), StoreError> {
        self.run("BEGIN")
    }

    fn let_go(&mut self) -> Result<(), StoreError> {
        // A page that the disk cannot give ends the transaction; what else was read is good all the same.
        if self.connection.is_autocommit() { Ok(()) } else { self.run("COMMIT") }
    }

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
        let mut work =
            |lane, after| of_lane(&self.connection, self.perhaps_sent, lane, after, each, &mut groups);
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
        sqlite_work::given_up(&self.connection, target, limit)
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
