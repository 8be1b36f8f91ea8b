//! Jobs: words read, names followed to targets that can start what is meant.

use std::sync::Arc;
use std::time::Duration;

use crate::assemble::incidents::level;
use crate::assemble::routing::matchers;
use crate::assemble::{Names, refer};
use crate::config::file::File;
use crate::config::jobs::JobRuleFile;
use crate::document::node::At;
use crate::domain::change::Sort;
use crate::domain::problem::Problem;
use crate::domain::rails::{Limits, Rule};
use crate::rulebook::{JobRule, JobRules};
use crate::target::JOB_KINDS;

/// Longest time that a run may take.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3600);

/// The rules of `jobs`.
pub(super) fn rules(file: &File, problems: &mut Vec<Problem>) -> JobRules {
    let jobs = &file.jobs;
    for (key, number) in [("parallel", &jobs.parallel), ("per_hour", &jobs.per_hour)] {
        if number.value == 0 {
            let cure = "write 1 or more; to start nothing, set `dry_run: true` or remove the rules";
            problems.push(Problem::error(
                format!("jobs.{key}"),
                number.place,
                "lets nothing be started",
                cure,
            ));
        }
    }
    if let Some(rule) = jobs.rules.first().filter(|_| !file.incidents.enabled) {
        let what = "are not acted on while `incidents.enabled` is false";
        problems.push(Problem::warning("jobs.rules", rule.name.place, what, "remove `enabled: false`"));
    }
    let mut names = Names::new("job rule");
    let mut rules = Vec::new();
    for (index, rule) in jobs.rules.iter().enumerate() {
        let path = format!("jobs.rules[{index}]");
        names.add(&rule.name, &format!("{path}.name"), problems);
        rules.push(one(file, rule, &path, problems));
    }
    let limits = Limits {
        parallel: jobs.parallel.value,
        per_hour: jobs.per_hour.value,
        approve_within: jobs.approve_within.0,
        dry_run: jobs.dry_run,
    };
    JobRules { rules, limits }
}

fn one(file: &File, rule: &JobRuleFile, path: &str, problems: &mut Vec<Problem>) -> JobRule {
    let targets: Vec<&str> = file.targets.iter().map(|target| target.common.name.value.as_str()).collect();
    refer("target", &rule.target, &format!("{path}.target"), &targets, problems);
    let target = file.targets.iter().find(|target| target.common.name.value == rule.target.value);
    if let Some(target) = target.filter(|target| !JOB_KINDS.contains(&target.kind.value.as_str())) {
        let what = format!("`{}` is a {}, which starts no jobs", rule.target.value, target.kind.value);
        let cure = format!("name a target of one of these kinds: {}", JOB_KINDS.join(", "));
        problems.push(Problem::error(format!("{path}.target"), rule.target.place, what, cure));
    }
    for (place, name) in rule.on_failure.iter().enumerate() {
        refer("target", name, &format!("{path}.on_failure[{place}]"), &targets, problems);
    }
    let timeout = &rule.timeout;
    if timeout.value.0.as_secs() == 0 || timeout.value.0 > TIMEOUT_MAX {
        let what = "is no time in which a job could run";
        let cure = "write from 1s to 24h, as in 300s";
        problems.push(Problem::error(format!("{path}.timeout"), timeout.place, what, cure));
    }
    let levels = rule.levels.iter().enumerate();
    let changes = rule.after_change.iter().enumerate();
    JobRule {
        matchers: matchers(&rule.matchers, &format!("{path}.matchers"), problems),
        rule: Rule {
            name: Arc::from(rule.name.value.as_str()),
            target: Arc::from(rule.target.value.as_str()),
            environments: rule.environments.clone(),
            levels: levels
                .filter_map(|(at, word)| level(word, &format!("{path}.levels[{at}]"), problems))
                .collect(),
            after_change: changes
                .filter_map(|(at, word)| sort(word, &format!("{path}.after_change[{at}]"), problems))
                .collect(),
            approval: rule.approval,
            cooldown: rule.cooldown.0,
            resolves: choice(&rule.on_success, &format!("{path}.on_success"), ["note", "resolve"], problems),
            on_failure: rule.on_failure.iter().map(|name| Arc::from(name.value.as_str())).collect(),
            timeout: timeout.value.0,
            stops_when_over: !choice(
                &rule.on_resolve,
                &format!("{path}.on_resolve"),
                ["cancel", "leave"],
                problems,
            ),
        },
    }
}

fn sort(word: &At<String>, path: &str, problems: &mut Vec<Problem>) -> Option<Sort> {
    let sort = Sort::parse(&word.value);
    if sort.is_none() {
        let what = format!("there is no kind of change `{}`", word.value);
        let known: Vec<&str> = Sort::ALL.iter().map(|sort| sort.as_str()).collect();
        problems.push(Problem::error(path, word.place, what, format!("write one of {}", known.join(", "))));
    }
    sort
}

/// Whether the second word stands there; the first is meant where nothing does.
fn choice(word: &Option<At<String>>, path: &str, words: [&str; 2], problems: &mut Vec<Problem>) -> bool {
    let Some(word) = word else { return false };
    if !words.contains(&word.value.as_str()) {
        let what = format!("`{}` is not known here", word.value);
        let cure = format!("write `{}` or `{}`", words[0], words[1]);
        problems.push(Problem::error(path, word.place, what, cure));
    }
    word.value == words[1]
}
