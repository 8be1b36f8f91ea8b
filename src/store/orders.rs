//! What people order of the store, what they ask it for, and what is written of both.
//!
//! Words only: what an order does to the rows is the engine's business, which lane must be kept
//! still meanwhile is the writer's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::delivery::State;
use crate::domain::freeze::NewFreeze;
use crate::store::incidents::Acting;

/// Something a person wants changed.
#[derive(Debug, Clone)]
pub struct Order {
    /// Who.
    pub who: String,
    /// When.
    pub at: Timestamp,
    /// Id of the event that is made if the order makes a delivery.
    pub uid: Uuid,
    /// What.
    pub what: What,
    /// The lane that must not be sent from meanwhile, with its target.
    pub still: Option<(Arc<str>, i64)>,
}

/// The kinds of orders. Numbers are row ids of deliveries and lanes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Try what waits now; send what is dead or was dropped once more, at the end of its lane.
    Retry(i64),
    /// Never send what waits.
    Drop(i64, String),
    /// Tell the target of a lane that it is over.
    Resolve(i64),
    /// Something with an incident.
    Incident(Acting),
    /// Nothing is to be deployed for a while.
    Freeze(NewFreeze),
    /// A freeze ends before its time.
    Thaw(i64),
    /// Write down that this was ordered; it is carried out elsewhere.
    Note(String),
}

impl What {
    /// One word for the audit.
    pub fn word(&self) -> &'static str {
        match self {
            What::Retry(_) => "retry",
            What::Drop(..) => "drop",
            What::Resolve(_) => "resolve",
            What::Incident(acting) => acting.act.word(),
            What::Freeze(_) => "freeze",
            What::Thaw(_) => "end freeze",
            What::Note(_) => "replay",
        }
    }
}

/// What an order came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// The delivery that moved or was made, or the freeze; 0 when none.
    pub delivery: i64,
    /// Its lane is to be looked at now.
    pub at_once: bool,
}

/// Why an order was not carried out. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There is no such thing.
    Unknown(String),
    /// There is, and it cannot be done to it (now): a sentence with the cure.
    Not(String),
}

/// One order, as it was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// One word.
    pub what: String,
    /// About which delivery, lane or source.
    pub about: String,
    /// The rest.
    pub detail: String,
}

/// One recorded try.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRecord {
    /// When.
    pub at: Timestamp,
    /// How long.
    pub took: Duration,
    /// HTTP status, 0 for none.
    pub status: u16,
    /// One word.
    pub outcome: String,
    /// Reason and start of the reply.
    pub excerpt: String,
}

/// Which deliveries are asked for; what is left out does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this target.
    pub target: Option<String>,
    /// Of none of these targets.
    pub not_of: BTreeSet<String>,
    /// In one of these states; empty: in any.
    pub states: Vec<State>,
    /// Of this dedup key, or of those that begin so.
    pub key: Option<String>,
    /// Accepted at this time or later.
    pub since: Option<Timestamp>,
    /// Accepted before this time.
    pub until: Option<Timestamp>,
    /// Made for this event.
    pub event: Option<Uuid>,
    /// Older than this delivery.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

/// An incident at a target that nothing is going to close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// The lane.
    pub lane: i64,
    /// Where.
    pub target: String,
    /// Dedup key.
    pub key: String,
    /// The last delivery.
    pub latest: i64,
    /// When anything last happened to it.
    pub touched_at: Timestamp,
    /// All its alerts are over; otherwise nobody has spoken of it for long.
    pub over: bool,
}

/// Which orphans are asked for.
#[derive(Debug, Clone, Copy)]
pub struct OrphanFilter {
    /// The time.
    pub now: Timestamp,
    /// What still fires counts as an orphan when nothing has happened to it for so long.
    pub silent_for: Duration,
    /// This lane only.
    pub lane: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

/// Which recorded events are asked for, oldest first. Only those that came with a body: what the
/// relay said of itself and what people ordered cannot be read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Received at this time or later.
    pub since: Option<Timestamp>,
    /// Received before this time.
    pub until: Option<Timestamp>,
    /// Of this source.
    pub source: Option<String>,
    /// These only; empty: all.
    pub uids: Vec<Uuid>,
    /// After this row.
    pub after: i64,
    /// At most so many.
    pub limit: usize,
}

/// One recorded event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Row id, ascending in order of arrival.
    pub id: i64,
    /// Outside id.
    pub uid: Uuid,
    /// Configured source.
    pub source: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The body as received.
    pub body: Vec<u8>,
}

/// Some recorded events, and the row to go on after where there may be more.
pub type Recordings = (Vec<Recording>, Option<i64>);

/// How the note of an event begins that was made by a replay: it is not replayed itself.
pub const REPLAY_NOTE: &str = "replay of ";
/// How the note of an event begins that was made by a retry: its alerts are old news.
pub const REDRIVE_NOTE: &str = "redriven by ";
