//! What two configurations make of the same event, side by side. Pure.
//!
//! Compared is what is planned: how the body is read, labels after enrichment, receivers, targets and
//! dedup keys. Deliberately not compared: the wording of requests (`explain` shows it), pace and retries.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::alert::{Labels, Status};
use crate::plan::{End, Plan};
use crate::rulebook::Rulebook;

/// Examples that are kept of each line of a summary.
const EXAMPLES_MAX: usize = 3;
/// Lines that are kept of a summary: what there is of routes, targets and labels may have no end.
const LINES_MAX: usize = 500;

/// What a configuration makes of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// These alerts, in their order.
    Alerts(Vec<Seen>),
    /// Nothing: why it cannot be read.
    Unread(String),
}

/// What a configuration makes of one alert.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// Its `alertname`, or else its fingerprint.
    pub name: String,
    /// After enrichment.
    pub labels: Labels,
    /// Keys of the routes that it ends at, where they bring it to somebody.
    pub routes: BTreeSet<String>,
    /// Receivers that it reaches.
    pub receivers: BTreeSet<String>,
    /// Receivers that it does not reach after all, each with the reason.
    pub stopped: BTreeMap<String, String>,
    /// Targets that are told of it, each with the dedup key.
    pub targets: BTreeMap<String, String>,
}

impl Sight {
    /// Of a plan. What goes along only for lanes that know of it already is left out.
    pub fn of(rulebook: &Rulebook, plan: &Plan) -> Sight {
        let mut told: BTreeMap<(u32, u32), BTreeMap<String, String>> = BTreeMap::new();
        for part in &plan.parts {
            for alert in part.alerts.iter().filter(|alert| !alert.only_if_known) {
                let targets = told.entry((part.group, alert.place)).or_default();
                targets.insert(part.target.to_string(), part.key.as_str().to_owned());
            }
        }
        let seen = plan.fates.iter().map(|fate| {
            let alert = plan.groups.get(fate.group).and_then(|group| group.alerts.get(fate.alert));
            let place =
                (fate.group.try_into().unwrap_or(u32::MAX), fate.alert.try_into().unwrap_or(u32::MAX));
            let (reached, stopped): (Vec<&End>, Vec<&End>) =
                fate.ends.iter().partition(|end| end.stopped.is_none());
            let labels = alert.map(|alert| alert.labels.clone()).unwrap_or_default();
            let print = || alert.map(|alert| alert.fingerprint.to_string()).unwrap_or_default();
            let name = labels.get("alertname").cloned().unwrap_or_else(print);
            let over = alert.is_some_and(|alert| alert.status == Status::Resolved);
            Seen {
                name: if over { format!("{name} (resolved)") } else { name },
                labels,
                routes: reached.iter().map(|end| rulebook.tree.key(end.route)).collect(),
                receivers: reached.iter().map(|end| end.receiver.to_string()).collect(),
                stopped: stopped
                    .iter()
                    .map(|end| (end.receiver.to_string(), end.stopped.clone().unwrap_or_default()))
                    .collect(),
                targets: told.remove(&place).unwrap_or_default(),
            }
        });
        Sight::Alerts(seen.collect())
    }
}

/// What a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// How the body is read.
    Reading,
    /// A target is told, or not.
    Target,
    /// A target is told under another dedup key: what is open there under the old one would stay open.
    DedupKey,
    /// A receiver is reached, or not.
    Receiver,
    /// A route brings it there, or not.
    Route,
    /// A label after enrichment.
    Label,
}

impl Aspect {
    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            Aspect::Reading => "reading",
            Aspect::Target => "target",
            Aspect::DedupKey => "dedup_key",
            Aspect::Receiver => "receiver",
            Aspect::Route => "route",
            Aspect::Label => "label",
        }
    }
}

/// Which way a change goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// Not before, but now.
    Gained,
    /// Before, and not now.
    Lost,
    /// Both times, differently.
    Changed,
}

impl Turn {
    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            Turn::Gained => "gained",
            Turn::Lost => "lost",
            Turn::Changed => "changed",
        }
    }
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which alert; empty for the event as a whole.
    pub alert: String,
    /// What it is about.
    pub aspect: Aspect,
    /// Name of the target, receiver, route or label; empty for a reading.
    pub name: String,
    /// Which way.
    pub turn: Turn,
    /// A sentence that says more; may be empty.
    pub note: String,
}

/// Everything that differs. Routes alone make no difference: who is told does.
pub fn compare(old: &Sight, new: &Sight) -> Vec<Change> {
    let of_reading = |turn, note: String| {
        vec![Change { alert: String::new(), aspect: Aspect::Reading, name: String::new(), turn, note }]
    };
    match (old, new) {
        (Sight::Alerts(old), Sight::Alerts(new)) if old.len() == new.len() => {
            old.iter().zip(new).flat_map(|(old, new)| of_alert(old, new)).collect()
        }
        (Sight::Alerts(old), Sight::Alerts(new)) => {
            of_reading(Turn::Changed, format!("{} alerts instead of {}", new.len(), old.len()))
        }
        (Sight::Alerts(_), Sight::Unread(why)) => of_reading(Turn::Lost, why.clone()),
        (Sight::Unread(_), Sight::Alerts(new)) => {
            of_reading(Turn::Gained, format!("{} alerts are read", new.len()))
        }
        (Sight::Unread(_), Sight::Unread(_)) => Vec::new(),
    }
}

fn of_alert(old: &Seen, new: &Seen) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut say = |aspect, name: &str, turn, note: String| {
        changes.push(Change { alert: old.name.clone(), aspect, name: name.to_owned(), turn, note });
    };
    let names = old.targets.keys().chain(new.targets.keys()).collect::<BTreeSet<_>>();
    for name in names {
        match (old.targets.get(name), new.targets.get(name)) {
            (Some(_), None) => say(Aspect::Target, name, Turn::Lost, String::new()),
            (None, Some(_)) => say(Aspect::Target, name, Turn::Gained, String::new()),
            (Some(before), Some(after)) if before != after => {
                say(Aspect::DedupKey, name, Turn::Changed, format!("{before} -> {after}"));
            }
            _ => {}
        }
    }
    for name in old.receivers.difference(&new.receivers) {
        say(Aspect::Receiver, name, Turn::Lost, new.stopped.get(name).cloned().unwrap_or_default());
    }
    for name in new.receivers.difference(&old.receivers) {
        say(Aspect::Receiver, name, Turn::Gained, old.stopped.get(name).cloned().unwrap_or_default());
    }
    let names = old.labels.keys().chain(new.labels.keys()).collect::<BTreeSet<_>>();
    for name in names {
        match (old.labels.get(name), new.labels.get(name)) {
            (Some(before), None) => say(Aspect::Label, name, Turn::Lost, format!("was {before:?}")),
            (None, Some(after)) => say(Aspect::Label, name, Turn::Gained, format!("is {after:?}")),
            (Some(before), Some(after)) if before != after => {
                say(Aspect::Label, name, Turn::Changed, format!("{before:?} -> {after:?}"));
            }
            _ => {}
        }
    }
    if changes.iter().any(|change| change.aspect != Aspect::Label) {
        let route = |name: &String, turn| Change {
            alert: old.name.clone(),
            aspect: Aspect::Route,
            name: name.clone(),
            turn,
            note: String::new(),
        };
        changes.extend(old.routes.difference(&new.routes).map(|name| route(name, Turn::Lost)));
        changes.extend(new.routes.difference(&old.routes).map(|name| route(name, Turn::Gained)));
    }
    changes.sort_by(|a, b| (a.aspect, &a.name, a.turn).cmp(&(b.aspect, &b.name, b.turn)));
    changes
}

/// Where an example was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Id of the event.
    pub event: String,
    /// Its source.
    pub source: String,
    /// When it came.
    pub received_at: Timestamp,
    /// The alert.
    pub alert: String,
    /// What the change says more.
    pub note: String,
}

/// How often a change was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// Alerts.
    pub alerts: u64,
    /// The first of them.
    pub examples: Vec<Example>,
}

/// Changes of many events, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Events that were compared.
    pub events: u64,
    /// Of which so many differ.
    pub different: u64,
    /// By what it is about, its name, and the way it goes.
    pub lines: BTreeMap<(Aspect, String, Turn), Line>,
    /// Changes beyond the lines that are kept.
    pub beyond: u64,
}

impl Summary {
    /// Counts what differs in one event; `at` names it (the alert is put in).
    pub fn take(&mut self, at: &Example, changes: &[Change]) {
        self.events += 1;
        self.different += u64::from(!changes.is_empty());
        for change in changes {
            let key = (change.aspect, change.name.clone(), change.turn);
            if self.lines.len() >= LINES_MAX && !self.lines.contains_key(&key) {
                self.beyond += 1;
                continue;
            }
            let line = self.lines.entry(key).or_default();
            line.alerts += 1;
            if line.examples.len() < EXAMPLES_MAX {
                let (alert, note) = (change.alert.clone(), change.note.clone());
                line.examples.push(Example { alert, note, ..at.clone() });
            }
        }
    }
}
