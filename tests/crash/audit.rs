//! The auditor of the crash test: holds what PagerDuty saw against what was accepted, and names
//! whatever is missing, doubled, out of order or under a second key. Pure, and tried below on
//! ledgers that are wrong on purpose.

use std::collections::{BTreeMap, BTreeSet};

use crate::load::Word;
use crate::support::vendor::ledger::{Incident, Ledger, State};
use crate::support::vendor::rules::{Action, Event};

/// What the ledger shows.
#[derive(Debug, Default)]
pub struct Finding {
    /// Broken promises, one sentence each.
    pub problems: Vec<String>,
    /// Triggers that said what had been said under their key, and resolves beyond the accepted ones.
    pub repeats: usize,
}

/// Holds the ledger against the last accepted word on each alert.
pub fn audit(ledger: &Ledger, words: &BTreeMap<String, Word>) -> Finding {
    let mut finding = Finding::default();
    let mut keys: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut lanes: BTreeMap<&str, Lane> = BTreeMap::new();
    for event in ledger.events() {
        if let Some((name, _)) = told(event) {
            keys.entry(name).or_default().insert(&event.dedup_key);
            lanes.entry(&event.dedup_key).or_default();
        }
        // Keys without a name are the relay's own alarms (a sick target, say): not our alerts.
        if let Some(lane) = lanes.get_mut(event.dedup_key.as_str()) {
            lane.follow(event, &mut finding);
        }
    }
    for (name, keys) in &keys {
        if keys.len() > 1 {
            finding.problems.push(format!("{name} went out under {} keys: {keys:?}", keys.len()));
        }
        if !words.contains_key(name) {
            finding.problems.push(format!("{name} went out and was never accepted"));
        }
    }
    // By key alone, and found at once: while a long run is audited the vendor stands still.
    let incidents: BTreeMap<&str, &Incident> =
        ledger.incidents.values().map(|incident| (incident.dedup_key.as_str(), incident)).collect();
    for (name, word) in words {
        let key = keys.get(name).and_then(|keys| keys.first());
        let lane = key.and_then(|key| lanes.get(key));
        if let Some(lane) = lane {
            let rounds_over = word.round - u64::from(word.firing);
            finding.repeats += lane.resolves.saturating_sub(rounds_over) as usize;
        }
        let open = key.and_then(|key| incidents.get(key)).is_some_and(|seen| seen.state != State::Resolved);
        match lane {
            None if word.firing => finding.problems.push(format!("{name} was accepted and never arrived")),
            // Fired and ended before anything went out: nobody is paged for history.
            None => {}
            Some(lane) if word.firing && lane.round < word.round => {
                let (round, newest) = (lane.round, word.round);
                finding
                    .problems
                    .push(format!("{name}: round {newest} was accepted, {round} is the last to arrive"));
            }
            Some(_) if word.firing != open => {
                let state = if open { "open" } else { "closed" };
                finding.problems.push(format!("{name} is {state}, the last word was {word:?}"));
            }
            Some(_) => {}
        }
    }
    finding
}

/// What has arrived under one key.
#[derive(Debug, Default)]
struct Lane {
    round: u64,
    over: bool,
    resolves: u64,
}

impl Lane {
    fn follow(&mut self, event: &Event, finding: &mut Finding) {
        match (event.action, told(event)) {
            (Action::Trigger, Some((name, round))) => {
                if round < self.round {
                    let newer = self.round;
                    finding.problems.push(format!("{name}: round {round} arrived after round {newer}"));
                } else if round == self.round && self.over {
                    finding.problems.push(format!("{name}: round {round} was triggered after its resolve"));
                } else if round == self.round {
                    finding.repeats += 1;
                }
                self.round = round.max(self.round);
                self.over = false;
            }
            (Action::Resolve, _) => {
                self.resolves += 1;
                self.over = true;
            }
            (action, told) => finding.problems.push(format!("unexpected {action:?} {told:?}")),
        }
    }
}

/// Name and round from a summary: `once-3-17 round 1`, whatever is written around it.
fn told(event: &Event) -> Option<(String, u64)> {
    let words: Vec<&str> = event.summary.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "round")?;
    Some(((*words.get(at.checked_sub(1)?)?).to_owned(), words.get(at + 1)?.parse().ok()?))
}
