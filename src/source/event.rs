//! One event that is one alert, for senders that do not group: its fields by whatever names the
//! versions of a sender gave them, and the group that is made of it.
//!
//! Takes JSON objects, gives texts, times and groups. What a field means is for the dialect.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status};
use crate::source::notes::{At, Notes};
use crate::source::{body, fields, times};

/// An alert that is a group by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Single {
    /// What its firing and its end share, and no other problem of the source.
    pub group_key: String,
    /// Firing or over.
    pub status: Status,
    /// Labels; empty ones are left out.
    pub labels: Labels,
    /// Annotations; empty ones are left out.
    pub annotations: Labels,
    /// What the sender tells things apart by (tags, dimensions).
    pub group_labels: Labels,
    /// When it began, or when this was said, where the sender knows no beginning.
    pub starts_at: Option<Timestamp>,
    /// When it ended; looked at only if it is over.
    pub ends_at: Option<Timestamp>,
    /// Link to it at the sender.
    pub url: String,
    /// The event as it came.
    pub event: Value,
}

impl Single {
    /// The group. Its identity is the group key alone: labels (a severity, a tag) may move while it fires.
    pub fn group(self, source: &str) -> AlertGroup {
        let (mut labels, mut annotations) = (self.labels, self.annotations);
        labels.retain(|_, value| !value.trim().is_empty());
        annotations.retain(|_, value| !value.trim().is_empty());
        let alert = Alert {
            status: self.status,
            labels,
            annotations,
            starts_at: self.starts_at,
            ends_at: self.ends_at.filter(|_| self.status == Status::Resolved),
            generator_url: self.url,
            fingerprint: Fingerprint::of(&Labels::from([("group_key".to_owned(), self.group_key.clone())])),
            extra: Map::new(),
        };
        AlertGroup {
            group_labels: self.group_labels,
            event: self.event,
            ..AlertGroup::of_one(source, self.group_key, alert)
        }
    }
}

/// The labels or annotations of a table: each name, and the fields it is taken from.
pub fn taken(event: &Map<String, Value>, table: &[(&str, &[&str])]) -> Labels {
    let pairs = table.iter().map(|(name, from)| ((*name).to_owned(), first(event, from)));
    pairs.filter(|(_, value)| !value.is_empty()).collect()
}

/// The first of these fields that says something, as text; lists are joined by commas.
pub fn first(event: &Map<String, Value>, names: &[&str]) -> String {
    let values = names.iter().filter_map(|name| event.get(*name));
    values.map(shown).find(|text| !text.trim().is_empty()).unwrap_or_default()
}

/// The first of these fields that says something, as a word to compare: trimmed, in lower case.
pub fn word(event: &Map<String, Value>, names: &[&str]) -> String {
    first(event, names).trim().to_lowercase()
}

/// A value as text; null is empty, lists are joined by commas.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// The first of these fields that is a time; what is there and is none is noted.
pub fn time(event: &Map<String, Value>, names: &[&str], notes: &mut Notes) -> Option<Timestamp> {
    names.iter().find_map(|name| {
        times::read(event.get(*name)?).unwrap_or_else(|what| {
            notes.add(At::Key(&At::Body, name), what);
            None
        })
    })
}

/// Adds the sender's own names (tags, dimensions) to the labels. A name that the dialect gives a
/// meaning to keeps it, and the sender's value stands beside it as `tag_<name>`.
pub fn add_tags(labels: &mut Labels, ours: &[&str], tags: &Labels) {
    for (name, value) in tags.iter().filter(|(name, _)| !name.trim().is_empty()) {
        if !ours.contains(&name.as_str()) {
            labels.insert(name.clone(), value.clone());
        } else if labels.get(name) != Some(value) {
            labels.insert(format!("tag_{name}"), value.clone());
        }
    }
}

/// An object, or the object that a string holds, as labels; anything else is none.
pub fn labels_in(value: Option<&Value>) -> Labels {
    match value {
        Some(Value::Object(map)) => fields::labels(map.clone()),
        Some(Value::String(text)) => match body::unfold(text) {
            Some(Value::Object(map)) => fields::labels(map),
            _ => Labels::new(),
        },
        _ => Labels::new(),
    }
}

/// The fields of a body that a person wrote into a template at the sender, however he spelt their
/// names: `ALERT_TRANSITION`, `alertTransition` and `{alert.transition}` are `alerttransition`. What
/// is null, empty or a placeholder that the sender did not fill in is left out; of two spellings of
/// one name the first that says something counts.
pub fn by_plain_name(event: &Map<String, Value>, is_unfilled: fn(&str) -> bool) -> Map<String, Value> {
    let mut plain = Map::new();
    for (name, value) in event {
        let name: String =
            name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        let says_nothing = match value {
            Value::Null => true,
            Value::String(text) => text.trim().is_empty() || is_unfilled(text.trim()),
            _ => false,
        };
        if !says_nothing {
            plain.entry(name).or_insert_with(|| value.clone());
        }
    }
    plain
}

/// `key:value` pairs between commas, or a list of them, as labels; of a key that comes twice the
/// values are joined by commas. Words without a colon are given apart.
pub fn tags(value: Option<&Value>) -> (Labels, Vec<String>) {
    let text = value.map(shown).unwrap_or_default();
    let (mut labels, mut bare) = (Labels::new(), Vec::new());
    for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        match tag.split_once(':') {
            Some((name, value)) if !name.trim().is_empty() => join(&mut labels, name.trim(), value.trim()),
            _ => bare.push(tag.to_owned()),
        }
    }
    (labels, bare)
}

/// Sets a label; a second value of the same name is added behind a comma.
pub fn join(labels: &mut Labels, name: &str, value: &str) {
    let known: &mut String = labels.entry(name.to_owned()).or_default();
    if !known.is_empty() {
        known.push(',');
    }
    known.push_str(value);
}

/// `$NAME`: a variable of Datadog or of New Relic's older channels that was not filled in.
pub fn is_variable(text: &str) -> bool {
    text.strip_prefix('$').is_some_and(|name| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    })
}

/// Names of the labels of a table.
pub fn names(table: &'static [(&'static str, &'static [&'static str])]) -> Vec<&'static str> {
    table.iter().map(|(name, _)| *name).collect()
}
