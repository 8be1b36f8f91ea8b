//! A token bucket that answers *when* rather than *no*.
//!
//! `governor` keeps the account; its clock is one that we set to the time the caller brings, so
//! that the bucket is a plain function of its arguments.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, FakeRelativeClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use jiff::Timestamp;

/// So many tokens per time, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Tokens per `per`; at least 1.
    pub tokens: NonZeroU32,
    /// The time in which they come.
    pub per: Duration,
    /// How many may be saved up; at least 1.
    pub burst: NonZeroU32,
}

/// How many calls in a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// As fast as it goes.
    Unlimited,
    /// One bucket for the target: what the operator wrote.
    Whole(Pace),
    /// One bucket for each natural key: what the vendor allows. What has no key shares one.
    PerKey(Pace),
}

impl Rate {
    /// The pace of the one bucket.
    pub fn whole(self) -> Option<Pace> {
        match self {
            Rate::Whole(pace) => Some(pace),
            Rate::Unlimited | Rate::PerKey(_) => None,
        }
    }

    /// The pace of each key's bucket.
    pub fn per_key(self) -> Option<Pace> {
        match self {
            Rate::PerKey(pace) => Some(pace),
            Rate::Unlimited | Rate::Whole(_) => None,
        }
    }
}

type Limiter =
    RateLimiter<NotKeyed, InMemoryState, FakeRelativeClock, NoOpMiddleware<governor::nanos::Nanos>>;

/// A bucket of tokens; one token is one call.
#[derive(Debug)]
pub struct Bucket {
    limiter: Limiter,
    clock: FakeRelativeClock,
    last: Timestamp,
    interval: Duration,
    /// Tokens that were spent without asking and have not been paid yet.
    owed: u32,
}

impl Pace {
    /// The time between two tokens.
    pub fn interval(&self) -> Duration {
        (self.per / self.tokens.get()).max(Duration::from_nanos(1))
    }

    /// The time in which an empty bucket fills.
    pub fn fills_in(&self) -> Duration {
        self.interval().saturating_mul(self.burst.get())
    }
}

impl Bucket {
    /// A bucket that holds a single token: a crash loop must not become a burst, so no bucket is
    /// ever full at the start.
    pub fn nearly_empty(pace: Pace, now: Timestamp) -> Bucket {
        let interval = pace.interval();
        let quota =
            Quota::with_period(interval).unwrap_or(Quota::per_second(pace.tokens)).allow_burst(pace.burst);
        let clock = FakeRelativeClock::default();
        let limiter = RateLimiter::direct_with_clock(quota, clock.clone());
        if let Some(spent) = NonZeroU32::new(pace.burst.get() - 1) {
            let _drained = limiter.check_n(spent);
        }
        Bucket { limiter, clock, last: now, interval, owed: 0 }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// How long to wait until there is one. Asking costs nothing.
    pub fn take(&mut self, now: Timestamp) -> Result<(), Duration> {
        // A wall clock that was set back simply brings no new tokens until it has caught up.
        if let Ok(mut passed) = Duration::try_from(now.duration_since(self.last)) {
            // What is owed is paid as the tokens come: more than the burst is never saved up.
            while self.owed > 0 && !passed.is_zero() {
                let step = passed.min(self.interval);
                self.clock.advance(step);
                passed = passed.saturating_sub(step);
                self.owed -= u32::from(self.check().is_ok());
            }
            self.clock.advance(passed);
            self.last = now;
        }
        while self.owed > 0 {
            self.check().map_err(|wait| wait.saturating_add(self.interval.saturating_mul(self.owed)))?;
            self.owed -= 1;
        }
        self.check()
    }

    /// Calls were made that nobody took tokens for: they are paid before the next one is given.
    pub fn charge(&mut self, tokens: u32) {
        self.owed = self.owed.saturating_add(tokens);
    }

    fn check(&self) -> Result<(), Duration> {
        self.limiter.check().map_err(|no| no.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + ms).unwrap()
    }

    fn pace(tokens: u32, seconds: u64, burst: u32) -> Pace {
        Pace {
            tokens: NonZeroU32::new(tokens).unwrap(),
            per: Duration::from_secs(seconds),
            burst: NonZeroU32::new(burst).unwrap(),
        }
    }

    #[test]
    fn starts_with_one_token_and_says_when_the_next_comes() {
        let mut bucket = Bucket::nearly_empty(pace(120, 60, 20), at(0));
        assert_eq!(bucket.take(at(0)), Ok(()));
        assert_eq!(bucket.take(at(0)), Err(Duration::from_millis(500)));
        assert_eq!(bucket.take(at(499)), Err(Duration::from_millis(1)));
        assert_eq!(bucket.take(at(500)), Ok(()));
    }

    #[test]
    fn saves_up_to_the_burst_and_no_more() {
        let mut bucket = Bucket::nearly_empty(pace(1, 1, 3), at(0));
        let later = at(3_600_000);
        assert_eq!([(); 4].map(|()| bucket.take(later).is_ok()), [true, true, true, false]);
    }

    #[test]
    fn what_was_spent_without_asking_is_paid_before_the_next_token() {
        let mut bucket = Bucket::nearly_empty(pace(1, 1, 3), at(0));
        assert_eq!(bucket.take(at(0)), Ok(()));
        bucket.charge(2);
        assert_eq!(bucket.take(at(0)), Err(Duration::from_secs(3)), "two that are owed, and one to take");
        assert_eq!(bucket.take(at(1000)), Err(Duration::from_secs(2)), "asking costs nothing");
        assert_eq!(bucket.take(at(3000)), Ok(()));
        assert_eq!(bucket.take(at(3000)), Err(Duration::from_secs(1)));
    }

    #[test]
    fn a_clock_set_back_brings_no_tokens_and_no_panic() {
        let mut bucket = Bucket::nearly_empty(pace(1, 1, 1), at(10_000));
        assert_eq!(bucket.take(at(10_000)), Ok(()));
        assert!(bucket.take(at(0)).is_err());
        assert_eq!(bucket.take(at(11_000)), Ok(()));
    }
}
