//! The reading side of the boundary: what an engine can be asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::alert::AlertGroup;
use crate::domain::change::Change;
use crate::domain::freeze::Freeze;
use crate::domain::incident::Level;
use crate::domain::rails::Record;
use crate::store::boundary::{DeliveryId, DueLane, GivenUp, LaneId, LaneWork, StoreError};
use crate::store::disk::Extent;
use crate::store::follows::{Asking, Pending};
use crate::store::hearing::{SignalFilter, SignalRecord};
use crate::store::incidents::{ChangeFilter, Due, Figure, IncidentFilter, IncidentId, IncidentRecord, Story};
use crate::store::jobs::{DuePlan, JobFilter, JobRecord, OpenRun};
use crate::store::orders::{AuditRecord, Filter, Orphan, OrphanFilter, Recorded, Recordings};
use crate::store::records::{Backlog, DeliveryRecord, EventRecord, Owed, Page};

/// The reading side of an engine; several may be open at once.
pub trait Reader: Send {
    /// From here on everything is read as it is now, whatever is committed meanwhile, until it is
    /// [let go](Reader::let_go). Short: as long as this stands, the log of writes cannot shrink.
    fn hold(&mut self) -> Result<(), StoreError>;
    /// From here on each read is of its own moment again.
    fn let_go(&mut self) -> Result<(), StoreError>;

    /// The lanes of a target that are due first.
    fn due_lanes(&mut self, target: &str, limit: usize) -> Result<Vec<DueLane>, StoreError>;

    /// What each of these lanes owes, after the delivery named beside it (0: from the first). A
    /// lane whose rows are damaged has an error of its own and does not hold up the others.
    fn lane_work(
        &mut self,
        lanes: &[(LaneId, DeliveryId)],
        each: usize,
    ) -> Vec<(LaneId, Result<LaneWork, StoreError>)>;

    /// Lanes of a target whose fallback targets are to be told by now, with what they owe.
    fn falling(&mut self, target: &str, now: Timestamp, limit: usize) -> Result<Vec<LaneId>, StoreError>;

    /// Lanes of a target with a trigger that was given up, with the delivery; `still_firing` says
    /// whether what it was about goes on.
    fn given_up(&mut self, target: &str, limit: usize) -> Result<Vec<GivenUp>, StoreError>;

    /// What the rows take.
    fn extent(&mut self) -> Result<Extent, StoreError>;
    /// What each target is owed, for metrics.
    fn waiting(&mut self) -> Result<Vec<Backlog>, StoreError>;

    /// By target: deliveries that wait, and incidents that are open there, as far as known. Of targets
    /// that are owed or have open anything at all.
    fn owed(&mut self) -> Result<BTreeMap<String, Owed>, StoreError>;

    /// What the newest events said, oldest first: at most `limit` of those received after `since`.
    fn recent(&mut self, since: Timestamp, limit: usize) -> Result<Vec<AlertGroup>, StoreError>;

    /// One event by its outside id, with its deliveries, for the answer to "what became of it?".
    fn event(&mut self, uid: Uuid) -> Result<Option<EventRecord>, StoreError>;

    /// Deliveries, newest first. Looks at a bounded number of rows; where there may be more, the
    /// id to go on before comes along, even when nothing was found so far.
    fn deliveries(&mut self, filter: &Filter) -> Result<Page, StoreError>;
    /// One delivery.
    fn delivery(&mut self, id: DeliveryId) -> Result<Option<DeliveryRecord>, StoreError>;

    /// Open incidents that nothing is going to close.
    fn orphans(&mut self, filter: &OrphanFilter) -> Result<Vec<Orphan>, StoreError>;
    /// What services told us, newest first.
    fn signals(&mut self, filter: &SignalFilter) -> Result<Vec<SignalRecord>, StoreError>;
    /// Incidents, newest first.
    fn incidents(&mut self, filter: &IncidentFilter) -> Result<Vec<IncidentRecord>, StoreError>;

    /// Hands on what is counted of each incident that the filter lets through, newest first. `jobs`:
    /// targets that start jobs for being told of an incident.
    fn figures(
        &mut self,
        filter: &IncidentFilter,
        jobs: &[String],
        take: &mut dyn FnMut(&Figure<'_>),
    ) -> Result<(), StoreError>;

    /// Incidents that were acknowledged or over at this time or later.
    fn moved(&mut self, since: Timestamp) -> Result<Vec<IncidentRecord>, StoreError>;
    /// Changes, the latest first.
    fn changes(&mut self, filter: &ChangeFilter) -> Result<Vec<Change>, StoreError>;
    /// Freezes that stand at this time or are to come, the next to end first.
    fn freezes(&mut self, now: Timestamp, limit: usize) -> Result<Vec<Freeze>, StoreError>;
    /// One incident with its time line.
    fn story(&mut self, id: IncidentId) -> Result<Option<Story>, StoreError>;

    /// Escalations of incidents of these levels whose time has come, the earliest first.
    fn escalations(&mut self, now: Timestamp, levels: &[Level], limit: usize)
    -> Result<Vec<Due>, StoreError>;
    /// Runs of jobs whose conclusions have not been drawn, the oldest first.
    fn open_runs(&mut self, limit: usize) -> Result<Vec<OpenRun>, StoreError>;
    /// Incidents for which it is to be looked which job comes next, with changes of so long before.
    fn due_plans(&mut self, within: Duration, limit: usize) -> Result<Vec<DuePlan>, StoreError>;
    /// Runs of jobs, newest first.
    fn jobs(&mut self, filter: &JobFilter) -> Result<Vec<JobRecord>, StoreError>;
    /// What each rule came to.
    fn job_records(&mut self) -> Result<BTreeMap<String, Record>, StoreError>;

    /// Tickets of a target whose service is to be asked by now, the longest due first.
    fn asking(&mut self, target: &str, now: Timestamp, limit: usize) -> Result<Vec<Asking>, StoreError>;

    /// Tickets of incidents of these levels of which somebody may have to be reminded by now.
    fn pending(&mut self, now: Timestamp, levels: &[Level], limit: usize)
    -> Result<Vec<Pending>, StoreError>;

    /// Which of these targets has an open ticket of this dedup key.
    fn ticket_elsewhere(&mut self, key: &str, targets: &[Arc<str>]) -> Result<Option<String>, StoreError>;

    /// How many tickets are followed, by target.
    fn followed(&mut self) -> Result<Vec<(String, u64)>, StoreError>;

    /// What people ordered, newest first.
    fn audit(&mut self, limit: usize) -> Result<Vec<AuditRecord>, StoreError>;

    /// Events with the bodies as they came, as bounded as `deliveries`.
    fn recorded(&mut self, wanted: &Recorded) -> Result<Recordings, StoreError>;
}
