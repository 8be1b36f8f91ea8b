//! Tencent Cloud (腾讯云): alarm callbacks of Cloud Monitor, of metrics and of events.
//!
//! One alarm a call. Identity: policy, metric (or event) and the object that the alarm is about,
//! which fire and recovery share; `sessionId` is not said to. Times are China's (UTC+8) and carry no
//! zone. Labels: the dimensions of the object, and [`LABELS`]; a dimension of one of these names
//! becomes `tag_<name>`. Events may have no recovery; then somebody has to close what they open.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, offset};
use serde_json::{Map, Value};

use crate::domain::alert::{Labels, Status};
use crate::source::body;
use crate::source::contract::{Arrival, Reading, Source, Unreadable};
use crate::source::event::{Single, add_tags, first, labels_in, names, shown, taken, word};
use crate::source::notes::{At, Notes};
use crate::source::{times, webhook};

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct Tencent;

/// Label, and the fields it is taken from: of the alarm, its object, its policy and its condition.
pub const LABELS: &[(&str, &[&str])] = &[
    ("alarm_type", &["alarmType"]),
    ("alertname", &["metricShowName", "eventShowName", "metricName", "eventName", "policyName"]),
    ("app_id", &["appId"]),
    ("event_name", &["eventName"]),
    ("metric", &["metricName"]),
    ("namespace", &["namespace"]),
    ("policy", &["policyName"]),
    ("policy_id", &["policyId"]),
    ("product", &["policyTypeCName", "productShowName", "productName", "policyType"]),
    ("region", &["region"]),
    ("severity", &["alarmLevel", "alertLevel", "level", "severity"]),
    ("uin", &["uin"]),
];

const ANNOTATIONS: &[(&str, &[&str])] = &[
    ("duration", &["durationTime"]),
    ("remark", &["remark", "policyRemark"]),
    ("threshold", &[]),
    ("value", &[]),
];

/// Names of the object: those that stay when somebody renames it come first.
const OBJECT: &[&str] = &["unInstanceId", "instanceId", "objId"];

impl Source for Tencent {
    fn read(&self, arrival: &Arrival<'_>) -> Result<Reading, Unreadable> {
        let mut notes = Notes::default();
        let event = body::object(arrival.body, &mut notes)?;
        let Some(policy) = event.get("alarmPolicyInfo").and_then(Value::as_object) else {
            let at = At::Key(&At::Body, "alarmPolicyInfo");
            return Err(body::refused(
                at,
                "missing or no object: this is not a callback of Tencent Cloud Monitor",
            ));
        };
        let answer = acknowledged(&event);
        let none = Map::new();
        let object = event.get("alarmObjInfo").and_then(Value::as_object).unwrap_or(&none);
        let condition = match policy.get("conditions") {
            Some(Value::Object(condition)) => condition,
            Some(Value::Array(several)) => several.first().and_then(Value::as_object).unwrap_or(&none),
            _ => &none,
        };
        // No two of them have a field of one name that means different things.
        let mut fields = event.clone();
        for part in [object, policy, condition] {
            fields.extend(part.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        let dimensions = labels_in(object.get("dimensions"));
        let mut labels = taken(&fields, LABELS);
        let ours = names(LABELS);
        add_tags(&mut labels, &ours, &dimensions);
        let group_key = identity(&fields, &dimensions, &mut notes);
        let starts_at = moment(event.get("firstOccurTime"), "firstOccurTime", &mut notes);
        let single = Single {
            group_key,
            status: status(&event, &mut notes),
            annotations: annotations(&fields, condition, &dimensions, &event),
            labels,
            group_labels: dimensions,
            starts_at,
            ends_at: moment(event.get("recoverTime"), "recoverTime", &mut notes),
            url: String::new(),
            event: Value::Object(event),
        };
        let groups = vec![single.group(arrival.source)];
        Ok(Reading { groups, answer, notes: notes.into_lines(), ..Reading::default() })
    }
}

/// Older callers send again what is not answered so.
fn acknowledged(event: &Map<String, Value>) -> Map<String, Value> {
    let session = event
        .get("sessionId")
        .filter(|id| id.is_string() || id.is_number())
        .map(|id| ("sessionId".to_owned(), id.clone()));
    session.into_iter().chain([("retCode".to_owned(), 0.into())]).collect()
}

/// 1 fires and 0 is over, as a number or as a string of one.
fn status(event: &Map<String, Value>, notes: &mut Notes) -> Status {
    match word(event, &["alarmStatus"]).as_str() {
        "0" => Status::Resolved,
        "1" => Status::Firing,
        _ => {
            let at = At::Key(&At::Body, "alarmStatus");
            notes.add(at, "neither 1 nor 0, taken for an alarm that is on");
            Status::Firing
        }
    }
}

fn identity(fields: &Map<String, Value>, dimensions: &Labels, notes: &mut Notes) -> String {
    let policy = first(fields, &["policyId", "policyName"]);
    let what = first(fields, &["metricName", "eventName", "metricShowName", "eventShowName"]);
    let object = OBJECT.iter().find_map(|name| dimensions.get(*name).filter(|id| !id.is_empty()));
    let object = object.cloned().unwrap_or_else(|| webhook::written(dimensions));
    if policy.is_empty() && what.is_empty() && dimensions.is_empty() {
        notes.say("neither policy nor metric nor object: all such alarms count as one problem");
    }
    let place = [first(fields, &["namespace"]), first(fields, &["region"])].join("/");
    format!("{place}:{policy}:{what}:{object}")
}

fn annotations(
    fields: &Map<String, Value>,
    condition: &Map<String, Value>,
    dimensions: &Labels,
    event: &Map<String, Value>,
) -> Labels {
    let mut annotations = taken(fields, ANNOTATIONS);
    let part = |name| first(condition, &[name]);
    let unit = first(condition, &["unit", "calcUnit"]);
    let with_unit = |value: String| if value.is_empty() { value } else { format!("{value}{unit}") };
    annotations.insert("value".to_owned(), with_unit(part("currentValue")));
    let threshold = [part("calcType"), with_unit(part("calcValue"))].join(" ");
    annotations.insert("threshold".to_owned(), threshold.trim().to_owned());
    let name = first(fields, &["metricShowName", "eventShowName", "metricName", "eventName", "policyName"]);
    let shown_as = ["objName", "deviceName", "unInstanceId", "instanceId", "objId"];
    let object = shown_as.iter().find_map(|name| dimensions.get(*name)).cloned().unwrap_or_default();
    let summary = if object.is_empty() { name } else { format!("{name} @ {object}") };
    annotations.insert("summary".to_owned(), summary);
    let more = event.get("additionalMsg").and_then(Value::as_array).into_iter().flatten();
    let lines = more.filter_map(Value::as_object).map(|item| {
        format!("{}: {}", first(item, &["name", "key"]), item.get("value").map(shown).unwrap_or_default())
    });
    annotations.insert("description".to_owned(), lines.collect::<Vec<_>>().join("\n"));
    annotations
}

/// A time of China without its zone, or a count since 1970. `0000-00-00 00:00:00` is none.
fn moment(value: Option<&Value>, name: &str, notes: &mut Notes) -> Option<Timestamp> {
    let value = value?;
    let text = value.as_str().unwrap_or_default().trim();
    if text.starts_with("0000-") {
        return None;
    }
    if let Ok(local) = text.parse::<DateTime>() {
        return local.to_zoned(TimeZone::fixed(offset(8))).ok().map(|time| time.timestamp());
    }
    times::read(value).unwrap_or_else(|what| {
        notes.add(At::Key(&At::Body, name), what);
        None
    })
}
