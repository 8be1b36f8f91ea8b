//! What one target does next. Pure: the schedule, the time and the dice come in, a step goes out;
//! no socket, no row and no timer is reachable from here.

use std::time::Duration;

use jiff::Timestamp;

use crate::deliver::resolution::{
    Health, Resolution, Tried, folded_away, lane_after, left_unsaid, record_text,
};
use crate::domain::delivery::{self, Next, RetryPolicy, State};
use crate::domain::message::Action;
use crate::domain::outcome::Outcome;
use crate::pace::backoff;
use crate::pace::breaker::{Breaker, BreakerPolicy, Verdict};
use crate::pace::bucket::{Bucket, Pace};
use crate::store::boundary::{AttemptRow, DeliveryId, LaneId, Settled, Settlement};
use crate::store::schedule::{Claim, Claimed, Schedule};
use crate::target::contract::Repeat;

const TOO_MANY_REQUESTS: u16 = 429;
/// Pause after lanes were looked for on disk, before they are looked for again.
const REFILL_PAUSE: Duration = Duration::from_millis(200);

/// How this target is to be treated, by its configuration.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// When to try again and when to stop.
    pub retry: RetryPolicy,
    /// Tokens; `None`: as fast as it goes.
    pub pace: Option<Pace>,
    /// Calls at once.
    pub concurrency: usize,
    /// What may follow an unknown outcome.
    pub repeat: Repeat,
    /// Whether the target wants to hear that it is over.
    pub send_resolved: bool,
    /// When to leave it alone for a while.
    pub breaker: BreakerPolicy,
    /// Tries after which the fallback targets are told.
    pub fall_after_attempts: Option<u32>,
}

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Send the head of this lane, then call `tried`.
    Send(Box<Claimed>),
    /// Nothing of this lane needs sending: write this down and release the lane.
    Settle(Box<Resolution>),
    /// Read what these lanes owe.
    Load(Vec<(LaneId, DeliveryId)>),
    /// Read which lanes are due first.
    Refill {
        /// At most so many.
        limit: usize,
        /// To be given back to `refilled`.
        mark: u64,
    },
    /// Nothing to do until then (`None`: until something happens).
    Wait(Option<Timestamp>),
    /// Something is due and has to wait, without spending an attempt.
    Defer {
        /// Until then (`None`: until something happens).
        until: Option<Timestamp>,
        /// One word for metrics: `rate`, `rest`, `breaker`.
        why: &'static str,
    },
}

/// The deciding part of a target's loop.
#[derive(Debug)]
pub struct Engine {
    bucket: Option<(Pace, Bucket)>,
    /// The bucket has no token before this.
    token_at: Option<Timestamp>,
    /// The service asked for rest until then.
    resting_until: Option<Timestamp>,
    refill_not_before: Timestamp,
    in_flight: usize,
    breaker: Breaker,
    /// What was last told of its health; `None` since the start.
    sick: Option<bool>,
    dice: fastrand::Rng,
}

impl Engine {
    /// An engine that has done nothing yet; its bucket is nearly empty.
    pub fn new(seed: u64) -> Engine {
        Engine {
            bucket: None,
            token_at: None,
            resting_until: None,
            refill_not_before: Timestamp::UNIX_EPOCH,
            in_flight: 0,
            breaker: Breaker::default(),
            sick: None,
            dice: fastrand::Rng::with_seed(seed),
        }
    }

    /// Calls under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Decides the next step.
    pub fn step(&mut self, schedule: &mut Schedule, terms: &Terms, now: Timestamp) -> Step {
        if now >= self.refill_not_before
            && let Some((limit, mark)) = schedule.wants_refill(now)
        {
            self.refill_not_before = later(now, REFILL_PAUSE);
            return Step::Refill { limit, mark };
        }
        if self.in_flight >= terms.concurrency {
            return Step::Wait(None);
        }
        let due = schedule.next_due();
        if due.is_none_or(|due| due > now) {
            // What is due on disk while memory is full of busy lanes waits for one of their ends.
            let refill = match schedule.due_on_disk() {
                Some(due) if due > now => Some(due.max(self.refill_not_before)),
                _ => schedule.wants_refill(now).map(|_| self.refill_not_before),
            };
            return Step::Wait(due.into_iter().chain(refill).min());
        }
        if let Verdict::Open(until) = self.breaker.verdict(now) {
            return Step::Defer { until, why: "breaker" };
        }
        if let Some(until) = self.must_wait(terms, now) {
            let why = if self.token_at == Some(until) { "rate" } else { "rest" };
            return Step::Defer { until: Some(until), why };
        }
        match schedule.claim(now) {
            Claim::Idle(until) => Step::Wait(until),
            Claim::Load(lanes) => Step::Load(lanes),
            // What is folded away is on disk before the survivor is sent: after a crash in between,
            // nobody must hear the old story again.
            Claim::Ready(claimed) if claimed.head.is_none() || !claimed.superseded.is_empty() => {
                let resolution = folded_away(&claimed, now);
                Step::Settle(Box::new(resolution))
            }
            Claim::Ready(claimed)
                if claimed.head.as_ref().is_some_and(|head| unwanted(head.action, terms)) =>
            {
                Step::Settle(Box::new(left_unsaid(&claimed, now)))
            }
            Claim::Ready(claimed) => match self.take_token(terms, now) {
                Ok(()) => {
                    self.in_flight += 1;
                    if self.breaker.verdict(now) == Verdict::Probe {
                        self.breaker.probe_begun();
                    }
                    Step::Send(claimed)
                }
                Err(until) => {
                    schedule.put_back(claimed.lane);
                    Step::Defer { until: Some(until), why: "rate" }
                }
            },
        }
    }

    /// Takes in what a try came to.
    pub fn tried(&mut self, claimed: &Claimed, tried: Tried, terms: &Terms, now: Timestamp) -> Resolution {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Some(head) = &claimed.head else { return folded_away(claimed, now) };
        if let Outcome::Retry { after: Some(after), whole_target: true, .. } = &tried.outcome {
            let until = later(now, *after);
            self.resting_until = Some(self.resting_until.map_or(until, |already| already.max(until)));
        }
        let health = self.diagnose(&tried, terms, now);
        let after = lane_after(&claimed.state, head.action, &tried);
        let outcome = match tried.outcome {
            // A held delivery is tried again by itself, which is what must not happen here.
            Outcome::Unknown { reason } if terms.repeat == Repeat::Forbidden => {
                Outcome::Rejected { reason: format!("may have been done already, not repeated: {reason}") }
            }
            outcome => outcome,
        };
        let attempts = head.attempts + 1;
        let pause = backoff::pause(&terms.retry, attempts, self.dice.f64());
        let next = delivery::next(&outcome, head.accepted_at, now, pause, &terms.retry);
        let attempt = AttemptRow {
            n: attempts,
            at: tried.at,
            took: tried.took,
            status: tried.status,
            outcome: outcome.word(),
            excerpt: record_text(outcome.reason(), &tried.excerpt),
        };
        let (state, reason, due, open) = match next {
            Next::Done { state, reason } => (state, reason, now, None),
            Next::Again { state, due, reason } => {
                (state, reason, whole_millis(due), Some((head.id, attempts)))
            }
        };
        let done = if open.is_none() { vec![head.id] } else { Vec::new() };
        let settled = vec![Settled { id: head.id, state, reason, by: None, attempt: Some(attempt) }];
        let is_trigger = head.action == Action::Trigger;
        let enough = terms.fall_after_attempts.is_some_and(|most| attempts >= most);
        let is_held = matches!(outcome, Outcome::Hold { .. });
        // What was refused can never pass; what was given up may, when the target is back.
        let given_up = state == State::Dead && !matches!(outcome, Outcome::Rejected { .. });
        let settlement = Settlement {
            epoch: 0,
            lane: claimed.lane,
            settled,
            due,
            after,
            now,
            fall_now: is_trigger && (enough || is_held) && open.is_some(),
            given_up: (is_trigger && given_up).then_some(head.id),
        };
        Resolution { settlement, done, tried: open, health }
    }

    /// What a try says of the target as a whole: it moves the breaker, and is told when it changes.
    /// A refusal of this one message, or of this much at once, is no sickness.
    fn diagnose(&mut self, tried: &Tried, terms: &Terms, now: Timestamp) -> Option<Health> {
        let (is_sick, reason) = match &tried.outcome {
            Outcome::Retry { .. } if tried.status == TOO_MANY_REQUESTS => return None,
            Outcome::Delivered { .. } | Outcome::Rejected { .. } => {
                self.breaker.worked();
                (false, "")
            }
            // A person must act, whatever the count.
            Outcome::Hold { reason } => {
                self.breaker.failed(&terms.breaker, now);
                (true, reason.as_str())
            }
            Outcome::Retry { reason, .. } | Outcome::Unknown { reason } => {
                self.breaker.failed(&terms.breaker, now);
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

    /// A rest that was asked for, or an empty bucket: nothing need be claimed before then.
    fn must_wait(&mut self, terms: &Terms, now: Timestamp) -> Option<Timestamp> {
        self.resting_until = self.resting_until.filter(|until| *until > now);
        let same_pace = self.bucket.as_ref().map(|(pace, _)| *pace) == terms.pace;
        self.token_at = self.token_at.filter(|until| *until > now && same_pace);
        self.resting_until.max(self.token_at)
    }

    /// Taken only when a call is about to be made: a token that was saved meanwhile would come on
    /// top of what the bucket allows.
    fn take_token(&mut self, terms: &Terms, now: Timestamp) -> Result<(), Timestamp> {
        let Some(pace) = terms.pace else { return Ok(()) };
        // A changed pace starts over nearly empty: a reload must not become a burst either.
        let (_, bucket) = match &mut self.bucket {
            Some(kept) if kept.0 == pace => kept,
            slot => slot.insert((pace, Bucket::nearly_empty(pace, now))),
        };
        bucket.take(now).map_err(|wait| {
            let until = later(now, wait);
            self.token_at = Some(until);
            until
        })
    }
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    whole_millis(now.saturating_add(wait).unwrap_or(Timestamp::MAX))
}

/// Schedules count in milliseconds: round up, or what was asked for would be cut short.
fn whole_millis(time: Timestamp) -> Timestamp {
    let millis = i64::try_from((time.as_nanosecond() + 999_999).div_euclid(1_000_000)).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

fn unwanted(action: Action, terms: &Terms) -> bool {
    action == Action::Resolve && !terms.send_resolved
}
