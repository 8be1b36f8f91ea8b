//! Mail over SMTP: one mail a message, as text and HTML, threaded by problem.
//!
//! Takes a message, gives a mail; reads SMTP's reply codes. Nothing comes back by mail, and what is
//! sent cannot be changed: an update is a new mail in the same thread. Recipients that the server
//! wants to be asked for again get the mail in a call of their own, so that the others get it once.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::domain::exchange::{Reply, Request};
use crate::domain::mail::{DEFERRED, Letter, MailRequest, MailServer, Mailbox};
use crate::domain::message::{Action, Message, RemoteRef};
use crate::domain::outcome::Outcome;
use crate::domain::reminders::Reminders;
use crate::domain::secret::{Redactor, Secret};
use crate::target::contract::{Defaults, Kind, Repeat, Step, Target, Turn, Unsayable, Worded};
use crate::target::verdict::cleaned;
use crate::template::library::{Builtin, Wording, builtin};
use crate::template::severity::Severity;
use crate::template::text::cut;
use crate::template::view::View;

mod reply_codes;
mod settings;

/// Longest subject, in characters. Programs show 60 to 130 of them.
const SUBJECT_CHARS: usize = 200;
/// Longest text and longest HTML, in characters: what a phone still opens, and far below the sizes
/// that servers refuse.
const BODY_CHARS: usize = 200_000;

static WORDINGS: [Builtin; 3] =
    [builtin!("email", "subject"), builtin!("email", "text"), builtin!("email", "html")];

/// The row of the table of kinds. Mail services take about 30 mails a minute from one account.
pub static KIND: Kind = Kind {
    name: "email",
    about: "mail over SMTP (TLS, text and HTML, one thread a problem)",
    wordings: &WORDINGS,
    defaults: Defaults {
        repeat: Repeat::Tolerated,
        rate: Some((30, 10)),
        // A flood of alerts becomes a few long mails instead of an hour of short ones.
        digest: Some(true),
        reminders: Reminders::Every,
        retry_cap: Duration::from_secs(300),
        give_up_after: Duration::from_secs(24 * 3600),
    },
    build: settings::build,
};

/// A configured target.
#[derive(Debug)]
struct Email {
    server: MailServer,
    credentials: Option<(String, Secret)>,
    from: Mailbox,
    to: Vec<Mailbox>,
    cc: Vec<Mailbox>,
    reply_to: Option<Mailbox>,
    subject: Wording,
    text: Wording,
    /// `None`: text only.
    html: Option<Wording>,
    secrets: Vec<Secret>,
    redactor: Redactor,
}

impl Target for Email {
    fn request(&self, message: &Message, view: &View) -> Result<Worded, Unsayable> {
        let all = || self.to.iter().chain(&self.cc).map(|mailbox| mailbox.address.clone()).collect();
        Ok(self.worded(message, view, self.owed(message).unwrap_or_else(all)))
    }

    fn judge(&self, _message: &Message, reply: &Reply) -> Outcome {
        reply_codes::judged(&cleaned(reply, &self.redactor))
    }

    fn follow(&self, message: &Message, view: &View, replies: &[Reply]) -> Turn {
        let Some(reply) = replies.last() else {
            return Turn::Over(Outcome::Unknown { reason: "nothing came back".into() });
        };
        let outcome = self.judge(message, reply);
        let deferred = reply.header(DEFERRED).filter(|_| matches!(outcome, Outcome::Delivered { .. }));
        let Some(deferred) = deferred else { return Turn::Over(outcome) };
        let recipients = deferred.split(' ').map(str::to_owned).collect();
        Turn::Call(Box::new(Step {
            worded: self.worded(message, view, recipients),
            // The others have it: a later try must not send it to them again.
            keep: Some(RemoteRef(format!("{} {deferred}", self.message_id(message)))),
            wait: Duration::ZERO,
        }))
    }

    fn secrets(&self) -> Vec<&Secret> {
        self.secrets.iter().collect()
    }
}

impl Email {
    fn worded(&self, message: &Message, view: &View, recipients: Vec<String>) -> Worded {
        let mut faults = Vec::new();
        let subject = one_line(&self.subject.say(view).noting(&mut faults));
        let subject = if subject.is_empty() { view.plain() } else { subject };
        let text = self.text.say(view).noting(&mut faults);
        let html = self.html.as_ref().map(|html| html.say(view).noting(&mut faults).into_owned());
        let html = html.filter(|html| html.chars().nth(BODY_CHARS).is_none());
        let urgent = message.action == Action::Trigger && view.severity() == Severity::Critical;
        let mut marks = vec![("X-Alert-Relay-Action", message.action.as_str().to_owned())];
        marks.extend(message.keys().iter().map(|key| ("X-Alert-Relay-Key", one_line(key.as_str()))));
        let letter = Letter {
            from: self.from.clone(),
            to: self.to.clone(),
            cc: self.cc.clone(),
            reply_to: self.reply_to.clone(),
            subject: cut(&subject, SUBJECT_CHARS).into_owned(),
            date: view.now(),
            message_id: self.message_id(message),
            references: self.thread(message),
            urgent,
            marks,
            text: cut(text.trim(), BODY_CHARS).into_owned(),
            html,
        };
        let (server, credentials) = (self.server.clone(), self.credentials.clone());
        let request = MailRequest { server, credentials, recipients, letter };
        Worded { request: Request::Mail(Box::new(request)), faults }
    }

    /// Those who still lack this very message, when an earlier try reached only the others.
    fn owed(&self, message: &Message) -> Option<Vec<String>> {
        let mut words = message.remote.as_ref()?.0.split(' ');
        let is_this = words.next()? == self.message_id(message);
        let owed: Vec<String> = words.map(str::to_owned).collect();
        (is_this && !owed.is_empty()).then_some(owed)
    }

    /// The same for every try of a delivery, so that mail programs recognise a repeat.
    fn message_id(&self, message: &Message) -> String {
        let id: String = message
            .id
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
            .collect();
        format!("<{id}@{}>", self.domain())
    }

    /// What all mails about a problem answer. No mail bears this id: threads hold together even where
    /// the first of them was deleted or went to somebody else.
    fn thread(&self, message: &Message) -> String {
        let hash = Sha256::digest(message.dedup_key.as_str().as_bytes());
        let hash = hash.iter().take(16).fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        format!("<problem-{hash}@{}>", self.domain())
    }

    fn domain(&self) -> &str {
        self.from.address.rsplit_once('@').map_or("localhost", |(_, domain)| domain)
    }
}

/// Alert text cannot begin a new header, nor pretend to be an encoded word (RFC 2047).
fn one_line(text: &str) -> String {
    let spaced = text.replace(char::is_control, " ").replace("=?", "= ?");
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}
