//! How often a target may be asked how things stand there, so that deliveries always go first: a
//! small budget of its own, no question while the target rests, and a breaker for questions in vain.
//! [`Patience`] is pure: now comes in, a time goes out; [`Inquiries`] keeps one for each target.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::deliver::gate::later;
use crate::domain::outcome::Outcome;
use crate::metrics::Metrics;
use crate::pace::breaker::{Breaker, BreakerPolicy, Verdict};
use crate::pace::bucket::{Bucket, Pace};
use crate::rulebook::TargetRule;

/// While the one question that may mend a breaker is under way, others wait so long.
const PROBE_PAUSE: Duration = Duration::from_secs(1);

/// What is known of one target by asking it.
#[derive(Debug, Default)]
pub struct Patience {
    bucket: Option<(Pace, Bucket)>,
    rests_until: Option<Timestamp>,
    breaker: Breaker,
}

impl Patience {
    /// Takes what a question needs.
    ///
    /// # Errors
    /// It may not be asked before then. Finding that out costs nothing.
    pub fn may_ask(&mut self, pace: Pace, now: Timestamp) -> Result<(), Timestamp> {
        if let Some(until) = self.rests_until.filter(|until| *until > now) {
            return Err(until);
        }
        let verdict = self.breaker.verdict(now);
        if let Verdict::Open(until) = verdict {
            return Err(until.unwrap_or_else(|| later(now, PROBE_PAUSE)));
        }
        let (_, bucket) = match &mut self.bucket {
            Some(kept) if kept.0 == pace => kept,
            // A changed pace starts over nearly empty: a reload must not become a burst.
            slot => slot.insert((pace, Bucket::nearly_empty(pace, now))),
        };
        bucket.take(now).map_err(|wait| later(now, wait))?;
        if verdict == Verdict::Probe {
            self.breaker.probe_begun();
        }
        Ok(())
    }

    /// Takes in what asking came to, in so many calls; `failed` is why it was in vain. Gives the time
    /// that the service asked for.
    pub fn asked(
        &mut self,
        calls: u32,
        failed: Option<&Outcome>,
        policy: &BreakerPolicy,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if let Some((_, bucket)) = &mut self.bucket {
            bucket.charge(calls.saturating_sub(1));
        }
        match failed {
            None | Some(Outcome::Delivered { .. } | Outcome::Rejected { .. }) => {
                self.breaker.worked();
                None
            }
            Some(Outcome::Retry { after: Some(after), .. }) => {
                let until = later(now, *after);
                self.rests_until = Some(self.rests_until.map_or(until, |already| already.max(until)));
                self.breaker.probe_ended();
                Some(until)
            }
            Some(Outcome::Retry { .. } | Outcome::Hold { .. } | Outcome::Unknown { .. }) => {
                self.breaker.failed(policy, now);
                None
            }
        }
    }
}

/// What the two that call a target tell each other: until when it is to be left in peace. Milliseconds
/// of the epoch; 0: no rest.
#[derive(Debug, Default)]
pub struct Peace {
    by_deliveries: AtomicI64,
    by_questions: AtomicI64,
}

impl Peace {
    /// Deliveries have to wait until then (rest, or an open breaker); `None`: they may go.
    pub fn deliveries_wait(&self, until: Option<Timestamp>) {
        self.by_deliveries.store(until.map_or(0, Timestamp::as_millisecond), Ordering::Relaxed);
    }

    /// Until when deliveries have to wait, so that questions do too.
    pub fn of_deliveries(&self, now: Timestamp) -> Option<Timestamp> {
        let until = Timestamp::from_millisecond(self.by_deliveries.load(Ordering::Relaxed)).ok()?;
        (until > now).then_some(until)
    }

    /// The service answered a question with the wish to be left alone until then.
    pub fn questions_wait(&self, until: Timestamp) {
        self.by_questions.fetch_max(until.as_millisecond(), Ordering::Relaxed);
    }

    /// That wish, told once, for the loop of the deliveries.
    pub fn wished(&self) -> Option<Timestamp> {
        if self.by_questions.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let until = self.by_questions.swap(0, Ordering::Relaxed);
        Timestamp::from_millisecond(until).ok().filter(|_| until > 0)
    }
}

/// How often each target may be asked. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Inquiries {
    all: Arc<Mutex<HashMap<Arc<str>, Asked>>>,
    metrics: Option<Metrics>,
}

#[derive(Debug, Default)]
struct Asked {
    patience: Patience,
    peace: Arc<Peace>,
}

impl Inquiries {
    /// Nobody has been asked yet. Questions are counted there.
    pub fn new(metrics: Metrics) -> Inquiries {
        Inquiries { all: Arc::default(), metrics: Some(metrics) }
    }

    /// Where the loop of this target and those who ask it tell each other of rests.
    pub fn peace(&self, target: &Arc<str>) -> Arc<Peace> {
        self.of(target, |asked| Arc::clone(&asked.peace))
    }

    fn of<T>(&self, target: &Arc<str>, act: impl FnOnce(&mut Asked) -> T) -> T {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        act(all.entry(Arc::clone(target)).or_default())
    }

    /// Takes what a question needs, unless deliveries have to wait as well.
    ///
    /// # Errors
    /// It may not be asked before then.
    pub(super) fn may_ask(&self, rule: &TargetRule, now: Timestamp) -> Result<(), Timestamp> {
        self.of(&rule.name, |asked| match asked.peace.of_deliveries(now) {
            Some(until) => Err(until),
            None => asked.patience.may_ask(rule.inquiries, now),
        })
    }

    /// Takes in what a question came to.
    pub(super) fn asked(&self, rule: &TargetRule, calls: u32, failed: Option<&Outcome>, now: Timestamp) {
        self.of(&rule.name, |asked| {
            if let Some(until) = asked.patience.asked(calls, failed, &rule.breaker, now) {
                asked.peace.questions_wait(until);
            }
        });
    }

    /// Counts a question by what it came to.
    pub(super) fn count(&self, target: &Arc<str>, came_to: &'static str) {
        if let Some(metrics) = &self.metrics {
            metrics.inquired(target, came_to);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    const POLICY: BreakerPolicy = BreakerPolicy { failures: 2, open_for: Duration::from_secs(30) };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn thirty_a_minute() -> Pace {
        let (tokens, burst) = (NonZeroU32::new(30).unwrap(), NonZeroU32::MIN);
        Pace { tokens, per: Duration::from_secs(60), burst }
    }

    fn retry(after: Option<u64>) -> Outcome {
        Outcome::Retry { reason: "busy".into(), after: after.map(Duration::from_secs), whole_target: true }
    }

    #[test]
    fn questions_have_a_budget_and_further_calls_of_one_are_paid_later() {
        let mut patience = Patience::default();
        assert_eq!(patience.may_ask(thirty_a_minute(), at(0)), Ok(()));
        assert_eq!(patience.may_ask(thirty_a_minute(), at(0)), Err(at(2)));
        patience.asked(3, None, &POLICY, at(0));
        assert_eq!(patience.may_ask(thirty_a_minute(), at(2)), Err(at(6)), "two calls more are owed");
        assert_eq!(patience.may_ask(thirty_a_minute(), at(6)), Ok(()));
    }

    #[test]
    fn a_service_that_asks_for_time_has_it_in_full_and_is_not_sick() {
        let mut patience = Patience::default();
        assert_eq!(patience.asked(1, Some(&retry(Some(90))), &POLICY, at(0)), Some(at(90)));
        assert_eq!(patience.asked(1, Some(&retry(Some(30))), &POLICY, at(1)), Some(at(31)));
        assert_eq!(patience.may_ask(thirty_a_minute(), at(89)), Err(at(90)), "the longer one holds");
        assert_eq!(patience.may_ask(thirty_a_minute(), at(90)), Ok(()));
    }

    #[test]
    fn a_dead_service_is_asked_by_single_probes() {
        let mut patience = Patience::default();
        (0..2).for_each(|_| _ = patience.asked(1, Some(&retry(None)), &POLICY, at(0)));
        assert_eq!(patience.may_ask(thirty_a_minute(), at(29)), Err(at(30)));
        assert_eq!(patience.may_ask(thirty_a_minute(), at(60)), Ok(()), "the probe");
        assert_eq!(patience.may_ask(thirty_a_minute(), at(61)), Err(at(62)), "it is under way");
        patience.asked(1, None, &POLICY, at(62));
        assert_eq!(patience.may_ask(thirty_a_minute(), at(64)), Ok(()));
    }

    #[test]
    fn each_side_hears_of_the_others_rest() {
        let peace = Peace::default();
        assert_eq!((peace.of_deliveries(at(0)), peace.wished()), (None, None));
        peace.deliveries_wait(Some(at(5)));
        assert_eq!((peace.of_deliveries(at(4)), peace.of_deliveries(at(5))), (Some(at(5)), None));
        peace.deliveries_wait(None);
        assert_eq!(peace.of_deliveries(at(4)), None);
        peace.questions_wait(at(9));
        peace.questions_wait(at(7));
        assert_eq!((peace.wished(), peace.wished()), (Some(at(9)), None), "told once");
    }
}
