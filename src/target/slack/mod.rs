//! Slack: one message a problem, changed in place as the problem changes, with the history in its
//! thread and buttons that come back as signals.
//!
//! By a bot token (`chat.postMessage`, `chat.update`) or, with less, by an incoming webhook, which
//! can only post: there a change is a new message. Slack knows no idempotency key, so a post whose
//! answer was lost may show twice. What was posted where is remembered in the remote ref
//! (`posted.rs`); what to call next is decided by `turns.rs`.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::domain::exchange::{HeaderText, HttpRequest, Method, Reply, Request};
use crate::domain::message::{Action, JobId, Message, Proposal, RemoteRef};
use crate::domain::outcome::Outcome;
use crate::domain::reminders::Reminders;
use crate::domain::secret::{Redactor, Secret};
use crate::target::contract::{
    Callback, Defaults, Heard, Kind, LISTED, Refusal, Repeat, Target, Turn, Unsayable, Worded, lists,
};
use crate::target::slack::answer::Said;
use crate::target::slack::blocks::{Beside, Words, calls};
use crate::target::slack::channel::Channels;
use crate::target::slack::posted::{Posted, Shown};
use crate::target::slack::turns::{Call, Form, Manner, Next, Place, Reach, first, next};
use crate::target::verdict::cleaned;
use crate::template::library::{Builtin, Fault, builtin};
use crate::template::severity::Severity;
use crate::template::view::View;

mod answer;
mod blocks;
mod callback;
mod channel;
mod mrkdwn;
mod posted;
mod settings;
mod turns;

/// The web API.
const BASE_URL: &str = "https://slack.com/api";

static WORDINGS: [Builtin; 8] = [
    builtin!("slack", "header"),
    builtin!("slack", "text"),
    builtin!("slack", "severity"),
    builtin!("slack", "where"),
    builtin!("slack", "since"),
    builtin!("slack", "footer"),
    builtin!("slack", "reply"),
    builtin!("slack", "color"),
];

/// The row of the table of kinds. Slack takes about one message a second for a channel, with short
/// bursts.
pub static KIND: Kind = Kind {
    name: "slack",
    about: "Slack messages with buttons, changed in place (bot token or incoming webhook)",
    wordings: &WORDINGS,
    defaults: Defaults {
        repeat: Repeat::Tolerated,
        rate: Some((60, 3)),
        digest: Some(false),
        reminders: Reminders::Every,
        retry_cap: Duration::from_secs(60),
        give_up_after: Duration::from_secs(24 * 3600),
    },
    build: settings::build,
};

/// How messages reach Slack.
#[derive(Debug)]
enum Way {
    /// An incoming webhook: one channel, and nothing comes back.
    Webhook(Secret),
    /// The web API.
    Bot { base_url: String, authorization: HeaderText, channels: Channels },
}

/// A configured target.
#[derive(Debug)]
struct Slack {
    way: Way,
    words: Words,
    /// `username`, icon and unfurling, as a new message takes them.
    looks: Map<String, Value>,
    /// Least severity at which people are mentioned.
    mention_from: Severity,
    manner: Manner,
    /// Clicks can come back.
    has_buttons: bool,
    signing_secrets: Vec<Secret>,
    secrets: Vec<Secret>,
    redactor: Redactor,
}

impl Target for Slack {
    fn request(&self, message: &Message, view: &View) -> Result<Worded, Unsayable> {
        Ok(self.worded(first(self.manner, posted(message).is_some()), message, view))
    }

    fn judge(&self, message: &Message, reply: &Reply) -> Outcome {
        let view = View::of(message, "", message.accepted_at);
        let call = first(self.manner, posted(message).is_some());
        self.judged(call, message, &view, reply).1
    }

    fn follow(&self, message: &Message, view: &View, replies: &[Reply]) -> Turn {
        let mut call = first(self.manner, posted(message).is_some());
        for reply in replies {
            let (said, outcome) = self.judged(call, message, view, reply);
            match next(self.manner, call, &self.reach(message, view), &said, outcome) {
                Next::Over(outcome) => return Turn::Over(outcome),
                Next::Enough => {
                    return Turn::Over(Outcome::Delivered {
                        remote: self.remembered(call, message, view, &said),
                    });
                }
                Next::Call(further) => call = further,
            }
        }
        Turn::call(self.worded(call, message, view))
    }

    fn says(&self, action: Action) -> bool {
        action != Action::Acknowledge || self.mirrors()
    }

    /// A webhook's message stays as it is, but whoever clicked a button in it deserves a word.
    fn mirrors(&self) -> bool {
        matches!(self.way, Way::Bot { .. }) || self.has_buttons
    }

    fn talks(&self) -> bool {
        true
    }

    fn callback(&self, call: &Callback<'_>) -> Result<Heard, Refusal> {
        callback::read(call, &self.signing_secrets)
    }

    /// <https://docs.slack.dev/interactivity/handling-user-interaction>: then it shows an error.
    fn awaits_answer(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn names_all(&self, message: &Message, view: &View) -> bool {
        lists(message, LISTED) && self.words.fits(view)
    }

    fn secrets(&self) -> Vec<&Secret> {
        self.secrets.iter().collect()
    }

    fn pace_key(&self, message: &Message) -> Option<String> {
        let Way::Bot { channels, .. } = &self.way else { return Some("webhook".into()) };
        Some(posted(message).map_or_else(
            || channels.choose(|name| name.render(&View::of(message, "", message.accepted_at))).0,
            |posted| posted.asked,
        ))
    }
}

impl Slack {
    /// The request of a call.
    fn worded(&self, call: Call, message: &Message, view: &View) -> Worded {
        let mut faults = Vec::new();
        let posted = posted(message);
        let beside = self.beside(call, message, view, posted.as_ref());
        let mut body = match call {
            Call::Post { form: Form::Blocks, .. } | Call::Update { form: Form::Blocks } => {
                self.words.painted(message, view, &beside, &mut faults)
            }
            Call::Post { form: Form::Plain, .. } | Call::Update { form: Form::Plain } => {
                self.words.plain(view, &beside, &mut faults)
            }
            Call::Reply { .. } => self.words.replied(view, &beside, &mut faults),
        };
        if !matches!(call, Call::Update { .. }) {
            body.extend(self.looks.clone());
        }
        let (url, authorization) = match &self.way {
            Way::Webhook(url) => (url.clone(), None),
            Way::Bot { base_url, authorization, channels } => {
                body.insert("parse".into(), "none".into());
                let method = match (call, &posted) {
                    (Call::Update { .. }, Some(posted)) => {
                        body.insert("channel".into(), posted.channel.as_str().into());
                        body.insert("ts".into(), posted.ts.as_str().into());
                        body.insert("link_names".into(), false.into());
                        "chat.update"
                    }
                    (Call::Reply { is_loud, .. }, Some(posted)) => {
                        body.insert("channel".into(), posted.channel.as_str().into());
                        body.insert("thread_ts".into(), posted.ts.as_str().into());
                        body.insert(
                            "reply_broadcast".into(),
                            (is_loud || self.is_worse(view, posted)).into(),
                        );
                        "chat.postMessage"
                    }
                    _ => {
                        let channel = chosen(channels, call, view, &mut faults);
                        body.insert("channel".into(), channel.into());
                        "chat.postMessage"
                    }
                };
                (Secret::new(format!("{base_url}/{method}")), Some(authorization.clone()))
            }
        };
        let mut request = HttpRequest::new(Method::Post, url);
        if let Some(authorization) = authorization {
            request = request.header("Authorization", authorization);
        }
        let body = Value::Object(body).to_string().into_bytes();
        let request = request.typed("application/json; charset=utf-8", body);
        Worded { request: Request::Http(request), faults }
    }

    fn beside(&self, call: Call, message: &Message, view: &View, posted: Option<&Posted>) -> Beside {
        let calls = calls(message, view.severity(), self.mention_from);
        let taken =
            posted.and_then(|posted| posted.taken.as_ref()).filter(|_| message.action == Action::Trigger);
        let same = |note: &&String| taken != Some(*note);
        Beside {
            mentions: calls
                && match (call, posted) {
                    (Call::Post { .. }, _) => true,
                    (Call::Reply { .. }, Some(posted)) => self.is_worse(view, posted),
                    _ => false,
                },
            notes: message.note.iter().filter(same).chain(taken).cloned().collect(),
            // A click would come back with a key that no problem has.
            buttons: self.has_buttons && !message.is_digest(),
            job: proposed(message),
            is_taken: message.action == Action::Acknowledge || taken.is_some(),
        }
    }

    /// It has become worse than what people were told. An update makes no sound, so this must.
    fn is_worse(&self, view: &View, posted: &Posted) -> bool {
        view.text("status") == "firing" && view.severity() > posted.shown.severity
    }

    /// The answer to a call, and what it comes to if the try ends with it.
    fn judged(&self, call: Call, message: &Message, view: &View, reply: &Reply) -> (Said, Outcome) {
        let reply = &cleaned(reply, &self.redactor);
        let said = match self.way {
            Way::Webhook(_) => Said::webhook(reply),
            Way::Bot { .. } => Said::api(reply),
        };
        let outcome = match said.outcome(reply) {
            Outcome::Delivered { .. } => {
                Outcome::Delivered { remote: self.remembered(call, message, view, &said) }
            }
            other => other,
        };
        (said, outcome)
    }

    /// Where the message stands now and what it shows. A resolve ends the lane; a digest is the message
    /// of none.
    fn remembered(&self, call: Call, message: &Message, view: &View, said: &Said) -> Option<RemoteRef> {
        let Way::Bot { channels, .. } = &self.way else { return None };
        if message.action == Action::Resolve || message.is_digest() {
            return None;
        }
        let (ts, channel, asked) = match call {
            Call::Post { .. } if is_word(&said.ts) && is_word(&said.channel) => {
                let asked = chosen(channels, call, view, &mut Vec::new());
                (said.ts.clone(), said.channel.clone(), asked)
            }
            Call::Post { .. } => return None,
            Call::Update { .. } | Call::Reply { .. } => {
                posted(message).map(|posted| (posted.ts, posted.channel, posted.asked))?
            }
        };
        let shown = Shown::of(&message.group, view.severity());
        Some(Posted { ts, channel, asked, shown, taken: taken(message), job: proposed(message) }.remote())
    }

    /// What the message and its history leave open to the calls of a try.
    fn reach(&self, message: &Message, view: &View) -> Reach {
        let posted = posted(message);
        let shown = Shown::of(&message.group, view.severity());
        let is_news = message.action != Action::Trigger
            || message.note.is_some()
            || posted.as_ref().is_none_or(|posted| posted.shown != shown);
        let otherwise = match &self.way {
            Way::Bot { channels, .. } => channels
                .otherwise()
                .is_some_and(|other| other != chosen(channels, Call::POST, view, &mut Vec::new())),
            Way::Webhook(_) => false,
        };
        Reach { is_news, has_default_channel: otherwise }
    }
}

fn posted(message: &Message) -> Option<Posted> {
    message.remote.as_ref().and_then(Posted::read)
}

/// The job that waits for a word, until somebody gives it or all is over.
fn proposed(message: &Message) -> Option<JobId> {
    match (message.action, message.proposal) {
        (Action::Resolve, _) | (_, Some(Proposal::Settled)) => None,
        (_, Some(Proposal::Made(job))) => Some(job),
        (_, None) => posted(message).and_then(|posted| posted.job),
    }
}

/// Who took it, as it is to be remembered: until it is over.
fn taken(message: &Message) -> Option<String> {
    match message.action {
        Action::Acknowledge => message.note.clone().or_else(|| Some("acknowledged".into())),
        Action::Trigger => posted(message).and_then(|posted| posted.taken),
        Action::Resolve => None,
    }
}

fn chosen(channels: &Channels, call: Call, view: &View, faults: &mut Vec<Fault>) -> String {
    if let (Call::Post { place: Place::Default, .. }, Some(otherwise)) = (call, channels.otherwise()) {
        return otherwise.to_owned();
    }
    let (channel, fault) = channels.choose(|name| name.render(view));
    faults.extend(fault);
    channel
}

/// What may stand in a remote ref.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
}
