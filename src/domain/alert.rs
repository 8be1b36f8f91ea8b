//! Alerts and alert groups, as Prometheus and Alertmanager understand them.
//!
//! Every source turns its own dialect into these values; from here on nobody asks who sent it.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::domain::change::Suspect;

/// Label or annotation sets, sorted by name. A missing label means the same as an empty one.
pub type Labels = BTreeMap<String, String>;

/// Whether an alert, or a group of alerts, is happening now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// The condition holds.
    Firing,
    /// The condition has ended.
    Resolved,
}

impl Status {
    /// The word Alertmanager uses on the wire: `firing` or `resolved`.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Firing => "firing",
            Status::Resolved => "resolved",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The identity of an alert: a 64-bit FNV-1a hash over its labels.
///
/// Computed exactly as Prometheus does (`common/model.LabelSet.Fingerprint`): for each label in
/// order of name, the bytes of the name, 255, the bytes of the value, 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// Hashes a label set.
    pub fn of(labels: &Labels) -> Fingerprint {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        const SEPARATOR: u8 = 255;
        let mut hash = OFFSET;
        let mut eat = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        for (name, value) in labels {
            name.bytes().for_each(&mut eat);
            eat(SEPARATOR);
            value.bytes().for_each(&mut eat);
            eat(SEPARATOR);
        }
        Fingerprint(hash)
    }

    /// Reads the 16 hexadecimal digits of Alertmanager's wire form.
    pub fn parse(text: &str) -> Option<Fingerprint> {
        let well_formed = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        well_formed.then(|| u64::from_str_radix(text, 16).ok().map(Fingerprint))?
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One alert as a source reported it, after enrichment.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Each alert carries its own status; the status of the group says less.
    pub status: Status,
    /// What identifies it. Routing looks at nothing else.
    pub labels: Labels,
    /// What describes it.
    pub annotations: Labels,
    /// When the condition began, if the sender said so.
    pub starts_at: Option<Timestamp>,
    /// When it ended. `None` while it fires: the zero time of Go is read as absent. Only the push
    /// API gives a firing alert an end: the time at which it is over unless it is posted again.
    pub ends_at: Option<Timestamp>,
    /// Link to what produced it; may be empty.
    pub generator_url: String,
    /// Sender's fingerprint, or the one computed from the labels as they arrived.
    pub fingerprint: Fingerprint,
    /// Fields of the dialect that Alertmanager does not know (Grafana's `panelURL`, `values` …).
    pub extra: Map<String, Value>,
}

/// What one call of a source says: alerts that belong together, with what they share.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertGroup {
    /// Name of the configured source.
    pub source: String,
    /// Stable identity of the group at its sender (Alertmanager's group key, Guance's event ref).
    /// May be long and hold any character: hash it before it becomes a key anywhere.
    pub group_key: String,
    /// Receiver name at the sender, unquoted; empty where the dialect has none.
    pub receiver: String,
    /// Labels the sender grouped by.
    pub group_labels: Labels,
    /// Labels that all alerts of the group share.
    pub common_labels: Labels,
    /// Annotations that all alerts of the group share.
    pub common_annotations: Labels,
    /// Base URL of the sender's own pages; may be empty.
    pub external_url: String,
    /// Alerts the sender left out of this body. They are not resolved: they are unknown.
    pub truncated: u64,
    /// Why the sender notified (Alertmanager 0.32+ `notification_reason`); may be empty.
    pub reason: String,
    /// The alerts, in the sender's order. Never empty.
    pub alerts: Vec<Alert>,
    /// What the body says beyond alerts: the whole of it for Guance and `json`, the keys that have
    /// no field here for Alertmanager (`routeLabels`) and Grafana (`orgId`, `title` …); `Null` when
    /// there is nothing. Templates see it as `event`.
    pub event: Value,
    /// Changes that may be behind it, the likeliest first; found when it arrives and kept with it, so
    /// that every try and every later message says the same.
    pub changes: Vec<Suspect>,
}

impl AlertGroup {
    /// A group of a single alert, for senders that do not group: it shares everything with itself.
    pub fn of_one(source: &str, group_key: String, alert: Alert) -> AlertGroup {
        AlertGroup {
            source: source.to_owned(),
            group_key,
            receiver: String::new(),
            group_labels: Labels::new(),
            common_labels: alert.labels.clone(),
            common_annotations: alert.annotations.clone(),
            external_url: String::new(),
            truncated: 0,
            reason: String::new(),
            alerts: vec![alert],
            event: Value::Null,
            changes: Vec::new(),
        }
    }

    /// Firing if at least one alert fires; a group with alerts left out is never resolved.
    pub fn status(&self) -> Status {
        let firing = self.alerts.iter().any(|a| a.status == Status::Firing);
        if firing || self.truncated > 0 { Status::Firing } else { Status::Resolved }
    }

    /// The part of this group that one receiver gets: the alerts at `indices`, with the common
    /// labels and annotations computed over just these. Indices out of range are passed over.
    pub fn part(&self, indices: &[u32]) -> AlertGroup {
        let alerts: Vec<Alert> =
            indices.iter().filter_map(|i| self.alerts.get(*i as usize)).cloned().collect();
        AlertGroup {
            common_labels: common(alerts.iter().map(|a| &a.labels)),
            common_annotations: common(alerts.iter().map(|a| &a.annotations)),
            alerts,
            ..self.without_alerts()
        }
    }

    fn without_alerts(&self) -> AlertGroup {
        AlertGroup {
            source: self.source.clone(),
            group_key: self.group_key.clone(),
            receiver: self.receiver.clone(),
            group_labels: self.group_labels.clone(),
            common_labels: Labels::new(),
            common_annotations: Labels::new(),
            external_url: self.external_url.clone(),
            truncated: self.truncated,
            reason: self.reason.clone(),
            alerts: Vec::new(),
            event: self.event.clone(),
            changes: self.changes.clone(),
        }
    }
}

/// The pairs that all sets share.
pub fn common<'a>(mut sets: impl Iterator<Item = &'a Labels>) -> Labels {
    let Some(first) = sets.next() else { return Labels::new() };
    let mut shared = first.clone();
    for set in sets {
        shared.retain(|name, value| set.get(name) == Some(value));
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_is_the_one_prometheus_computes() {
        // Published values of prometheus/common: the empty set, and a set of two labels.
        assert_eq!(Fingerprint::of(&Labels::new()).to_string(), "cbf29ce484222325");
        let labels = Labels::from([
            ("name".into(), "garland, briggs".into()),
            ("fear".into(), "love is not enough".into()),
        ]);
        assert_eq!(Fingerprint::of(&labels).0, 5_799_056_148_416_392_346);
    }

    #[test]
    fn fingerprint_reads_only_sixteen_hex_digits() {
        assert_eq!(Fingerprint::parse("cbf29ce484222325"), Some(Fingerprint(0xcbf2_9ce4_8422_2325)));
        for bad in ["", "cbf29ce48422232", "+bf29ce484222325", "zzzzzzzzzzzzzzzz"] {
            assert_eq!(Fingerprint::parse(bad), None, "{bad:?}");
        }
    }
}
