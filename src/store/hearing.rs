//! Signals on their way into the store, and as they are told afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::message::Action;
use crate::domain::response::Listeners;
use crate::domain::signal::Signal;

/// Signals of one callback, to be kept with what follows from them.
#[derive(Debug, Clone)]
pub struct Hearing {
    /// The target they came from.
    pub target: Arc<str>,
    /// Each with an id for the event that may be made of it.
    pub signals: Vec<(Uuid, Signal)>,
    /// When.
    pub at: Timestamp,
    /// What the targets can be told.
    pub cast: Arc<Cast>,
}

/// What the configured targets can be told. A target that is not in it hears nothing.
#[derive(Debug, Clone, Default)]
pub struct Cast(pub BTreeMap<String, Part>);

/// What one target can be told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Part {
    /// It has a word for an acknowledgement.
    pub acknowledges: bool,
    /// It shows what was said right there.
    pub mirrors: bool,
    /// People talk there: it hears of jobs.
    pub talks: bool,
    /// The incident is over when a ticket of it is closed.
    pub ends: bool,
}

impl Listeners for Cast {
    fn says(&self, target: &str, action: Action) -> bool {
        self.0.get(target).is_some_and(|part| action != Action::Acknowledge || part.acknowledges)
    }

    fn mirrors(&self, target: &str) -> bool {
        self.0.get(target).is_some_and(|part| part.mirrors)
    }

    fn ends(&self, target: &str) -> bool {
        self.0.get(target).is_some_and(|part| part.ends)
    }
}

/// What became of a callback's signals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// New ones.
    pub kept: u32,
    /// Those of them that told what was known.
    pub echoes: u32,
    /// Those of them that speak of nothing that is known here.
    pub unknown: u32,
    /// Deliveries that follow.
    pub deliveries: u32,
}

/// A signal as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalRecord {
    /// Row id.
    pub id: i64,
    /// The target it came from.
    pub target: String,
    /// Dedup key; empty when nobody knows what it speaks of.
    pub key: String,
    /// One word.
    pub event: String,
    /// Who, as the service names them.
    pub who: String,
    /// A comment, a state, a reason.
    pub text: String,
    /// When, by the service.
    pub at: Timestamp,
    /// When the relay heard it.
    pub heard_at: Timestamp,
    /// It told what was known.
    pub echo: bool,
}

/// Which signals are asked for, newest first; what is left out does not matter.
#[derive(Debug, Clone, Default)]
pub struct SignalFilter {
    /// From this target.
    pub target: Option<String>,
    /// About this dedup key.
    pub key: Option<String>,
    /// Older than this one.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: usize,
}
