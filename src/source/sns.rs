//! AWS SNS: CloudWatch alarms, EventBridge events and plain notifications; with SNS's envelope, or
//! raw (then the topic stands in a header).
//!
//! Identity of an alarm is its ARN. A message that is no alarm is read by the names that most
//! systems use (`source/said.rs`); what has no key there is known by topic, subject and text, and
//! nothing closes it. A subscription that asks to be confirmed becomes a wish in the reading. Whether
//! a message is signed by SNS is not asked here: `auth/sns.rs`. `MessageAttributes` are no part of
//! what SNS signs, so they decide nothing: they stand in `event`.

use serde_json::{Map, Value, json};

use crate::domain::alert::{AlertGroup, Labels, Status};
use crate::domain::aws::sns_url;
use crate::domain::message::DedupKey;
use crate::source::body;
use crate::source::contract::{Arrival, Confirm, Reading, Source, Unreadable};
use crate::source::event::{Single, add_tags, first, join, shown, taken, time, word};
use crate::source::notes::{At, Notes};
use crate::source::said::Said;

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct Sns;

/// Labels; a dimension, tag or label of the message of one of these names becomes `tag_<name>`.
pub const LABELS: &[&str] =
    &["account_id", "alertname", "metric", "namespace", "region", "severity", "state", "topic"];

const ALARM_ANNOTATIONS: &[(&str, &[&str])] = &[
    ("description", &["AlarmDescription"]),
    ("previous_state", &["OldStateValue"]),
    ("reason", &["NewStateReason"]),
    ("rule", &["AlarmRule"]),
];

impl Source for Sns {
    fn read(&self, arrival: &Arrival<'_>) -> Result<Reading, Unreadable> {
        let mut notes = Notes::default();
        let (envelope, is_raw) = open(arrival, &mut notes)?;
        let whole = is_raw.then(|| Value::Object(envelope.clone()).to_string().into_bytes());
        let mut reading = match first(&envelope, &["Type"]).as_str() {
            "SubscriptionConfirmation" => subscription(&envelope, &mut notes),
            "UnsubscribeConfirmation" => of(unsubscribed(arrival.source, &envelope, &mut notes)),
            other => {
                if other != "Notification" {
                    notes.add(At::Key(&At::Body, "Type"), "not a type that SNS has, taken for Notification");
                }
                of(notification(arrival.source, envelope, &mut notes))
            }
        };
        reading.whole = whole;
        reading.notes = notes.into_lines();
        Ok(reading)
    }
}

fn of(group: AlertGroup) -> Reading {
    Reading { groups: vec![group], ..Reading::default() }
}

/// The envelope, and whether it had to be made because SNS delivers raw messages.
fn open(arrival: &Arrival<'_>, notes: &mut Notes) -> Result<(Map<String, Value>, bool), Unreadable> {
    let text = body::text(arrival.body, notes)?;
    let topic = arrival.header("x-amz-sns-topic-arn");
    let parsed = match body::parse(&text) {
        Ok(Value::Object(map)) => Some(map),
        Ok(_) if topic.is_some() => None,
        Ok(_) => return Err(body::whole("the body is no object: this is not a message of SNS")),
        Err(_) if topic.is_some() => None,
        Err(refusal) => return Err(refusal),
    };
    if let Some(envelope) =
        parsed.as_ref().filter(|map| map.contains_key("Type") && map.contains_key("TopicArn"))
    {
        return Ok((envelope.clone(), false));
    }
    let is_alarm = parsed.as_ref().is_some_and(|map| map.contains_key("AlarmName"));
    if topic.is_none() && !is_alarm {
        let why = "missing, and so is the header x-amz-sns-topic-arn of raw delivery: \
                   this is not a message of SNS; a body of another form needs a source of kind json";
        return Err(body::refused(At::Key(&At::Body, "TopicArn"), why));
    }
    let id = arrival.header("x-amz-sns-message-id").unwrap_or_default();
    let topic = topic.unwrap_or_default();
    let fields = [("Type", "Notification"), ("MessageId", id), ("TopicArn", topic), ("Message", &*text)];
    Ok((fields.into_iter().map(|(name, text)| (name.to_owned(), Value::from(text))).collect(), true))
}

/// Nothing to tell anybody but the operator; the address is passed on only if it is one of SNS.
fn subscription(envelope: &Map<String, Value>, notes: &mut Notes) -> Reading {
    let topic = first(envelope, &["TopicArn"]);
    let confirm =
        sns_url(&first(envelope, &["SubscribeURL"])).map(|url| Confirm { topic: topic.clone(), url });
    match confirm {
        Some(_) => notes.say(format!("the topic {topic} asks to be confirmed")),
        None => notes.add(
            At::Key(&At::Body, "SubscribeURL"),
            "not an address of SNS (https://sns.<region>.amazonaws.com/…): never open it; nothing was confirmed",
        ),
    }
    Reading { confirm, ..Reading::default() }
}

/// From now on the alerts of a topic do not arrive any more: a person should hear of that.
fn unsubscribed(source: &str, envelope: &Map<String, Value>, notes: &mut Notes) -> AlertGroup {
    let topic = first(envelope, &["TopicArn"]);
    let mut labels = about(&topic);
    labels.insert("alertname".to_owned(), "SnsSubscriptionRemoved".to_owned());
    labels.insert("severity".to_owned(), "warning".to_owned());
    let summary = format!("SNS delivers {topic} no more to alert-relay: the subscription was removed");
    let single = Single {
        group_key: format!("{topic}:subscription"),
        status: Status::Firing,
        labels,
        annotations: Labels::from([("summary".to_owned(), summary)]),
        group_labels: Labels::new(),
        starts_at: time(envelope, &["Timestamp"], notes),
        ends_at: None,
        url: String::new(),
        event: Value::Object(envelope.clone()),
    };
    single.group(source)
}

fn notification(source: &str, mut envelope: Map<String, Value>, notes: &mut Notes) -> AlertGroup {
    let text = first(&envelope, &["Message"]);
    let mut single = match body::unfold(&text) {
        Some(Value::Object(message)) => {
            let single = match as_alarm(&message) {
                Some(alarm) => of_alarm(&envelope, &alarm, notes),
                None => of_message(&envelope, &message, &text, notes),
            };
            // Opened, so that templates reach into it.
            envelope.insert("Message".to_owned(), Value::Object(message));
            single
        }
        _ => of_message(&envelope, &Map::new(), &text, notes),
    };
    single.event = Value::Object(envelope);
    single.group(source)
}

/// The fields of a CloudWatch alarm, as CloudWatch sends it, or as EventBridge tells of its change.
fn as_alarm(message: &Map<String, Value>) -> Option<Map<String, Value>> {
    if message.contains_key("AlarmName") && message.contains_key("NewStateValue") {
        return Some(message.clone());
    }
    if first(message, &["detail-type"]) != "CloudWatch Alarm State Change" {
        return None;
    }
    let detail = message.get("detail")?;
    let state = |name: &str, field: &str| detail.get(name).and_then(|state| state.get(field)).cloned();
    let alarm = json!({
        "AlarmName": detail.get("alarmName")?,
        "AlarmArn": message.get("resources").and_then(|resources| resources.get(0)),
        "AlarmDescription": detail.get("configuration").and_then(|set| set.get("description")),
        "AWSAccountId": message.get("account"),
        "NewStateValue": state("state", "value"),
        "NewStateReason": state("state", "reason"),
        "OldStateValue": state("previousState", "value"),
        "StateChangeTime": state("state", "timestamp").or(message.get("time").cloned()),
        "Region": message.get("region"),
    });
    alarm.as_object().cloned()
}

/// Lack of data neither opens nor closes by itself: CloudWatch tells of it only who asked for it, and
/// what it told of before may go on unseen. So it fires.
fn of_alarm(envelope: &Map<String, Value>, alarm: &Map<String, Value>, notes: &mut Notes) -> Single {
    let (name, arn) = (first(alarm, &["AlarmName"]), first(alarm, &["AlarmArn"]));
    let state = word(alarm, &["NewStateValue"]);
    let status = match state.as_str() {
        "ok" => Status::Resolved,
        "alarm" | "insufficient_data" => Status::Firing,
        _ => {
            notes.say("NewStateValue is neither ALARM nor OK nor INSUFFICIENT_DATA, taken for ALARM");
            Status::Firing
        }
    };
    let mut labels = about(&first(envelope, &["TopicArn"]));
    labels.extend(of_arn(&arn));
    let none = Map::new();
    let trigger = alarm.get("Trigger").and_then(Value::as_object).unwrap_or(&none);
    for (label, value) in [
        ("alertname", name.clone()),
        ("account_id", first(alarm, &["AWSAccountId"])),
        ("metric", first(trigger, &["MetricName"])),
        ("namespace", first(trigger, &["Namespace"])),
        ("state", state),
    ] {
        if !value.is_empty() {
            labels.insert(label.to_owned(), value);
        }
    }
    let dimensions = dimensions(trigger);
    add_tags(&mut labels, LABELS, &dimensions);
    let mut annotations = taken(alarm, ALARM_ANNOTATIONS);
    annotations.insert("summary".to_owned(), name.clone());
    let threshold = [first(trigger, &["ComparisonOperator"]), first(trigger, &["Threshold"])].join(" ");
    annotations.insert("threshold".to_owned(), threshold.trim().to_owned());
    let at = time(alarm, &["StateChangeTime"], notes).or_else(|| time(envelope, &["Timestamp"], notes));
    let place =
        [labels.get("account_id"), labels.get("region")].map(|part| part.cloned().unwrap_or_default());
    Single {
        group_key: if arn.is_empty() { format!("{}:{}:{name}", place[0], place[1]) } else { arn.clone() },
        status,
        labels,
        annotations,
        group_labels: dimensions,
        starts_at: at,
        ends_at: at,
        url: console(&arn, &name),
        event: Value::Null,
    }
}

/// A message of somebody's own.
fn of_message(
    envelope: &Map<String, Value>,
    message: &Map<String, Value>,
    text: &str,
    notes: &mut Notes,
) -> Single {
    // EventBridge wraps what a service says.
    let detail = message.get("detail").and_then(Value::as_object);
    let said = Said::of(detail.unwrap_or(message), notes);
    let (topic, subject) = (first(envelope, &["TopicArn"]), first(envelope, &["Subject"]));
    let kind = first(message, &["detail-type"]);
    let first_line = || text.lines().next().unwrap_or_default().chars().take(200).collect::<String>();
    let titles = [said.title.clone(), subject.clone(), kind];
    let title = titles.into_iter().find(|title| !title.is_empty()).unwrap_or_else(first_line);
    if said.status.is_none() {
        notes.say("a message without a status: taken for firing, and nothing will close it");
    }
    let mut labels = about(&topic);
    labels.insert("alertname".to_owned(), title.clone());
    labels.insert("severity".to_owned(), said.severity);
    add_tags(&mut labels, LABELS, &said.labels);
    // What has an end is known by its title, if by no key of its own; what has none, by its text too,
    // so that two messages under one subject are not taken for one.
    let group_key = match (said.key.is_empty(), said.status) {
        (false, _) => format!("{topic}:{}", said.key),
        (true, Some(_)) => format!("{topic}:{title}:{}", first(message, &["resources"])),
        (true, None) => format!("{topic}:{subject}:{}", DedupKey::hash(&[text])),
    };
    let whole = if message.is_empty() { text.to_owned() } else { String::new() };
    let description = if said.description.is_empty() { whole } else { said.description };
    let mut annotations =
        Labels::from([("summary".to_owned(), title), ("description".to_owned(), description)]);
    annotations.extend(said.annotations);
    let when = time(envelope, &["Timestamp"], notes);
    Single {
        group_key,
        status: said.status.unwrap_or(Status::Firing),
        labels,
        annotations,
        group_labels: Labels::new(),
        starts_at: said.starts_at.or(when),
        ends_at: said.ends_at.or(when),
        url: said.url,
        event: Value::Null,
    }
}

/// Labels that a topic gives: its name, region and account.
fn about(topic: &str) -> Labels {
    let mut labels = of_arn(topic);
    labels.insert("topic".to_owned(), topic.rsplit(':').next().unwrap_or_default().to_owned());
    labels
}

/// Region and account of an ARN.
fn of_arn(arn: &str) -> Labels {
    let parts: Vec<&str> = arn.split(':').collect();
    let names = [("region", parts.get(3)), ("account_id", parts.get(4))];
    names.into_iter().filter_map(|(name, part)| Some((name.to_owned(), (*part?).to_owned()))).collect()
}

/// The dimensions of the metric; of an alarm over several metrics, those of the first.
fn dimensions(trigger: &Map<String, Value>) -> Labels {
    let several = trigger.get("Metrics").and_then(Value::as_array).into_iter().flatten();
    let of_metric = |metric: &Value| metric.pointer("/MetricStat/Metric/Dimensions").cloned();
    let listed = trigger.get("Dimensions").cloned().or_else(|| several.into_iter().find_map(of_metric));
    let mut labels = Labels::new();
    for dimension in listed.as_ref().and_then(Value::as_array).into_iter().flatten() {
        let part = |name: &str| dimension.get(name).map(shown).unwrap_or_default();
        join(&mut labels, &part("name"), &part("value"));
    }
    labels
}

/// The page of the alarm.
fn console(arn: &str, name: &str) -> String {
    let parts: Vec<&str> = arn.split(':').collect();
    let host = match parts.get(1) {
        Some(&"aws") => "console.aws.amazon.com",
        Some(&"aws-cn") => "console.amazonaws.cn",
        _ => return String::new(),
    };
    let region = parts.get(3).copied().unwrap_or_default();
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !plain(region) {
        return String::new();
    }
    let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    format!("https://{region}.{host}/cloudwatch/home?region={region}#alarmsV2:alarm/{name}")
}
