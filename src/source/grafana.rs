//! Grafana: contact points of unified alerting (8 and later) and the channels before 9.
//!
//! Unified bodies are Alertmanager's shape with version "1" and more keys: those of an alert
//! (`panelURL`, `values` …) go to `Alert::extra`, those of the body (`orgId`, `title` …) to
//! `event`. Legacy bodies become one alert, known by organisation and rule. Signatures are
//! the matter of `auth/signature.rs`.

use serde_json::{Map, Value};

use crate::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status};
use crate::source::contract::{Arrival, Reading, Source, Unreadable};
use crate::source::fields::Object;
use crate::source::notes::{At, Notes};
use crate::source::{body, quick, webhook};

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct Grafana;

impl Source for Grafana {
    fn read(&self, arrival: &Arrival<'_>) -> Result<Reading, Unreadable> {
        let mut notes = Notes::default();
        let text = body::text(arrival.body, &mut notes)?;
        let group = match quick::group(arrival.source, &text) {
            Some(group) => Some(known(group, &mut notes)),
            None => patiently(arrival, &text, &mut notes)?,
        };
        Ok(Reading { groups: group.into_iter().collect(), notes: notes.into_lines(), ..Reading::default() })
    }
}

/// Anything that Grafana has ever written.
fn patiently(arrival: &Arrival<'_>, text: &str, notes: &mut Notes) -> Result<Option<AlertGroup>, Unreadable> {
    let map = body::object_in(text)?;
    if is_legacy(&map) {
        return Ok(legacy(arrival, map, notes));
    }
    Ok(webhook::group(arrival, map, notes)?.map(|group| known(group, notes)))
}

/// A group by the name that it has at every notification.
fn known(mut group: AlertGroup, notes: &mut Notes) -> AlertGroup {
    if is_test(&group) {
        // Its group key holds the time of the test: each would open a problem of its own.
        group.group_key = webhook::derived_key(&group.group_labels, &group.alerts);
        notes.say("a test notification of Grafana: all of them count as one problem");
    }
    group
}

/// The test button of a contact point sends this one alert.
fn is_test(group: &AlertGroup) -> bool {
    let label = |alert: &Alert, name, value| alert.labels.get(name).is_some_and(|have| have == value);
    let mut alerts = group.alerts.iter();
    alerts.any(|alert| label(alert, "alertname", "TestAlert") && label(alert, "instance", "Grafana"))
}

fn is_legacy(map: &Map<String, Value>) -> bool {
    let has = |name| map.contains_key(name);
    !has("alerts") && (has("ruleId") || has("ruleName") || has("evalMatches"))
}

/// A body of Grafana before 9. `None`, with a note, for states that neither open nor close.
fn legacy(arrival: &Arrival<'_>, map: Map<String, Value>, notes: &mut Notes) -> Option<AlertGroup> {
    let event = Value::Object(map.clone());
    let mut body = Object::new(At::Body, map);
    let state = body.text("state").to_ascii_lowercase();
    let status = match state.as_str() {
        "ok" => Status::Resolved,
        "pending" | "paused" => {
            notes.say(format!("state {state}: nothing is opened or closed"));
            return None;
        }
        "alerting" | "no_data" => Status::Firing,
        _ => {
            notes.add(At::Key(&At::Body, "state"), "not a state that Grafana has, taken for alerting");
            Status::Firing
        }
    };
    let (org, rule, name) = (body.text("orgId"), body.text("ruleId"), body.text("ruleName"));
    let identity = Labels::from([
        ("org_id".to_owned(), org),
        ("rule_id".to_owned(), if rule.is_empty() { name.clone() } else { rule }),
    ]);
    let mut labels = body.labels("tags", notes);
    labels.extend(identity.clone());
    labels.insert("alertname".to_owned(), name);
    labels.retain(|_, value| !value.is_empty());
    let mut annotations = Labels::from([
        ("summary".to_owned(), body.text("title")),
        ("description".to_owned(), body.text("message")),
    ]);
    annotations.retain(|_, value| !value.is_empty());
    let generator_url = body.text("ruleUrl");
    let keep = ["evalMatches", "imageUrl", "dashboardId", "panelId"];
    let extra = keep.into_iter().filter_map(|name| Some((name.to_owned(), body.take(name)?))).collect();
    // The tags of a rule may be edited while it fires: they are no part of its identity.
    let alert = Alert {
        status,
        labels,
        annotations,
        starts_at: None,
        ends_at: None,
        generator_url,
        fingerprint: Fingerprint::of(&identity),
        extra,
    };
    let group_key = webhook::written(&identity);
    Some(AlertGroup { group_labels: identity, event, ..AlertGroup::of_one(arrival.source, group_key, alert) })
}
