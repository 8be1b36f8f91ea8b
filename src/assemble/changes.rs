//! Changes: who is told of them, and when none may be made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::assemble::incidents::{interval_names, level, named};
use crate::assemble::routing::matchers;
use crate::assemble::{Names, refer};
use crate::config::file::File;
use crate::domain::problem::Problem;
use crate::rulebook::{Announce, Budget, Freeze, GateRules, TargetRule};

/// Who is told of changes.
pub(super) fn announce(
    file: &File,
    targets: &BTreeMap<Arc<str>, Arc<TargetRule>>,
    problems: &mut Vec<Problem>,
) -> Vec<Announce> {
    let known: Vec<&str> = file.targets.iter().map(|target| target.common.name.value.as_str()).collect();
    let mut rules = Vec::new();
    for (index, rule) in file.changes.forward.iter().enumerate() {
        let path = format!("changes.forward[{index}]");
        if rule.targets.value.is_empty() {
            let what = "names no target: nobody hears of them";
            let cure = "name a PagerDuty target: targets: [pager]";
            problems.push(Problem::error(format!("{path}.targets"), rule.targets.place, what, cure));
        }
        for (place, name) in rule.targets.value.iter().enumerate() {
            let path = format!("{path}.targets[{place}]");
            refer("target", name, &path, &known, problems);
            let target = targets.get(name.value.as_str());
            if let Some(target) = target.filter(|target| !target.target.tells_changes()) {
                let what = format!(
                    "`{}` is a target of kind {}, which has no word for a change",
                    name.value, target.kind
                );
                problems.push(Problem::error(path, name.place, what, "name a PagerDuty target"));
            }
        }
        rules.push(Announce {
            matchers: matchers(&rule.matchers, &format!("{path}.matchers"), problems),
            targets: rule.targets.value.iter().map(|name| Arc::from(name.value.as_str())).collect(),
        });
    }
    rules
}

/// When a pipeline may not deploy.
pub(super) fn gate(file: &File, problems: &mut Vec<Problem>) -> GateRules {
    let intervals = interval_names(file);
    let words = file.gate.levels.iter().enumerate();
    let levels =
        words.filter_map(|(at, word)| level(word, &format!("gate.levels[{at}]"), problems)).collect();
    let mut names = Names::new("freeze");
    let mut freezes = Vec::new();
    for (index, freeze) in file.gate.freeze.iter().enumerate() {
        let path = format!("gate.freeze[{index}]");
        names.add(&freeze.name, &format!("{path}.name"), problems);
        let during = named(&freeze.time_intervals, &format!("{path}.time_intervals"), &intervals, problems);
        if during.is_empty() {
            let what = "names no time interval: it would never end";
            let cure = "say when: time_intervals: [year-end]";
            problems.push(Problem::error(format!("{path}.time_intervals"), freeze.name.place, what, cure));
        }
        freezes.push(Freeze {
            name: freeze.name.value.clone(),
            during,
            services: freeze.services.clone(),
            environments: freeze.environments.clone(),
        });
    }
    GateRules { levels, freezes, budgets: budgets(file, problems) }
}

/// How far back an error budget may look: incidents are kept longer, and nobody remembers as long.
const WINDOW_MAX: Duration = Duration::from_secs(90 * 24 * 3600);

fn budgets(file: &File, problems: &mut Vec<Problem>) -> Vec<Budget> {
    let mut budgets = Vec::new();
    for (index, budget) in file.gate.budget.iter().enumerate() {
        let path = format!("gate.budget[{index}]");
        let objective = &budget.objective;
        if !(objective.value > 0.0 && objective.value < 100.0) {
            let what = format!("{} is no percentage that leaves a budget", objective.value);
            let cure = "write how much of the time the service is to be well, as in 99.9";
            problems.push(Problem::error(format!("{path}.objective"), objective.place, what, cure));
        }
        let window = &budget.window;
        if window.value.0.is_zero() || window.value.0 > WINDOW_MAX {
            let what = format!("{} is no window that can be looked over", window.value);
            problems.push(Problem::error(
                format!("{path}.window"),
                window.place,
                what,
                "write 30d, and 90d at most",
            ));
        }
        if budget.services.is_empty() {
            let what = "names no service: nothing is ever counted";
            let cure = "say whose it is: services: [checkout]";
            problems.push(Problem::error(format!("{path}.services"), objective.place, what, cure));
        }
        let words = budget.levels.iter().enumerate();
        let levels = words.filter_map(|(at, word)| level(word, &format!("{path}.levels[{at}]"), problems));
        budgets.push(Budget {
            levels: levels.collect(),
            services: budget.services.iter().map(|name| name.value.clone()).collect(),
            objective: objective.value,
            window: window.value.0,
        });
    }
    budgets
}
