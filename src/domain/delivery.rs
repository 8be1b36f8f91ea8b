//! The promise to say one message to one target, and how it moves from state to state.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::outcome::Outcome;

/// Where a delivery stands. The first two are open work, the others are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// To be sent when its lane is due.
    Waiting,
    /// Kept, but credentials or address of the target are wrong: tried rarely.
    Held,
    /// The target has it.
    Delivered,
    /// Not sent, because another delivery says it better; the record names it.
    Superseded,
    /// Given up or refused; the record says why.
    Dead,
    /// Dropped by a rule that the record names.
    Expired,
}

impl State {
    /// All states, for tables and filters.
    pub const ALL: [State; 6] =
        [State::Waiting, State::Held, State::Delivered, State::Superseded, State::Dead, State::Expired];

    /// One word for logs, filters and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Held => "held",
            State::Delivered => "delivered",
            State::Superseded => "superseded",
            State::Dead => "dead",
            State::Expired => "expired",
        }
    }

    /// Still owed.
    pub fn is_open(self) -> bool {
        matches!(self, State::Waiting | State::Held)
    }
}

/// When to try again and when to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Upper bound of the first pause.
    pub base: Duration,
    /// Growth from pause to pause; at least 1.
    pub factor: f32,
    /// Longest pause.
    pub cap: Duration,
    /// Age since acceptance at which a delivery becomes a dead letter.
    pub give_up_after: Duration,
    /// Pause between tries of a held delivery.
    pub hold_for: Duration,
}

impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        RetryPolicy {
            base: Duration::from_secs(1),
            factor: 2.0,
            cap: Duration::from_secs(60),
            give_up_after: Duration::from_secs(24 * 3600),
            hold_for: Duration::from_secs(15 * 60),
        }
    }
}

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// It is over.
    Done {
        /// The final state.
        state: State,
        /// Why, for dead letters; empty otherwise.
        reason: String,
    },
    /// It is tried again.
    Again {
        /// `Waiting` or `Held`.
        state: State,
        /// When.
        due: Timestamp,
        /// Why, for the operator.
        reason: String,
    },
}

/// Moves a delivery on. Pure: `pause` is the jittered back-off that the caller computed for this
/// attempt number, `now` comes from the caller's clock.
///
/// Giving up is decided by age alone: a delivery whose next try would come after its deadline is
/// a dead letter now, so that nobody waits for a try that will not be made.
pub fn next(
    outcome: &Outcome,
    accepted_at: Timestamp,
    now: Timestamp,
    pause: Duration,
    policy: &RetryPolicy,
) -> Next {
    let deadline = accepted_at.saturating_add(policy.give_up_after).unwrap_or(Timestamp::MAX);
    let again = |state: State, wait: Duration, reason: &str| {
        let due = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        if due > deadline {
            let minutes = policy.give_up_after.as_secs_f64() / 60.0;
            let age = if minutes < 120.0 {
                format!("{minutes:.0} min")
            } else {
                format!("{:.1} h", minutes / 60.0)
            };
            return Next::Done { state: State::Dead, reason: format!("given up after {age}: {reason}") };
        }
        Next::Again { state, due, reason: reason.to_owned() }
    };
    match outcome {
        Outcome::Delivered { .. } => Next::Done { state: State::Delivered, reason: String::new() },
        Outcome::Rejected { reason } => Next::Done { state: State::Dead, reason: reason.clone() },
        Outcome::Retry { reason, after, .. } => {
            again(State::Waiting, after.map_or(pause, |asked| asked.max(pause)), reason)
        }
        Outcome::Unknown { reason } => again(State::Waiting, pause, reason),
        Outcome::Hold { reason } => again(State::Held, policy.hold_for, reason),
    }
}
