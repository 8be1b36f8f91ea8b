//! What a target's loop says aloud: a line of the log for each try, and the relay's own alerts
//! about sick targets and dead letters. Decides nothing.

use crate::deliver::attempt::Voice;
use crate::deliver::errand::Errand;
use crate::deliver::purse::Unpaid;
use crate::deliver::resolution::{Health, Tried};
use crate::domain::outcome::Outcome;
use crate::domain::own_alerts::{self, Own};
use crate::store::boundary::{DeliveryId, Open};

/// A line for each delivery that was tried.
pub(super) fn tried(target: &str, errand: &Errand, tried: &Tried) {
    let took_ms = tried.took.as_millis();
    let outcome = tried.outcome.word();
    for head in errand.heads() {
        match &tried.outcome {
            Outcome::Delivered { .. } => tracing::info!(
                target_name = %target, delivery = %head.uid, action = %head.action, key = head.key.as_str(),
                attempt = head.attempts + 1, status = tried.status, took_ms, outcome, "attempt"
            ),
            other => tracing::warn!(
                target_name = %target, delivery = %head.uid, action = %head.action, key = head.key.as_str(),
                attempt = head.attempts + 1, status = tried.status, took_ms, outcome, reason = other.reason(), "attempt"
            ),
        }
    }
}

/// The target turned out to be sick, or well.
pub(super) fn health(target: &str, health: &Health, voice: &Voice) {
    let name = target.to_owned();
    match health {
        Health::Sick { reason } => {
            tracing::error!(target_name = %target, %reason, "the target is sick");
            voice.say(Own::TargetSick { target: name, reason: reason.clone() });
        }
        Health::Well { again } => {
            if *again {
                tracing::info!(target_name = %target, "the target is well again");
            }
            voice.say(Own::TargetWell { target: name });
        }
    }
}

/// What costs money may not be spent any more.
pub(super) fn unpaid(target: &str, unpaid: &Unpaid, voice: &Voice) {
    tracing::warn!(target_name = %target, reason = unpaid.reason.as_str(), "a call was not made");
    if unpaid.first {
        let (key, reason, until) = (unpaid.key.clone(), unpaid.reason.clone(), unpaid.until);
        voice.say(Own::QuotaSpent { target: target.to_owned(), key, reason, until });
    }
}

/// A delivery was given up or refused. One about the relay's own trouble is not told again: that
/// would never end.
pub(super) fn dead_letter(target: &str, id: DeliveryId, head: Option<&Open>, reason: &str, voice: &Voice) {
    tracing::error!(target_name = %target, delivery = id, reason, "dead letter");
    if head.is_some_and(|head| head.group.source != own_alerts::SOURCE) {
        voice.say(Own::DeadLetter { target: target.to_owned(), reason: reason.to_owned() });
    }
}
