//! What became of events and deliveries, as it is told to people.

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::delivery::State;
use crate::domain::message::Action;
use crate::store::orders::AttemptRecord;

/// What one target is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// Its name.
    pub target: String,
    /// Deliveries still owed.
    pub waiting: u64,
    /// Those among them that wait for a person, because credentials or address are wrong.
    pub held: u64,
    /// When the oldest of them was accepted.
    pub oldest: Option<Timestamp>,
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRecord {
    /// Outside id.
    pub uid: Uuid,
    /// Source.
    pub source: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Notes on alerts that went nowhere.
    pub notes: Vec<String>,
    /// Its deliveries.
    pub deliveries: Vec<DeliveryRecord>,
}

/// What became of one delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryRecord {
    /// Row id.
    pub id: i64,
    /// Outside id of its event.
    pub event: Uuid,
    /// Its lane.
    pub lane: i64,
    /// When the relay promised it.
    pub accepted_at: Timestamp,
    /// When it came into its final state.
    pub finished_at: Option<Timestamp>,
    /// Target.
    pub target: String,
    /// Dedup key.
    pub key: String,
    /// Action.
    pub action: Action,
    /// State.
    pub state: State,
    /// Why.
    pub reason: String,
    /// Superseded by, or sent again as.
    pub by: Option<i64>,
    /// Tries.
    pub attempts: Vec<AttemptRecord>,
}

/// Bytes that could not be read, kept for a person to look at.
#[derive(Debug, Clone)]
pub struct Quarantined {
    /// Configured source.
    pub source: String,
    /// When.
    pub received_at: Timestamp,
    /// Why.
    pub reason: String,
    /// What.
    pub body: Vec<u8>,
}

/// What the sender is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Id of the event. A repeat has one of its own; its deliveries name those that they repeat.
    pub uid: Uuid,
    /// Deliveries that were made.
    pub deliveries: u32,
    /// All that it says was accepted a moment ago.
    pub duplicate: bool,
}

/// What a target is still owed, and what is open there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Owed {
    /// Deliveries that wait.
    pub waiting: u64,
    /// Incidents that it may have seen open and not closed.
    pub open: u64,
}

/// Some deliveries, and where to go on.
pub type Page = (Vec<DeliveryRecord>, Option<i64>);
