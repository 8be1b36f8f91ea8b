//! Which changes may be behind a group that arrives: they are kept with it, so that every try and every
//! later message says the same. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::domain::alert::{AlertGroup, Labels, Status};
use crate::domain::change::{Recent, Suspect, suspects};
use crate::rulebook::{IncidentRules, Rulebook};

/// Changes named with one group.
const SUSPECTS_MAX: usize = 5;

/// Puts beside each group the changes that came shortly before its alerts. Where nothing was changed,
/// or no incidents are kept, it does nothing.
pub fn suspected(rulebook: &Rulebook, groups: &mut [AlertGroup], recent: &Recent, now: Timestamp) {
    let Some(rules) = rulebook.incidents.as_ref().filter(|_| !recent.is_empty()) else { return };
    for group in groups {
        group.changes = before(rules, group, recent, now);
    }
}

/// Of each alert by itself: one that joins a group that has been firing for days has a cause of its own.
fn before(rules: &IncidentRules, group: &AlertGroup, recent: &Recent, now: Timestamp) -> Vec<Suspect> {
    let any = group.alerts.iter().any(|alert| alert.status == Status::Firing);
    let relevant = group.alerts.iter().filter(|alert| !any || alert.status == Status::Firing);
    let asked: BTreeSet<(&str, &str, Timestamp)> = relevant
        .map(|alert| {
            let of = |names: &[String]| first(&alert.labels, names);
            (of(&rules.service), of(&rules.environment), alert.starts_at.unwrap_or(now).min(now))
        })
        .collect();
    let mut found: Vec<Suspect> = Vec::new();
    for (service, environment, began) in asked {
        for (weight, change) in
            suspects(recent.of(service), service, environment, began, rules.changes_within)
        {
            let before = began.duration_since(change.at).unsigned_abs();
            match found.iter_mut().find(|known| known.change == change) {
                Some(known) if known.weight >= weight => {}
                Some(known) => *known = Suspect { change, before, weight },
                None => found.push(Suspect { change, before, weight }),
            }
        }
    }
    found.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| b.change.at.cmp(&a.change.at)));
    found.truncate(SUSPECTS_MAX);
    found
}

fn first<'l>(labels: &'l Labels, names: &[String]) -> &'l str {
    let values = names.iter().filter_map(|name| labels.get(name));
    values.map(String::as_str).find(|value| !value.is_empty()).unwrap_or_default()
}
