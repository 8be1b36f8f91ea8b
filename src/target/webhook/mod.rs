//! Any HTTP endpoint: method, headers and body are the operator's, and it may be signed.
//!
//! Takes a message, gives one request; a 2xx is success. The default body is what Alertmanager's
//! own webhook sends, with the relay's fields beside. Signatures follow Standard Webhooks.

use std::time::Duration;

use crate::domain::exchange::{HeaderText, HttpRequest, Method, Reply, Request};
use crate::domain::message::Message;
use crate::domain::outcome::Outcome;
use crate::domain::reminders::Reminders;
use crate::domain::secret::{Redactor, Secret};
use crate::target::contract::{Callback, Defaults, Heard, Kind, Refusal, Repeat, Target, Unsayable, Worded};
use crate::target::verdict::{by_status, cleaned};
use crate::target::webhook::sign::Signer;
use crate::template::library::{Builtin, Wording, builtin};
use crate::template::view::View;

mod callback;
mod settings;
mod sign;

static WORDINGS: [Builtin; 1] = [builtin!("webhook", "body")];

/// The row of the table of kinds. Nothing is known of the other side, so a repeat may show twice.
pub static KIND: Kind = Kind {
    name: "webhook",
    about: "any HTTP endpoint, body from a template, signed if wanted",
    wordings: &WORDINGS,
    defaults: Defaults {
        repeat: Repeat::Tolerated,
        rate: None,
        digest: Some(false),
        reminders: Reminders::Every,
        retry_cap: Duration::from_secs(60),
        give_up_after: Duration::from_secs(24 * 3600),
    },
    build: settings::build,
};

/// A configured target.
#[derive(Debug)]
struct Webhook {
    url: Secret,
    method: Method,
    /// Those that do not depend on the message, in the order they are sent.
    headers: Vec<(String, HeaderText)>,
    body: Wording,
    /// The body has to parse as JSON.
    is_json: bool,
    signer: Option<Signer>,
    /// Who may call back.
    callback_tokens: Vec<Secret>,
    /// Everything to be starred.
    secrets: Vec<Secret>,
    redactor: Redactor,
}

impl Target for Webhook {
    fn request(&self, message: &Message, view: &View) -> Result<Worded, Unsayable> {
        let mut faults = Vec::new();
        let mut body = String::new();
        if self.method != Method::Get {
            body = self.body.say(view).noting(&mut faults).into_owned();
            let unreadable = self.is_json.then(|| serde_json::from_str::<serde::de::IgnoredAny>(&body).err());
            if let Some(error) = unreadable.flatten() {
                let what = format!("what it gives is no JSON ({error}); write values as {{{{json value}}}}");
                body = self.body.instead(view, what).noting(&mut faults).into_owned();
            }
        }
        let mut headers = self.headers.clone();
        if let Some(signer) = &self.signer {
            headers.extend(signer.headers(&message.id, view.now(), body.as_bytes()));
        }
        let request =
            HttpRequest { method: self.method, url: self.url.clone(), headers, body: body.into_bytes() };
        Ok(Worded { request: Request::Http(request), faults })
    }

    fn judge(&self, _message: &Message, reply: &Reply) -> Outcome {
        by_status(&cleaned(reply, &self.redactor))
    }

    fn callback(&self, call: &Callback<'_>) -> Result<Heard, Refusal> {
        callback::read(call, &self.callback_tokens)
    }

    fn secrets(&self) -> Vec<&Secret> {
        self.secrets.iter().collect()
    }
}
