//! Zabbix: what the webhook media type of `docs/sources/zabbix.md` posts, and the like of it.
//!
//! The body is made by a script of its user; names are read in any spelling (`{EVENT.ID}`,
//! `event_id`, `EventID`), and a macro that Zabbix did not resolve counts as absent. Identity is
//! `{EVENT.ID}`: the id of the problem, in its recovery and its updates too. Labels: the tags of the
//! event, and [`LABELS`]; a tag of one of these names becomes `tag_<name>`. Dates without a time zone
//! are not read: Zabbix writes them in a zone that the body does not tell.

use serde_json::{Map, Value};

use crate::domain::alert::{Labels, Status};
use crate::source::body;
use crate::source::contract::{Arrival, Reading, Source, Unreadable};
use crate::source::event::{
    Single, add_tags, by_plain_name, first, join, labels_in, names, shown, tags, taken, time, word,
};
use crate::source::notes::{At, Notes};

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct Zabbix;

/// Label, and the fields it is taken from.
pub const LABELS: &[(&str, &[&str])] = &[
    ("alertname", &["eventname", "triggername", "alertsubject", "subject"]),
    ("event_source", &["eventsource"]),
    ("host", &["hostname", "host", "hosthost"]),
    ("host_groups", &["triggerhostgroupname", "hostgroups", "hostgroup"]),
    ("host_ip", &["hostip", "hostconn"]),
    ("item", &["itemname"]),
    // not classified, information, warning, average, high or disaster
    ("severity", &[]),
    ("trigger_id", &["triggerid"]),
];

const ANNOTATIONS: &[(&str, &[&str])] = &[
    ("description", &["triggerdescription", "alertmessage", "message"]),
    ("operational_data", &["eventopdata", "opdata"]),
    ("summary", &["eventname", "triggername", "alertsubject", "subject"]),
    ("update", &["eventupdatemessage", "updatemessage"]),
    ("update_action", &["eventupdateaction", "updateaction"]),
    ("value", &["itemlastvalue", "itemvalue"]),
];

/// By number, as `{EVENT.NSEVERITY}` counts them.
const SEVERITIES: [&str; 6] = ["not classified", "information", "warning", "average", "high", "disaster"];

impl Source for Zabbix {
    fn read(&self, arrival: &Arrival<'_>) -> Result<Reading, Unreadable> {
        let mut notes = Notes::default();
        let event = body::fields(arrival.body, &mut notes)?;
        let fields = by_plain_name(&event, is_unresolved);
        let Some(group_key) = identity(&fields, &mut notes) else {
            let why = "missing, and there is neither trigger_id nor event_name; \
                       use the parameters of docs/sources/zabbix.md in the media type";
            return Err(body::refused(At::Key(&At::Body, "event_id"), why));
        };
        let mut labels = taken(&fields, LABELS);
        labels.insert("severity".to_owned(), severity(&fields, &mut notes));
        let ours = names(LABELS);
        let (of_event, bare) = event_tags(&fields);
        for tags in [&of_event, &labels_in(fields.get("labels"))] {
            add_tags(&mut labels, &ours, tags);
        }
        let mut annotations = taken(&fields, ANNOTATIONS);
        annotations.insert("tags".to_owned(), bare.join(","));
        let single = Single {
            group_key,
            status: status(&fields, &mut notes),
            labels,
            annotations,
            group_labels: Labels::new(),
            starts_at: time(&fields, &["eventtimestamp", "startsat"], &mut notes),
            ends_at: time(&fields, &["eventrecoverytimestamp", "endsat"], &mut notes),
            url: link(&fields),
            event: Value::Object(event),
        };
        let groups = vec![single.group(arrival.source)];
        Ok(Reading { groups, notes: notes.into_lines(), ..Reading::default() })
    }
}

/// `{EVENT.OPDATA}` as it stands where the macro is not known there, or Zabbix's `*UNKNOWN*`.
fn is_unresolved(text: &str) -> bool {
    let inside = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let macro_like = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "$#?._<>".contains(c))
    };
    text == "*UNKNOWN*" || inside.is_some_and(macro_like)
}

fn identity(fields: &Map<String, Value>, notes: &mut Notes) -> Option<String> {
    let id = first(fields, &["eventid", "problemid"]);
    if !id.is_empty() {
        return Some(id);
    }
    let host = first(fields, &["hostname", "host", "hosthost"]);
    let named = [
        ("trigger", first(fields, &["triggerid"])),
        ("event", first(fields, &["eventname", "triggername", "alertsubject", "subject"])),
    ];
    let (what, name) = named.into_iter().find(|(_, name)| !name.is_empty())?;
    notes
        .say(format!("no event_id: known by host and {what}; add event_id = {{EVENT.ID}} to the parameters"));
    Some(format!("{what}:{host}:{name}"))
}

/// A problem is over when its recovery is known, or when the value or the word says so: an update
/// of a problem that has been resolved meanwhile still carries the value of the problem.
fn status(fields: &Map<String, Value>, notes: &mut Notes) -> Status {
    if !first(fields, &["eventrecoveryid"]).is_empty() {
        return Status::Resolved;
    }
    let value = word(fields, &["eventvalue", "triggervalue"]);
    let said = word(fields, &["eventstatus", "status", "triggerstatus"]);
    match (value.as_str(), said.as_str()) {
        ("0", _) | ("", "resolved" | "ok" | "recovery" | "recovered") => Status::Resolved,
        ("1", _) | ("", "problem" | "firing") => Status::Firing,
        ("", "") => {
            notes.say("neither event_value nor status: taken for a problem; it will not be seen to recover");
            Status::Firing
        }
        ("", _) => {
            notes.add(At::Key(&At::Body, "status"), "neither PROBLEM nor RESOLVED, taken for a problem");
            Status::Firing
        }
        _ => {
            notes.add(At::Key(&At::Body, "event_value"), "neither 1 nor 0, taken for a problem");
            Status::Firing
        }
    }
}

/// The number, which no translation changes, else the word in lower case.
fn severity(fields: &Map<String, Value>, notes: &mut Notes) -> String {
    let number = first(fields, &["eventnseverity", "nseverity", "triggernseverity"]);
    match number.trim().parse::<usize>().ok().and_then(|number| SEVERITIES.get(number)) {
        Some(word) => (*word).to_owned(),
        None => {
            if !number.is_empty() {
                notes.add(At::Key(&At::Body, "event_nseverity"), "not a number from 0 to 5");
            }
            word(fields, &["eventseverity", "severity", "triggerseverity"])
        }
    }
}

/// `{EVENT.TAGSJSON}`, a list of objects with `tag` and `value`; or `{EVENT.TAGS}`, pairs between commas.
fn event_tags(fields: &Map<String, Value>) -> (Labels, Vec<String>) {
    let listed = match fields.get("eventtagsjson").or(fields.get("eventtags")).or(fields.get("tags")) {
        Some(Value::String(text)) => match body::unfold(text) {
            Some(opened) => opened,
            None => return tags(Some(&Value::from(text.as_str()))),
        },
        Some(other) => other.clone(),
        None => return (Labels::new(), Vec::new()),
    };
    let (mut labels, mut bare) = (Labels::new(), Vec::new());
    for tag in listed.as_array().into_iter().flatten() {
        let part = |name: &str| tag.get(name).map(shown).unwrap_or_default();
        match (part("tag"), part("value")) {
            (name, _) if name.is_empty() => {}
            (name, value) if value.is_empty() => bare.push(name),
            (name, value) => join(&mut labels, &name, &value),
        }
    }
    if let Value::Object(_) = listed {
        labels = labels_in(Some(&listed));
    }
    (labels, bare)
}

/// The page of the event, if the body tells where Zabbix is; else the link of the trigger.
fn link(fields: &Map<String, Value>) -> String {
    let (base, trigger, event) =
        (first(fields, &["zabbixurl"]), first(fields, &["triggerid"]), first(fields, &["eventid"]));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if base.starts_with("http") && digits(&trigger) && digits(&event) {
        let base = base.trim_end_matches('/');
        return format!("{base}/tr_events.php?triggerid={trigger}&eventid={event}");
    }
    first(fields, &["triggerurl", "url"])
}
