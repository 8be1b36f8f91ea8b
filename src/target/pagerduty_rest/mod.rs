//! PagerDuty by its REST API v2: opens incidents on a service, updates, acknowledges and resolves
//! them, and adds notes.
//!
//! Takes a message, gives the calls of a try; webhooks give signals. For accounts that hand out no
//! integration keys, or that set priority, assignees and escalation policy from outside; who has the
//! choice takes the kind `pagerduty`, which needs one call.

use std::time::Duration;

use serde_json::json;

use crate::domain::exchange::{HeaderText, HttpRequest, Method, Reply, Request};
use crate::domain::message::{Action, Message};
use crate::domain::outcome::Outcome;
use crate::domain::reminders::Reminders;
use crate::domain::secret::{Redactor, Secret};
use crate::target::contract::{
    Callback, Defaults, Heard, Kind, Refusal, Repeat, Step, Target, Turn, Unsayable, Worded,
};
use crate::target::pagerduty::webhook;
use crate::target::pagerduty_rest::stage::{Next, Stage, after};
use crate::target::pagerduty_rest::words::Words;
use crate::target::verdict::cleaned;
use crate::template::escape::Escape;
use crate::template::library::{Builtin, builtin};
use crate::template::view::View;

mod settings;
mod stage;
mod verdict;
mod words;

/// The service; accounts in the EU use <https://api.eu.pagerduty.com>.
const BASE_URL: &str = "https://api.pagerduty.com";
/// The version that is spoken.
const ACCEPT: &str = "application/vnd.pagerduty+json;version=2";

static WORDINGS: [Builtin; 4] = [
    builtin!("pagerduty_rest", "title"),
    builtin!("pagerduty_rest", "details"),
    builtin!("pagerduty_rest", "urgency"),
    builtin!("pagerduty_rest", "note"),
];

/// The row of the table of kinds. A key has 960 requests a minute.
pub static KIND: Kind = Kind {
    name: "pagerduty_rest",
    about: "PagerDuty incidents by its REST API, where there are no integration keys",
    wordings: &WORDINGS,
    defaults: Defaults {
        repeat: Repeat::Harmless,
        rate: Some((300, 20)),
        digest: None,
        reminders: Reminders::Every,
        retry_cap: Duration::from_secs(60),
        give_up_after: Duration::from_secs(24 * 3600),
    },
    build: settings::build,
};

/// A configured target.
#[derive(Debug)]
struct PagerDutyRest {
    base_url: String,
    authorization: HeaderText,
    /// Address of the user in whose name is written.
    from: String,
    service: String,
    words: Words,
    webhook_secrets: Vec<Secret>,
    secrets: Vec<Secret>,
    redactor: Redactor,
}

impl Target for PagerDutyRest {
    fn request(&self, message: &Message, view: &View) -> Result<Worded, Unsayable> {
        Ok(self.worded(&Stage::first(message), message, view))
    }

    /// The incident that bears our key; a trigger that asks goes on as if there were none.
    fn finds(&self, message: &Message) -> Option<Reply> {
        let found = match message.action {
            Action::Trigger => json!([]),
            _ => json!([{ "id": "IDOFTHEINCIDENT", "incident_key": message.dedup_key.as_str() }]),
        };
        let body = json!({ "incidents": found }).to_string().into_bytes();
        Some(Reply { status: 200, body, ..Reply::default() })
    }

    fn judge(&self, message: &Message, reply: &Reply) -> Outcome {
        let reply = cleaned(reply, &self.redactor);
        match after(&Stage::first(message), message, false, &reply) {
            Next::Over(outcome) => outcome,
            Next::Call(_) => Outcome::delivered(),
        }
    }

    fn follow(&self, message: &Message, view: &View, replies: &[Reply]) -> Turn {
        // Faults of the note are told with its call, if it is made.
        let has_note = !self.words.note(view, &mut Vec::new()).is_empty();
        let mut stage = Stage::first(message);
        for reply in replies {
            match after(&stage, message, has_note, &cleaned(reply, &self.redactor)) {
                Next::Over(outcome) => return Turn::Over(outcome),
                Next::Call(next) => stage = next,
            }
        }
        // What is open already is found by its key, so there is nothing to keep on the way.
        let worded = self.worded(&stage, message, view);
        Turn::Call(Box::new(Step { worded, keep: None, wait: Duration::ZERO }))
    }

    fn callback(&self, call: &Callback<'_>) -> Result<Heard, Refusal> {
        webhook::heard(&self.webhook_secrets, call)
    }

    fn secrets(&self) -> Vec<&Secret> {
        self.secrets.iter().collect()
    }
}

impl PagerDutyRest {
    fn worded(&self, stage: &Stage, message: &Message, view: &View) -> Worded {
        let mut faults = Vec::new();
        let key = message.dedup_key.as_str();
        let request = match stage {
            Stage::LookUp { .. } => self.read(&format!(
                "/incidents?incident_key={}&service_ids%5B%5D={}&statuses%5B%5D=triggered&statuses%5B%5D=acknowledged\
                 &date_range=all",
                url(key),
                url(&self.service)
            )),
            Stage::Create { .. } => {
                let body = self.words.create(key, &self.service, view, &mut faults);
                self.write(Method::Post, "/incidents").json(&body)
            }
            Stage::Update { id } => {
                let body = self.words.update(view, &mut faults);
                self.write(Method::Put, &format!("/incidents/{}", url(id))).json(&body)
            }
            Stage::Change { id } => {
                let status = if message.action == Action::Resolve { "resolved" } else { "acknowledged" };
                let body = serde_json::json!({ "incident": { "type": "incident_reference", "status": status } });
                self.write(Method::Put, &format!("/incidents/{}", url(id))).json(&body)
            }
            // Without the wrapper the note is refused.
            Stage::Note { id } => {
                let body = serde_json::json!({ "note": { "content": self.words.note(view, &mut faults) } });
                self.write(Method::Post, &format!("/incidents/{}/notes", url(id))).json(&body)
            }
        };
        Worded { request: Request::Http(request), faults }
    }

    fn read(&self, path: &str) -> HttpRequest {
        HttpRequest::new(Method::Get, format!("{}{path}", self.base_url))
            .header("Authorization", self.authorization.clone())
            .header("Accept", HeaderText::Plain(ACCEPT.to_owned()))
    }

    fn write(&self, method: Method, path: &str) -> HttpRequest {
        HttpRequest { method, ..self.read(path) }.header("From", HeaderText::Plain(self.from.clone()))
    }
}

fn url(text: &str) -> std::borrow::Cow<'_, str> {
    Escape::Url.apply(text)
}
