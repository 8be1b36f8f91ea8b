//! What a try came to, and what is written of it. Pure.

use std::time::Duration;

use jiff::Timestamp;

use crate::deliver::gate::whole_millis;
use crate::deliver::purse::Unpaid;
use crate::domain::announcement;
use crate::domain::delivery::{self, Next, RetryPolicy, State};
use crate::domain::message::{Action, RemoteRef};
use crate::domain::outcome::Outcome;
use crate::pace::backoff;
use crate::pace::breaker::BreakerPolicy;
use crate::pace::bucket::Rate;
use crate::store::boundary::{AttemptRow, DeliveryId, LaneState, Open, Settled, Settlement};
use crate::store::follows::Following;
use crate::store::schedule::Claimed;
use crate::target::contract::Repeat;

/// How this target is to be treated, by its configuration.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// When to try again and when to stop.
    pub retry: RetryPolicy,
    /// How many calls in a time.
    pub rate: Rate,
    /// Calls at once, at most.
    pub concurrency: usize,
    /// What may follow an unknown outcome.
    pub repeat: Repeat,
    /// Whether the target wants to hear that it is over.
    pub send_resolved: bool,
    /// Messages that wait for the rate limit go out as one.
    pub digest: bool,
    /// When to leave it alone for a while.
    pub breaker: BreakerPolicy,
    /// Tries after which the fallback targets are told.
    pub fall_after_attempts: Option<u32>,
}

/// How a target is, when that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It cannot be reached, or refuses us.
    Sick {
        /// One sentence.
        reason: String,
    },
    /// It takes messages.
    Well {
        /// It was sick before, and not only unknown since the start.
        again: bool,
    },
}

/// What one try came to, with what the record shows of it.
#[derive(Debug, Clone)]
pub struct Tried {
    /// The judgement.
    pub outcome: Outcome,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// HTTP status; 0 when no reply came.
    pub status: u16,
    /// Start of the reply, secrets starred; may be empty.
    pub excerpt: String,
    /// What was achieved before it failed.
    pub kept: Option<RemoteRef>,
    /// Calls that were made.
    pub calls: u32,
    /// No call was made, because it could not be paid for: this is no attempt.
    pub unpaid: Option<Unpaid>,
    /// No call was made, because this target, a fallback, has the ticket: it is told instead.
    pub elsewhere: Option<String>,
}

impl Tried {
    /// A try that came to nothing (yet).
    pub fn nothing(at: Timestamp) -> Tried {
        Tried {
            outcome: Outcome::Unknown { reason: "the try did not end".into() },
            at,
            took: Duration::ZERO,
            status: 0,
            excerpt: String::new(),
            kept: None,
            calls: 0,
            unpaid: None,
            elsewhere: None,
        }
    }

    /// The ticket is at another target.
    pub fn left_to(target: String, at: Timestamp) -> Tried {
        Tried { outcome: Outcome::delivered(), elsewhere: Some(target), ..Tried::nothing(at) }
    }

    /// It came to nothing, by the relay's own doing.
    pub fn unsent(at: Timestamp) -> Tried {
        let reason = "the relay is stopping".into();
        Tried { outcome: Outcome::Retry { reason, after: None, whole_target: false }, ..Tried::nothing(at) }
    }

    /// Nobody knows what became of it.
    pub fn panicked(at: Timestamp) -> Tried {
        let reason = "the attempt panicked: this is a bug of the relay".into();
        Tried { outcome: Outcome::Unknown { reason }, ..Tried::nothing(at) }
    }

    /// The next call could not be paid for. After others it is a try that goes on later; as the
    /// first it is none.
    pub fn broke_off(&mut self, unpaid: Unpaid, now: Timestamp) {
        let after = unpaid.until.duration_since(now).unsigned_abs();
        self.outcome =
            Outcome::Retry { reason: unpaid.reason.clone(), after: Some(after), whole_target: false };
        self.unpaid = (self.calls == 0).then_some(unpaid);
    }
}

/// What to write, and how to release the lane once it is written.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// For the store.
    pub settlement: Settlement,
    /// Deliveries that are open no more.
    pub done: Vec<DeliveryId>,
    /// The delivery that stays open, with its attempts.
    pub tried: Option<(DeliveryId, u32)>,
}

/// What came of one call: a resolution for each lane that it carried.
#[derive(Debug, Clone)]
pub struct Ended {
    /// In the order of the lanes.
    pub resolutions: Vec<Resolution>,
    /// The target turned out to be sick, or well again.
    pub health: Option<Health>,
}

/// A resolve that the target does not want: the lane is closed without a word.
pub(super) fn left_unsaid(claimed: &Claimed, now: Timestamp) -> Resolution {
    let mut resolution = folded_away(claimed, now);
    if let Some(head) = &claimed.head {
        let reason = "the target has send_resolved: false".to_owned();
        let settled = Settled { id: head.id, state: State::Expired, reason, by: None, attempt: None };
        resolution.settlement.settled.push(settled);
        resolution.done.push(head.id);
    }
    resolution.settlement.after = LaneState::default();
    resolution
}

/// What is told to another target, which has the ticket. The lane is as it was: a ticket of its own it
/// never had.
pub(super) fn left_to(claimed: &Claimed, target: &str, now: Timestamp) -> Resolution {
    let mut resolution = folded_away(claimed, now);
    if let Some(head) = &claimed.head {
        let reason = format!("{target} has the ticket and is told instead");
        let settled = Settled { id: head.id, state: State::Expired, reason, by: None, attempt: None };
        resolution.settlement.settled.push(settled);
        resolution.settlement.due = now;
        resolution.settlement.follows = Some(Box::new(Following::Elsewhere));
        resolution.done.push(head.id);
    }
    resolution
}

pub(super) fn folded_away(claimed: &Claimed, now: Timestamp) -> Resolution {
    let settled = superseded(claimed);
    let done = settled.iter().map(|delivery| delivery.id).collect();
    let after = claimed.state.clone();
    Resolution {
        settlement: Settlement {
            epoch: 0,
            lane: claimed.lane,
            settled,
            // Folded before it was due, it keeps its time: news does not cut a back-off short.
            due: claimed.due.max(now),
            after,
            now,
            fall_now: false,
            given_up: None,
            tells: None,
            follows: None,
        },
        done,
        tried: None,
    }
}

fn superseded(claimed: &Claimed) -> Vec<Settled> {
    let one = |gone: &crate::domain::fold::Superseded| {
        let reason =
            if gone.by == gone.id { "over before it was sent" } else { "a later one says it better" };
        Settled {
            id: gone.id,
            state: State::Superseded,
            reason: reason.into(),
            by: Some(gone.by),
            attempt: None,
        }
    };
    claimed.superseded.iter().map(one).collect()
}

/// What a try means for one of the lanes that it carried. `dice` is evenly drawn from `0.0..1.0`;
/// `remark` goes into the record of a delivery that is in.
pub(super) fn after_try(
    claimed: &Claimed,
    tried: &Tried,
    remark: &str,
    terms: &Terms,
    dice: f64,
    now: Timestamp,
) -> Resolution {
    let Some(head) = &claimed.head else { return folded_away(claimed, now) };
    let after = lane_after(&claimed.state, head, tried, terms.repeat);
    let is_trigger = head.action == Action::Trigger;
    let outcome = match tried.outcome.clone() {
        // A held delivery is tried again by itself, which is what must not happen here.
        Outcome::Unknown { reason } if is_trigger && terms.repeat == Repeat::Forbidden => {
            Outcome::Rejected { reason: format!("may have been done already, not repeated: {reason}") }
        }
        outcome => outcome,
    };
    let attempts = head.attempts + 1;
    let pause = backoff::pause(&terms.retry, attempts, dice);
    let next = delivery::next(&outcome, head.accepted_at, now, pause, &terms.retry);
    let attempt = AttemptRow {
        n: attempts,
        at: tried.at,
        took: tried.took,
        status: tried.status,
        outcome: outcome.word(),
        excerpt: record_text(&record_text(remark, outcome.reason()), &tried.excerpt),
    };
    let (state, reason, due, open) = match next {
        Next::Done { state: State::Delivered, .. } => (State::Delivered, remark.to_owned(), now, None),
        Next::Done { state, reason } => (state, reason, now, None),
        Next::Again { state, due, reason } => (state, reason, whole_millis(due), Some((head.id, attempts))),
    };
    let done = if open.is_none() { vec![head.id] } else { Vec::new() };
    let settled = vec![Settled { id: head.id, state, reason, by: None, attempt: Some(attempt) }];
    let enough = terms.fall_after_attempts.is_some_and(|most| attempts >= most);
    let is_held = matches!(outcome, Outcome::Hold { .. });
    // What was refused can never pass; what was given up may, when the target is back. What does
    // harm when it is done twice does so too when it is done late: that is for a person to order.
    let given_up =
        state == State::Dead && !matches!(outcome, Outcome::Rejected { .. }) && !terms.repeat.is_announced();
    let settlement = Settlement {
        epoch: 0,
        lane: claimed.lane,
        settled,
        due,
        after,
        now,
        fall_now: is_trigger && !announcement::is(&head.group) && (enough || is_held) && open.is_some(),
        given_up: (is_trigger && given_up).then_some(head.id),
        tells: None,
        follows: None,
    };
    Resolution { settlement, done, tried: open }
}

/// A lane whose call was not paid for: put off without an attempt, unless it would be given up by
/// then.
pub(super) fn put_off(claimed: &Claimed, unpaid: &Unpaid, terms: &Terms, now: Timestamp) -> Resolution {
    let Some(head) = &claimed.head else { return folded_away(claimed, now) };
    let Unpaid { until, reason, spent, .. } = unpaid;
    let deadline = head.accepted_at.saturating_add(terms.retry.give_up_after).unwrap_or(Timestamp::MAX);
    let lives = *until <= deadline;
    let (state, due) = if lives { (State::Waiting, whole_millis(*until)) } else { (State::Dead, now) };
    let reason = if lives { reason.clone() } else { format!("given up before that: {reason}") };
    let is_trigger = head.action == Action::Trigger;
    let settlement = Settlement {
        epoch: 0,
        lane: claimed.lane,
        settled: vec![Settled { id: head.id, state, reason, by: None, attempt: None }],
        due,
        after: claimed.state.clone(),
        now,
        fall_now: is_trigger && *spent && lives,
        given_up: (is_trigger && !lives && !terms.repeat.is_announced()).then_some(head.id),
        tells: None,
        follows: None,
    };
    let done = if lives { Vec::new() } else { vec![head.id] };
    Resolution { settlement, done, tried: None }
}

/// What the lane knows after this try. Whatever may have opened something at the target is
/// remembered as seen, so that its resolve will be sent.
///
/// Where a sending is announced before it is made, one of which nobody knows how it ended stays on
/// record until the problem is over.
fn lane_after(before: &LaneState, head: &Open, tried: &Tried, repeat: Repeat) -> LaneState {
    // A change has no end: nothing is open there afterwards.
    if announcement::is(&head.group) {
        return before.clone();
    }
    let begun = match &tried.outcome {
        Outcome::Delivered { .. } => None,
        Outcome::Unknown { .. } if repeat.is_announced() && head.action == Action::Trigger => {
            before.begun.clone().or_else(|| Some(head.uid.clone()))
        }
        _ => before.begun.clone(),
    };
    let known = tried.kept.as_ref().or(before.remote.as_ref());
    let opened = |remote: Option<&RemoteRef>| LaneState {
        seen: true,
        remote: remote.or(known).cloned(),
        begun: begun.clone(),
    };
    match (head.action, &tried.outcome) {
        (Action::Trigger, Outcome::Delivered { remote }) => opened(remote.as_ref()),
        (Action::Acknowledge, Outcome::Delivered { remote: Some(remote) }) => {
            LaneState { seen: before.seen, remote: Some(remote.clone()), begun }
        }
        (Action::Trigger, Outcome::Unknown { .. }) => opened(None),
        (Action::Trigger, Outcome::Retry { .. }) if broke_inside(tried.status) => opened(None),
        (Action::Resolve, Outcome::Delivered { .. }) => LaneState::default(),
        _ if tried.kept.is_some() => opened(None),
        _ => before.clone(),
    }
}

/// Whether the service had the message and failed over it (RFC 9110, 15.6): an incident may be open
/// there all the same. 501, 503 and 505 say that it was not looked at.
fn broke_inside(status: u16) -> bool {
    matches!(status, 500..=599) && !matches!(status, 501 | 503 | 505)
}

fn record_text(reason: &str, excerpt: &str) -> String {
    match (reason.is_empty(), excerpt.is_empty() || reason.contains(excerpt)) {
        (true, _) => excerpt.to_owned(),
        (false, true) => reason.to_owned(),
        (false, false) => format!("{reason}: {excerpt}"),
    }
}
