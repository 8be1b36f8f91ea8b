//! What comes into the store: an event, with what is to be told of it to whom.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::alert::AlertGroup;
use crate::domain::change::Change;
use crate::domain::incident::Draft;
use crate::domain::lane::Told;
use crate::domain::message::DedupKey;
use crate::domain::reminders::Reminders;

/// An accepted call of a source with all that was planned for it.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The id shown outside.
    pub uid: Uuid,
    /// Configured source.
    pub source: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The body as received.
    pub body: Vec<u8>,
    /// The same body again within this time is accepted and makes nothing new.
    pub window: Duration,
    /// What it says, enriched.
    pub groups: Vec<Arc<AlertGroup>>,
    /// What is to be told to whom.
    pub parts: Vec<NewPart>,
    /// What became of alerts that go nowhere: unrouted, muted, inhibited, each with its reason.
    pub notes: Vec<String>,
}

/// The part of a group that goes to one lane.
#[derive(Debug, Clone)]
pub struct NewPart {
    /// Configured target.
    pub target: Arc<str>,
    /// Which problem.
    pub key: DedupKey,
    /// Index into [`NewEvent::groups`].
    pub group: u32,
    /// The alerts of this part.
    pub alerts: Vec<Told>,
    /// Hash over labels, annotations and status of these alerts; 0: the same story told again, which
    /// is always told.
    pub content: i64,
    /// The sender left alerts out.
    pub truncated: bool,
    /// What this target hears of what goes on unchanged.
    pub reminders: Reminders,
    /// How long this may wait before the fallback targets are told, if there are any.
    pub fall_after: Option<Duration>,
    /// A sentence for its text.
    pub note: Option<String>,
    /// What is known of the incident, should it open one; `None`: it opens none.
    pub incident: Option<Arc<Draft>>,
}

/// A change to be kept, and to be told onward when it is not known yet.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The source that told of it.
    pub source: String,
    /// What was changed.
    pub change: Change,
    /// What is told of it; `None` when nobody is to hear of it.
    pub event: Option<Box<NewEvent>>,
}
