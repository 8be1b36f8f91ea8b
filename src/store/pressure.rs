//! How long an operation would have to wait for the writer, so that calls are turned away before
//! they wait too long. Takes when commits begin and end and how much waits; gives an expectation.
//!
//! Only the wait before a commit counts, not the commit itself: on a slow disk calls still go into
//! one commit together, and no load makes anybody wait for more than the limit and one commit.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// Until something else is said.
const LIMIT: Duration = Duration::from_secs(1);
/// The pace is that of the quickest of so many last commits: one that was stuck, or a clock that
/// was set meanwhile, says nothing of the next.
const REMEMBERED: usize = 4;
/// Stands for no commit under way.
const IDLE: i64 = i64::MIN;

/// The pace of the writer, in microseconds.
#[derive(Debug)]
pub struct Pressure {
    limit: AtomicI64,
    began: AtomicI64,
    commits: AtomicUsize,
    took: [AtomicI64; REMEMBERED],
}

impl Default for Pressure {
    fn default() -> Pressure {
        Pressure {
            limit: AtomicI64::new(micros(LIMIT)),
            began: AtomicI64::new(IDLE),
            commits: AtomicUsize::new(0),
            took: Default::default(),
        }
    }
}

impl Pressure {
    /// From now on this is the longest wait.
    pub fn set_limit(&self, limit: Duration) {
        self.limit.store(micros(limit), Ordering::Relaxed);
    }

    /// A commit begins.
    pub fn begun(&self, now: Timestamp) {
        self.began.store(now.as_microsecond(), Ordering::Relaxed);
    }

    /// It has ended.
    pub fn ended(&self, now: Timestamp) {
        let began = self.began.swap(IDLE, Ordering::Relaxed);
        let took = now.as_microsecond().saturating_sub(began).max(0);
        let place = self.commits.fetch_add(1, Ordering::Relaxed) % REMEMBERED;
        self.took[place].store(took, Ordering::Relaxed);
    }

    fn pace(&self) -> i64 {
        self.took.iter().map(|took| took.load(Ordering::Relaxed)).min().unwrap_or(0)
    }

    /// How long one more operation is likely to wait until its commit begins, when so many full
    /// commits wait before it.
    pub fn expected(&self, commits_waiting: usize, now: Timestamp) -> Duration {
        let (began, pace) = (self.began.load(Ordering::Relaxed), self.pace());
        let under_way = match began {
            IDLE => 0,
            began => {
                let so_far = now.as_microsecond().saturating_sub(began).max(0);
                // One that takes longer than usual is likely to take as long again.
                if so_far < pace { pace - so_far } else { so_far }
            }
        };
        let before = i64::try_from(commits_waiting).unwrap_or(i64::MAX).saturating_mul(pace);
        Duration::from_micros(under_way.saturating_add(before).unsigned_abs())
    }

    /// The wait, when it is longer than it may be.
    pub fn too_long(&self, commits_waiting: usize, now: Timestamp) -> Option<Duration> {
        let limit = Duration::from_micros(self.limit.load(Ordering::Relaxed).unsigned_abs());
        Some(self.expected(commits_waiting, now)).filter(|wait| *wait > limit)
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
    }

    /// A writer whose commits have all taken so many milliseconds; the last ended at 0.
    fn pressure(commit: i64) -> Pressure {
        let pressure = Pressure::default();
        for round in (1..=4).rev() {
            pressure.begun(at(-round * commit));
            pressure.ended(at(-round * commit + commit));
        }
        pressure
    }

    #[test]
    fn an_idle_writer_takes_everything_however_slow_its_disk_is() {
        assert_eq!(pressure(5000).too_long(0, at(0)), None);
    }

    #[test]
    fn who_comes_while_a_slow_commit_is_under_way_waits_for_the_rest_of_it() {
        let pressure = pressure(3000);
        pressure.begun(at(0));
        assert_eq!(pressure.too_long(0, at(100)), Some(Duration::from_millis(2900)));
        assert_eq!(pressure.too_long(0, at(2500)), None, "the next commit takes it along");
    }

    #[test]
    fn a_stuck_commit_turns_calls_away_after_the_limit() {
        let pressure = pressure(1);
        pressure.begun(at(0));
        assert_eq!(pressure.too_long(0, at(1000)), None);
        assert!(pressure.too_long(0, at(1001)).is_some());
        pressure.ended(at(60_000));
        pressure.begun(at(60_001));
        assert_eq!(pressure.too_long(1, at(60_001)), None, "it says nothing of the next");
    }

    #[test]
    fn full_commits_that_wait_count() {
        let pressure = pressure(400);
        pressure.begun(at(0));
        assert_eq!(pressure.too_long(1, at(200)), None);
        assert!(pressure.too_long(3, at(200)).is_some());
    }
}
