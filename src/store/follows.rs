//! Tickets that are followed, on their way into the store and out of it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::alert::AlertGroup;
use crate::domain::incident::Level;
use crate::domain::message::{DedupKey, RemoteRef};
use crate::domain::signal::Event;
use crate::domain::ticket::Phase;
use crate::store::event::NewEvent;
use crate::store::hearing::Cast;

/// Row id of a followed ticket.
pub type FollowId = i64;

/// What a settlement means for the tickets of its lane.
#[derive(Debug, Clone, PartialEq)]
pub enum Following {
    /// This ticket is followed, if it is not yet.
    Begins {
        /// What the target gave back.
        remote: RemoteRef,
        /// When its service is first asked; `None`: it is not.
        ask_at: Option<Timestamp>,
        /// When somebody is first reminded; `None`: nobody is.
        remind_at: Option<Timestamp>,
    },
    /// What the lane is about is over.
    Ends,
    /// Another target has the ticket: it is told instead, unless it was as the fallback.
    Elsewhere,
}

/// A ticket whose service is to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Asking {
    /// Which.
    pub id: FollowId,
    /// What the target gave back.
    pub remote: RemoteRef,
    /// When it was due.
    pub due: Timestamp,
    /// Since when it has stood still.
    pub changed_at: Timestamp,
}

/// What asking came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// So it stands.
    Found {
        /// `TicketMoved` or `TicketClosed`.
        event: Event,
        /// The service's word for its state.
        state: String,
        /// Who has it.
        who: String,
    },
    /// The service answered that there is no such ticket, and how.
    Nothing(String),
    /// No telling this time.
    Untold,
}

/// What asking came to, with when to ask again: written together with what follows from it, once.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which ticket.
    pub id: FollowId,
    /// The time that was due: another one there means that this was written already.
    pub due: Timestamp,
    /// When it was asked.
    pub at: Timestamp,
    /// When to ask again, unless it turned out to be closed.
    pub next: Timestamp,
    /// What came of it.
    pub answer: Answer,
    /// Id of the event that may be made of it.
    pub uid: Uuid,
    /// What the targets can be told.
    pub cast: Arc<Cast>,
}

/// A ticket of which somebody may have to be reminded.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Which.
    pub id: FollowId,
    /// Its target.
    pub target: String,
    /// What the target gave back.
    pub remote: RemoteRef,
    /// Who has it; may be empty.
    pub who: String,
    /// When the reminder was due.
    pub due: Timestamp,
    /// When it was opened.
    pub since: Timestamp,
    /// Of which incident.
    pub incident: i64,
    /// How bad that is.
    pub level: Level,
    /// The dedup key.
    pub key: DedupKey,
    /// What was told last of it; `None` when that is past its retention.
    pub group: Option<Arc<AlertGroup>>,
}

impl Pending {
    /// By which people know it.
    pub fn name(&self) -> &str {
        name(&self.remote)
    }
}

/// Its number where it has one, else its id.
fn name(remote: &RemoteRef) -> &str {
    let mut words = remote.0.split_whitespace();
    let id = words.next().unwrap_or_default();
    words.next().filter(|name| *name != "-").unwrap_or(id)
}

/// A reminder, to be made unless somebody has taken the ticket meanwhile.
#[derive(Debug, Clone)]
pub struct Reminding {
    /// Of which ticket.
    pub id: FollowId,
    /// The time that was due: another one there means that it was made already.
    pub due: Timestamp,
    /// When.
    pub at: Timestamp,
    /// How long until the next one.
    pub again: Duration,
    /// Id of the event that the comment is made of.
    pub uid: Uuid,
    /// What the ticket is commented with.
    pub note: String,
    /// A sentence for the time line.
    pub said: String,
    /// What others are told; `None`: nobody else.
    pub event: Option<Box<NewEvent>>,
}

/// A ticket of an incident, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketRecord {
    /// Its target.
    pub target: String,
    /// What the target gave back.
    pub remote: RemoteRef,
    /// Where people look at it, where that is known.
    pub url: String,
    /// Whether it is followed.
    pub phase: Phase,
    /// The service's word for its state; may be empty.
    pub state: String,
    /// Who has it; may be empty.
    pub who: String,
    /// When it was opened.
    pub since: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// How often somebody was reminded of it.
    pub reminded: u32,
}

impl TicketRecord {
    /// The service's id of it.
    pub fn id(&self) -> &str {
        self.remote.0.split_whitespace().next().unwrap_or_default()
    }

    /// By which people know it.
    pub fn name(&self) -> &str {
        name(&self.remote)
    }
}
