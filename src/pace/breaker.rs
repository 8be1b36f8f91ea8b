//! A circuit breaker: after failures in a row nothing is sent for a while, then a single probe.
//!
//! Three states, pure. It exists so that a dead target is not called by every lane that owes it
//! something, and so that its recovery is noticed by one call and not by a thousand.

use std::time::Duration;

use jiff::Timestamp;

/// When it opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures in a row that open it; at least 1.
    pub failures: u32,
    /// How long it stays open before a probe. Doubled after each failed probe, up to
    /// [`OPEN_GROWTH_MAX`] times as long.
    pub open_for: Duration,
}

/// By how much the time between probes may grow.
pub const OPEN_GROWTH_MAX: u32 = 8;

/// The breaker of one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Breaker {
    /// Failures in a row.
    failures: u32,
    /// Open until then; `None`: closed.
    open_until: Option<Timestamp>,
    /// Failed probes since it opened.
    probes_failed: u32,
    /// A probe is under way.
    probing: bool,
}

/// What the breaker says to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go.
    Closed,
    /// Go, alone: this call decides.
    Probe,
    /// Not before then; `None`: not before the probe under way has ended.
    Open(Option<Timestamp>),
}

impl Breaker {
    /// Whether a call may be made now. Asking changes nothing.
    pub fn verdict(&self, now: Timestamp) -> Verdict {
        match self.open_until {
            None => Verdict::Closed,
            Some(_) if self.probing => Verdict::Open(None),
            Some(until) if now < until => Verdict::Open(Some(until)),
            Some(_) => Verdict::Probe,
        }
    }

    /// A call that [`Verdict::Probe`] allowed has begun.
    pub fn probe_begun(&mut self) {
        self.probing = true;
    }

    /// The probe has ended and showed nothing: the next call is one again.
    pub fn probe_ended(&mut self) {
        self.probing = false;
    }

    /// A call showed that the target works (whatever it thought of the message). Returns whether
    /// the breaker closes by it.
    pub fn worked(&mut self) -> bool {
        let was_open = self.open_until.is_some();
        *self = Breaker::default();
        was_open
    }

    /// A call showed that the target does not work. Returns whether the breaker opens by it.
    pub fn failed(&mut self, policy: &BreakerPolicy, now: Timestamp) -> bool {
        self.failures = self.failures.saturating_add(1);
        let was_open = self.open_until.is_some();
        if was_open && !self.probing {
            // A call from before it opened has ended; it says nothing new.
            return false;
        }
        if !was_open && self.failures < policy.failures.max(1) {
            return false;
        }
        self.probes_failed += u32::from(was_open);
        let growth = 2_u32.saturating_pow(self.probes_failed).min(OPEN_GROWTH_MAX);
        self.probing = false;
        self.open_until = Some(now.saturating_add(policy.open_for * growth).unwrap_or(Timestamp::MAX));
        !was_open
    }

    /// Whether it is open or half open.
    pub fn is_open(&self) -> bool {
        self.open_until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: BreakerPolicy = BreakerPolicy { failures: 3, open_for: Duration::from_secs(30) };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn opens_after_failures_in_a_row_and_lets_one_probe_through() {
        let mut breaker = Breaker::default();
        assert_eq!([1, 2, 3].map(|s| breaker.failed(&POLICY, at(s))), [false, false, true]);
        assert_eq!(breaker.verdict(at(4)), Verdict::Open(Some(at(33))));
        assert_eq!(breaker.verdict(at(33)), Verdict::Probe);
        breaker.probe_begun();
        assert_eq!(breaker.verdict(at(34)), Verdict::Open(None), "a single probe");
        assert!(breaker.worked(), "it closes");
        assert_eq!(breaker.verdict(at(35)), Verdict::Closed);
    }

    #[test]
    fn a_failed_probe_waits_longer_and_at_most_eight_times_as_long() {
        let mut breaker = Breaker::default();
        let mut now = 0;
        (0..3).for_each(|_| _ = breaker.failed(&POLICY, at(now)));
        let mut waits = Vec::new();
        for _ in 0..6 {
            let Verdict::Open(Some(until)) = breaker.verdict(at(now)) else { panic!("open") };
            waits.push(until.as_second() - at(now).as_second());
            now = until.as_second() - at(0).as_second();
            breaker.probe_begun();
            assert!(!breaker.failed(&POLICY, at(now)), "it was open already");
        }
        assert_eq!(waits, [30, 60, 120, 240, 240, 240]);
    }

    #[test]
    fn one_success_forgets_the_failures_before_it() {
        let mut breaker = Breaker::default();
        breaker.failed(&POLICY, at(1));
        breaker.failed(&POLICY, at(2));
        assert!(!breaker.worked());
        assert!(!breaker.failed(&POLICY, at(3)));
        assert_eq!(breaker.verdict(at(3)), Verdict::Closed);
    }

    proptest! {
        #[test]
        fn while_open_there_is_never_more_than_one_call(steps in prop::collection::vec(0_u8..3, 0..200)) {
            let mut breaker = Breaker::default();
            let (mut now, mut probes) = (0, 0);
            for step in steps {
                now += 7;
                let may = breaker.verdict(at(now));
                match (step, may) {
                    (0, Verdict::Probe) => { breaker.probe_begun(); probes += 1; }
                    (1, _) => { breaker.failed(&POLICY, at(now)); if probes > 0 { probes -= 1; } }
                    (2, _) => { breaker.worked(); probes = 0; }
                    _ => {}
                }
                prop_assert!(probes <= 1);
            }
        }
    }
}
