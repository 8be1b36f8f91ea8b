//! The group of alerts that Alertmanager's and Grafana's webhooks have in common.
//!
//! Takes the object of the body, gives one alert group; keys without a field of their own go to
//! `Alert::extra` and `AlertGroup::event`. Only what cannot be an alert at all is left out.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status, common};
use crate::domain::message::DedupKey;
use crate::source::body::refused;
use crate::source::contract::{Arrival, Unreadable};
use crate::source::fields::Object;
use crate::source::notes::{At, Notes, kind_of};

const ALERTS: At<'static> = At::Key(&At::Body, "alerts");

/// Reads the body of a webhook; a bare alert stands for a group of one. `None`, with a note, when
/// the list of alerts is empty.
///
/// # Errors
/// When there is no list of alerts, or nothing in it is an alert.
pub fn group(
    arrival: &Arrival<'_>,
    map: Map<String, Value>,
    notes: &mut Notes,
) -> Result<Option<AlertGroup>, Unreadable> {
    let (mut body, items) = open(map)?;
    if items.is_empty() {
        notes.say("the list of alerts is empty");
        return Ok(None);
    }
    let word = status(&mut body, notes);
    let group_labels = body.labels("groupLabels", notes);
    let common_labels = body.labels("commonLabels", notes);
    let common_annotations = body.labels("commonAnnotations", notes);
    let context = Context { at: arrival.at, group: word, alertname: common_labels.get("alertname").cloned() };
    let mut alerts = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        match item {
            Value::Object(map) => {
                alerts.push(context.alert(Object::new(At::Index(&ALERTS, index), map), notes));
            }
            other => {
                let what = format!("{} where an alert is expected, left out", kind_of(&other));
                notes.add(At::Index(&ALERTS, index), &what);
            }
        }
    }
    if alerts.is_empty() {
        return Err(refused(ALERTS, "nothing in the list is an object, so none is an alert"));
    }
    let mut group_key = body.text("groupKey");
    if group_key.is_empty() {
        group_key = derived_key(&group_labels, &alerts);
        let from =
            if group_labels.is_empty() { "the fingerprints of its alerts" } else { "the group labels" };
        notes.say(format!("no groupKey: derived from {from}"));
    }
    body.take("version");
    Ok(Some(shared(AlertGroup {
        source: arrival.source.to_owned(),
        group_key,
        receiver: unquoted(body.text("receiver")),
        group_labels,
        common_labels,
        common_annotations,
        external_url: body.text("externalURL"),
        truncated: body.count("truncatedAlerts", notes),
        reason: body.text("notification_reason"),
        alerts,
        event: event(body.rest()),
        changes: Vec::new(),
    })))
}

/// Finds what its alerts share, where the sender did not say it.
pub fn shared(mut group: AlertGroup) -> AlertGroup {
    if group.common_labels.is_empty() {
        group.common_labels = common(group.alerts.iter().map(|alert| &alert.labels));
    }
    if group.common_annotations.is_empty() {
        group.common_annotations = common(group.alerts.iter().map(|alert| &alert.annotations));
    }
    group
}

/// Labels with the name of the alert: Grafana leaves it out of an alert at times and has it in the
/// common labels only.
pub fn named(mut labels: Labels, alertname: Option<&String>) -> Labels {
    if let Some(alertname) = alertname
        && !labels.contains_key("alertname")
    {
        labels.insert("alertname".to_owned(), alertname.clone());
    }
    labels
}

/// What the body says beyond alerts.
pub fn event(rest: Map<String, Value>) -> Value {
    if rest.is_empty() { Value::Null } else { Value::Object(rest) }
}

/// A group key for a body that has none: what it was grouped by in Alertmanager's form, else the
/// hash of its fingerprints.
pub fn derived_key(group_labels: &Labels, alerts: &[Alert]) -> String {
    if !group_labels.is_empty() {
        return format!("{{}}:{}", written(group_labels));
    }
    let mut prints: Vec<String> = alerts.iter().map(|alert| alert.fingerprint.to_string()).collect();
    prints.sort_unstable();
    let parts: Vec<&str> = prints.iter().map(String::as_str).collect();
    format!("fingerprints:{}", DedupKey::hash(&parts))
}

/// A label set in one line, sorted, as Alertmanager prints it: `{a="x", b="y"}`.
pub fn written(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// The body and its list of alerts.
fn open(mut map: Map<String, Value>) -> Result<(Object<'static>, Vec<Value>), Unreadable> {
    match map.remove("alerts") {
        Some(Value::Array(items)) => Ok((Object::new(At::Body, map), items)),
        Some(Value::Null) => Ok((Object::new(At::Body, map), Vec::new())),
        Some(other) => {
            Err(refused(ALERTS, &format!("{} where a list of alerts is expected", kind_of(&other))))
        }
        None if map.contains_key("labels") => {
            Ok((Object::new(At::Body, Map::new()), vec![Value::Object(map)]))
        }
        None if map.keys().any(|name| name.starts_with("df_")) => {
            Err(refused(ALERTS, "missing; this is a Guance event, send it to a source of kind guance"))
        }
        None => Err(refused(
            ALERTS,
            "missing; a sender with a payload template of its own needs a source of kind json",
        )),
    }
}

/// What the alerts of one body take from around them.
struct Context {
    at: Timestamp,
    group: Option<Status>,
    /// See [`named`].
    alertname: Option<String>,
}

impl Context {
    fn alert(&self, mut alert: Object<'_>, notes: &mut Notes) -> Alert {
        let word = status(&mut alert, notes);
        let labels = named(alert.labels("labels", notes), self.alertname.as_ref());
        let annotations = alert.labels("annotations", notes);
        let starts_at = alert.time("startsAt", notes);
        let ends_at = alert.time("endsAt", notes);
        let status = word.unwrap_or_else(|| self.status_by_time(ends_at));
        Alert {
            status,
            annotations,
            starts_at,
            ends_at: ends_at.filter(|_| status == Status::Resolved),
            generator_url: alert.text("generatorURL"),
            fingerprint: fingerprint(&mut alert, &labels, notes),
            labels,
            extra: alert.rest(),
        }
    }

    /// For an alert that does not say: all alerts of a resolved group are resolved; in a firing
    /// one, or one that does not say either, those that have ended are.
    fn status_by_time(&self, ends_at: Option<Timestamp>) -> Status {
        let ended = ends_at.is_some_and(|end| end <= self.at);
        if ended || self.group == Some(Status::Resolved) { Status::Resolved } else { Status::Firing }
    }
}

/// Takes `status`: a word, or the object with `state` that Alertmanager's own API gives.
fn status(object: &mut Object<'_>, notes: &mut Notes) -> Option<Status> {
    let word = match object.take("status")? {
        Value::String(word) => word,
        // Alertmanager's API knows active, suppressed and unprocessed: all are about time.
        Value::Object(_) => return None,
        other => other.to_string(),
    };
    match word.trim().to_ascii_lowercase().as_str() {
        "" => None,
        "firing" | "alerting" => Some(Status::Firing),
        "resolved" | "ok" => Some(Status::Resolved),
        _ => {
            notes.add(
                At::Key(&object.at, "status"),
                "neither firing nor resolved, judged by the time of its end",
            );
            None
        }
    }
}

/// The fingerprint that the sender gave, or the one of the labels.
fn fingerprint(alert: &mut Object<'_>, labels: &Labels, notes: &mut Notes) -> Fingerprint {
    let given = alert.text("fingerprint");
    Fingerprint::parse(&given).unwrap_or_else(|| {
        if !given.is_empty() {
            notes.add(
                At::Key(&alert.at, "fingerprint"),
                "not 16 hexadecimal digits, computed from the labels",
            );
        }
        Fingerprint::of(labels)
    })
}

/// Takes Go's `regexp.QuoteMeta` back: Alertmanager sends `team\.a` for the receiver `team.a`.
/// A name that cannot come from it is left as it is.
pub fn unquoted(name: String) -> String {
    if !name.contains('\\') {
        return name;
    }
    let mut plain = String::with_capacity(name.len());
    let mut chars = name.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some(meta) if r"\.+*?()|[]{}^$".contains(meta) => plain.push(meta),
                _ => return name,
            },
            other => plain.push(other),
        }
    }
    plain
}
