//! The service at the other end: answers by the dice, and keeps a ledger of all that reached it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use alert_relay::domain::message::Action;
use alert_relay::domain::outcome::Outcome;
use alert_relay::store::boundary::Open;

use crate::dice::Dice;

/// How it is in the mood to answer.
#[derive(Debug, Clone, Copy)]
pub struct Mood {
    /// Of a hundred calls, so many go wrong in some way, until [`Mood::well_from`].
    pub faults: u32,
    /// Whether some of them are refused for good.
    pub rejects: bool,
    /// When all is well again.
    pub well_from: i64,
    /// Longest time to an answer.
    pub slow: i64,
}

/// One call, as the vendor saw it.
#[derive(Debug, Clone)]
pub struct Call {
    pub life: u32,
    pub at: i64,
    pub answered: i64,
    /// When the loop took the answer in; it may have been reading meanwhile.
    pub heard: i64,
    /// Calls made before that.
    pub calls_before_heard: usize,
    pub key: String,
    pub delivery: i64,
    pub action: Action,
    pub outcome: Outcome,
    /// Something was started by it.
    pub starts: bool,
    /// What came of it was known without a call.
    pub ruled: bool,
    /// The relay died before it took the answer in.
    pub unheard: bool,
}

#[derive(Debug)]
pub struct Vendor {
    pub mood: Mood,
    pub calls: Vec<Call>,
    /// What is open there.
    pub open: BTreeSet<String>,
    /// Deliveries that took effect, per key, in order.
    pub effects: BTreeMap<String, Vec<i64>>,
}

impl Vendor {
    pub fn new(mood: Mood) -> Vendor {
        Vendor { mood, calls: Vec::new(), open: BTreeSet::new(), effects: BTreeMap::new() }
    }

    /// Takes a call, unless what comes of it is `ruled` without one; returns its number in the ledger.
    pub fn call(
        &mut self,
        open: &Open,
        ruled: Option<Outcome>,
        life: u32,
        at: i64,
        dice: &mut Dice,
    ) -> usize {
        let is_ruled = ruled.is_some();
        let well = at >= self.mood.well_from || !dice.percent(self.mood.faults);
        let retry = |after: Option<i64>, whole_target| Outcome::Retry {
            reason: "fault".into(),
            after: after.map(|millis| Duration::from_millis(millis.unsigned_abs())),
            whole_target,
        };
        let (outcome, takes_effect) = match dice.place(6) {
            _ if ruled.is_some() => (ruled.unwrap_or(Outcome::delivered()), false),
            _ if well => (Outcome::delivered(), true),
            0 => (retry(Some(dice.between(1, 90_000)), true), false),
            1 => (retry(None, true), false),
            2 => (retry(None, false), false),
            3 => (Outcome::Unknown { reason: "no answer".into() }, dice.percent(50)),
            4 if self.mood.rejects => (Outcome::Rejected { reason: "no".into() }, false),
            4 => (retry(Some(dice.between(1, 5000)), false), false),
            _ => (Outcome::Hold { reason: "key".into() }, false),
        };
        let key = open.key.as_str().to_owned();
        if takes_effect {
            match open.action {
                Action::Resolve => drop(self.open.remove(&key)),
                Action::Trigger | Action::Acknowledge => drop(self.open.insert(key.clone())),
            }
            self.effects.entry(key.clone()).or_default().push(open.id);
        }
        let answered = at + dice.between(1, self.mood.slow);
        let action = open.action;
        self.calls.push(Call {
            ruled: is_ruled,
            starts: takes_effect && action == Action::Trigger,
            life,
            at,
            answered,
            heard: i64::MAX,
            calls_before_heard: 0,
            key,
            delivery: open.id,
            action,
            outcome,
            unheard: false,
        });
        self.calls.len() - 1
    }
}
