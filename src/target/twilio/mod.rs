//! Twilio: reads an alert out over the phone, or sends it as text messages.
//!
//! Takes a message, gives the calls of a try; takes what Twilio posts (a key pressed, nobody picked
//! up), gives signals and what the caller is to hear. A phone call goes to one number at a time, a
//! text message to all. Buying and registering numbers is not done here.

use std::time::Duration;

use crate::domain::exchange::{HeaderText, HttpRequest, Method, Reply, Request};
use crate::domain::message::{Action, Message, RemoteRef};
use crate::domain::outcome::Outcome;
use crate::domain::reminders::Reminders;
use crate::domain::secret::{Redactor, Secret};
use crate::target::contract::{
    Callback, Defaults, Heard, Kind, Refusal, Repeat, Step, Target, Turn, Unsayable, Worded,
};
use crate::target::twilio::number::{Number, shortened};
use crate::target::twilio::stage::{Course, Mode, Next, Stage};
use crate::target::twilio::twiml::Speech;
use crate::target::twilio::verdict::Said;
use crate::target::verdict::cleaned;
use crate::template::escape::Escape;
use crate::template::library::{Builtin, Fault, Wording, builtin};
use crate::template::view::View;

mod aloud;
mod number;
mod progress;
mod segments;
mod settings;
mod stage;
mod twiml;
mod verdict;
mod webhook;

/// The service, in its region us1.
const BASE_URL: &str = "https://api.twilio.com";

/// Longest address for callbacks with the keys of a digest; the web takes about 2000 everywhere.
const BACK_BYTES: usize = 2000;

static WORDINGS: [Builtin; 2] = [builtin!("twilio", "say"), builtin!("twilio", "body")];

/// The row of the table of kinds. Twilio starts one call a second for an account, and an ordinary
/// number sends one part of a text message a second.
pub static KIND: Kind = Kind {
    name: "twilio",
    about: "phone calls that read an alert out and take a key press, and text messages (Twilio)",
    wordings: &WORDINGS,
    defaults: Defaults {
        repeat: Repeat::Tolerated,
        rate: Some((60, 1)),
        digest: Some(true),
        reminders: Reminders::Every,
        retry_cap: Duration::from_secs(60),
        give_up_after: Duration::from_secs(24 * 3600),
    },
    build: settings::build,
};

/// Who is shown as the caller or sender.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sender {
    /// A number, a short code or a name.
    From(String),
    /// A pool of numbers at Twilio.
    Service(String),
}

/// A configured target.
#[derive(Debug)]
struct Twilio {
    /// Up to and with the account.
    account_url: String,
    authorization: HeaderText,
    mode: Mode,
    sender: Sender,
    /// At least one.
    to: Vec<Number>,
    say: Wording,
    body: Wording,
    speech: Speech,
    ring_seconds: u32,
    detects_machines: bool,
    segments_max: usize,
    /// Where Twilio posts to; without it nobody can press a key.
    callback_url: Option<String>,
    /// What Twilio signs with.
    signing: Vec<Secret>,
    secrets: Vec<Secret>,
    redactor: Redactor,
}

impl Target for Twilio {
    fn request(&self, message: &Message, view: &View) -> Result<Worded, Unsayable> {
        match Stage::first(self.mode, message, self.to.len()) {
            Some(stage) => Ok(self.worded(&stage, message, view)),
            None if self.mode == Mode::Sms => {
                Err(Unsayable("that somebody has taken it is not sent as a text message".to_owned()))
            }
            None => Err(Unsayable("no phone call is known that could be ended".to_owned())),
        }
    }

    fn judge(&self, message: &Message, reply: &Reply) -> Outcome {
        let reply = cleaned(reply, &self.redactor);
        if self.mode == Mode::Call && message.action != Action::Trigger {
            return verdict::of_cancel(&reply);
        }
        match verdict::of_create(&reply) {
            Said::Made(sid) => Outcome::Delivered { remote: Some(RemoteRef(sid)) },
            Said::Refused(reason) => Outcome::Rejected { reason },
            Said::Other(outcome) => outcome,
        }
    }

    fn follow(&self, message: &Message, view: &View, replies: &[Reply]) -> Turn {
        let Some(mut stage) = Stage::first(self.mode, message, self.to.len()) else {
            return Turn::Over(Outcome::Unknown { reason: "nothing was to be called".to_owned() });
        };
        let mut course = Course::new(self.mode, &self.to, message, view.now());
        for (nth, reply) in replies.iter().enumerate() {
            let reply = cleaned(reply, &self.redactor);
            match course.after(&stage, &reply) {
                Next::Over(outcome) => return Turn::Over(outcome),
                Next::Call { stage: next, keep, wait } => {
                    if nth + 1 == replies.len() {
                        let worded = self.worded(&next, message, view);
                        return Turn::Call(Box::new(Step { worded, keep, wait }));
                    }
                    stage = next;
                }
            }
        }
        Turn::Over(Outcome::Unknown { reason: "nothing came back".to_owned() })
    }

    /// A call says one thing, and can be ended; that somebody has taken it is not worth a text message.
    fn says(&self, action: Action) -> bool {
        self.mode == Mode::Call || action != Action::Acknowledge
    }

    /// A key that is pressed is about one problem. Of several numbers it is remembered for each message
    /// who has got it, so that a break between two of them tells nobody twice: a digest has no place for
    /// that.
    fn folds(&self) -> bool {
        self.mode == Mode::Sms && self.to.len() == 1
    }

    /// A text cannot be changed, so it is all the same who has had one; but a second trigger asks first
    /// what became of the first text.
    fn joins(&self, message: &Message) -> bool {
        message.remote.is_none() || message.action == Action::Resolve
    }

    /// What would be cut is not named, and an address has an end as well.
    fn names_all(&self, message: &Message, view: &View) -> bool {
        let back = self.callback_of(message).map_or(0, |back| back.len());
        segments::fits(&self.text(view, &mut Vec::new()), self.segments_max) && back <= BACK_BYTES
    }

    fn callback(&self, call: &Callback<'_>) -> Result<Heard, Refusal> {
        if self.callback_url.is_none() {
            return Err(Refusal::NotSetUp("server.external_url, and the auth_token of the target"));
        }
        let ears = webhook::Ears {
            signing: &self.signing,
            speech: &self.speech,
            is_alone: self.to.len() == 1,
            detects_machines: self.detects_machines,
        };
        ears.hear(call)
    }

    /// <https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>: what comes later is not
    /// heard on the phone, and a 503 is not asked again.
    fn awaits_answer(&self) -> Duration {
        Duration::from_secs(15)
    }

    fn secrets(&self) -> Vec<&Secret> {
        self.secrets.iter().collect()
    }

    /// A single number, shortened. Several are paced, and counted against a quota, together.
    fn pace_key(&self, _message: &Message) -> Option<String> {
        match self.to.as_slice() {
            [number] => Some(shortened(number.as_str())),
            _ => None,
        }
    }
}

impl Twilio {
    fn worded(&self, stage: &Stage, message: &Message, view: &View) -> Worded {
        let mut faults = Vec::new();
        let request = match stage {
            Stage::Dial { nth } => self.call_to(*nth, message, view, &mut faults),
            Stage::Send { nth } => self.text_to(*nth, message, view, &mut faults),
            Stage::AskCall { sid, .. } => self.asked(&format!("/Calls/{}.json", url(sid))),
            Stage::AskText { sid } | Stage::Remember { sid } => {
                self.asked(&format!("/Messages/{}.json", url(sid)))
            }
            Stage::Cancel { sid } => {
                self.posted(&format!("/Calls/{}.json", url(sid))).form([("Status", "canceled")])
            }
        };
        Worded { request: Request::Http(request), faults }
    }

    fn call_to(&self, nth: usize, message: &Message, view: &View, faults: &mut Vec<Fault>) -> HttpRequest {
        let text = self.say.say(view).noting(faults);
        let text = if text.trim().is_empty() { view.plain().into() } else { text };
        let back = self.callback_of(message);
        let twiml = self.speech.of_alert(&text, back.as_deref());
        let seconds = self.ring_seconds.to_string();
        let mut form = vec![("To", self.number(nth)), self.sender(), ("Twiml", twiml.as_str())];
        form.push(("Timeout", &seconds));
        if self.detects_machines {
            form.push(("MachineDetection", "Enable"));
        }
        if let Some(back) = &back {
            form.push(("StatusCallback", back));
            form.push(("StatusCallbackEvent", "answered"));
            form.push(("StatusCallbackEvent", "completed"));
        }
        self.posted("/Calls.json").form(form)
    }

    fn text_to(&self, nth: usize, message: &Message, view: &View, faults: &mut Vec<Fault>) -> HttpRequest {
        let body = segments::fitted(&self.text(view, faults), self.segments_max);
        // Whether the all-clear has arrived is nobody's worry.
        let back = self.callback_of(message).filter(|_| message.action == Action::Trigger);
        let mut form = vec![("To", self.number(nth)), self.sender(), ("Body", body.as_str())];
        if let Some(back) = &back {
            form.push(("StatusCallback", back));
        }
        self.posted("/Messages.json").form(form)
    }

    /// A text message, uncut.
    fn text(&self, view: &View, faults: &mut Vec<Fault>) -> String {
        let text = self.body.say(view).noting(faults);
        if text.trim().is_empty() { view.plain() } else { text.into_owned() }
    }

    fn number(&self, nth: usize) -> &str {
        self.to.get(nth).map_or("", Number::as_str)
    }

    fn sender(&self) -> (&'static str, &str) {
        match &self.sender {
            Sender::From(from) => ("From", from),
            Sender::Service(sid) => ("MessagingServiceSid", sid),
        }
    }

    /// The address that is given to Twilio; it signs it, keys and all.
    fn callback_of(&self, message: &Message) -> Option<String> {
        let base = self.callback_url.as_ref()?;
        let keys: Vec<String> =
            message.keys().iter().map(|key| format!("key={}", url(key.as_str()))).collect();
        Some(format!("{base}?{}", keys.join("&")))
    }

    fn posted(&self, path: &str) -> HttpRequest {
        let address = format!("{}{path}", self.account_url);
        HttpRequest::new(Method::Post, address).header("Authorization", self.authorization.clone())
    }

    fn asked(&self, path: &str) -> HttpRequest {
        let address = format!("{}{path}", self.account_url);
        HttpRequest::new(Method::Get, address).header("Authorization", self.authorization.clone())
    }
}

fn url(text: &str) -> std::borrow::Cow<'_, str> {
    Escape::Url.apply(text)
}
