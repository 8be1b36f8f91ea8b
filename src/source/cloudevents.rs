//! CloudEvents 1.0 over HTTP: structured, batched, and binary (attributes in `ce-` headers).
//!
//! What an event means is for whoever sends it; this reads the names that most systems use
//! (`source/said.rs`) in `data` and in extension attributes. Whether it fires: a status there, else
//! the last word of `type` (`…alert.resolved`), else yes. Identity: a dedup key there, else `source`,
//! `type` without that word, and `subject`; without any of these each event is a problem of its own.
//! The same `source` and `id` twice in a batch is one event. Specification: cloudevents/spec 1.0.2,
//! its JSON format and its HTTP binding.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::domain::alert::{AlertGroup, Labels, Status};
use crate::source::body;
use crate::source::contract::{Arrival, Reading, Source, Unreadable};
use crate::source::event::{Single, add_tags, first, shown, time};
use crate::source::notes::{At, Notes, kind_of};
use crate::source::said::{Said, of_word};

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct CloudEvents;

/// Labels made of attributes; an extension attribute or label of the data that has one of these
/// names becomes `tag_<name>`.
pub const LABELS: &[&str] = &["alertname", "event_source", "event_type", "severity", "subject"];

/// Attributes of the specification, and extensions that are other in each event: no labels.
const NO_LABELS: &[&str] = &[
    "specversion",
    "id",
    "source",
    "type",
    "datacontenttype",
    "dataschema",
    "subject",
    "time",
    "data",
    "data_base64",
    "traceparent",
    "tracestate",
    "sequence",
    "partitionkey",
];

impl Source for CloudEvents {
    fn read(&self, arrival: &Arrival<'_>) -> Result<Reading, Unreadable> {
        let mut notes = Notes::default();
        if arrival.headers.iter().any(|(name, _)| name.starts_with("ce-")) {
            let event = of_headers(arrival);
            let whole = Value::Object(event.clone()).to_string().into_bytes();
            let group = group(arrival.source, event, At::Body, &mut notes)?;
            let notes = notes.into_lines();
            return Ok(Reading { groups: vec![group], notes, whole: Some(whole), ..Reading::default() });
        }
        match body::json(arrival.body, &mut notes)? {
            Value::Array(items) => batch(arrival.source, items, notes),
            Value::Object(event) => {
                let groups = vec![group(arrival.source, event, At::Body, &mut notes)?];
                Ok(Reading { groups, notes: notes.into_lines(), ..Reading::default() })
            }
            other => Err(body::whole(&format!("the body is {} where an event is expected", kind_of(&other)))),
        }
    }
}

/// Takes what is an event and says what is none; refuses only if there is none at all.
fn batch(source: &str, items: Vec<Value>, mut notes: Notes) -> Result<Reading, Unreadable> {
    if items.is_empty() {
        notes.say("the batch is empty");
    }
    let mut groups = Vec::with_capacity(items.len());
    let mut seen = BTreeSet::new();
    let mut first_refusal = None;
    for (index, item) in items.into_iter().enumerate() {
        let at = At::Index(&At::Body, index);
        let read = match item {
            Value::Object(event) => {
                if !seen.insert((first(&event, &["source"]), first(&event, &["id"])))
                    && event.contains_key("id")
                {
                    notes.add(at, "the same source and id as one before it: the same event, left out");
                    continue;
                }
                group(source, event, at, &mut notes)
            }
            other => Err(body::refused(at, &format!("{} where an event is expected", kind_of(&other)))),
        };
        match read {
            Ok(group) => groups.push(group),
            Err(refusal) => {
                notes.say(format!("{refusal}, left out"));
                first_refusal.get_or_insert(refusal);
            }
        }
    }
    match first_refusal {
        Some(refusal) if groups.is_empty() => Err(refusal),
        _ => Ok(Reading { groups, notes: notes.into_lines(), ..Reading::default() }),
    }
}

/// An event of the binary mode, as the structured mode would have it.
fn of_headers(arrival: &Arrival<'_>) -> Map<String, Value> {
    let mut event = Map::new();
    for (name, value) in arrival.headers {
        if let Some(attribute) = name.strip_prefix("ce-") {
            let text = percent_decode_str(value.trim()).decode_utf8_lossy().into_owned();
            event.insert(attribute.to_owned(), Value::from(text));
        }
    }
    if let Some(kind) = arrival.header("content-type") {
        event.insert("datacontenttype".to_owned(), Value::from(kind));
    }
    if !arrival.body.trim_ascii().is_empty() {
        let (name, data) = match std::str::from_utf8(arrival.body) {
            Ok(text) => ("data", body::parse(text).unwrap_or_else(|_| Value::from(text))),
            Err(_) => ("data_base64", Value::from(BASE64.encode(arrival.body))),
        };
        event.insert(name.to_owned(), data);
    }
    event
}

fn group(
    source: &str,
    event: Map<String, Value>,
    at: At<'_>,
    notes: &mut Notes,
) -> Result<AlertGroup, Unreadable> {
    for name in ["specversion", "id", "source", "type"] {
        if first(&event, &[name]).trim().is_empty() {
            let why =
                "missing, and every CloudEvent has it; a body of another form needs a source of kind json";
            return Err(body::refused(At::Key(&at, name), why));
        }
    }
    if !first(&event, &["specversion"]).starts_with("1.") {
        notes.add(At::Key(&at, "specversion"), "not 1.0; read as if it were");
    }
    let (data, text) = data(&event);
    let extensions: Map<String, Value> = event
        .iter()
        .filter(|(name, value)| {
            !NO_LABELS.contains(&name.as_str()) && !value.is_object() && !value.is_array()
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let (of_data, of_event) = (Said::of(&data, notes), Said::of(&extensions, notes));
    let either =
        |inner: &str, outer: &str| if inner.is_empty() { outer.to_owned() } else { inner.to_owned() };
    let kind = first(&event, &["type"]);
    let (base, by_type) = of_type(&kind);
    let known = of_data.status.or(of_event.status).or(by_type);
    if known.is_none() {
        notes.add(at, "says neither firing nor resolved, taken for firing");
    }
    let title = either(&of_data.title, base);
    let subject = first(&event, &["subject"]);
    let mut labels = Labels::from([
        ("alertname".to_owned(), title.clone()),
        ("event_source".to_owned(), first(&event, &["source"])),
        ("event_type".to_owned(), kind.clone()),
        ("severity".to_owned(), either(&of_data.severity, &of_event.severity)),
        ("subject".to_owned(), subject.clone()),
    ]);
    let mut tags: Labels = extensions.iter().map(|(name, value)| (name.clone(), shown(value))).collect();
    tags.retain(|name, _| name != "severity");
    add_tags(&mut labels, LABELS, &tags);
    add_tags(&mut labels, LABELS, &of_data.labels);
    let mut annotations = Labels::from([
        ("summary".to_owned(), title),
        ("description".to_owned(), either(&of_data.description, &text)),
    ]);
    annotations.extend(of_data.annotations);
    let when = time(&event, &["time"], notes);
    let single = Single {
        group_key: identity(&event, &either(&of_data.key, &of_event.key), base, known, at, notes),
        status: known.unwrap_or(Status::Firing),
        labels,
        annotations,
        group_labels: Labels::new(),
        starts_at: of_data.starts_at.or(when),
        ends_at: of_data.ends_at.or(when),
        url: of_data.url,
        event: Value::Object(event),
    };
    Ok(single.group(source))
}

fn identity(
    event: &Map<String, Value>,
    key: &str,
    base: &str,
    known: Option<Status>,
    at: At<'_>,
    notes: &mut Notes,
) -> String {
    let (source, subject) = (first(event, &["source"]), first(event, &["subject"]));
    if !key.is_empty() {
        return format!("{source}:{key}");
    }
    if !subject.is_empty() || known.is_some() {
        return format!("{source}:{base}:{subject}");
    }
    notes.add(
        at,
        "neither a dedup key nor a subject nor a status: a problem of its own, which nothing closes",
    );
    format!("{source}:{}", first(event, &["id"]))
}

/// The data as an object, and as text where it is none.
fn data(event: &Map<String, Value>) -> (Map<String, Value>, String) {
    let unpacked = match (event.get("data"), event.get("data_base64").and_then(Value::as_str)) {
        (None | Some(Value::Null), Some(packed)) => match BASE64.decode(packed.trim()) {
            Ok(bytes) => Value::from(String::from_utf8_lossy(&bytes).into_owned()),
            Err(_) => Value::Null,
        },
        (data, _) => data.cloned().unwrap_or(Value::Null),
    };
    let opened = match &unpacked {
        Value::String(text) => body::unfold(text).unwrap_or(unpacked),
        _ => unpacked,
    };
    match opened {
        Value::Object(map) => (map, String::new()),
        other => (Map::new(), shown(&other)),
    }
}

/// `com.example.alert.resolved.v1`: what stands before the word for its status, and that status.
fn of_type(kind: &str) -> (&str, Option<Status>) {
    let separator = |c: char| "./:_-".contains(c);
    let mut rest = kind;
    while let Some((before, last)) = rest.rsplit_once(separator) {
        let status = of_word(&last.to_lowercase());
        if status.is_some() {
            return (before.trim_end_matches(separator), status);
        }
        let is_version = last.strip_prefix(['v', 'V']).is_some_and(|digits| digits.parse::<u32>().is_ok());
        if !is_version {
            break;
        }
        rest = before;
    }
    (kind, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_a_type_may_be_a_status() {
        for (kind, base, status) in [
            ("com.example.alert.resolved", "com.example.alert", Some(Status::Resolved)),
            ("com.example.alert.firing.v2", "com.example.alert", Some(Status::Firing)),
            ("alert/closed", "alert", Some(Status::Resolved)),
            ("com.github.push", "com.github.push", None),
            ("com.example.v1", "com.example.v1", None),
            ("resolved", "resolved", None),
        ] {
            assert_eq!(of_type(kind), (base, status), "{kind}");
        }
    }
}
