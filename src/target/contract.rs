//! What a kind of target must be able to do. Pure and sync: no clock, no socket, no log and no
//! retry count is reachable from here.
//!
//! A try begins with one request, which for most kinds is all of it. Where the service needs more
//! (look up before creating, then comment), [`Target::follow`] reads the replies so far and says
//! whether the try is over or what comes next.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::document::node::Node;
use crate::domain::alert::Status;
use crate::domain::exchange::{Reply, Request};
use crate::domain::message::{Action, Message, RemoteRef};
use crate::domain::outcome::Outcome;
use crate::domain::problem::Problem;
use crate::domain::reminders::Reminders;
use crate::domain::secret::Secret;
use crate::domain::signal::{Event, Signal};
use crate::template::library::{Builtin, Fault, Library};
use crate::template::view::View;

/// A configured target: its settings are parsed and its templates compiled.
pub trait Target: Send + Sync + fmt::Debug {
    /// Words the message. Never fails on wording: a template that fails is replaced by the
    /// built-in one and reported as a fault beside the request.
    ///
    /// # Errors
    /// [`Unsayable`] when this target has nothing to call for this message (an action the service
    /// does not know), which settles the delivery as rejected with that sentence.
    fn request(&self, message: &Message, view: &View) -> Result<Worded, Unsayable>;

    /// Judges what came back. Every status code has an outcome.
    fn judge(&self, message: &Message, reply: &Reply) -> Outcome;

    /// What the replies of this try lead to, the latest last; there is at least one. Steps that may
    /// be repeated without harm come first, so that a try that breaks off can be made again whole.
    fn follow(&self, message: &Message, _view: &View, replies: &[Reply]) -> Turn {
        match replies.last() {
            Some(reply) => Turn::Over(self.judge(message, reply)),
            None => Turn::Over(Outcome::Unknown { reason: "nothing came back".into() }),
        }
    }

    /// The usual answer to the question that a try may begin with, for people who want to see what it
    /// leads to and ask nobody: a trigger finds nothing, the rest what the trigger opened.
    fn finds(&self, _message: &Message) -> Option<Reply> {
        None
    }

    /// Whether the service has a word for this action. What it has none for is not queued.
    fn says(&self, _action: Action) -> bool {
        true
    }

    /// Whether several messages may be told by one call, as this target is set up. Not where what
    /// comes back, or goes on afterwards, is about a single problem (a key pressed on the phone).
    fn folds(&self) -> bool {
        true
    }

    /// Whether this message may be told together with others. Not what the target gave something back
    /// for: that is to be changed there, and no other message says so.
    fn joins(&self, message: &Message) -> bool {
        message.remote.is_none()
    }

    /// Whether a digest, as this target words it, names each of its alerts: one that does not takes
    /// fewer along. By default what the wordings of ours list.
    fn names_all(&self, message: &Message, _view: &View) -> bool {
        lists(message, LISTED)
    }

    /// Whether this target shows a state that a person set right there (a Slack message that is to
    /// read "acknowledged by …"), so that it must hear of it too.
    fn mirrors(&self) -> bool {
        false
    }

    /// Whether people talk there, so that it hears of the jobs of its incident: proposed, started, over.
    fn talks(&self) -> bool {
        false
    }

    /// Whether the service has a word for a change that somebody made, which is no problem and has no
    /// end.
    fn tells_changes(&self) -> bool {
        false
    }

    /// Reads what the service posts to `/callbacks/{target}`, after checking that it is the service
    /// that speaks.
    ///
    /// # Errors
    /// [`Refusal`]; by default that this kind listens to nothing.
    fn callback(&self, _call: &Callback<'_>) -> Result<Heard, Refusal> {
        Err(Refusal::NotSpoken)
    }

    /// How long the service waits for the answer to a callback, before it takes it for lost.
    fn awaits_answer(&self) -> Duration {
        Duration::from_secs(5)
    }

    /// Asks how that stands which this target opened (a ticket, a run of a job): given the replies so
    /// far, the latest last, what to ask next or what is known now. Reads only; changes nothing there.
    fn inquire(&self, _remote: &RemoteRef, _replies: &[Reply]) -> Inquiry {
        Inquiry::Untold
    }

    /// Whether what it opens are tickets, which people work on and close.
    fn keeps_tickets(&self) -> bool {
        false
    }

    /// Where people look at what this target opened.
    fn page(&self, _remote: &RemoteRef) -> Option<String> {
        None
    }

    /// Ends early what this target started (a run of a job): the call that does it, then, with the
    /// replies so far, what comes next. `None` where there is nothing that could be ended. Harmless
    /// when repeated, and when it is over already.
    fn cancel(&self, _remote: &RemoteRef, _replies: &[Reply]) -> Option<Turn> {
        None
    }

    /// What may follow an unknown outcome, where the settings change what is `usual` for the kind.
    fn repeat(&self, usual: Repeat) -> Repeat {
        usual
    }

    /// Secrets that this target may put on the wire, for the redactor.
    fn secrets(&self) -> Vec<&Secret>;

    /// What the vendor limits besides the target as a whole (Slack channel, routing key, phone
    /// number). `None`: nothing. Never the secret itself. Where there is one, an outcome that asks
    /// for time (`Retry` with `after`) rests this key, or with `whole_target` the target.
    fn pace_key(&self, _message: &Message) -> Option<String> {
        None
    }
}

/// How many firing and resolved alerts the wordings of ours list by name, where nothing else is said.
pub const LISTED: (usize, usize) = (20, 10);

/// Whether a message has at most so many firing and resolved alerts.
pub fn lists(message: &Message, (firing, resolved): (usize, usize)) -> bool {
    let over = message.group.alerts.iter().filter(|alert| alert.status == Status::Resolved).count();
    message.group.alerts.len() - over <= firing && over <= resolved
}

/// A request ready to go, and what went wrong while wording it.
#[derive(Debug)]
pub struct Worded {
    /// What to send.
    pub request: Request,
    /// Templates that failed; the request carries the built-in wording in their place.
    pub faults: Vec<Fault>,
}

/// What comes after a reply.
#[derive(Debug)]
pub enum Turn {
    /// The try is over.
    Over(Outcome),
    /// One more call belongs to it.
    Call(Box<Step>),
}

impl Turn {
    /// One more call at once, with nothing to keep.
    pub fn call(worded: Worded) -> Turn {
        Turn::Call(Box::new(Step { worded, keep: None, wait: Duration::ZERO }))
    }
}

/// A further call of a try. At most [`Step::MAX`] are made.
#[derive(Debug)]
pub struct Step {
    /// What to send.
    pub worded: Worded,
    /// What has been achieved so far, to be remembered if this call fails: the next try finds it in
    /// [`Message::remote`] and goes on from there.
    pub keep: Option<RemoteRef>,
    /// Pause before it, for services that answer before they have worked.
    pub wait: Duration,
}

impl Step {
    /// Calls of one try after the first.
    pub const MAX: usize = 24;
}

/// What an inquiry comes to.
#[derive(Debug)]
pub enum Inquiry {
    /// This kind, or this target as it is set up, has nothing that could be asked.
    Untold,
    /// Ask this.
    Call(Box<Request>),
    /// So it stands.
    Known(Found),
    /// No telling this time, and why; a [`Outcome::Retry`] with a time is obeyed.
    Failed(Outcome),
}

/// How a ticket or a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// `TicketMoved`, `TicketClosed`, `JobMoved`, `JobSucceeded` or `JobFailed`.
    pub event: Event,
    /// The service's word for its state.
    pub state: String,
    /// Who has it, or ended it, as the service names them; may be empty.
    pub who: String,
    /// What a run has written so far, secrets starred; may be empty.
    pub output: String,
}

/// What a service posted to `/callbacks/{target}`.
#[derive(Debug, Clone, Copy)]
pub struct Callback<'a> {
    /// The address as the service knows it: `server.external_url`, path and query. Some sign it.
    pub url: &'a str,
    /// Names in lower case.
    pub headers: &'a [(String, String)],
    /// As it came.
    pub body: &'a [u8],
    /// For checks of age.
    pub now: Timestamp,
}

impl<'a> Callback<'a> {
    /// First value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}

/// What a callback said, and what the service is to be answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// In order; none for a mere handshake.
    pub signals: Vec<Signal>,
    /// Sent with 200 once the signals are on disk.
    pub answer: Answer,
}

/// The body of an answer to a callback.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// `Content-Type`; empty when there is no body.
    pub content_type: &'static str,
    /// Body.
    pub body: String,
}

/// Why a callback is not listened to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// This kind, or this target as it is set up, listens to nothing (404); the sentence says what
    /// setting is missing, if one is.
    NotSpoken,
    /// It is set up without what proves who speaks (404): the sentence names the setting.
    NotSetUp(&'static str),
    /// It cannot be shown to come from the service, or is too old (401).
    Forged(&'static str),
    /// It cannot be read (400).
    Unreadable(String),
}

/// Why there is nothing to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsayable(pub String);

/// What may be done after a call whose outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// The service folds repeats by a key of ours (PagerDuty, Opsgenie): just repeat.
    Harmless,
    /// A repeat may show twice; better than not at all (chat, calls).
    Tolerated,
    /// Never again by itself: only a person can tell (jobs).
    Forbidden,
    /// After the kind has looked up that the first did not arrive (jobs that carry a marker). It
    /// does so by itself when [`Message::begun`] says that one may have.
    LookedUp,
}

impl Repeat {
    /// Told twice it would do harm: each sending is announced on disk before it is made, so that
    /// even a crash leaves no doubt about which may have arrived.
    pub fn is_announced(self) -> bool {
        match self {
            Repeat::Forbidden | Repeat::LookedUp => true,
            Repeat::Harmless | Repeat::Tolerated => false,
        }
    }
}

/// A row of the table of kinds.
pub struct Kind {
    /// The key inside a target that names this kind.
    pub name: &'static str,
    /// One line for `--help`, docs and README.
    pub about: &'static str,
    /// Default wording, one per templated field.
    pub wordings: &'static [Builtin],
    /// Policies where the operator gives none.
    pub defaults: Defaults,
    /// Builds a target from its settings, or says all that is wrong with them.
    pub build: fn(&Workshop<'_>) -> Built,
}

/// A target, or everything that is wrong with its settings.
pub type Built = Result<Made, Vec<Problem>>;

/// A target that can be used, and what may surprise its operator.
#[derive(Debug)]
pub struct Made {
    /// The target.
    pub target: Box<dyn Target>,
    /// Warnings only.
    pub warnings: Vec<Problem>,
}

/// Policies of a kind, each to be overridden per target.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    /// After an unknown outcome.
    pub repeat: Repeat,
    /// Tokens per minute and burst that the vendor allows, for each [`Target::pace_key`] where the
    /// kind has such; `None`: no limit of its own.
    pub rate: Option<(u32, u32)>,
    /// Whether messages that wait for the rate limit go out as one, where the operator says
    /// nothing; `None`: they never may, because the service keeps a thing for each problem. A
    /// message that [`Target::joins`] keeps apart is never folded. A kind gives a remote ref for a digest
    /// only where each of its lanes can use it.
    pub digest: Option<bool>,
    /// What of unchanged repeats is told where the operator says nothing.
    pub reminders: Reminders,
    /// Longest pause between attempts.
    pub retry_cap: Duration,
    /// Age at which a delivery becomes a dead letter.
    pub give_up_after: Duration,
}

/// What a kind builds with.
pub struct Workshop<'a> {
    /// Name of the target being built.
    pub target: &'a str,
    /// Path of the settings in the document: `targets[2].pagerduty`.
    pub path: &'a str,
    /// The settings, secrets resolved.
    pub settings: &'a Node,
    /// Template compiler that knows language and the operator's folder.
    pub templates: &'a Library,
    /// `server.external_url`, for links in messages; may be empty.
    pub external_url: &'a str,
}
