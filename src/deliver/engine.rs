//! What one target does next. Pure: the schedule, the time and the dice come in, a step goes out;
//! no socket, no row and no timer is reachable from here.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::deliver::errand::{Errand, Reader};
use crate::deliver::gate::{Gate, Shut, later};
use crate::deliver::resolution::{
    Ended, Resolution, Terms, Tried, after_try, folded_away, left_to, left_unsaid, put_off,
};
use crate::deliver::vitals::Vitals;
use crate::domain::message::Action;
use crate::domain::outcome::Outcome;
use crate::pace::breaker::Verdict;
use crate::pace::concurrency::{Concurrency, Sign};
use crate::store::boundary::{DeliveryId, LaneId};
use crate::store::schedule::{Claim, Claimed, Schedule};

/// Pause after lanes were looked for on disk, before they are looked for again.
const REFILL_PAUSE: Duration = Duration::from_millis(200);
/// How long others wait at a time while a probe is under way.
const PROBE_TIME: Duration = Duration::from_secs(1);
/// Due lanes that are looked at for one digest.
const LOOK_MAX: usize = 64;
/// Deliveries remembered as refused within a digest.
const ALONE_MAX: usize = 4096;

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Make this call, then call `tried`.
    Send(Box<Errand>),
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
    /// One lane was laid aside until its key may be used again. Others may go on.
    Aside {
        /// One word for metrics, as above.
        why: &'static str,
    },
}

/// The deciding part of a target's loop.
#[derive(Debug)]
pub struct Engine {
    gate: Gate,
    refill_not_before: Timestamp,
    in_flight: usize,
    concurrency: Concurrency,
    vitals: Vitals,
    /// What the target refused as part of a digest goes by itself, so that one bad message costs
    /// no other.
    alone: Vec<DeliveryId>,
    dice: fastrand::Rng,
}

impl Engine {
    /// An engine that has done nothing yet; its buckets are nearly empty.
    pub fn new(seed: u64) -> Engine {
        Engine {
            gate: Gate::default(),
            refill_not_before: Timestamp::UNIX_EPOCH,
            in_flight: 0,
            concurrency: Concurrency::default(),
            vitals: Vitals::default(),
            alone: Vec::new(),
            dice: fastrand::Rng::with_seed(seed),
        }
    }

    /// Calls under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Calls that may be under way just now.
    pub fn allowed(&self, terms: &Terms) -> usize {
        self.concurrency.allowed(terms.concurrency)
    }

    /// Whether the target was last seen refusing the relay, or not answering.
    pub fn is_sick(&self) -> bool {
        self.vitals.is_sick()
    }

    /// The service wants to be left alone until then: it said so to a question.
    pub fn rest(&mut self, until: Timestamp, now: Timestamp) {
        self.gate.rest(None, until, now);
    }

    /// Until when the target as a whole is left alone: by its own wish, or by the breaker.
    pub fn rests_until(&self, now: Timestamp) -> Option<Timestamp> {
        let open_until = match self.vitals.verdict(now) {
            Verdict::Open(until) => Some(until.unwrap_or_else(|| later(now, PROBE_TIME))),
            Verdict::Closed | Verdict::Probe => None,
        };
        open_until.max(self.gate.rests_until(now))
    }

    /// Decides the next step.
    pub fn step(
        &mut self,
        schedule: &mut Schedule,
        terms: &Terms,
        now: Timestamp,
        reader: &dyn Reader,
    ) -> Step {
        if now >= self.refill_not_before
            && let Some((limit, mark)) = schedule.wants_refill(now)
        {
            self.refill_not_before = later(now, REFILL_PAUSE);
            return Step::Refill { limit, mark };
        }
        if let Some(step) = fold_one(schedule, now) {
            return step;
        }
        if self.in_flight >= self.allowed(terms) {
            return Step::Wait(None);
        }
        let due = schedule.next_due().into_iter().chain(self.gate.next_call()).min();
        if due.is_none_or(|due| due > now) {
            // What is due on disk while memory is full of busy lanes waits for one of their ends.
            let refill = match schedule.due_on_disk() {
                Some(due) if due > now => Some(due.max(self.refill_not_before)),
                _ => schedule.wants_refill(now).map(|_| self.refill_not_before),
            };
            return Step::Wait(due.into_iter().chain(refill).min());
        }
        if let Verdict::Open(until) = self.vitals.verdict(now) {
            return Step::Defer { until, why: "breaker" };
        }
        if let Some(Shut { until, why, .. }) = self.gate.shut(terms.rate, now) {
            return Step::Defer { until: Some(until), why };
        }
        // One at a time: it is claimed in this step, or read first.
        while let Some(lane) = self.gate.called(terms.rate, now) {
            if schedule.unpark(lane) {
                break;
            }
        }
        match schedule.claim(now) {
            Claim::Idle(until) => Step::Wait(until.into_iter().chain(self.gate.next_call()).min()),
            Claim::Load(lanes) => Step::Load(lanes),
            // What is folded away is on disk before the survivor is sent: after a crash in between,
            // nobody must hear the old story again.
            Claim::Ready(claimed) if claimed.head.is_none() || !claimed.superseded.is_empty() => {
                Step::Settle(Box::new(folded_away(&claimed, now)))
            }
            Claim::Ready(claimed) if unwanted(&claimed, terms) => {
                Step::Settle(Box::new(left_unsaid(&claimed, now)))
            }
            Claim::Ready(claimed) => self.send(schedule, *claimed, terms, now, reader),
        }
    }

    /// Sends if there is a token; with others, if it has waited for it.
    fn send(
        &mut self,
        schedule: &mut Schedule,
        claimed: Claimed,
        terms: &Terms,
        now: Timestamp,
        reader: &dyn Reader,
    ) -> Step {
        let key: Option<Arc<str>> = reader.key(&claimed).map(Arc::from);
        match self.gate.pass(key.as_deref(), claimed.due, terms.rate, now) {
            Ok(passed) => {
                let mut errand = Errand { first: claimed, along: Vec::new(), key };
                if terms.digest && passed.was_shut && self.may_be_folded(&errand.first, terms, reader) {
                    self.gather(schedule, &mut errand, terms, now, reader);
                }
                self.in_flight += 1;
                self.vitals.call_begun(now);
                Step::Send(Box::new(errand))
            }
            Err(Shut { until, why, key_only: true }) if schedule.park(claimed.lane) => {
                if !self.gate.wait(key.as_deref(), claimed.due, claimed.lane, until) {
                    schedule.unpark(claimed.lane);
                }
                Step::Aside { why }
            }
            Err(Shut { until, why, .. }) => {
                schedule.put_back(claimed.lane);
                Step::Defer { until: Some(until), why }
            }
        }
    }

    /// Takes along what waits for the same key: lanes that were laid aside, and due ones.
    fn gather(
        &mut self,
        schedule: &mut Schedule,
        errand: &mut Errand,
        terms: &Terms,
        now: Timestamp,
        reader: &dyn Reader,
    ) {
        let key = errand.key.clone();
        while let Some(lane) = self.gate.next_of(key.as_deref().unwrap_or_default()) {
            schedule.unpark(lane);
            let Some(claimed) = schedule.claim_lane(lane, now) else { break };
            if let Some(left) = self.take_along(errand, claimed, terms, reader) {
                schedule.put_back(left);
                break;
            }
        }
        let mut others = Vec::new();
        while others.len() < LOOK_MAX
            && let Some(claimed) = schedule.claim_at_hand(now)
        {
            if reader.key(&claimed).as_deref() == key.as_deref() {
                others.extend(self.take_along(errand, claimed, terms, reader));
            } else {
                others.push(claimed.lane);
            }
        }
        others.into_iter().for_each(|lane| schedule.put_back(lane));
    }

    /// Takes it along where the message still names all; else gives its lane back.
    fn take_along(
        &self,
        errand: &mut Errand,
        claimed: Claimed,
        terms: &Terms,
        reader: &dyn Reader,
    ) -> Option<LaneId> {
        if !(self.may_be_folded(&claimed, terms, reader) && errand.has_room_for(&claimed)) {
            return Some(claimed.lane);
        }
        errand.along.push(claimed);
        if reader.names_all(errand) { None } else { errand.along.pop().map(|claimed| claimed.lane) }
    }

    /// Not what has a message of its own there: that one is to be changed, and no other says so.
    fn may_be_folded(&self, claimed: &Claimed, terms: &Terms, reader: &dyn Reader) -> bool {
        let Some(head) = claimed.head.as_ref().filter(|_| claimed.superseded.is_empty()) else {
            return false;
        };
        head.action != Action::Acknowledge
            && !unwanted(claimed, terms)
            && !self.alone.contains(&head.id)
            && reader.joins(claimed)
    }

    /// Takes in what a try came to.
    pub fn tried(&mut self, errand: &Errand, tried: Tried, terms: &Terms, now: Timestamp) -> Ended {
        let at_once = self.in_flight;
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(unpaid) = &tried.unpaid {
            self.vitals.nothing_shown();
            let put_off = |claimed| put_off(claimed, unpaid, terms, now);
            return Ended { resolutions: errand.claims().map(put_off).collect(), health: None };
        }
        if let Some(target) = &tried.elsewhere {
            self.vitals.nothing_shown();
            let resolutions = errand.claims().map(|claimed| left_to(claimed, target, now)).collect();
            return Ended { resolutions, health: None };
        }
        if let Outcome::Retry { after: Some(after), whole_target, .. } = &tried.outcome {
            let key = errand.key.as_deref().filter(|_| !whole_target);
            // Without a key, what is not for the whole target is for its lanes only.
            if *whole_target || key.is_some() {
                self.gate.rest(key, later(now, *after), now);
            }
        }
        self.gate.charge(errand.key.as_deref(), tried.calls.saturating_sub(1));
        self.concurrency.ended(sign(&tried), at_once, terms.concurrency, now);
        let health = self.vitals.diagnose(&tried, &terms.breaker, now);
        let tried = self.parted(errand, tried);
        let (remark, dice) = (errand.remark(), self.dice.f64());
        let resolve = |claimed| after_try(claimed, &tried, &remark, terms, dice, now);
        Ended { resolutions: errand.claims().map(resolve).collect(), health }
    }

    /// What a try means for a single lane of it. What is refused in company is tried alone, and how
    /// far a digest has come is of no use to a lane.
    fn parted(&mut self, errand: &Errand, tried: Tried) -> Tried {
        if !errand.is_digest() {
            return tried;
        }
        let outcome = match tried.outcome {
            Outcome::Rejected { reason } => {
                let forget = (self.alone.len() + errand.along.len()).saturating_sub(ALONE_MAX);
                self.alone.drain(..forget.min(self.alone.len()));
                self.alone.extend(errand.heads().map(|head| head.id));
                let reason = format!("refused as a digest, each goes by itself now: {reason}");
                Outcome::Retry { reason, after: None, whole_target: false }
            }
            outcome => outcome,
        };
        Tried { outcome, kept: None, ..tried }
    }
}

/// What piles up while a target takes nothing is folded before it is due.
fn fold_one(schedule: &mut Schedule, now: Timestamp) -> Option<Step> {
    loop {
        match schedule.claim_overfull()? {
            Claim::Load(lanes) => return Some(Step::Load(lanes)),
            Claim::Ready(claimed) if claimed.superseded.is_empty() => schedule.put_back(claimed.lane),
            Claim::Ready(claimed) => return Some(Step::Settle(Box::new(folded_away(&claimed, now)))),
            Claim::Idle(_) => return None,
        }
    }
}

/// What a try says of how much the target can take at once.
fn sign(tried: &Tried) -> Sign {
    const SERVICE_UNAVAILABLE: u16 = 503;
    match &tried.outcome {
        Outcome::Unknown { .. } | Outcome::Retry { whole_target: true, .. } => Sign::Overload,
        Outcome::Retry { .. } if matches!(tried.status, 0 | SERVICE_UNAVAILABLE) => Sign::Overload,
        // Several calls and the pauses between them say nothing about one.
        _ if tried.calls == 1 => Sign::Answered(tried.took),
        _ => Sign::Nothing,
    }
}

fn unwanted(claimed: &Claimed, terms: &Terms) -> bool {
    !terms.send_resolved && claimed.head.as_ref().is_some_and(|head| head.action == Action::Resolve)
}
