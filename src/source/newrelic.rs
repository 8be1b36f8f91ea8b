//! New Relic: issues by a workflow's webhook destination, and the violations of the older channels.
//!
//! The body is written by its user; the stock template of both is understood, and names are read in
//! any spelling. Identity is the id of the issue (of the incident, for violations). An issue that is
//! only created, or acknowledged, opens and closes nothing: it fires from `ACTIVATED` to `CLOSED`.
//! Labels: what stands in `labels` or `tags`, and [`LABELS`].

use serde_json::{Map, Value};

use crate::domain::alert::{Labels, Status};
use crate::source::contract::{Arrival, Reading, Source, Unreadable};
use crate::source::event::{
    Single, add_tags, by_plain_name, first, is_variable, labels_in, names, taken, time, word,
};
use crate::source::notes::{At, Notes};
use crate::source::{body, event};

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct NewRelic;

/// Label, and the fields it is taken from. `severity` is in lower case.
pub const LABELS: &[(&str, &[&str])] = &[
    ("account_id", &["accountid", "nraccountid"]),
    ("account_name", &["accountname"]),
    ("alertname", &["alertconditionnames", "conditionname", "conditionnames", "title", "issuetitle"]),
    ("entity", &["impactedentities", "entitiesdata", "entityname"]),
    ("event_source", &["sources"]),
    ("policy", &["alertpolicynames", "policyname", "policynames"]),
    ("severity", &["priority", "severity"]),
    ("workflow", &["workflowname"]),
];

const ANNOTATIONS: &[(&str, &[&str])] = &[
    ("description", &["description", "details", "alertdescription", "conditiondescription"]),
    ("runbook_url", &["runbookurl"]),
    ("summary", &["title", "issuetitle", "details", "conditionname"]),
    ("total_incidents", &["totalincidents"]),
    ("trigger", &["trigger", "triggerevent"]),
];

const IDENTITY: &[&str] = &["id", "issueid", "incidentid"];
const STATE: &[&str] = &["state", "issuestate", "currentstate", "status"];

impl Source for NewRelic {
    fn read(&self, arrival: &Arrival<'_>) -> Result<Reading, Unreadable> {
        let mut notes = Notes::default();
        let event = body::fields(arrival.body, &mut notes)?;
        let fields = by_plain_name(&event, is_unfilled);
        let Some(group_key) = identity(&fields, &mut notes) else {
            let why = "missing, and there is no title either; \
                       the payload of the workflow needs \"id\": {{ json issueId }}, as docs/sources/newrelic.md has it";
            return Err(body::refused(At::Key(&At::Body, "id"), why));
        };
        let state = word(&fields, STATE);
        let status = match state.as_str() {
            "created" | "acknowledged" => {
                notes.say(format!(
                    "state {state}: nothing is opened or closed; it fires from ACTIVATED to CLOSED"
                ));
                return Ok(Reading { notes: notes.into_lines(), ..Reading::default() });
            }
            "closed" | "resolved" | "deactivated" => Status::Resolved,
            "activated" | "open" => Status::Firing,
            "" => {
                notes.say("no state: taken for activated; it will not be seen to close");
                Status::Firing
            }
            _ => {
                notes.add(At::Key(&At::Body, "state"), "not a state that New Relic has, taken for activated");
                Status::Firing
            }
        };
        let single = Single { status, ..single(event, &fields, group_key, &mut notes) };
        let groups = vec![single.group(arrival.source)];
        Ok(Reading { groups, notes: notes.into_lines(), ..Reading::default() })
    }
}

fn single(
    event: Map<String, Value>,
    fields: &Map<String, Value>,
    group_key: String,
    notes: &mut Notes,
) -> Single {
    let mut labels = taken(fields, LABELS);
    if let Some(severity) = labels.get_mut("severity") {
        *severity = severity.trim().to_lowercase();
    }
    let ours = names(LABELS);
    for name in ["tags", "labels"] {
        add_tags(&mut labels, &ours, &labels_in(fields.get(name)));
    }
    add_tags(&mut labels, &ours, &of_target(fields));
    let now = time(fields, &["updatedat", "timestamp"], notes);
    let ended = time(fields, &["closedat", "timestampclosed"], notes);
    Single {
        group_key,
        status: Status::Firing,
        labels,
        annotations: taken(fields, ANNOTATIONS),
        group_labels: Labels::new(),
        starts_at: time(fields, &["activatedat", "createdat"], notes).or(now),
        ends_at: ended.or(now),
        url: first(fields, &["issueurl", "issuepageurl", "incidenturl", "violationcharturl"]),
        event: Value::Object(event),
    }
}

/// The labels of the first target of a violation.
fn of_target(fields: &Map<String, Value>) -> Labels {
    let target = fields.get("targets").and_then(|targets| targets.get(0));
    let mut labels = labels_in(target.and_then(|target| target.get("labels")));
    if let Some(name) = target.and_then(|target| target.get("name")) {
        labels.insert("target".to_owned(), event::shown(name));
    }
    labels
}

fn identity(fields: &Map<String, Value>, notes: &mut Notes) -> Option<String> {
    let id = first(fields, IDENTITY);
    if !id.is_empty() {
        return Some(id);
    }
    let title = first(fields, &["title", "issuetitle", "conditionname"]);
    if title.is_empty() {
        return None;
    }
    notes.say("no id: known by its title; add \"id\": {{ json issueId }} to the payload");
    Some(format!("title:{title}"))
}

/// `{{ json issueId }}` or `$INCIDENT_ID`, as it stands where New Relic did not fill it in.
fn is_unfilled(text: &str) -> bool {
    let braces = text.starts_with("{{") && text.ends_with("}}") && text.matches("{{").count() == 1;
    braces || is_variable(text) || text.eq_ignore_ascii_case("n/a")
}
