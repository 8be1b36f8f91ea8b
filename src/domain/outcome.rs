//! What one attempt came to. Delivery failures are outcomes, not errors: stored and shown.

use std::time::Duration;

use crate::domain::message::RemoteRef;

/// The five things an attempt can come to. Matches on it have no wildcard arm.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The target has it.
    Delivered {
        /// What the target gave back, to be remembered for the rest of the lane.
        remote: Option<RemoteRef>,
    },
    /// It surely did not arrive, and may pass later.
    Retry {
        /// One sentence for the operator.
        reason: String,
        /// What the target asked for (`Retry-After`), obeyed in full.
        after: Option<Duration>,
        /// The whole target wants rest (429, 503), not only this lane.
        whole_target: bool,
    },
    /// Credentials or address are wrong: keep the delivery, raise an alarm, try rarely.
    Hold {
        /// One sentence for the operator.
        reason: String,
    },
    /// This message can never pass: dead letter, the lane goes on.
    Rejected {
        /// One sentence for the operator.
        reason: String,
    },
    /// It was sent and no answer came, so it may have arrived.
    Unknown {
        /// One sentence for the operator.
        reason: String,
    },
}

impl Outcome {
    /// Delivered with nothing to remember.
    pub fn delivered() -> Outcome {
        Outcome::Delivered { remote: None }
    }

    /// One word for logs, metrics and the attempts table.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Delivered { .. } => "delivered",
            Outcome::Retry { .. } => "retry",
            Outcome::Hold { .. } => "hold",
            Outcome::Rejected { .. } => "rejected",
            Outcome::Unknown { .. } => "unknown",
        }
    }

    /// The sentence for the operator; empty when delivered.
    pub fn reason(&self) -> &str {
        match self {
            Outcome::Delivered { .. } => "",
            Outcome::Retry { reason, .. }
            | Outcome::Hold { reason }
            | Outcome::Rejected { reason }
            | Outcome::Unknown { reason } => reason,
        }
    }
}
