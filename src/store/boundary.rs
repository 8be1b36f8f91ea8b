//! The boundary that every engine stands behind: operations in, facts out, in the words of the
//! domain. No SQL, no rows, no thread is visible from here.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::alert::AlertGroup;
use crate::domain::delivery::State;
use crate::domain::message::{Action, DedupKey, Proposal, RemoteRef};
use crate::store::charge::{Charge, Charged};
use crate::store::event::{Changed, NewEvent};
use crate::store::follows::{Asked, Following, Reminding};
use crate::store::hearing::{Heard, Hearing};
use crate::store::incidents::Escalating;
use crate::store::jobs::JobStep;
use crate::store::orders::{Order, Ordered, Refused};
use crate::store::records::{Accepted, Quarantined};
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
