//! Guance (观测云): one event a call, as JSON straight from the custom webhook, as JSON under
//! `kwargs` by way of DataFlux Func, or as plain text (title, empty line, message).
//!
//! An event becomes a group of one alert. Its identity is `df_monitor_checker_event_ref`, which
//! fire and recovery share; `df_event_id` is new each time and the severity moves within a fault.
//! Labels: the dimension tags, and [`LABELS`]; a tag of one of these names becomes `tag_<name>`.
//! `severity` is the status while it fires and left out once it is over. Annotations:
//! [`ANNOTATIONS`]. `event` is the whole body, its JSON strings opened.

use serde_json::{Map, Value};

use crate::domain::alert::{AlertGroup, Labels, Status};
use crate::source::contract::{Arrival, Reading, Source, Unreadable};
use crate::source::event::{Single, add_tags, first, names, taken, time, word};
use crate::source::notes::{At, Notes, kind_of};
use crate::source::{body, fields, webhook};

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct Guance;

/// Label, and the fields it is taken from: the first that says something.
pub const LABELS: &[(&str, &[&str])] = &[
    // The checker's name may hold `{{host}}` as it stands; that is one name for all hosts.
    ("alertname", &["df_monitor_checker_name", "df_title"]),
    ("alert_policy", &["df_alert_policy_names"]),
    ("event_source", &["df_source"]),
    ("monitor_checker_id", &["df_monitor_checker_id"]),
    ("monitor_label", &["df_label"]),
    ("monitor_name", &["df_monitor_name"]),
    ("severity", &[]),
    ("site_name", &["df_site_name"]),
    ("workspace_name", &["df_workspace_name", "workspace_name"]),
    ("workspace_uuid", &["df_workspace_uuid", "workspace_uuid"]),
];

/// Annotation, and the fields it is taken from.
pub const ANNOTATIONS: &[(&str, &[&str])] = &[
    ("alert_info", &["df_alert_info"]),
    ("description", &["df_message"]),
    ("detail", &["df_event_detail"]),
    ("link", LINK),
    ("reason", &["df_event_reason"]),
    ("report", &["df_event_report"]),
    ("summary", &["df_title", "df_monitor_checker_name"]),
    ("value", &["df_monitor_checker_value_with_unit", "df_monitor_checker_value", "Result"]),
];

const LINK: &[&str] = &["df_event_link", "df_event_url"];
const TAGS: &str = "df_dimension_tags";
const CLOSING: &[&str] = &["ok", "nodata_ok", "nodata_as_ok", "manual_ok"];

/// Fields that arrive as JSON inside a string, at least in some versions.
const FOLDED: &[&str] = &[
    TAGS,
    "df_alert_policy_ids",
    "df_alert_policy_names",
    "df_at_accounts",
    "df_at_accounts_nodata",
    "df_channels",
    "df_charts",
    "df_check_condition",
    "df_label",
    "df_matched_alert_members",
    "df_matched_alert_policy_rules",
    "df_message_at_accounts",
    "df_monitor_checker_value_dumps",
    "df_sent_target_types",
    "df_workspace_declaration",
];

impl Source for Guance {
    fn read(&self, arrival: &Arrival<'_>) -> Result<Reading, Unreadable> {
        let mut notes = Notes::default();
        let (mut event, is_text) = open(arrival, &mut notes)?;
        unfold(&mut event);
        let (status, severity) = match standing(&event) {
            _ if is_text => {
                notes.say("plain text carries no status: it opens and never closes; send JSON instead");
                (Status::Firing, String::new())
            }
            Standing::Fires(severity) => {
                if severity.is_empty() {
                    notes.say("no df_status: taken for firing, without severity");
                }
                (Status::Firing, severity)
            }
            Standing::Over => (Status::Resolved, String::new()),
            Standing::Nothing(why) => {
                notes.say(why);
                return Ok(Reading { notes: notes.into_lines(), ..Reading::default() });
            }
        };
        let group = group(arrival.source, event, status, severity, &mut notes);
        Ok(Reading { groups: vec![group], notes: notes.into_lines(), ..Reading::default() })
    }
}

/// What an event says about its fault.
enum Standing {
    /// It is on, with this severity; empty when unknown.
    Fires(String),
    /// It is over.
    Over,
    /// There is none, for this reason.
    Nothing(&'static str),
}

fn standing(event: &Map<String, Value>) -> Standing {
    let word = |name| word(event, &[name]);
    let (status, sub, fault) = (word("df_status"), word("df_sub_status"), word("df_fault_status"));
    let closes = |word: &String| CLOSING.contains(&word.as_str());
    if closes(&status) || closes(&sub) {
        Standing::Over
    } else if status == "info" && fault != "fault" {
        Standing::Nothing("df_status is info and there is no fault: nothing is opened or closed")
    } else if fault == "ok" {
        Standing::Over
    } else if status.is_empty() && fault.is_empty() && is_test(event) {
        Standing::Nothing("a connectivity test: neither status nor event id, nothing to deliver")
    } else {
        // As it was sent: a word of the operator's own may be mapped by another name later.
        Standing::Fires(first(event, &["df_status"]).trim().to_owned())
    }
}

fn is_test(event: &Map<String, Value>) -> bool {
    !["df_event_id", "df_monitor_checker_id", "df_monitor_checker_event_ref"]
        .iter()
        .any(|name| event.contains_key(*name))
}

fn group(
    source: &str,
    event: Map<String, Value>,
    status: Status,
    severity: String,
    notes: &mut Notes,
) -> AlertGroup {
    let tags = match event.get(TAGS) {
        Some(Value::Object(tags)) => fields::labels(tags.clone()),
        _ => Labels::new(),
    };
    let mut labels = taken(&event, LABELS);
    labels.insert("severity".to_owned(), severity);
    let ours = names(LABELS);
    add_tags(&mut labels, &ours, &tags);
    let now = time(&event, &["timestamp", "date"], notes);
    let single = Single {
        group_key: identity(&event, &tags),
        status,
        labels,
        annotations: taken(&event, ANNOTATIONS),
        group_labels: tags,
        starts_at: time(&event, &["df_fault_start_time", "df_issue_start_time"], notes).or(now),
        ends_at: now,
        url: first(&event, LINK),
        event: Value::Object(event),
    };
    single.group(source)
}

/// What fire and recovery share: the event ref, which Guance computes from checker and tags; else
/// these two; else the title within the workspace.
fn identity(event: &Map<String, Value>, tags: &Labels) -> String {
    let event_ref = first(event, &["df_monitor_checker_event_ref"]);
    if !event_ref.is_empty() {
        return event_ref;
    }
    let checker = first(event, &["df_monitor_checker_id"]);
    if !checker.is_empty() {
        return format!("{checker}:{}", webhook::written(tags));
    }
    let workspace = first(event, &["df_workspace_uuid", "workspace_uuid"]);
    format!("{workspace}:{}", first(event, &["df_title", "df_monitor_checker_name"]))
}

/// The event, and whether it came as plain text.
fn open(arrival: &Arrival<'_>, notes: &mut Notes) -> Result<(Map<String, Value>, bool), Unreadable> {
    let text = body::text(arrival.body, notes)?;
    let content_type = arrival.header("content-type").unwrap_or_default().trim_start();
    let says_text = content_type.get(..10).is_some_and(|head| head.eq_ignore_ascii_case("text/plain"));
    if says_text && !looks_like_object(&text) {
        return Ok((plain(&text), true));
    }
    let mut event = match body::parse(&text)? {
        Value::Object(map) => map,
        other => {
            let why = format!("the body is {} where an object is expected", kind_of(&other));
            return Err(body::whole(&why));
        }
    };
    if !has_fields(&event) {
        let wrapped = match event.remove("kwargs") {
            Some(Value::Object(inner)) => Some(inner),
            Some(Value::String(inner)) => match body::unfold(&inner) {
                Some(Value::Object(inner)) => Some(inner),
                _ => None,
            },
            _ => None,
        };
        event = wrapped.unwrap_or(event);
    }
    if has_fields(&event) {
        return Ok((event, false));
    }
    let at = At::Key(&At::Body, "df_title");
    Err(body::refused(at, "missing, and no other df_ field is there: this is not an event of Guance"))
}

/// A brace and a quote: a title such as `{{host}} is down` is none.
fn looks_like_object(text: &str) -> bool {
    let inside = text.trim_start().strip_prefix('{').map(str::trim_start);
    inside.is_some_and(|inside| inside.starts_with(['"', '}']))
}

fn has_fields(map: &Map<String, Value>) -> bool {
    map.keys().any(|name| name.starts_with("df_"))
}

/// Line 1 is the title, line 2 empty, the rest the message.
fn plain(text: &str) -> Map<String, Value> {
    let (title, message) = text.trim().split_once('\n').unwrap_or((text.trim(), ""));
    let field = |name: &str, text: &str| (name.to_owned(), Value::from(text.trim()));
    Map::from_iter([field("df_title", title), field("df_message", message)])
}

/// Opens the JSON strings. Tags are an object ever after, also when there are none.
fn unfold(event: &mut Map<String, Value>) {
    for name in FOLDED {
        if let Some(value) = event.get_mut(*name)
            && let Some(opened) = value.as_str().and_then(body::unfold)
        {
            *value = opened;
        }
    }
    let tags = event.entry(TAGS).or_insert(Value::Null);
    if !tags.is_object() {
        *tags = Value::Object(Map::new());
    }
}
