//! Alertmanager's push API: `POST /api/v2/alerts`, as Prometheus, vmalert and amtool call it.
//!
//! A list of alerts without a group: each becomes a group of its own, with its own life. Valid
//! alerts are taken, invalid ones are reported by index in `Reading::invalid`, as Alertmanager
//! does. Merging with earlier posts and ending what is not repeated are not done here.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status};
use crate::source::body;
use crate::source::contract::{Arrival, Reading, Source, Unreadable};
use crate::source::fields::Object;
use crate::source::notes::{At, Notes, kind_of};
use crate::source::times;

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct Push {
    resolve_timeout: SignedDuration,
}

impl Default for Push {
    /// Alertmanager's own default of `resolve_timeout`: 5 minutes.
    fn default() -> Push {
        Push::new(SignedDuration::from_mins(5))
    }
}

impl Push {
    /// A reader that lets alerts without `endsAt` end that long after they arrived.
    pub fn new(resolve_timeout: SignedDuration) -> Push {
        Push { resolve_timeout }
    }

    /// Reads the items of the list; `notes` are those made while it was parsed.
    pub fn list(&self, arrival: &Arrival<'_>, items: Vec<Value>, mut notes: Notes) -> Reading {
        if items.is_empty() {
            notes.say("the list of alerts is empty");
        }
        let mut groups = Vec::with_capacity(items.len());
        let mut invalid = Notes::default();
        for (index, item) in items.into_iter().enumerate() {
            let at = At::Index(&At::Body, index);
            match self.alert(arrival.at, at, item) {
                Ok(alert) => groups.push(group_of(arrival.source, alert)),
                Err(why) => invalid.add(at, &why),
            }
        }
        Reading { groups, notes: notes.into_lines(), invalid: invalid.into_lines(), ..Reading::default() }
    }

    fn alert(&self, now: Timestamp, at: At<'_>, item: Value) -> Result<Alert, String> {
        let mut object = match item {
            Value::Object(map) => Object::new(at, map),
            other => return Err(format!("{} where an alert is expected", kind_of(&other))),
        };
        let mut labels = pairs(&mut object, "labels")?;
        labels.retain(|_, value| !value.is_empty());
        if labels.is_empty() {
            return Err("at least one label with a value is required".to_owned());
        }
        let annotations = pairs(&mut object, "annotations")?;
        let end = time(&mut object, "endsAt")?;
        let starts_at = time(&mut object, "startsAt")?.or(end).unwrap_or(now);
        let ends_at = match end {
            Some(end) => end,
            None => now.checked_add(self.resolve_timeout).unwrap_or(Timestamp::MAX),
        };
        if starts_at > ends_at {
            return Err("startsAt is after endsAt".to_owned());
        }
        let status = if ends_at <= now { Status::Resolved } else { Status::Firing };
        Ok(Alert {
            status,
            annotations,
            starts_at: Some(starts_at),
            ends_at: Some(ends_at),
            generator_url: object.text("generatorURL"),
            fingerprint: Fingerprint::of(&labels),
            labels,
            extra: object.rest(),
        })
    }
}

impl Source for Push {
    fn read(&self, arrival: &Arrival<'_>) -> Result<Reading, Unreadable> {
        let mut notes = Notes::default();
        match body::json(arrival.body, &mut notes)? {
            Value::Array(items) => Ok(self.list(arrival, items, notes)),
            other => Err(body::whole(&format!(
                "the body is {} where a list of alerts is expected; \
                 a webhook body belongs to a source of kind alertmanager",
                kind_of(&other)
            ))),
        }
    }
}

/// Labels or annotations.
fn pairs(object: &mut Object<'_>, name: &str) -> Result<Labels, String> {
    let mut wrong = Notes::default();
    let pairs = object.labels(name, &mut wrong);
    if !wrong.into_lines().is_empty() {
        return Err(format!("{name} is not an object"));
    }
    if pairs.contains_key("") { Err(format!("{name} holds an empty name")) } else { Ok(pairs) }
}

fn time(object: &mut Object<'_>, name: &str) -> Result<Option<Timestamp>, String> {
    let value = object.take(name).unwrap_or(Value::Null);
    times::read(&value).map_err(|_| format!("{name} is not a time"))
}

/// Grouped as by `group_by: ['...']`: by all labels.
fn group_of(source: &str, alert: Alert) -> AlertGroup {
    AlertGroup {
        source: source.to_owned(),
        group_key: alert.fingerprint.to_string(),
        receiver: String::new(),
        group_labels: alert.labels.clone(),
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
