//! PagerDuty, Events API v2: triggers, acknowledges and resolves incidents, or tells of changes.
//!
//! Takes a message, gives one POST; reads the answer. Incidents are opened through an integration
//! key and nothing comes back for them but that key's fingerprint, which later messages of the lane
//! need. Webhooks give signals. The REST API is not spoken here.

use std::time::Duration;

use serde_json::Value;

use crate::domain::announcement;
use crate::domain::exchange::{HeaderText, HttpRequest, Method, Reply, Request};
use crate::domain::message::{Action, Message, RemoteRef};
use crate::domain::outcome::Outcome;
use crate::domain::reminders::Reminders;
use crate::domain::secret::{Redactor, Secret};
use crate::target::contract::{Callback, Defaults, Heard, Kind, Refusal, Repeat, Target, Unsayable, Worded};
use crate::target::pagerduty::event::Event;
use crate::target::pagerduty::keys::{Choice, Keys};
use crate::target::pagerduty::words::{Words, announced};
use crate::target::verdict::{by_status, cleaned, retry_after, sentence};
use crate::template::library::{Builtin, builtin};
use crate::template::text::cut;
use crate::template::view::View;

mod event;
mod keys;
mod settings;
pub mod webhook;
mod words;

/// The service; accounts in the EU use <https://events.eu.pagerduty.com>.
const BASE_URL: &str = "https://events.pagerduty.com";

/// Rest of a key that is throttled; PagerDuty says "tens of seconds".
const THROTTLED_FOR: Duration = Duration::from_secs(30);

static WORDINGS: [Builtin; 10] = [
    builtin!("pagerduty", "summary"),
    builtin!("pagerduty", "source"),
    builtin!("pagerduty", "severity"),
    builtin!("pagerduty", "component"),
    builtin!("pagerduty", "group"),
    builtin!("pagerduty", "class"),
    builtin!("pagerduty", "client"),
    builtin!("pagerduty", "client_url"),
    builtin!("pagerduty", "firing"),
    builtin!("pagerduty", "resolved"),
];

/// The row of the table of kinds. PagerDuty takes about 120 events a minute for a routing key.
pub static KIND: Kind = Kind {
    name: "pagerduty",
    about: "PagerDuty incidents and change events (Events API v2)",
    wordings: &WORDINGS,
    defaults: Defaults {
        repeat: Repeat::Harmless,
        rate: Some((120, 20)),
        digest: None,
        reminders: Reminders::Every,
        retry_cap: Duration::from_secs(60),
        give_up_after: Duration::from_secs(24 * 3600),
    },
    build: settings::build,
};

/// What a target makes of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Incidents.
    Alert,
    /// Change events: no state, no dedup key.
    Change,
}

/// A configured target.
#[derive(Debug)]
struct PagerDuty {
    base_url: String,
    mode: Mode,
    keys: Keys,
    words: Words,
    webhook_secrets: Vec<Secret>,
    redactor: Redactor,
}

impl PagerDuty {
    /// The key of a message where no view is at hand. It is built only when a template names keys.
    fn key(&self, message: &Message) -> Choice<'_> {
        self.keys.choose(message, |template| template.render(&View::of(message, "", message.accepted_at)))
    }
}

impl PagerDuty {
    /// What was changed is a change event, whatever the target makes of alerts.
    fn mode_of(&self, message: &Message) -> Mode {
        if announcement::is(&message.group) { Mode::Change } else { self.mode }
    }
}

impl Target for PagerDuty {
    fn request(&self, message: &Message, view: &View) -> Result<Worded, Unsayable> {
        let mut faults = Vec::new();
        let mode = self.mode_of(message);
        let path = match mode {
            Mode::Alert => "/v2/enqueue",
            Mode::Change => "/v2/change/enqueue",
        };
        let mut event = match (mode, message.action) {
            _ if announcement::is(&message.group) => announced(view),
            (Mode::Alert, Action::Trigger) => self.words.trigger(view, &mut faults),
            (Mode::Alert, Action::Acknowledge | Action::Resolve) => Event::default(),
            (Mode::Change, Action::Trigger) => self.words.change(view, &mut faults),
            (Mode::Change, action) => {
                return Err(Unsayable(format!("a change event has no state, there is no {action} for it")));
            }
        };
        if mode == Mode::Alert {
            event.event_action = Some(message.action.as_str());
            event.dedup_key = Some(message.dedup_key.as_str());
        }
        let Choice { key, fault } = self.keys.choose(message, |template| template.render(view));
        faults.extend(fault);
        event.routing_key = key.secret.expose();
        let request = HttpRequest {
            method: Method::Post,
            url: format!("{}{path}", self.base_url).into(),
            headers: vec![("Content-Type".to_owned(), HeaderText::Plain("application/json".to_owned()))],
            body: event.fitted(),
        };
        Ok(Worded { request: Request::Http(request), faults })
    }

    fn judge(&self, message: &Message, reply: &Reply) -> Outcome {
        let reply = &cleaned(reply, &self.redactor);
        match reply.status {
            202 => Outcome::Delivered { remote: self.to_remember(message) },
            200..=299 if said(reply)["status"] == "success" => {
                Outcome::Delivered { remote: self.to_remember(message) }
            }
            200..=299 => Outcome::Hold {
                reason: sentence(
                    reply,
                    "this is not PagerDuty's answer, which would be a 202: check base_url",
                ),
            },
            400 => refused(reply),
            429 => throttled(reply),
            _ => by_status(reply),
        }
    }

    fn callback(&self, call: &Callback<'_>) -> Result<Heard, Refusal> {
        webhook::heard(&self.webhook_secrets, call)
    }

    fn tells_changes(&self) -> bool {
        true
    }

    fn secrets(&self) -> Vec<&Secret> {
        self.keys.all().map(|key| &key.secret).chain(&self.webhook_secrets).collect()
    }

    fn pace_key(&self, message: &Message) -> Option<String> {
        Some(self.key(message).key.print.clone())
    }
}

impl PagerDuty {
    /// A resolve ends the lane; a change has none.
    fn to_remember(&self, message: &Message) -> Option<RemoteRef> {
        let lasts = self.mode_of(message) == Mode::Alert && message.action != Action::Resolve;
        lasts.then(|| self.key(message).key.remote())
    }
}

/// Events are throttled by routing key, and the answer does not say for how long.
fn throttled(reply: &Reply) -> Outcome {
    let after = retry_after(reply).unwrap_or(THROTTLED_FOR);
    Outcome::Retry { reason: sentence(reply, ""), after: Some(after), whole_target: false }
}

/// A 400 means a bad event, or a wrong or disabled key: the API has no 401.
fn refused(reply: &Reply) -> Outcome {
    let answer = said(reply);
    let errors = answer["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let all: Vec<&str> = answer["message"].as_str().into_iter().chain(errors).collect();
    if all.is_empty() {
        return by_status(reply);
    }
    let text = cut(&all.join("; "), 1000).into_owned();
    let lower = text.to_lowercase().replace('_', " ");
    if ["routing key", "integration key", "service key"].iter().any(|name| lower.contains(name)) {
        return Outcome::Hold { reason: format!("answered 400: {text}; check routing_key") };
    }
    Outcome::Rejected { reason: format!("answered 400: {text}") }
}

fn said(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_default()
}
