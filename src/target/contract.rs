//! What a kind of target must be able to do. Pure and sync: no clock, no socket, no log and no
//! retry count is reachable from here. One delivery is one request.

use std::fmt;
use std::time::Duration;

use crate::document::node::Node;
use crate::domain::exchange::{Reply, Request};
use crate::domain::message::Message;
use crate::domain::outcome::Outcome;
use crate::domain::problem::Problem;
use crate::domain::secret::Secret;
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

    /// Secrets that this target may put on the wire, for the redactor.
    fn secrets(&self) -> Vec<&Secret>;

    /// What the vendor limits besides the target as a whole (Slack channel, routing key, phone
    /// number). `None`: nothing. Never the secret itself.
    fn pace_key(&self, _message: &Message) -> Option<String> {
        None
    }
}

/// A request ready to go, and what went wrong while wording it.
#[derive(Debug)]
pub struct Worded {
    /// What to send.
    pub request: Request,
    /// Templates that failed; the request carries the built-in wording in their place.
    pub faults: Vec<Fault>,
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
    /// Never without a look-up or a person (jobs).
    Forbidden,
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
    /// Tokens per minute and burst that the vendor allows; `None`: no limit of its own.
    pub rate: Option<(u32, u32)>,
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
