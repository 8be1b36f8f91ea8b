//! The one way in which time enters. The real clock lives in `daemon`, a fake one in tests.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Says what time it is.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Now, by the wall.
    fn now(&self) -> Timestamp;
}

/// A clock that stands still until it is moved: for tests and simulations.
#[derive(Debug)]
pub struct StoppedClock(AtomicI64);

impl StoppedClock {
    /// Stands at this time.
    pub fn at(now: Timestamp) -> StoppedClock {
        StoppedClock(AtomicI64::new(now.as_millisecond()))
    }

    /// Moves it to this time, forward or back.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millisecond(), Ordering::SeqCst);
    }
}

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}
