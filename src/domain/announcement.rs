//! A change as it is told onward: a group of one alert, so that it is kept, sent and tried again like
//! everything else, under a source that no configuration can name. It has no end and opens nothing.
//! Pure.

use serde_json::Map;

use crate::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status};
use crate::domain::change::Change;

/// The source of what is told onward; `/` stands in no name of a configured one.
pub const SOURCE: &str = "alert-relay/changes";

/// Labels that a change is chosen by: the source that told of it, and what is known.
pub fn labels(source: &str, change: &Change) -> Labels {
    let all = [
        ("alertname", "change"),
        ("kind", change.sort.as_str()),
        ("service", &change.service),
        ("environment", &change.environment),
        ("source", source),
        ("who", &change.who),
    ];
    let known = all.into_iter().filter(|(_, value)| !value.is_empty());
    known.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The group that tells of it.
pub fn group(source: &str, change: &Change) -> AlertGroup {
    let labels = labels(source, change);
    let alert = Alert {
        status: Status::Firing,
        fingerprint: Fingerprint::of(&labels),
        labels,
        annotations: Labels::from([("summary".to_owned(), change.title.clone())]),
        starts_at: Some(change.at),
        ends_at: None,
        generator_url: change.link.clone(),
        extra: Map::new(),
    };
    let mut event = change.json();
    event["id"] = change.id.as_str().into();
    AlertGroup { event, ..AlertGroup::of_one(SOURCE, format!("{source} {}", change.id), alert) }
}

/// Whether a group tells of a change.
pub fn is(group: &AlertGroup) -> bool {
    group.source == SOURCE
}
