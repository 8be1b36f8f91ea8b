//! What the tests of the store are made of: alerts, events, times.
#![allow(dead_code, reason = "shared by several test programs")]

use std::sync::Arc;
use std::time::Duration;

use alert_relay::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status};
use alert_relay::domain::lane::{AlertClock, Told};
use alert_relay::domain::message::DedupKey;
use alert_relay::domain::reminders::Reminders;
use alert_relay::store::event::{NewEvent, NewPart};
use jiff::Timestamp;
use uuid::Uuid;

/// The window within which the same news is a repeat.
pub const WINDOW: Duration = Duration::from_secs(60);

/// A time, in milliseconds from the beginning of the test.
pub fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
}

/// An alert; with an end it is resolved.
pub fn alert(name: &str, starts: i64, ends: Option<i64>) -> Alert {
    let labels = Labels::from([("alertname".to_owned(), name.to_owned())]);
    Alert {
        status: if ends.is_some() { Status::Resolved } else { Status::Firing },
        fingerprint: Fingerprint::of(&labels),
        labels,
        annotations: Labels::from([("summary".to_owned(), format!("{name} is unwell"))]),
        starts_at: Some(at(starts)),
        ends_at: ends.map(at),
        generator_url: String::new(),
        extra: serde_json::Map::new(),
    }
}

/// A group of these alerts.
pub fn group(key: &str, alerts: Vec<Alert>) -> Arc<AlertGroup> {
    Arc::new(AlertGroup {
        source: "am".into(),
        group_key: key.into(),
        receiver: "relay".into(),
        group_labels: Labels::new(),
        common_labels: Labels::new(),
        common_annotations: Labels::new(),
        external_url: String::new(),
        truncated: 0,
        reason: String::new(),
        alerts,
        event: serde_json::Value::Null,
        changes: Vec::new(),
    })
}

/// All of one group for one target, under the group's key.
pub fn part(target: &str, place: u32, group: &AlertGroup) -> NewPart {
    let told = |(place, alert): (usize, &Alert)| Told {
        place: u32::try_from(place).unwrap(),
        print: alert.fingerprint,
        clock: AlertClock::of(alert),
        only_if_known: false,
    };
    let resolved = group.alerts.iter().filter(|alert| alert.status == Status::Resolved).count();
    NewPart {
        target: target.into(),
        key: DedupKey::written(&group.group_key).unwrap(),
        group: place,
        alerts: group.alerts.iter().enumerate().map(told).collect(),
        content: i64::try_from(resolved).unwrap(),
        truncated: false,
        reminders: Reminders::Every,
        fall_after: None,
        note: None,
        incident: None,
    }
}

/// An event of these groups for these targets, received now.
pub fn event(uid: u128, now: Timestamp, targets: &[&str], groups: &[Arc<AlertGroup>]) -> NewEvent {
    let parts = groups
        .iter()
        .zip(0..)
        .flat_map(|(group, place)| targets.iter().map(move |target| part(target, place, group)));
    NewEvent {
        uid: Uuid::from_u128(uid),
        source: "am".into(),
        received_at: now,
        body: format!("event {uid}").into_bytes(),
        window: WINDOW,
        groups: groups.to_vec(),
        parts: parts.collect(),
        notes: Vec::new(),
    }
}

/// One alert that fires, or with an end no longer does, for one target; its name is its key.
pub fn news(uid: u128, now: i64, target: &str, name: &str, starts: i64, ends: Option<i64>) -> NewEvent {
    event(uid, at(now), &[target], &[group(name, vec![alert(name, starts, ends)])])
}
