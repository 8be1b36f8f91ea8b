//! How many calls one target gets at once: as many as the operator allows while it answers as
//! usual, fewer when it grows slow or says that it is too much, and slowly more again.
//!
//! Additive increase, multiplicative decrease, as TCP does it: pure, now comes in.

use std::time::Duration;

use jiff::Timestamp;

/// What is left of the number after a sign of overload.
const CUT: f64 = 0.7;
/// A target is slow when its calls take this many times as long as usual,
const SLOW_FACTOR: f64 = 2.0;
/// and this much longer on top: quick answers vary.
const SLOW_FLOOR: f64 = 0.05;
/// Two signs within a shorter time are one.
const CUT_PAUSE_MIN: Duration = Duration::from_millis(100);
/// Weight of one call in what has been the case lately.
const LATELY: f64 = 0.25;
/// Weight of one call in what is usual, when it was quicker and when it was slower: what is usual
/// comes down soon and goes up slowly, but it does.
const USUAL_DOWN: f64 = 0.1;
const USUAL_UP: f64 = 0.03;

/// What one call showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sign {
    /// It was answered in this time.
    Answered(Duration),
    /// The target said that it is too much, or said nothing at all.
    Overload,
    /// Nothing to learn from.
    Nothing,
}

/// The number of calls at once.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Concurrency {
    /// `None`: as many as the cap.
    allowed: Option<f64>,
    /// Seconds that a call takes, over many calls; 0 before the first.
    usual: f64,
    /// Seconds that a call takes, over the last few.
    lately: f64,
    cut_at: Option<Timestamp>,
}

impl Concurrency {
    /// How many calls may be under way: at least 1, at most `cap`.
    pub fn allowed(&self, cap: usize) -> usize {
        let cap = cap.max(1);
        // Never negative, and below the cap: nothing is lost.
        self.allowed.map_or(cap, |allowed| (allowed as usize).clamp(1, cap))
    }

    /// A call has ended; `at_once` were under way with it.
    pub fn ended(&mut self, sign: Sign, at_once: usize, cap: usize, now: Timestamp) {
        let cap = cap.max(1) as f64;
        let allowed = self.allowed.unwrap_or(cap).clamp(1.0, cap);
        let too_much = match sign {
            Sign::Nothing => return,
            Sign::Overload => true,
            Sign::Answered(took) => self.is_slow_after(took.as_secs_f64()),
        };
        if !too_much {
            // What is not used up is no reason for more.
            let used = at_once as f64 >= allowed.floor();
            self.allowed = Some(if used { (allowed + 1.0 / allowed).min(cap) } else { allowed });
        } else if self.cut_at.is_none_or(|cut_at| now.duration_since(cut_at).unsigned_abs() >= self.pause()) {
            // Calls that were under way together tell of the same moment: it counts once.
            self.allowed = Some((allowed * CUT).max(1.0));
            self.cut_at = Some(now);
        }
    }

    fn is_slow_after(&mut self, took: f64) -> bool {
        if self.usual == 0.0 {
            (self.usual, self.lately) = (took, took);
            return false;
        }
        self.lately += (took - self.lately) * LATELY;
        self.usual += (took - self.usual) * if took < self.usual { USUAL_DOWN } else { USUAL_UP };
        self.lately > self.usual * SLOW_FACTOR + SLOW_FLOOR
    }

    fn pause(&self) -> Duration {
        Duration::try_from_secs_f64(self.lately).unwrap_or(CUT_PAUSE_MIN).max(CUT_PAUSE_MIN)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CAP: usize = 8;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + ms).unwrap()
    }

    fn answered(ms: u64) -> Sign {
        Sign::Answered(Duration::from_millis(ms))
    }

    /// So many calls one second apart, each as many at once as allowed.
    fn after(limit: &mut Concurrency, calls: i64, from: i64, sign: Sign) -> usize {
        for call in 0..calls {
            limit.ended(sign, limit.allowed(CAP), CAP, at((from + call) * 1000));
        }
        limit.allowed(CAP)
    }

    #[test]
    fn it_begins_at_the_cap_shrinks_under_overload_and_comes_back() {
        let limit = &mut Concurrency::default();
        assert_eq!(limit.allowed(CAP), 8);
        assert_eq!(after(limit, 1, 0, Sign::Overload), 5);
        assert_eq!(after(limit, 9, 1, Sign::Overload), 1, "never none");
        assert_eq!(after(limit, 8, 10, answered(20)), 4, "slowly");
        assert_eq!(after(limit, 40, 20, answered(20)), 8);
    }

    #[test]
    fn one_bad_moment_counts_once() {
        let limit = &mut Concurrency::default();
        (0..8).for_each(|n| limit.ended(Sign::Overload, 8, CAP, at(n)));
        assert_eq!(limit.allowed(CAP), 5);
    }

    #[test]
    fn it_shrinks_when_answers_grow_slow_and_gets_used_to_a_slow_target() {
        let limit = &mut Concurrency::default();
        assert_eq!(after(limit, 50, 0, answered(20)), 8);
        assert!(after(limit, 20, 50, answered(2000)) <= 4);
        assert_eq!(after(limit, 300, 70, answered(2000)), 8, "that is how it is now");
    }

    #[test]
    fn what_is_not_used_up_does_not_grow() {
        let limit = &mut Concurrency::default();
        after(limit, 10, 0, Sign::Overload);
        (0..99).for_each(|n| limit.ended(answered(5), 0, CAP, at(20_000 + n * 1000)));
        assert_eq!(limit.allowed(CAP), 1);
    }

    proptest! {
        #[test]
        fn it_is_never_none_never_above_the_cap_and_always_recovers(
            signs in prop::collection::vec((0..4_u8, 0..60_000_u64, 1..20_usize), 0..200),
            cap in 0..20_usize,
        ) {
            let mut limit = Concurrency::default();
            let mut now = 0;
            for (sign, ms, at_once) in signs {
                now += i64::try_from(ms / 7).unwrap();
                let sign = match sign { 0 => Sign::Overload, 1 => Sign::Nothing, _ => answered(ms) };
                limit.ended(sign, at_once, cap, at(now));
                prop_assert!((1..=cap.max(1)).contains(&limit.allowed(cap)));
                prop_assert!((1..=3).contains(&limit.allowed(3)), "a cap that a reload has lowered");
            }
            for call in 0..2000 {
                limit.ended(answered(50), limit.allowed(cap), cap, at(now + call * 1000));
            }
            prop_assert_eq!(limit.allowed(cap), cap.max(1));
        }
    }
}
