//! Opsgenie and its successor, the Operations part of Jira Service Management (JSM): creates,
//! updates, acknowledges and closes alerts by their alias, which is our dedup key.
//!
//! Takes a message, gives the calls of a try: every write is answered 202 before it is worked on,
//! so the try asks afterwards what became of it. Takes outgoing webhooks, gives signals. On-call
//! rotas, heartbeats and teams are not touched.

use std::time::Duration;

use crate::domain::exchange::{HeaderText, HttpRequest, Method, Reply, Request};
use crate::domain::message::{Action, Message};
use crate::domain::outcome::Outcome;
use crate::domain::reminders::Reminders;
use crate::domain::secret::{Redactor, Secret};
use crate::target::contract::{
    Callback, Defaults, Heard, Kind, Refusal, Repeat, Step, Target, Turn, Unsayable, Worded,
};
use crate::target::opsgenie::stage::{Next, Stage, after};
use crate::target::opsgenie::words::{Dialect, Words};
use crate::target::verdict::cleaned;
use crate::template::escape::Escape;
use crate::template::library::{Builtin, Fault, builtin};
use crate::template::view::View;

mod settings;
mod stage;
mod verdict;
mod webhook;
mod words;

/// The service; accounts in the EU use <https://api.eu.opsgenie.com>. Ends on 5 April 2027.
const BASE_URL: &str = "https://api.opsgenie.com";
/// The management API of JSM Operations; the id of the cloud follows.
const JSM_URL: &str = "https://api.atlassian.com/jsm/ops/api";

static WORDINGS: [Builtin; 6] = [
    builtin!("opsgenie", "message"),
    builtin!("opsgenie", "description"),
    builtin!("opsgenie", "priority"),
    builtin!("opsgenie", "entity"),
    builtin!("opsgenie", "source"),
    builtin!("opsgenie", "note"),
];

/// The row of the table of kinds. The vendor's limits depend on the plan and on the number of
/// users; this is within the smallest.
pub static KIND: Kind = Kind {
    name: "opsgenie",
    about: "Opsgenie alerts (the service ends on 2027-04-05) and its successor, JSM Operations",
    wordings: &WORDINGS,
    defaults: Defaults {
        repeat: Repeat::Harmless,
        rate: Some((60, 20)),
        digest: None,
        reminders: Reminders::Every,
        retry_cap: Duration::from_secs(60),
        give_up_after: Duration::from_secs(24 * 3600),
    },
    build: settings::build,
};

/// A configured target.
#[derive(Debug)]
struct Opsgenie {
    /// Up to and with `/alerts`.
    alerts_url: String,
    authorization: HeaderText,
    dialect: Dialect,
    words: Words,
    /// Text of an alert that is still open is brought up to date.
    updates: bool,
    callback_tokens: Vec<Secret>,
    /// Names under which the relay writes there.
    own: Vec<String>,
    secrets: Vec<Secret>,
    redactor: Redactor,
}

impl Target for Opsgenie {
    fn request(&self, message: &Message, view: &View) -> Result<Worded, Unsayable> {
        Ok(self.worded(&self.first(message), message, view))
    }

    fn finds(&self, _message: &Message) -> Option<Reply> {
        let body = br#"{"id": "ID-OF-THE-ALERT"}"#.to_vec();
        Some(Reply { status: 200, body, ..Reply::default() })
    }

    fn judge(&self, _message: &Message, reply: &Reply) -> Outcome {
        verdict::of_write(&cleaned(reply, &self.redactor))
    }

    fn follow(&self, message: &Message, view: &View, replies: &[Reply]) -> Turn {
        let mut stage = self.first(message);
        let mut wait = Duration::ZERO;
        for reply in replies {
            let reply = cleaned(reply, &self.redactor);
            match after(stage, message, self.dialect, self.updates, &reply) {
                Next::Over(outcome) => return Turn::Over(outcome),
                Next::Call(next, pause) => (stage, wait) = (next, pause),
            }
        }
        Turn::Call(Box::new(Step { worded: self.worded(&stage, message, view), keep: None, wait }))
    }

    fn callback(&self, call: &Callback<'_>) -> Result<Heard, Refusal> {
        webhook::heard(&self.callback_tokens, &self.own, call)
    }

    fn secrets(&self) -> Vec<&Secret> {
        self.secrets.iter().collect()
    }
}

impl Opsgenie {
    /// A write is what a try begins with, where the alert can be named without asking.
    fn first(&self, message: &Message) -> Stage {
        match (message.action, self.dialect) {
            (Action::Trigger, _) => Stage::Create,
            (Action::Acknowledge | Action::Resolve, Dialect::Alias) => Stage::Change { alert: None },
            (Action::Acknowledge | Action::Resolve, Dialect::Id) => Stage::LookUp,
        }
    }

    fn worded(&self, stage: &Stage, message: &Message, view: &View) -> Worded {
        let mut faults = Vec::new();
        let request = self.call(stage, message, view, &mut faults);
        Worded { request: Request::Http(request), faults }
    }

    fn call(&self, stage: &Stage, message: &Message, view: &View, faults: &mut Vec<Fault>) -> HttpRequest {
        let words = &self.words;
        let key = message.dedup_key.as_str();
        let update = match self.dialect {
            Dialect::Alias => Method::Put,
            Dialect::Id => Method::Patch,
        };
        match stage {
            Stage::Create => {
                self.write(Method::Post, "").json(&words.create(key, self.dialect, view, faults))
            }
            Stage::Confirm { request, .. } => self.write(Method::Get, &format!("/requests/{}", url(request))),
            Stage::LookUp => self.write(Method::Get, &format!("/alias?alias={}", url(key))),
            Stage::Change { alert } => {
                let verb = if message.action == Action::Resolve { "close" } else { "acknowledge" };
                let request = self.write(Method::Post, &self.path(alert.as_deref(), key, verb));
                match self.dialect {
                    Dialect::Alias => request.json(&words.change(view, faults)),
                    Dialect::Id => request,
                }
            }
            Stage::Priority { alert } => {
                let body = serde_json::json!({ "priority": words.priority(view, faults) });
                self.write(update, &self.path(alert.as_deref(), key, "priority")).json(&body)
            }
            Stage::Message { alert } => {
                let body = serde_json::json!({ "message": words.message(view, faults) });
                self.write(update, &self.path(alert.as_deref(), key, "message")).json(&body)
            }
            Stage::Description { alert } => {
                let body = serde_json::json!({ "description": words.description(view, faults) });
                self.write(update, &self.path(alert.as_deref(), key, "description")).json(&body)
            }
            Stage::Note { alert } => {
                let body = serde_json::json!({ "note": words.note(view, faults) });
                self.write(Method::Post, &self.path(alert.as_deref(), key, "notes")).json(&body)
            }
        }
    }

    fn write(&self, method: Method, path: &str) -> HttpRequest {
        let address = format!("{}{path}", self.alerts_url);
        HttpRequest::new(method, address).header("Authorization", self.authorization.clone())
    }

    /// Without `identifierType` an alias is taken for an id, and silently nothing happens.
    fn path(&self, alert: Option<&str>, key: &str, verb: &str) -> String {
        match (self.dialect, alert) {
            (Dialect::Id, Some(id)) => format!("/{}/{verb}", url(id)),
            (Dialect::Alias, _) | (Dialect::Id, None) => format!("/{}/{verb}?identifierType=alias", url(key)),
        }
    }
}

fn url(text: &str) -> std::borrow::Cow<'_, str> {
    Escape::Url.apply(text)
}
