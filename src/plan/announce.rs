//! Whom a change is told to. Pure: rulebook and change come in, an event like any other goes out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::announcement;
use crate::domain::change::Change;
use crate::domain::lane::{AlertClock, Told};
use crate::domain::message::DedupKey;
use crate::domain::reminders::Reminders;
use crate::rulebook::Rulebook;
use crate::store::event::{NewEvent, NewPart};

/// What is told of a change that a source told of; `None`: nobody is to hear of it. Each change has a
/// lane of its own, and no fallback: nobody is called for it.
pub fn announce(
    rulebook: &Rulebook,
    source: &str,
    change: &Change,
    uid: Uuid,
    now: Timestamp,
) -> Option<Box<NewEvent>> {
    if rulebook.announce.is_empty() {
        return None;
    }
    let labels = announcement::labels(source, change);
    let rules = rulebook.announce.iter().filter(|rule| rule.matchers.iter().all(|one| one.matches(&labels)));
    let targets: BTreeSet<&Arc<str>> = rules.flat_map(|rule| &rule.targets).collect();
    let group = Arc::new(announcement::group(source, change));
    let alert = group.alerts.first().filter(|_| !targets.is_empty())?;
    let told =
        Told { place: 0, print: alert.fingerprint, clock: AlertClock::of(alert), only_if_known: false };
    let key = DedupKey::hash(&["change", source, &change.id]);
    let part = |target: &Arc<str>| NewPart {
        target: Arc::clone(target),
        key: key.clone(),
        group: 0,
        alerts: vec![told],
        content: 0,
        truncated: false,
        reminders: Reminders::Every,
        fall_after: None,
        note: None,
        incident: None,
    };
    Some(Box::new(NewEvent {
        uid,
        source: announcement::SOURCE.to_owned(),
        received_at: now,
        body: Vec::new(),
        window: Duration::ZERO,
        parts: targets.into_iter().map(part).collect(),
        groups: vec![Arc::clone(&group)],
        notes: vec![format!("a change that {source} told of")],
    }))
}
