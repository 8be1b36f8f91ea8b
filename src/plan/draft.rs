//! What is known of an incident when alerts open it: how bad, whose, what it is called, what it
//! belongs to, and who is told when nobody acknowledges. Pure.

use std::sync::Arc;

use crate::domain::alert::{Alert, AlertGroup, Labels, Status};
use crate::domain::incident::{Draft, Level, Step};
use crate::domain::message::DedupKey;
use crate::rulebook::{IncidentRules, JobRule, Rulebook};
use crate::template::headline::title;
use crate::template::severity::Severity;

/// Labels that may name a level.
const LEVEL_LABELS: [&str; 3] = ["level", "priority", "severity"];
/// Characters of a title that are kept.
const TITLE_CHARS: usize = 300;

/// Makes the draft of what these alerts of a group open. `receivers` are those that they reached.
/// `None`: nothing of it fires, or no incidents are kept.
pub fn draft(
    rulebook: &Rulebook,
    group: &AlertGroup,
    places: &[usize],
    receivers: &[&str],
) -> Option<Arc<Draft>> {
    let rules = rulebook.incidents.as_ref()?;
    let alerts: Vec<&Alert> = places
        .iter()
        .filter_map(|place| group.alerts.get(*place))
        .filter(|alert| alert.status == Status::Firing)
        .collect();
    // The first of the worst speaks for all.
    let levels = alerts.iter().map(|alert| (level(rules, &alert.labels), alert));
    let (level, worst) = levels.min_by_key(|(level, _)| *level)?;
    let of = |names: &[String]| first(&worst.labels, names);
    Some(Arc::new(Draft {
        level,
        title: titled(group, places),
        service: of(&rules.service),
        environment: of(&rules.environment),
        owner: of(&rules.owner),
        started_at: alerts.iter().filter_map(|alert| alert.starts_at).min(),
        root: root(rules, &worst.labels),
        steps: steps(rulebook, receivers),
        jobs: jobs(rulebook, &alerts),
        policy: rules.policy,
    }))
}

fn level(rules: &IncidentRules, labels: &Labels) -> Level {
    let by_rule = rules.levels.iter().find(|(matchers, _)| matchers.iter().all(|one| one.matches(labels)));
    let word = |name: &&str| labels.get(*name).and_then(|word| Level::parse(word));
    by_rule.map(|(_, level)| *level).or_else(|| LEVEL_LABELS.iter().find_map(word)).unwrap_or_else(|| {
        let severity = LEVEL_LABELS.iter().find_map(|name| Severity::parse(labels.get(*name)?));
        if severity == Some(Severity::Critical) { Level::P1 } else { Level::P2 }
    })
}

fn first(labels: &Labels, names: &[String]) -> String {
    names
        .iter()
        .find_map(|name| labels.get(name).filter(|value| !value.is_empty()))
        .cloned()
        .unwrap_or_default()
}

fn titled(group: &AlertGroup, places: &[usize]) -> String {
    let whole = if places.len() == group.alerts.len() {
        title(group).into_owned()
    } else {
        let places: Vec<u32> = places.iter().filter_map(|place| u32::try_from(*place).ok()).collect();
        title(&group.part(&places)).into_owned()
    };
    match whole.char_indices().nth(TITLE_CHARS) {
        Some((end, _)) => format!("{}…", &whole[..end]),
        None => whole,
    }
}

/// The first rule that matches, and whose labels all have values.
fn root(rules: &IncidentRules, labels: &Labels) -> Option<(String, std::time::Duration)> {
    rules.merge.iter().enumerate().find_map(|(index, rule)| {
        let values: Option<Vec<&str>> = rule
            .equal
            .iter()
            .map(|name| labels.get(name).map(String::as_str).filter(|value| !value.is_empty()))
            .collect();
        let mut parts = values.filter(|_| rule.matchers.iter().all(|one| one.matches(labels)))?;
        let index = index.to_string();
        parts.insert(0, &index);
        Some((DedupKey::hash(&parts).as_str().to_owned(), rule.within))
    })
}

/// Rules that are for one of these alerts.
fn jobs(rulebook: &Rulebook, alerts: &[&Alert]) -> Vec<Arc<str>> {
    let meant = |rule: &&JobRule| {
        let matches = |alert: &&Alert| rule.matchers.iter().all(|one| one.matches(&alert.labels));
        alerts.iter().any(matches)
    };
    rulebook.jobs.rules.iter().filter(meant).map(|rule| Arc::clone(&rule.rule.name)).collect()
}

fn steps(rulebook: &Rulebook, receivers: &[&str]) -> Vec<Step> {
    if rulebook.escalations.is_empty() {
        return Vec::new();
    }
    let mut steps: Vec<Step> = Vec::new();
    for step in receivers.iter().filter_map(|name| rulebook.escalations.get(*name)).flatten() {
        if !steps.contains(step) {
            steps.push(step.clone());
        }
    }
    steps.sort_by_key(|step| step.after);
    steps
}
