//! Handles on the series of one source or one target: they count without a look-up.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use crate::domain::delivery::State;
use crate::metrics::series::{Counters, GaugeF64, TargetField, TargetReason};

/// What became of a call to a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// Kept: its deliveries are on disk.
    Accepted,
    /// The same body came a moment ago; no new delivery.
    Duplicate,
    /// The body can never be read.
    Unreadable,
    /// Who sent it is not known here.
    Refused,
    /// The relay could not keep it just now; the sender was asked to come again.
    Unavailable,
}

impl Intake {
    /// All, for tables.
    pub const ALL: [Intake; 5] =
        [Intake::Accepted, Intake::Duplicate, Intake::Unreadable, Intake::Refused, Intake::Unavailable];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Intake::Accepted => "accepted",
            Intake::Duplicate => "duplicate",
            Intake::Unreadable => "unreadable",
            Intake::Refused => "refused",
            Intake::Unavailable => "unavailable",
        }
    }
}

/// Counts for one source.
#[derive(Debug, Clone)]
pub struct SourceMetrics {
    pub(super) events: [Counter; Intake::ALL.len()],
    pub(super) alerts: [Counter; 2],
    pub(super) quarantined: Counter,
}

impl SourceMetrics {
    /// A call to the hook came to this.
    pub fn event_received(&self, result: Intake) {
        self.events[result as usize].inc();
    }

    /// An accepted event held so many alerts.
    pub fn alerts_received(&self, firing: u64, resolved: u64) {
        self.alerts[0].inc_by(firing);
        self.alerts[1].inc_by(resolved);
    }

    /// A body that cannot be read was put aside.
    pub fn quarantined(&self) {
        self.quarantined.inc();
    }
}

/// The words of `Outcome::word`.
pub(super) const OUTCOMES: [&str; 5] = ["delivered", "retry", "hold", "rejected", "unknown"];

/// Counts for one target.
#[derive(Debug, Clone)]
pub struct TargetMetrics {
    pub(super) target: Arc<str>,
    pub(super) deferrals: Counters<TargetReason>,
    pub(super) template_faults: Counters<TargetField>,
    pub(super) deliveries: [Counter; State::ALL.len()],
    pub(super) attempts: [Counter; OUTCOMES.len()],
    pub(super) attempt_duration: Histogram,
    pub(super) delivery_latency: Histogram,
    pub(super) waiting: Gauge,
    pub(super) held: Gauge,
    pub(super) oldest_age: GaugeF64,
    pub(super) concurrency: Gauge,
    pub(super) sick: Gauge,
}

impl TargetMetrics {
    /// An attempt ended in `outcome_word` (`Outcome::word`).
    pub fn attempt_finished(&self, outcome_word: &str, took: Duration) {
        self.attempt_duration.observe(took.as_secs_f64());
        if let Some(at) = OUTCOMES.iter().position(|word| *word == outcome_word) {
            self.attempts[at].inc();
        }
    }

    /// A delivery came into this state (`waiting` when it is made).
    pub fn delivery_entered(&self, state: State) {
        self.deliveries[state as usize].inc();
    }

    /// A delivery is in; `since_accepted` is its age. Counts the state too.
    pub fn delivered(&self, since_accepted: Duration) {
        self.delivery_entered(State::Delivered);
        self.delivery_latency.observe(since_accepted.as_secs_f64());
    }

    /// So many calls may be under way at once just now.
    pub fn allowed_at_once(&self, calls: usize) {
        self.concurrency.set(i64::try_from(calls).unwrap_or(i64::MAX));
    }

    /// A due delivery had to wait without an attempt: `rate`, `rest`, `breaker`, `quota`.
    pub fn deferred(&self, reason: &'static str) {
        self.deferrals.get_or_create(&TargetReason { target: self.target.clone(), reason }).inc();
    }

    /// A template failed and the built-in wording went out.
    pub fn template_failed(&self, field: &str) {
        let labels = TargetField { target: self.target.clone(), field: field.to_owned() };
        self.template_faults.get_or_create(&labels).inc();
    }

    /// Whether its breaker is open, or it refuses the relay's credentials.
    pub fn seen_sick(&self, sick: bool) {
        self.sick.set(i64::from(sick));
    }

    /// How much waits just now, how much of it for a person, and how old the oldest of it is.
    pub fn backlog(&self, waiting: u64, held: u64, oldest_age: Duration) {
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.held.set(i64::try_from(held).unwrap_or(i64::MAX));
        self.oldest_age.set(oldest_age.as_secs_f64());
    }
}

/// Counts a connection for as long as it lives.
#[derive(Debug)]
pub struct OpenConnection(pub(super) Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
