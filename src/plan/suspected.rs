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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::alert::{Alert, Fingerprint};
    use crate::domain::change::{Change, Sort};
    use crate::domain::incident::Policy;
    use crate::rulebook::TicketRules;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    fn rules() -> IncidentRules {
        IncidentRules {
            levels: Vec::new(),
            owner: Vec::new(),
            service: vec!["service".into(), "app".into()],
            environment: vec!["env".into()],
            merge: Vec::new(),
            quiet: Vec::new(),
            changes_within: Duration::from_secs(30 * 60),
            tickets: TicketRules {
                every: Duration::ZERO,
                ends: false,
                remind_after: Duration::ZERO,
                remind: Vec::new(),
            },
            policy: Policy::default(),
        }
    }

    fn change(service: &str, environment: &str, title: &str, minute: i64) -> Change {
        Change {
            id: title.into(),
            sort: Sort::Deploy,
            service: service.into(),
            environment: environment.into(),
            title: title.into(),
            who: String::new(),
            link: String::new(),
            at: at(minute),
        }
    }

    fn alert(status: Status, labels: &[(&str, &str)], starts: Option<i64>) -> Alert {
        let labels: Labels =
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Alert {
            status,
            fingerprint: Fingerprint::of(&labels),
            labels,
            annotations: Labels::new(),
            starts_at: starts.map(at),
            ends_at: None,
            generator_url: String::new(),
            extra: serde_json::Map::new(),
        }
    }

    /// Titles with the minutes before, of a group of these alerts that arrives in minute 1,000.
    fn named(alerts: Vec<Alert>) -> Vec<(String, u64)> {
        let mut recent = Recent::default();
        for change in [
            change("checkout", "prod", "old", 100),
            change("checkout", "prod", "new", 990),
            change("checkout", "staging", "elsewhere", 991),
            change("cart", "", "cart", 995),
            change("checkout", "", "later", 1_001),
        ] {
            recent.learn(change);
        }
        let mut group = AlertGroup::of_one("am", "key".into(), alerts[0].clone());
        group.alerts = alerts;
        let found = before(&rules(), &group, &recent, at(1_000));
        found.into_iter().map(|one| (one.change.title, one.before.as_secs() / 60)).collect()
    }

    #[test]
    fn each_alert_is_asked_for_what_came_before_it() {
        use Status::{Firing, Resolved};
        let of = |service: &'static str| [("service", service), ("env", "prod")];
        let expected = |list: &[(&str, u64)]| -> Vec<(String, u64)> {
            list.iter().map(|(title, minutes)| ((*title).to_owned(), *minutes)).collect()
        };
        for (alerts, found) in [
            (vec![alert(Firing, &of("checkout"), Some(1_000))], expected(&[("new", 10)])),
            (vec![alert(Firing, &of("checkout"), None)], expected(&[("new", 10)])),
            (vec![alert(Firing, &of("checkout"), Some(980))], expected(&[])),
            // One that has been firing for long, and one of another service that has just begun.
            (
                vec![alert(Firing, &of("checkout"), Some(104)), alert(Firing, &of("cart"), Some(996))],
                expected(&[("cart", 1), ("old", 4)]),
            ),
            // What is over does not matter while something goes on; when all is over it does.
            (
                vec![alert(Resolved, &of("checkout"), Some(104)), alert(Firing, &of("cart"), Some(996))],
                expected(&[("cart", 1)]),
            ),
            (vec![alert(Resolved, &of("checkout"), Some(995))], expected(&[("new", 5)])),
            // A clock that goes ahead of ours.
            (vec![alert(Firing, &of("checkout"), Some(1_005))], expected(&[("new", 10)])),
            (vec![alert(Firing, &[("app", "cart")], Some(996))], expected(&[("cart", 1)])),
            (vec![alert(Firing, &[("instance", "a")], Some(996))], expected(&[])),
        ] {
            assert_eq!(named(alerts.clone()), found, "{alerts:?}");
        }
        let twice = vec![
            alert(Firing, &[("service", "checkout"), ("env", "prod"), ("pod", "a")], Some(995)),
            alert(Firing, &[("service", "checkout"), ("env", "prod"), ("pod", "b")], Some(999)),
        ];
        assert_eq!(named(twice), expected(&[("new", 5)]), "once, by the nearest");
    }
}
