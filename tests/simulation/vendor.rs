//! The service at the other end: answers by the dice, and keeps a ledger of all that reached it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use alert_relay::deliver::errand::Errand;
use alert_relay::domain::message::Action;
use alert_relay::domain::outcome::Outcome;
use alert_relay::store::boundary::Open;

use crate::dice::Dice;

/// Requests of the longest call.
pub const REQUESTS_MAX: u32 = 3;

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
    /// Lane, delivery and action of each that the call carried.
    pub heads: Vec<(String, i64, Action)>,
    /// What the vendor limits besides the whole.
    pub key: Option<String>,
    /// Requests that it took.
    pub requests: u32,
    pub outcome: Outcome,
    /// Something was started by it.
    pub starts: bool,
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

impl Call {
    pub fn is_digest(&self) -> bool {
        self.heads.len() > 1
    }
}

impl Vendor {
    pub fn new(mood: Mood) -> Vendor {
        Vendor { mood, calls: Vec::new(), open: BTreeSet::new(), effects: BTreeMap::new() }
    }

    /// Takes a call, unless what comes of it is `ruled` without one; returns its number in the ledger.
    pub fn call(
        &mut self,
        errand: &Errand,
        ruled: Option<Outcome>,
        life: u32,
        at: i64,
        dice: &mut Dice,
    ) -> usize {
        let well = at >= self.mood.well_from || !dice.percent(self.mood.faults);
        let retry = |after: Option<i64>, whole_target| Outcome::Retry {
            reason: "fault".into(),
            after: after.map(|millis| Duration::from_millis(millis.unsigned_abs())),
            whole_target,
        };
        let is_ruled = ruled.is_some();
        let (outcome, takes_effect) = match dice.place(6) {
            _ if is_ruled => (ruled.unwrap_or(Outcome::delivered()), false),
            _ if well => (Outcome::delivered(), true),
            0 => (retry(Some(dice.between(1, 90_000)), true), false),
            1 => (retry(None, true), false),
            2 => (retry(None, false), false),
            3 => (Outcome::Unknown { reason: "no answer".into() }, dice.percent(50)),
            4 if self.mood.rejects => (Outcome::Rejected { reason: "no".into() }, false),
            4 => (retry(Some(dice.between(1, 5000)), false), false),
            _ => (Outcome::Hold { reason: "key".into() }, false),
        };
        let head = |open: &Open| (open.key.as_str().to_owned(), open.id, open.action);
        let heads: Vec<(String, i64, Action)> = errand.heads().map(head).collect();
        for (key, delivery, action) in heads.iter().filter(|_| takes_effect) {
            match action {
                Action::Resolve => drop(self.open.remove(key)),
                Action::Trigger | Action::Acknowledge => drop(self.open.insert(key.clone())),
            }
            self.effects.entry(key.clone()).or_default().push(*delivery);
        }
        let answered = at + dice.between(1, self.mood.slow);
        self.calls.push(Call {
            life,
            at,
            answered,
            heard: i64::MAX,
            calls_before_heard: 0,
            starts: takes_effect && heads.iter().any(|(_, _, action)| *action == Action::Trigger),
            heads,
            key: errand.key.as_deref().map(str::to_owned),
            requests: match dice.percent(20) {
                _ if is_ruled => 0,
                true => REQUESTS_MAX,
                false => 1,
            },
            outcome,
            unheard: false,
        });
        self.calls.len() - 1
    }
}
