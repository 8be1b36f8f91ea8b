//! The bodies of calls to PagerDuty's REST API, worded and kept within limits.
//!
//! Takes a view and compiled wording, gives JSON. The vendor names no limit for the texts but the
//! title's; the others keep an incident readable and a request small.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::template::library::{Fault, Wording};
use crate::template::severity::Severity;
use crate::template::text::cut;
use crate::template::view::View;

const TITLE_CHARS: usize = 1024;
const DETAILS_CHARS: usize = 60_000;
const NOTE_CHARS: usize = 20_000;

/// Who has to deal with it, when it is not the service's own policy.
#[derive(Debug)]
pub enum Owner {
    /// The policy of the service.
    Service,
    /// Id of an escalation policy.
    Policy(String),
    /// Ids of users.
    Users(Vec<String>),
}

/// All wording of a target.
#[derive(Debug)]
pub struct Words {
    pub title: Wording,
    pub details: Wording,
    pub urgency: Wording,
    pub note: Wording,
    pub owner: Owner,
    /// Ids of priorities by `critical`, `error`, `warning`, `info`.
    pub priorities: BTreeMap<&'static str, String>,
}

impl Words {
    /// A new incident.
    pub fn create(&self, key: &str, service: &str, view: &View, faults: &mut Vec<Fault>) -> Value {
        let mut incident = self.shown(view, faults);
        incident.insert("type".to_owned(), "incident".into());
        incident.insert("service".to_owned(), reference("service", service));
        incident.insert("incident_key".to_owned(), key.into());
        let details = self.details.say(view).noting(faults);
        let details = cut(details.trim(), DETAILS_CHARS);
        incident.insert("body".to_owned(), json!({ "type": "incident_body", "details": details }));
        match &self.owner {
            Owner::Service => {}
            Owner::Policy(id) => {
                incident.insert("escalation_policy".to_owned(), reference("escalation_policy", id));
            }
            Owner::Users(ids) => {
                let each = ids.iter().map(|id| json!({ "assignee": reference("user", id) }));
                incident.insert("assignments".to_owned(), each.collect());
            }
        }
        json!({ "incident": incident })
    }

    /// What an open incident shows now. Its details cannot be changed; the note tells the news.
    pub fn update(&self, view: &View, faults: &mut Vec<Fault>) -> Value {
        let mut incident = self.shown(view, faults);
        incident.insert("type".to_owned(), "incident_reference".into());
        json!({ "incident": incident })
    }

    /// A note; empty when there is nothing to say.
    pub fn note(&self, view: &View, faults: &mut Vec<Fault>) -> String {
        cut(self.note.say(view).noting(faults).trim(), NOTE_CHARS).into_owned()
    }

    fn shown(&self, view: &View, faults: &mut Vec<Fault>) -> Map<String, Value> {
        let text = self.title.say(view).noting(faults);
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = if line.is_empty() { view.plain() } else { line };
        let mut shown = Map::from_iter([
            ("title".to_owned(), cut(&line, TITLE_CHARS).into()),
            ("urgency".to_owned(), self.urgency(view, faults).into()),
        ]);
        if let Some(id) = self.priorities.get(view.severity().as_str()) {
            shown.insert("priority".to_owned(), reference("priority", id));
        }
        shown
    }

    /// `high` or `low`. A severity word is understood too; what is neither is never passed through.
    fn urgency(&self, view: &View, faults: &mut Vec<Fault>) -> &'static str {
        let said = self.urgency.say(view).noting(faults);
        if let Some(urgency) = urgency(&said) {
            return urgency;
        }
        let what = format!("{:?} is no urgency; write high or low, or a severity", cut(said.trim(), 60));
        let ours = self.urgency.instead(view, what).noting(faults);
        urgency(&ours).unwrap_or("high")
    }
}

fn urgency(text: &str) -> Option<&'static str> {
    match text.trim().to_ascii_lowercase().as_str() {
        "high" => Some("high"),
        "low" => Some("low"),
        other => Severity::parse(other).map(|severity| match severity {
            Severity::Critical | Severity::Error => "high",
            Severity::Warning | Severity::Info => "low",
        }),
    }
}

fn reference(kind: &str, id: &str) -> Value {
    json!({ "id": id, "type": format!("{kind}_reference") })
}
