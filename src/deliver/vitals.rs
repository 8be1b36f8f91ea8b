//! How the target is: what each try says of it as a whole moves the breaker, and is told when it
//! changes. Pure.

use jiff::Timestamp;

use crate::deliver::resolution::{Health, Tried};
use crate::domain::outcome::Outcome;
use crate::pace::breaker::{Breaker, BreakerPolicy, Verdict};

const TOO_MANY_REQUESTS: u16 = 429;

/// Breaker and health of one target.
#[derive(Debug, Default)]
pub struct Vitals {
    breaker: Breaker,
    /// What was last told of its health; `None` since the start.
    sick: Option<bool>,
}

impl Vitals {
    /// Whether a call may be made now.
    pub fn verdict(&self, now: Timestamp) -> Verdict {
        self.breaker.verdict(now)
    }

    /// Whether its breaker is open, or a person must act.
    pub fn is_sick(&self) -> bool {
        self.sick == Some(true)
    }

    /// A call begins.
    pub fn call_begun(&mut self, now: Timestamp) {
        if self.breaker.verdict(now) == Verdict::Probe {
            self.breaker.probe_begun();
        }
    }

    /// A call was not made after all.
    pub fn nothing_shown(&mut self) {
        self.breaker.probe_ended();
    }

    /// Takes in what a try says. A refusal of this one message, or of this much at once, is no
    /// sickness.
    pub fn diagnose(&mut self, tried: &Tried, policy: &BreakerPolicy, now: Timestamp) -> Option<Health> {
        let (is_sick, reason) = match &tried.outcome {
            Outcome::Retry { .. } if tried.status == TOO_MANY_REQUESTS => {
                self.breaker.probe_ended();
                return None;
            }
            // Nothing was said to it, so its trouble is not over.
            Outcome::Delivered { .. } | Outcome::Rejected { .. }
                if tried.calls == 0 && (self.sick == Some(true) || self.breaker.is_open()) =>
            {
                self.breaker.probe_ended();
                return None;
            }
            Outcome::Delivered { .. } | Outcome::Rejected { .. } => {
                self.breaker.worked();
                (false, "")
            }
            // A person must act, whatever the count.
            Outcome::Hold { reason } => {
                self.breaker.failed(policy, now);
                (true, reason.as_str())
            }
            Outcome::Retry { reason, .. } | Outcome::Unknown { reason } => {
                self.breaker.failed(policy, now);
                (self.sick == Some(true) || self.breaker.is_open(), reason.as_str())
            }
        };
        let failed_once = self.sick.is_none() && !is_sick && !reason.is_empty();
        if self.sick == Some(is_sick) || failed_once {
            return None;
        }
        let again = self.sick.replace(is_sick).is_some();
        Some(if is_sick { Health::Sick { reason: reason.to_owned() } } else { Health::Well { again } })
    }
}
