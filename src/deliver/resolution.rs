//! What a try came to, and what is written of it. Pure.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::delivery::State;
use crate::domain::message::{Action, RemoteRef};
use crate::domain::outcome::Outcome;
use crate::store::boundary::{DeliveryId, LaneState, Settled, Settlement};
use crate::store::schedule::Claimed;

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
    /// Calls that were answered.
    pub calls: u32,
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
        }
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

pub(super) fn folded_away(claimed: &Claimed, now: Timestamp) -> Resolution {
    let settled = superseded(claimed);
    let done = settled.iter().map(|delivery| delivery.id).collect();
    let after = claimed.state.clone();
    Resolution {
        settlement: Settlement {
            epoch: 0,
            lane: claimed.lane,
            settled,
            due: now,
            after,
            now,
            fall_now: false,
            given_up: None,
        },
        done,
        tried: None,
        health: None,
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

/// What the lane knows after this try. Whatever may have opened something at the target is
/// remembered as seen, so that its resolve will be sent.
pub(super) fn lane_after(before: &LaneState, action: Action, tried: &Tried) -> LaneState {
    let known = tried.kept.as_ref().or(before.remote.as_ref());
    let opened = |remote: Option<&RemoteRef>| LaneState { seen: true, remote: remote.or(known).cloned() };
    match (action, &tried.outcome) {
        (Action::Trigger, Outcome::Delivered { remote }) => opened(remote.as_ref()),
        (Action::Acknowledge, Outcome::Delivered { remote: Some(remote) }) => {
            LaneState { seen: before.seen, remote: Some(remote.clone()) }
        }
        (Action::Trigger, Outcome::Unknown { .. }) => opened(None),
        (Action::Resolve, Outcome::Delivered { .. }) => LaneState::default(),
        _ if tried.kept.is_some() => opened(None),
        _ => before.clone(),
    }
}

pub(super) fn record_text(reason: &str, excerpt: &str) -> String {
    match (reason.is_empty(), excerpt.is_empty() || reason.contains(excerpt)) {
        (true, _) => excerpt.to_owned(),
        (false, true) => reason.to_owned(),
        (false, false) => format!("{reason}: {excerpt}"),
    }
}
