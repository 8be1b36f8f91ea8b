//! A value as a template sees it: JSON, as far as anybody can tell, but borrowed from the message.
//! Most of a message is never asked for, and most of what is asked for is only written out again.
//!
//! [`Seen`] knows the parts of a message under the names that templates use, and everything else as
//! the JSON that it is. What is in a message at the top level stands in `view.rs`.

use std::borrow::Cow;
use std::time::Duration;

use handlebars::{JsonRender as _, JsonTruthy as _};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::domain::alert::{Alert, AlertGroup, Labels, Status};
use crate::domain::change::Suspect;
use crate::domain::message::DedupKey;
use crate::template::headline::{in_one_line, is_web};

/// What Alertmanager writes for a time that is not known (yet): the zero time of Go.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// What every alert has; it may have more. Sorted, as all names here are.
const OF_ALERT: [&str; 7] =
    ["annotations", "endsAt", "fingerprint", "generatorURL", "labels", "startsAt", "status"];
const OF_CHANGE: [&str; 8] = ["at", "before", "environment", "kind", "link", "service", "what", "who"];
const OF_COUNTS: [&str; 3] = ["firing", "resolved", "total"];

/// A value.
#[derive(Debug, Clone)]
pub enum Seen<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A time, which is a text to all but those who ask for a time.
    Time(Timestamp),
    /// A number that counts something.
    Number(u64),
    /// Labels, annotations, people on call: texts by name.
    Labels(&'a Labels),
    /// A list of alerts.
    Alerts(Alerts<'a>),
    /// One alert; one without a start began at this time, at the latest.
    Alert(&'a Alert, Timestamp),
    /// How many alerts of a group fire and do not.
    Counts(&'a AlertGroup),
    /// A list of changes.
    Changes(&'a [Suspect]),
    /// One change.
    Change(&'a Suspect),
    /// A list of dedup keys.
    Keys(&'a [DedupKey]),
    /// Anything else; a text never stands here.
    Json(Cow<'a, Value>),
}

/// The alerts of a group that have a status.
#[derive(Debug, Clone, Copy)]
pub struct Alerts<'a> {
    /// The group.
    pub group: &'a AlertGroup,
    /// The status; `None`: any.
    pub status: Option<Status>,
    /// When the relay accepted them.
    pub accepted_at: Timestamp,
}

impl<'a> Alerts<'a> {
    fn seen(self) -> impl Iterator<Item = Seen<'a>> {
        having(self.group, self.status).map(move |alert| Seen::Alert(alert, self.accepted_at))
    }
}

/// The alerts of this status.
fn having(group: &AlertGroup, status: Option<Status>) -> impl Iterator<Item = &Alert> {
    group.alerts.iter().filter(move |alert| status.is_none_or(|status| alert.status == status))
}

impl<'a> Seen<'a> {
    /// A part of it: of a map by its name, of a list by its number.
    pub fn get(&self, name: &str) -> Option<Seen<'a>> {
        let index = || name.parse::<usize>().ok();
        match self {
            Seen::Labels(labels) => labels.get(name).map(Seen::from),
            Seen::Alert(alert, accepted_at) => of_alert(alert, *accepted_at, name),
            Seen::Change(suspect) => of_change(suspect, name),
            Seen::Counts(group) => of_counts(group, name),
            Seen::Alerts(alerts) => alerts.seen().nth(index()?),
            Seen::Changes(changes) => changes.get(index()?).map(Seen::Change),
            Seen::Keys(keys) => keys.get(index()?).map(|key| key.as_str().into()),
            Seen::Json(Cow::Borrowed(value)) => of_json(value, name).map(Seen::from),
            Seen::Json(Cow::Owned(value)) => of_json(value, name).cloned().map(Seen::from),
            Seen::Text(_) | Seen::Time(_) | Seen::Number(_) => None,
        }
    }

    /// The values of a list; `None` when it is none.
    pub fn items(&self) -> Option<Vec<Seen<'_>>> {
        Some(match self {
            Seen::Alerts(alerts) => alerts.seen().collect(),
            Seen::Changes(changes) => changes.iter().map(Seen::Change).collect(),
            Seen::Keys(keys) => keys.iter().map(|key| key.as_str().into()).collect(),
            Seen::Json(value) => value.as_array()?.iter().map(Seen::from).collect(),
            _ => return None,
        })
    }

    /// The names and values of a map, in the order of the names; `None` when it is none.
    pub fn pairs(&self) -> Option<Vec<(&str, Seen<'_>)>> {
        let known = |names: &[&'static str]| -> Vec<(&str, Seen<'_>)> {
            names.iter().filter_map(|name| Some((*name, self.get(name)?))).collect()
        };
        Some(match self {
            Seen::Labels(labels) => {
                labels.iter().map(|(name, value)| (name.as_str(), value.into())).collect()
            }
            Seen::Alert(alert, _) => {
                let more = alert.extra.iter().filter(|(name, _)| !OF_ALERT.contains(&name.as_str()));
                let mut pairs = known(&OF_ALERT);
                pairs.extend(more.map(|(name, value)| (name.as_str(), value.into())));
                pairs.sort_unstable_by_key(|(name, _)| *name);
                pairs
            }
            Seen::Change(_) => known(&OF_CHANGE),
            Seen::Counts(_) => known(&OF_COUNTS),
            Seen::Json(value) => {
                value.as_object()?.iter().map(|(name, value)| (name.as_str(), value.into())).collect()
            }
            _ => return None,
        })
    }

    /// The text that it is; `None` when it is something else.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Seen::Text(text) => Some(Cow::Borrowed(text)),
            Seen::Time(at) => Some(at.to_string().into()),
            _ => None,
        }
    }

    /// The same, of one that nobody needs any more.
    pub fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Seen::Text(text) => Some(text),
            Seen::Time(at) => Some(at.to_string().into()),
            _ => None,
        }
    }

    /// The whole number that it is.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Seen::Number(number) => i64::try_from(*number).ok(),
            Seen::Json(value) => value.as_i64(),
            _ => None,
        }
    }

    /// The number that it is.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Seen::Number(number) => Value::from(*number).as_f64(),
            Seen::Json(value) => value.as_f64(),
            _ => None,
        }
    }

    /// As it stands in a text.
    pub fn written(&self) -> Cow<'_, str> {
        self.as_text().unwrap_or_else(|| self.json().render().into())
    }

    /// The same, of one that nobody needs any more.
    pub fn into_written(self) -> Cow<'a, str> {
        match self {
            Seen::Text(text) => text,
            other => other.written().into_owned().into(),
        }
    }

    /// As JSON.
    pub fn into_json(self) -> Value {
        match self {
            Seen::Json(value) => value.into_owned(),
            other => other.json().into_owned(),
        }
    }

    /// As JSON.
    pub fn json(&self) -> Cow<'_, Value> {
        match self {
            Seen::Json(value) => Cow::Borrowed(value),
            // Nothing of it can fail to become JSON.
            other => Cow::Owned(serde_json::to_value(other).unwrap_or_default()),
        }
    }

    /// An empty text, or none of anything.
    pub fn is_blank(&self) -> bool {
        match self {
            Seen::Text(text) => text.is_empty(),
            Seen::Json(value) => value.is_null(),
            _ => false,
        }
    }

    /// What `if` takes it for: not when it is empty, 0, false or null.
    pub fn is_true(&self) -> bool {
        match self {
            Seen::Text(text) => !text.is_empty(),
            Seen::Number(number) => *number != 0,
            Seen::Labels(labels) => !labels.is_empty(),
            Seen::Alerts(alerts) => having(alerts.group, alerts.status).next().is_some(),
            Seen::Changes(changes) => !changes.is_empty(),
            Seen::Keys(keys) => !keys.is_empty(),
            Seen::Time(_) | Seen::Alert(..) | Seen::Counts(_) | Seen::Change(_) => true,
            Seen::Json(value) => value.is_truthy(false),
        }
    }
}

fn of_json<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Array(list) => list.get(name.parse::<usize>().ok()?),
        value => value.as_object()?.get(name),
    }
}

fn of_alert<'a>(alert: &'a Alert, accepted_at: Timestamp, name: &str) -> Option<Seen<'a>> {
    Some(match name {
        "status" => alert.status.as_str().into(),
        "labels" => Seen::Labels(&alert.labels),
        "annotations" => Seen::Labels(&alert.annotations),
        "startsAt" => Seen::Time(alert.starts_at.unwrap_or(accepted_at)),
        "endsAt" => alert.ends_at.map_or(NO_TIME.into(), Seen::Time),
        "generatorURL" => (&alert.generator_url).into(),
        "fingerprint" => alert.fingerprint.to_string().into(),
        other => alert.extra.get(other)?.into(),
    })
}

fn of_change<'a>(suspect: &'a Suspect, name: &str) -> Option<Seen<'a>> {
    let change = &suspect.change;
    Some(match name {
        "kind" => change.sort.as_str().into(),
        "service" => (&change.service).into(),
        "environment" => (&change.environment).into(),
        // One line of a list; a commit's message has several.
        "what" => Seen::Text(in_one_line(&change.title)),
        "who" => (&change.who).into(),
        "link" => if is_web(&change.link) { change.link.as_str() } else { "" }.into(),
        "at" => Seen::Time(change.at),
        "before" => spoken(suspect.before).into(),
        _ => return None,
    })
}

fn of_counts<'a>(group: &AlertGroup, name: &str) -> Option<Seen<'a>> {
    let status = match name {
        "firing" => Some(Status::Firing),
        "resolved" => Some(Status::Resolved),
        "total" => None,
        _ => return None,
    };
    Some(having(group, status).count().into())
}

/// As people say it: `40 s`, `4 min`, `3 h`.
fn spoken(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

impl Serialize for Seen<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Seen::Text(text) => serializer.serialize_str(text),
            Seen::Time(at) => serializer.collect_str(at),
            Seen::Number(number) => serializer.serialize_u64(*number),
            Seen::Labels(labels) => labels.serialize(serializer),
            Seen::Json(value) => value.serialize(serializer),
            Seen::Alerts(alerts) => serializer.collect_seq(alerts.seen()),
            Seen::Changes(changes) => serializer.collect_seq(changes.iter().map(Seen::Change)),
            Seen::Keys(keys) => serializer.collect_seq(keys.iter().map(DedupKey::as_str)),
            Seen::Alert(..) | Seen::Change(_) | Seen::Counts(_) => {
                serializer.collect_map(self.pairs().unwrap_or_default())
            }
        }
    }
}

impl<'a> From<&'a str> for Seen<'a> {
    fn from(text: &'a str) -> Self {
        Seen::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Seen<'a> {
    fn from(text: &'a String) -> Self {
        Seen::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Seen<'_> {
    fn from(text: String) -> Self {
        Seen::Text(Cow::Owned(text))
    }
}

impl From<usize> for Seen<'_> {
    fn from(count: usize) -> Self {
        Seen::Number(count as u64)
    }
}

impl From<bool> for Seen<'_> {
    fn from(answer: bool) -> Self {
        Seen::Json(Cow::Owned(Value::Bool(answer)))
    }
}

impl From<Value> for Seen<'_> {
    fn from(value: Value) -> Self {
        match value {
            Value::String(text) => text.into(),
            other => Seen::Json(Cow::Owned(other)),
        }
    }
}

impl<'a> From<&'a Value> for Seen<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::String(text) => text.into(),
            other => Seen::Json(Cow::Borrowed(other)),
        }
    }
}
