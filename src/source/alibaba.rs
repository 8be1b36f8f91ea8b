//! Alibaba Cloud (阿里云): callbacks of CloudMonitor, of metrics (a form) and of system events (JSON).
//!
//! One alarm a call. A metric is known by rule and dimensions, a system event by product, resource
//! and name; fire and recovery share them, and the level may move between. Labels: the dimensions,
//! and [`LABELS`]; a dimension of one of these names becomes `tag_<name>`. `severity` is the level
//! in lower case while it fires: critical, warn or info.

use serde_json::{Map, Value};

use crate::domain::alert::{Labels, Status};
use crate::source::contract::{Arrival, Reading, Source, Unreadable};
use crate::source::event::{Single, add_tags, first, join, labels_in, names, shown, taken, time, word};
use crate::source::notes::{At, Notes};
use crate::source::{body, webhook};

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct Alibaba;

/// Label, and the fields it is taken from.
pub const LABELS: &[(&str, &[&str])] = &[
    ("alertname", &[]),
    ("event_name", &["name"]),
    ("group_id", &["groupId"]),
    ("instance", &["instanceName", "resourceId"]),
    ("metric", &["rawMetricName", "metricName"]),
    ("namespace", &["namespace", "metricProject", "product"]),
    ("region", &["regionId", "regionName"]),
    ("rule", &["ruleName"]),
    ("rule_id", &["ruleId"]),
    ("severity", &[]),
    ("user_id", &["userId"]),
];

const ANNOTATIONS: &[(&str, &[&str])] = &[
    ("description", &["content"]),
    ("duration", &["lastTime"]),
    ("previous_level", &["preTriggerLevel"]),
    ("threshold", &["expression"]),
    ("value", &["curValue"]),
];

impl Source for Alibaba {
    fn read(&self, arrival: &Arrival<'_>) -> Result<Reading, Unreadable> {
        let mut notes = Notes::default();
        let event = body::fields(arrival.body, &mut notes)?;
        let has = |name: &str| !first(&event, &[name]).is_empty();
        let is_metric = has("alertState") || has("alertName") || has("ruleId");
        let is_system_event = has("product") && has("name");
        if !is_metric && !is_system_event {
            let why = "missing, and it is no system event with product and name either: \
                       this is not a callback of Alibaba CloudMonitor";
            return Err(body::refused(At::Key(&At::Body, "alertState"), why));
        }
        let dimensions = dimensions(event.get("dimensions"));
        let status = if is_metric { of_metric(&event, &mut notes) } else { of_system_event(&event) };
        let mut labels = taken(&event, LABELS);
        labels.insert("alertname".to_owned(), name(&event));
        if status == Status::Firing {
            labels.insert("severity".to_owned(), level(&event));
        }
        let ours = names(LABELS);
        add_tags(&mut labels, &ours, &dimensions);
        let mut annotations = taken(&event, ANNOTATIONS);
        annotations.insert("summary".to_owned(), name(&event));
        let at = time(&event, &["timestamp", "eventTime", "time"], &mut notes);
        let single = Single {
            group_key: identity(&event, &dimensions, is_metric, &mut notes),
            status,
            labels,
            annotations,
            group_labels: dimensions,
            starts_at: at,
            ends_at: at,
            url: String::new(),
            event: Value::Object(event),
        };
        let groups = vec![single.group(arrival.source)];
        Ok(Reading { groups, notes: notes.into_lines(), ..Reading::default() })
    }
}

fn identity(event: &Map<String, Value>, dimensions: &Labels, is_metric: bool, notes: &mut Notes) -> String {
    if !is_metric {
        let object = first(event, &["resourceId", "instanceName"]);
        return format!("{}:{object}:{}", first(event, &["product"]), name(event));
    }
    let rule = first(event, &["ruleId", "alertName"]);
    let metric = first(event, &["rawMetricName", "metricName"]);
    let object =
        if dimensions.is_empty() { first(event, &["instanceName"]) } else { webhook::written(dimensions) };
    if rule.is_empty() && metric.is_empty() && object.is_empty() {
        notes.say("neither rule nor metric nor dimensions: all such alarms count as one problem");
    }
    format!("{rule}:{metric}:{object}")
}

/// The name of the alarm. That of a system event is `Instance:SystemFailure.Reboot:Executing`: its
/// last word is the status, and moves on.
fn name(event: &Map<String, Value>) -> String {
    let name = first(event, &["alertName", "name", "ruleName", "metricName"]);
    let status = first(event, &["status"]);
    let moves = |(_, last): &(&str, &str)| last.eq_ignore_ascii_case(&status);
    name.rsplit_once(':').filter(moves).map_or(&*name, |(before, _)| before).to_owned()
}

/// No data is a fault of its own: whoever wants to hear of it has asked for it at Alibaba.
fn of_metric(event: &Map<String, Value>, notes: &mut Notes) -> Status {
    match word(event, &["alertState"]).as_str() {
        "ok" => Status::Resolved,
        "alert" | "alarm" | "insufficient_data" => Status::Firing,
        "" => {
            notes.say("no alertState: taken for ALERT; it will not be seen to recover");
            Status::Firing
        }
        _ => {
            let at = At::Key(&At::Body, "alertState");
            notes.add(at, "neither OK nor ALERT nor INSUFFICIENT_DATA, taken for ALERT");
            Status::Firing
        }
    }
}

/// A system event is over when the work on it is done or given up.
fn of_system_event(event: &Map<String, Value>) -> Status {
    let over = ["executed", "avoided", "canceled", "cancelled", "recovered", "resolved"];
    if over.contains(&word(event, &["status"]).as_str()) { Status::Resolved } else { Status::Firing }
}

fn level(event: &Map<String, Value>) -> String {
    match word(event, &["alertState"]).as_str() {
        "insufficient_data" => "nodata".to_owned(),
        _ => word(event, &["triggerLevel", "level"]),
    }
}

/// `{userId=12, instanceId=i-12}`, the same as JSON, or a list with one such object.
fn dimensions(value: Option<&Value>) -> Labels {
    let text = value.map(shown).unwrap_or_default();
    match body::unfold(&text) {
        Some(Value::Array(items)) => return labels_in(items.first()),
        Some(object) => return labels_in(Some(&object)),
        None => {}
    }
    let inside = text.trim().trim_start_matches('{').trim_end_matches('}');
    let mut labels = Labels::new();
    let mut last = String::new();
    for part in inside.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some((name, value)) => {
                name.trim().clone_into(&mut last);
                labels.insert(last.clone(), value.trim().to_owned());
            }
            // A value that holds a comma.
            None => join(&mut labels, &last, part),
        }
    }
    labels
}
