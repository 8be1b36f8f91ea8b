//! Calls that cost money, as the store counts them.

use std::sync::Arc;

use jiff::Timestamp;

/// A call that is to be made and costs money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// Configured target.
    pub target: Arc<str>,
    /// What its quota counts by (a number); empty: the target as a whole.
    pub key: String,
    /// When the day (or hour) began that it counts for.
    pub began: Timestamp,
    /// Calls that this day allows.
    pub limit: u32,
}

/// Answer to a [`Charge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charged {
    /// It is counted and may be made.
    Paid {
        /// Calls that are left after it.
        left: u32,
    },
    /// Nothing is left, and it must not be made.
    Spent {
        /// Nobody has asked for more before.
        first: bool,
    },
}
