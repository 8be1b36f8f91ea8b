//! Inhibition: an alert that stays silent because a weightier one about the same thing is firing.
//!
//! Takes rules and what fires, gives the rule and the alert that inhibits; semantics are
//! Alertmanager's. `Active` remembers the firing sources and is plain memory: who feeds it, and when an
//! alert whose resolve never came is forgotten, is decided above.

use std::collections::{BTreeSet, HashMap};

use crate::domain::alert::{Fingerprint, Labels, Status};
use crate::route::matcher::Matcher;

/// While a source fires, the targets that agree with it on `equal` are inhibited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InhibitRule {
    /// What inhibits. All of them must hold.
    pub source: Vec<Matcher>,
    /// What is inhibited. All of them must hold.
    pub target: Vec<Matcher>,
    /// Labels on which both must agree; missing on both sides is agreement.
    pub equal: Vec<String>,
}

impl InhibitRule {
    fn has_source(&self, labels: &Labels) -> bool {
        self.source.iter().all(|matcher| matcher.matches(labels))
    }

    fn has_target(&self, labels: &Labels) -> bool {
        self.target.iter().all(|matcher| matcher.matches(labels))
    }

    fn equal_values(&self, labels: &Labels) -> Vec<String> {
        let value = |name: &String| labels.get(name).cloned().unwrap_or_default();
        self.equal.iter().map(value).collect()
    }
}

/// The first rule by which one of the `firing` alerts inhibits an alert with these labels.
///
/// An alert that is on both sides of a rule cannot be inhibited by another one that is on both sides.
pub fn inhibited_by<'a>(
    rules: &[InhibitRule],
    labels: &Labels,
    firing: impl Iterator<Item = &'a Labels> + Clone,
) -> Option<usize> {
    rules.iter().position(|rule| {
        let exempt = rule.has_source(labels);
        let values = rule.equal_values(labels);
        rule.has_target(labels)
            && firing.clone().any(|source| {
                rule.has_source(source)
                    && rule.equal_values(source) == values
                    && !(exempt && rule.has_target(source))
            })
    })
}

/// Whether an alert is on the source side of some rule: only then `Active` has to hear of it.
pub fn is_candidate(rules: &[InhibitRule], labels: &Labels) -> bool {
    rules.iter().any(|rule| rule.has_source(labels))
}

/// Which alert: the configured source that sent it, and its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AlertKey {
    /// Name of the configured source.
    pub source: String,
    /// Fingerprint of the alert.
    pub fingerprint: Fingerprint,
}

/// The firing alerts that are on the source side of a rule, filed by the values of its `equal` labels.
///
/// Belongs to one list of rules: when the rules change, start anew and apply what fires again.
#[derive(Debug, Clone, Default)]
pub struct Active {
    /// By rule and values.
    filed: HashMap<(usize, Vec<String>), Sources>,
    /// Where each alert is filed.
    places: HashMap<AlertKey, Vec<Filing>>,
}

/// Alerts that inhibit for one rule and one set of values; the smallest key is the one that is named.
#[derive(Debug, Clone, Default)]
struct Sources {
    one_sided: BTreeSet<AlertKey>,
    two_sided: BTreeSet<AlertKey>,
}

impl Sources {
    fn side(&mut self, two_sided: bool) -> &mut BTreeSet<AlertKey> {
        if two_sided { &mut self.two_sided } else { &mut self.one_sided }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Filing {
    place: (usize, Vec<String>),
    two_sided: bool,
}

impl Active {
    /// Takes in what an alert has become; gives whether that changed anything. An alert that moved to
    /// other labels under the same key is filed anew; a resolved one is forgotten.
    pub fn apply(&mut self, rules: &[InhibitRule], key: &AlertKey, labels: &Labels, status: Status) -> bool {
        let file = |(i, rule): (usize, &InhibitRule)| Filing {
            place: (i, rule.equal_values(labels)),
            two_sided: rule.has_target(labels),
        };
        let filings: Vec<Filing> = match status {
            Status::Firing => {
                rules.iter().enumerate().filter(|(_, rule)| rule.has_source(labels)).map(file).collect()
            }
            Status::Resolved => Vec::new(),
        };
        if self.places.get(key).map_or(&[][..], Vec::as_slice) == filings {
            return false;
        }
        self.forget(key);
        for filing in &filings {
            let sources = self.filed.entry(filing.place.clone()).or_default();
            sources.side(filing.two_sided).insert(key.clone());
        }
        if !filings.is_empty() {
            self.places.insert(key.clone(), filings);
        }
        true
    }

    /// Takes an alert out, as if it had resolved; gives whether it was there.
    pub fn forget(&mut self, key: &AlertKey) -> bool {
        let Some(filings) = self.places.remove(key) else { return false };
        for Filing { place, two_sided } in filings {
            if let Some(sources) = self.filed.get_mut(&place) {
                sources.side(two_sided).remove(key);
                if sources.one_sided.is_empty() && sources.two_sided.is_empty() {
                    self.filed.remove(&place);
                }
            }
        }
        true
    }

    /// The first rule that inhibits an alert with these labels, and the alert that does. The cost
    /// grows with the rules, not with what fires.
    pub fn inhibitor(&self, rules: &[InhibitRule], labels: &Labels) -> Option<(usize, &AlertKey)> {
        if self.places.is_empty() {
            return None;
        }
        let targeted = rules.iter().enumerate().filter(|(_, rule)| rule.has_target(labels));
        targeted.filter_map(|(i, rule)| Some((i, self.by_rule(i, rule, labels)?))).next()
    }

    fn by_rule(&self, i: usize, rule: &InhibitRule, labels: &Labels) -> Option<&AlertKey> {
        let sources = self.filed.get(&(i, rule.equal_values(labels)))?;
        let two_sided = || sources.two_sided.first().filter(|_| !rule.has_source(labels));
        sources.one_sided.first().or_else(two_sided)
    }

    /// How many alerts are remembered.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::matcher::parse_matchers;

    fn rule(source: &str, target: &str, equal: &[&str]) -> InhibitRule {
        let matchers = |text| parse_matchers(text).unwrap().matchers;
        let equal = equal.iter().map(|name| (*name).into()).collect();
        InhibitRule { source: matchers(source), target: matchers(target), equal }
    }

    fn labels(text: &str) -> Labels {
        text.split_whitespace()
            .filter_map(|pair| pair.split_once('='))
            .map(|(n, v)| (n.into(), v.into()))
            .collect()
    }

    /// What inhibits `target` while `firing` fire, asked of both ways to ask.
    fn inhibited(rules: &[InhibitRule], firing: &[&str], target: &str) -> Option<usize> {
        let (firing, target): (Vec<Labels>, _) =
            (firing.iter().map(|text| labels(text)).collect(), labels(target));
        let mut active = Active::default();
        for set in &firing {
            active.apply(rules, &key(set), set, Status::Firing);
        }
        let plain = inhibited_by(rules, &target, firing.iter());
        assert_eq!(active.inhibitor(rules, &target).map(|(i, _)| i), plain);
        plain
    }

    fn key(labels: &Labels) -> AlertKey {
        AlertKey { source: "am".into(), fingerprint: Fingerprint::of(labels) }
    }

    #[test]
    fn a_firing_source_inhibits_targets_with_equal_labels() {
        let rules = [rule("severity=critical", "severity=warning", &["cluster"])];
        let firing = ["severity=critical cluster=a"];
        assert_eq!(inhibited(&rules, &firing, "severity=warning cluster=a x=y"), Some(0));
        assert_eq!(inhibited(&rules, &firing, "severity=warning cluster=b"), None);
        assert_eq!(inhibited(&rules, &firing, "severity=warning"), None);
        assert_eq!(inhibited(&rules, &firing, "severity=info cluster=a"), None);
        assert_eq!(inhibited(&rules, &[], "severity=warning cluster=a"), None);
    }

    #[test]
    fn missing_and_empty_on_both_sides_are_equal() {
        let rules = [rule("severity=critical", "severity=warning", &["cluster", "az"])];
        assert_eq!(inhibited(&rules, &["severity=critical"], "severity=warning"), Some(0));
        assert_eq!(inhibited(&rules, &["severity=critical cluster="], "severity=warning az="), Some(0));
    }

    #[test]
    fn an_alert_on_both_sides_is_not_inhibited_by_another_such() {
        let rules = [rule("s=1", "t=1", &["e"])];
        assert_eq!(inhibited(&rules, &["s=1 t=1 e=x n=other"], "s=1 t=1 e=x"), None);
        assert_eq!(inhibited(&rules, &["s=1 t=1 e=x"], "s=1 t=1 e=x"), None, "nor by itself");
        assert_eq!(inhibited(&rules, &["s=1 t=1 e=x"], "t=1 e=x"), Some(0), "a pure target is");
        assert_eq!(inhibited(&rules, &["s=1 e=x"], "s=1 t=1 e=x"), Some(0), "by a pure source it is");
        let both = ["s=1 t=1 e=x n=other", "s=1 e=x"];
        assert_eq!(inhibited(&rules, &both, "s=1 t=1 e=x"), Some(0), "a pure source is not hidden");
    }

    #[test]
    fn the_first_rule_that_inhibits_is_named() {
        let rules = [rule("s=1", "t=1", &["e"]), rule("s=2", "t=1", &[])];
        assert_eq!(inhibited(&rules, &["s=2"], "t=1 e=x"), Some(1));
        assert_eq!(inhibited(&rules, &["s=2", "s=1 e=x"], "t=1 e=x"), Some(0));
    }

    #[test]
    fn a_source_that_resolved_or_moved_inhibits_no_more() {
        let rules = [rule("severity=critical", "severity=warning", &["cluster"])];
        let (source, target) = (labels("severity=critical cluster=a"), labels("severity=warning cluster=a"));
        let (key, moved) = (key(&source), labels("severity=critical cluster=b"));
        let mut active = Active::default();
        assert!(active.apply(&rules, &key, &source, Status::Firing));
        assert!(!active.apply(&rules, &key, &source, Status::Firing), "a repeat changes nothing");
        assert_eq!(active.inhibitor(&rules, &target), Some((0, &key)));
        assert!(active.apply(&rules, &key, &moved, Status::Firing));
        assert_eq!(active.inhibitor(&rules, &target), None);
        assert!(active.apply(&rules, &key, &source, Status::Firing));
        assert!(active.apply(&rules, &key, &source, Status::Resolved));
        assert!(!active.apply(&rules, &key, &source, Status::Resolved));
        assert!(active.is_empty() && active.filed.is_empty(), "nothing is left behind");
    }

    #[test]
    fn only_sources_are_remembered() {
        let rules = [rule("severity=critical", "severity=warning", &[])];
        let warning = labels("severity=warning");
        assert!(!is_candidate(&rules, &warning) && is_candidate(&rules, &labels("severity=critical")));
        let mut active = Active::default();
        assert!(!active.apply(&rules, &key(&warning), &warning, Status::Firing));
        assert_eq!(active.len(), 0);
    }
}
