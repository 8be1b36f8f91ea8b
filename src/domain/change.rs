//! Changes: what people and pipelines did to the system, and which of them may be behind an incident.
//! Pure.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

/// Changes of all services that are remembered for the wording of what begins now.
pub const REMEMBERED_MAX: usize = 4096;

/// What sort of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sort {
    /// New code runs.
    Deploy,
    /// Settings are others.
    Config,
    /// Traffic goes elsewhere.
    Traffic,
    /// Machines, networks, clusters.
    Infrastructure,
}

impl Sort {
    /// All of them.
    pub const ALL: [Sort; 4] = [Sort::Deploy, Sort::Config, Sort::Traffic, Sort::Infrastructure];

    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            Sort::Deploy => "deploy",
            Sort::Config => "config",
            Sort::Traffic => "traffic",
            Sort::Infrastructure => "infrastructure",
        }
    }

    /// Reads what [`Sort::as_str`] wrote.
    pub fn parse(word: &str) -> Option<Sort> {
        Sort::ALL.into_iter().find(|sort| sort.as_str() == word)
    }

    /// How often it is the cause, beside the others.
    fn weight(self) -> f64 {
        match self {
            Sort::Deploy => 1.0,
            Sort::Config => 0.9,
            Sort::Traffic => 0.7,
            Sort::Infrastructure => 0.6,
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Unique at its source: the same again is a repeat.
    pub id: String,
    /// What sort.
    pub sort: Sort,
    /// Of which service.
    pub service: String,
    /// Where; may be empty: everywhere.
    pub environment: String,
    /// One line.
    pub title: String,
    /// Who; may be empty.
    pub who: String,
    /// Where to read more; may be empty.
    pub link: String,
    /// When.
    pub at: Timestamp,
}

impl Change {
    /// As the interface shows it, and templates find it.
    pub fn json(&self) -> Value {
        json!({
            "kind": self.sort.as_str(),
            "service": self.service,
            "environment": self.environment,
            "title": self.title,
            "who": self.who,
            "link": self.link,
            "at": self.at.to_string(),
        })
    }
}

/// A change that may be behind an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspect {
    /// What was changed.
    pub change: Change,
    /// How long before the alert.
    pub before: Duration,
    /// Between 0 and 1, by nearness and sort.
    pub weight: f64,
}

/// The latest changes by service, held in memory: whoever words an alert asks it, and where nothing was
/// ever changed that costs nothing.
#[derive(Debug, Default)]
pub struct Recent {
    of: BTreeMap<String, Vec<Change>>,
    /// Services in the order in which their changes came.
    order: VecDeque<String>,
}

impl Recent {
    /// Takes one in, unless it is there already; when there are too many, the one that came first goes.
    pub fn learn(&mut self, change: Change) {
        let service = change.service.clone();
        let known = self.of.entry(service.clone()).or_default();
        // The store keeps the first of them.
        if known.iter().any(|old| old.id == change.id && old.title == change.title) {
            return;
        }
        known.push(change);
        self.order.push_back(service);
        if self.order.len() <= REMEMBERED_MAX {
            return;
        }
        let Some(oldest) = self.order.pop_front() else { return };
        if let Some(of_oldest) = self.of.get_mut(&oldest).filter(|changes| !changes.is_empty()) {
            of_oldest.remove(0);
        }
        self.of.retain(|_, changes| !changes.is_empty());
    }

    /// Whether nothing was changed.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Those of one service.
    pub fn of(&self, service: &str) -> &[Change] {
        self.of.get(service).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Changes of the same service, and of the same environment where both say which, that came shortly
/// before; the likeliest cause first, each with a weight between 0 and 1 by nearness and sort.
pub fn suspects(
    changes: &[Change],
    service: &str,
    environment: &str,
    opened: Timestamp,
    within: Duration,
) -> Vec<(f64, Change)> {
    let fits = |change: &&Change| {
        let elsewhere =
            !change.environment.is_empty() && !environment.is_empty() && change.environment != environment;
        !service.is_empty() && change.service == service && !elsewhere
    };
    let mut found: Vec<(f64, Change)> = changes
        .iter()
        .filter(fits)
        .filter_map(|change| {
            let ago = opened.duration_since(change.at);
            let in_time = !ago.is_negative() && ago.unsigned_abs() <= within;
            let nearness = 1.0 - ago.as_secs_f64() / within.as_secs_f64().max(1.0);
            in_time.then(|| (nearness.max(0.0) * change.sort.weight(), change.clone()))
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| b.1.at.cmp(&a.1.at)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(sort: Sort, service: &str, environment: &str, second: i64) -> Change {
        Change {
            id: second.to_string(),
            sort,
            service: service.into(),
            environment: environment.into(),
            title: format!("{}-{second}", sort.as_str()),
            who: String::new(),
            link: String::new(),
            at: Timestamp::from_second(second).unwrap(),
        }
    }

    #[test]
    fn the_nearest_deploy_of_the_same_service_is_suspected_first() {
        let changes = [
            change(Sort::Deploy, "checkout", "prod", 1_000),
            change(Sort::Deploy, "checkout", "", 1_700),
            change(Sort::Infrastructure, "checkout", "prod", 1_900),
            change(Sort::Deploy, "checkout", "staging", 1_990),
            change(Sort::Deploy, "cart", "prod", 1_990),
            change(Sort::Deploy, "checkout", "prod", 2_001),
            change(Sort::Deploy, "checkout", "prod", 100),
        ];
        let at = Timestamp::from_second(2_000).unwrap();
        let found = suspects(&changes, "checkout", "prod", at, Duration::from_secs(1_800));
        let titles: Vec<&str> = found.iter().map(|(_, change)| change.title.as_str()).collect();
        assert_eq!(titles, ["deploy-1700", "infrastructure-1900", "deploy-1000"]);
        assert!(suspects(&changes, "", "prod", at, Duration::from_secs(1_800)).is_empty());
    }

    #[test]
    fn a_repeat_is_remembered_once_and_the_oldest_gives_way() {
        let mut recent = Recent::default();
        recent.learn(change(Sort::Deploy, "cart", "", 1));
        for _ in 0..2 {
            recent.learn(change(Sort::Deploy, "checkout", "", 2));
        }
        assert_eq!((recent.of("cart").len(), recent.of("checkout").len(), recent.of("").len()), (1, 1, 0));
        for second in 3..=REMEMBERED_MAX {
            recent.learn(change(Sort::Deploy, "checkout", "", i64::try_from(second).unwrap()));
        }
        assert_eq!((recent.of("cart").len(), recent.of("checkout").len()), (1, REMEMBERED_MAX - 1));
        recent.learn(change(Sort::Config, "checkout", "", 9));
        assert_eq!((recent.of("cart").len(), recent.of("checkout").len()), (0, REMEMBERED_MAX));
    }
}
