//! The boundary that every engine stands behind: operations in, facts out, in the words of the
//! domain. No SQL, no rows, no thread is visible from here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::alert::AlertGroup;
use crate::domain::change::Change;
use crate::domain::delivery::State;
use crate::domain::freeze::Freeze;
use crate::domain::incident::Level;
use crate::domain::message::{Action, DedupKey, Proposal, RemoteRef};
use crate::domain::rails::Record;
use crate::store::charge::{Charge, Charged};
use crate::store::disk::Extent;
use crate::store::event::{Changed, NewEvent};
use crate::store::follows::{Asked, Asking, Following, Pending, Reminding};
use crate::store::hearing::{Heard, Hearing, SignalFilter, SignalRecord};
use crate::store::incidents::{
    ChangeFilter, Due, Escalating, Figure, IncidentFilter, IncidentId, IncidentRecord, Story,
};
use crate::store::jobs::{DuePlan, JobFilter, JobRecord, JobStep, OpenRun};
use crate::store::orders::{
    AuditRecord, Filter, Order, Ordered, Orphan, OrphanFilter, Recorded, Recordings, Refused,
};
use crate::store::records::{Accepted, Backlog, DeliveryRecord, EventRecord, Owed, Page, Quarantined};
use crate::store::retention::Retention;

/// Row id of a lane.
pub type LaneId = i64;
/// Row id of a delivery; ascending in order of acceptance.
pub type DeliveryId = i64;

/// What can go wrong in a store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// No room on the disk. The sender is told to come again; space that comes back is used at once.
    #[error("the disk is full")]
    DiskFull,
    /// There is less room on the disk than is to be left free.
    #[error("there is hardly any room left on the disk")]
    DiskLow,
    /// The writer is behind: one more would have to wait so long.
    #[error("the store is busy: it would take {wait:.1?} until this is looked at")]
    Busy {
        /// The expected wait.
        wait: Duration,
    },
    /// The store is closing or its writer has ended.
    #[error("the store is closed")]
    Closed,
    /// Written by a newer version of the relay.
    #[error(
        "the store has schema {found}, this version knows {known}: it was written by a newer alert-relay; start that version, or give this one another folder"
    )]
    SchemaNewer {
        /// In the file.
        found: u32,
        /// Of this binary.
        known: u32,
    },
    /// Another relay holds this folder.
    #[error("the folder is in use by another alert-relay")]
    InUse,
    /// Anything else, in the engine's words.
    #[error("{0}")]
    Engine(String),
}

/// What a target did not take is told elsewhere or later, unless that has been done already.
#[derive(Debug, Clone)]
pub struct Rescue {
    /// Of which lane.
    pub lane: LaneId,
    /// Why.
    pub why: Why,
    /// What is told; `None` when it is over and nobody need hear of it.
    pub event: Option<Box<NewEvent>>,
}

/// Why something is told elsewhere or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It has waited too long: the fallback targets are told.
    Fallen,
    /// It was given up, and the target is back: it is told again.
    Redriven,
}

/// A delivery that is owed, with all that is needed to send it.
#[derive(Debug, Clone)]
pub struct Open {
    /// Row id.
    pub id: DeliveryId,
    /// Its lane.
    pub lane: LaneId,
    /// Stable id shown outside, and the idempotency handle.
    pub uid: String,
    /// Which problem.
    pub key: DedupKey,
    /// What to do.
    pub action: Action,
    /// Alerts to tell of.
    pub group: Arc<AlertGroup>,
    /// When the relay promised it.
    pub accepted_at: Timestamp,
    /// Tries so far.
    pub attempts: u32,
    /// A sentence for its text.
    pub note: Option<String>,
    /// What its text says about a job.
    pub proposal: Option<Proposal>,
}

/// What a lane knows beyond its deliveries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LaneState {
    /// The target may have seen a trigger that no resolve has followed.
    pub seen: bool,
    /// What the target gave back.
    pub remote: Option<RemoteRef>,
    /// Outside id of a delivery whose sending was announced ([`Op::Begin`]) and of which nobody
    /// knows how it ended.
    pub begun: Option<String>,
}

/// One try, for the record.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRow {
    /// Which try of this delivery it was, from 1: a settlement that is written twice counts once.
    pub n: u32,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// HTTP status; 0 when no reply came.
    pub status: u16,
    /// One word of the outcome.
    pub outcome: &'static str,
    /// Reason and start of the reply, secrets starred.
    pub excerpt: String,
}

/// A delivery that moved, as one settlement writes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// Which.
    pub id: DeliveryId,
    /// Where it stands now.
    pub state: State,
    /// Why, for every state that needs a reason.
    pub reason: String,
    /// The delivery that took its place, when superseded.
    pub by: Option<DeliveryId>,
    /// The try that led here, if there was one.
    pub attempt: Option<AttemptRow>,
}

/// All that changes when a try is over, in one transaction.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The lease under which it was made. The embedded engine has one holder and ignores it; a
    /// shared engine refuses a settlement whose epoch has passed.
    pub epoch: u64,
    /// The lane.
    pub lane: LaneId,
    /// Deliveries that moved.
    pub settled: Vec<Settled>,
    /// When the lane is to be looked at again, if anything is left in it.
    pub due: Timestamp,
    /// What the lane knows now.
    pub after: LaneState,
    /// When it was settled.
    pub now: Timestamp,
    /// The fallback targets are to be told now, whatever their time.
    pub fall_now: bool,
    /// A trigger that was given up, to be told when the target is back.
    pub given_up: Option<DeliveryId>,
    /// What the fallback targets are told of a trigger that ends here; once, however often this is
    /// written.
    pub tells: Option<Box<NewEvent>>,
    /// What it means for the tickets of the lane; `None`: nothing, as everywhere but at ticket systems.
    pub follows: Option<Box<Following>>,
}

/// Something for the writer to do.
#[derive(Debug, Clone)]
pub enum Op {
    /// Keep an event and its deliveries.
    Accept(Box<NewEvent>),
    /// Record what a try came to. Shared, because whoever asks for it keeps it until it is written.
    Settle(Arc<Settlement>),
    /// Keep unreadable bytes.
    Quarantine(Box<Quarantined>),
    /// Drop what is past its retention, a small step at a time.
    Prune(Retention),
    /// Do what a person ordered, and write down that it was ordered.
    Manage(Box<Order>),
    /// A delivery of this lane (named by its outside id) is about to be sent to a target that must
    /// never be told twice. Stays until a settlement of the lane says otherwise; one that is there
    /// already stays.
    Begin(LaneId, String),
    /// Count a call that costs money, before it is made.
    Charge(Box<Charge>),
    /// Keep what a service told us, with what follows from it.
    Hear(Box<Hearing>),
    /// Tell others of an incident that nobody has acknowledged.
    Escalate(Box<Escalating>),
    /// Keep what asking after a ticket came to, with what follows from it.
    Asked(Box<Asked>),
    /// Remind somebody of a ticket that nobody has taken.
    Remind(Box<Reminding>),
    /// Move a job of an incident.
    Job(Box<JobStep>),
    /// Keep a change, and tell of it.
    Change(Box<Changed>),
    /// Tell others of a lane that a target does not take, or the target once more.
    Rescue(Box<Rescue>),
    /// Nothing: whoever asks wants to know that the writer answers.
    Nothing,
}

/// What an operation came to.
#[derive(Debug, Clone)]
pub enum Done {
    /// Answer to `Accept`, and what the schedule must learn.
    Accepted(Accepted, Vec<Fresh>),
    /// Answer to `Quarantine`, `Begin` and `Nothing`.
    Kept,
    /// Answer to `Prune`: rows that went or were looked at; fewer than `rows_max` means that the
    /// round is over and nothing is left to prune.
    Pruned(u32),
    /// Answer to `Charge`.
    Charged(Charged),
    /// Answer to `Hear` and `Asked`, and what the schedule must learn.
    Heard(Heard, Vec<Fresh>),
    /// Answer to `Settle`, `Escalate`, `Job`, `Remind`, `Rescue` and `Change`, and what the schedule must
    /// learn.
    Told(Vec<Fresh>),
    /// Answer to `Manage`, and what the schedule must learn.
    Managed(Result<Ordered, Refused>, Vec<Fresh>),
}

/// A delivery that has just been committed.
#[derive(Debug, Clone)]
pub struct Fresh {
    /// Its target.
    pub target: Arc<str>,
    /// When its lane is to be looked at: later than now while an older delivery backs off.
    pub due: Timestamp,
    /// The delivery.
    pub open: Open,
    /// What the lane knew before it.
    pub lane: LaneState,
}

/// A lane with open deliveries, as the schedule is refilled with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueLane {
    /// Which.
    pub lane: LaneId,
    /// When it is to be looked at.
    pub due: Timestamp,
}

/// What a lane still owes, oldest first.
#[derive(Debug, Clone)]
pub struct LaneWork {
    /// What the lane knows.
    pub state: LaneState,
    /// Its open deliveries.
    pub open: Vec<Open>,
    /// There are more behind these.
    pub more: bool,
}

/// A trigger that was given up.
#[derive(Debug, Clone)]
pub struct GivenUp {
    /// Its lane.
    pub lane: LaneId,
    /// The delivery, as it was.
    pub open: Open,
    /// By all that is known, what it was about goes on.
    pub still_firing: bool,
}

/// The writing side of an engine. One thread owns it.
pub trait Engine: Send {
    /// Does all operations in one transaction and returns only when it is on disk. If one of them
    /// fails, only that one fails. An `Err` for the whole means that nothing of the batch is kept.
    fn apply(&mut self, batch: &[Op]) -> Result<Vec<Result<Done, StoreError>>, StoreError>;

    /// Marks a clean end, so that the next start knows that nothing was in flight.
    fn close(&mut self) -> Result<(), StoreError>;
}

/// The reading side of an engine; several may be open at once.
pub trait Reader: Send {
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
