//! The oracle's judge for one vendor: what the auditor of the crash test finds, less what the vendor
//! itself refused for good (a 400 makes a dead letter, which is a named end), and repeats held lane
//! by lane against what gave reason for them. Pure, and tried below on ledgers made up.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::audit;
use crate::load::Word;
use crate::support::vendor::ledger::{Call, Ledger};
use crate::support::vendor::rules::Action;

/// What the ledger of one vendor shows.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Broken promises, one sentence each.
    pub problems: Vec<String>,
    /// Events that said again what their lane had said just before.
    pub repeats: usize,
    /// Events that took effect and whose answer did not say so.
    pub spoiled: usize,
    /// Rounds accepted that never had to be told.
    pub coalesced: u64,
}

/// Judges a ledger after `crashes` kills. Every crash may repeat one request of a lane, and so may
/// every answer that did not say what had happened.
pub fn judge(ledger: &Ledger, words: &BTreeMap<String, Word>, crashes: usize) -> Verdict {
    let refused = Refused::of(ledger);
    let mut verdict = Verdict { problems: audit(ledger, words).problems, ..Verdict::default() };
    verdict.problems.retain(|problem| !refused.excuses(problem, words));
    let mut lanes: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in ledger.calls.iter().filter(|call| call.processed) {
        if let Some(event) = &call.event {
            lanes.entry(&event.dedup_key).or_default().push(call);
        }
    }
    let mut told = BTreeSet::new();
    for (key, calls) in &lanes {
        told.extend(
            calls
                .iter()
                .filter_map(|call| said(call))
                .filter(|said| said.0 == Action::Trigger)
                .map(|said| said.1),
        );
        let repeats = repeats(calls, words);
        let spoiled = calls.iter().filter(|call| call.answered != Some(202)).count();
        if repeats > spoiled + crashes {
            verdict.problems.push(format!(
                "{key}: {repeats} repeats for {spoiled} spoiled answers and {crashes} crashes"
            ));
        }
        verdict.repeats += repeats;
        verdict.spoiled += spoiled;
    }
    let rounds: u64 = words.values().map(|word| word.round).sum();
    verdict.coalesced = rounds.saturating_sub(told.len() as u64 + refused.triggers.len() as u64);
    verdict
}

/// Triggers that say what the lane said just before, and resolves beyond those accepted. A resolve
/// after a resolve is no repeat by itself: after a crash the end of a round is told even if its
/// beginning was not.
fn repeats(calls: &[&Call], words: &BTreeMap<String, Word>) -> usize {
    let said: Vec<_> = calls.iter().filter_map(|call| said(call)).collect();
    let triggers = said.windows(2).filter(|pair| pair[0].0 == Action::Trigger && pair[0] == pair[1]).count();
    let name = said.iter().find(|(action, _)| *action == Action::Trigger);
    let word = name.and_then(|(_, summary)| words.get(summary.split(' ').next()?));
    let over = word.map_or(0, |word| word.round - u64::from(word.firing)) as usize;
    let resolves = said.iter().filter(|(action, _)| *action == Action::Resolve).count();
    triggers + resolves.saturating_sub(over)
}

/// Action, and the summary that names alert and round.
fn said(call: &Call) -> Option<(Action, String)> {
    call.event.as_ref().map(|event| (event.action, event.summary.clone()))
}

/// What the vendor refused for good.
struct Refused {
    /// Summaries of triggers.
    triggers: BTreeSet<String>,
    /// Names of the alerts whose resolve was refused.
    resolves: BTreeSet<String>,
}

impl Refused {
    fn of(ledger: &Ledger) -> Refused {
        let mut names: BTreeMap<&str, String> = BTreeMap::new();
        let mut refused = Refused { triggers: BTreeSet::new(), resolves: BTreeSet::new() };
        for call in &ledger.calls {
            let Some(event) = &call.event else { continue };
            if event.action == Action::Trigger {
                let name = event.summary.split(' ').next().unwrap_or_default();
                names.insert(&event.dedup_key, name.to_owned());
            }
            if call.answered != Some(400) {
                continue;
            }
            match event.action {
                Action::Resolve => refused.resolves.extend(names.get(event.dedup_key.as_str()).cloned()),
                _ => drop(refused.triggers.insert(event.summary.clone())),
            }
        }
        refused
    }

    /// Whether this problem is that the last word was refused. Disorder is never excused.
    fn excuses(&self, problem: &str, words: &BTreeMap<String, Word>) -> bool {
        let name = problem.split([' ', ':']).next().unwrap_or_default();
        let Some(word) = words.get(name) else { return false };
        let about_the_end = ["never arrived", "is the last to arrive", " is open,", " is closed,"];
        let refused = if word.firing {
            self.triggers.contains(&format!("{name} round {}", word.round))
        } else {
            self.resolves.contains(name)
        };
        refused && about_the_end.iter().any(|end| problem.contains(end))
    }
}
