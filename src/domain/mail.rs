//! A mail as plain data: the server to hand it to, whom it is for, what it says. Gives its text form
//! for people; the wire form (MIME, RFC 2047) is made by `client/mail.rs`.

use std::fmt;

use jiff::Timestamp;

use crate::domain::secret::{STARS, Secret};

/// Header of a reply that names recipients who were refused for good, while others were accepted.
pub const REFUSED: &str = "refused";
/// Header of a reply: addresses that the server wants to be asked for again, while others were
/// accepted; separated by blanks.
pub const DEFERRED: &str = "deferred";
/// Header of a reply: which [`Stage`] it answered.
pub const STAGE: &str = "stage";

/// A mail and the way to its server (RFC 5321, RFC 5322).
#[derive(Debug, Clone, PartialEq)]
pub struct MailRequest {
    /// Where to.
    pub server: MailServer,
    /// User name and password; `None`: the server takes mail without.
    pub credentials: Option<(String, Secret)>,
    /// Who is told of the mail now (`RCPT TO`); all of them stand in `to` or `cc`.
    pub recipients: Vec<String>,
    /// What is sent.
    pub letter: Letter,
}

/// A mail server.
#[derive(Clone, PartialEq)]
pub struct MailServer {
    /// Name or address; its certificate must be made out to it.
    pub host: String,
    /// 465 and 587 are usual (RFC 8314).
    pub port: u16,
    /// What is encrypted.
    pub security: Security,
    /// Certificates (PEM) trusted besides those of the machine.
    pub ca: Option<String>,
    /// What the relay calls itself (`EHLO`).
    pub hello: String,
}

/// What of a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// All of it, from the first byte (RFC 8314, "implicit TLS").
    Tls,
    /// All after `STARTTLS`; without it nothing is sent.
    StartTls,
    /// All after `STARTTLS`, if the server offers it.
    Opportunistic,
    /// Nothing.
    Plain,
}

impl Security {
    /// As in the address of a server.
    fn scheme(self) -> &'static str {
        if self == Security::Tls { "smtps" } else { "smtp" }
    }

    fn remark(self) -> &'static str {
        match self {
            Security::Tls | Security::StartTls => "",
            Security::Opportunistic => " (STARTTLS if offered)",
            Security::Plain => " (not encrypted)",
        }
    }
}

/// A person or a list: `Ops <ops@example.com>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Shown instead of the address.
    pub name: Option<String>,
    /// ASCII only.
    pub address: String,
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.address),
            None => f.write_str(&self.address),
        }
    }
}

/// The mail itself. Texts of its head are one line each.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names are the headers of RFC 5322")]
pub struct Letter {
    pub from: Mailbox,
    pub to: Vec<Mailbox>,
    pub cc: Vec<Mailbox>,
    pub reply_to: Option<Mailbox>,
    pub subject: String,
    pub date: Timestamp,
    /// With its angle brackets.
    pub message_id: String,
    /// The mail that all mails of a problem answer; with its angle brackets.
    pub references: String,
    /// Marked as important.
    pub urgent: bool,
    /// Further headers, for filters.
    pub marks: Vec<(&'static str, String)>,
    /// Plain text.
    pub text: String,
    /// The same as HTML, if it is wanted.
    pub html: Option<String>,
}

impl Letter {
    /// What stands in the head besides addresses and subject, by name.
    pub fn head(&self) -> Vec<(&'static str, &str)> {
        let mut head = vec![
            ("Message-ID", self.message_id.as_str()),
            ("In-Reply-To", &self.references),
            ("References", &self.references),
            // RFC 3834: keeps holiday notices from answering.
            ("Auto-Submitted", "auto-generated"),
        ];
        if self.urgent {
            head.extend([("Importance", "high"), ("X-Priority", "1")]);
        }
        head.extend(self.marks.iter().map(|(name, value)| (*name, value.as_str())));
        head
    }
}

impl MailRequest {
    /// The mail as text, for `explain` and golden cases: server, recipients, head, text, HTML. The
    /// password is starred; secrets in the words are starred by the redactor the caller applies.
    pub fn to_text(&self) -> String {
        let MailRequest { server, credentials, recipients, letter } = self;
        let security = server.security;
        let mut text =
            format!("{}://{}:{}{}", security.scheme(), server.host, server.port, security.remark());
        if let Some((username, _)) = credentials {
            text.push_str(&format!(" as {username} with password {STARS}"));
        }
        let mut line = |name: &str, value: &str| text.push_str(&format!("\n{name}: {value}"));
        line("Recipients", &recipients.join(", "));
        text.push('\n');
        let mut line = |name: &str, value: &str| text.push_str(&format!("\n{name}: {value}"));
        line("From", &letter.from.to_string());
        line("To", &listed(&letter.to));
        if !letter.cc.is_empty() {
            line("Cc", &listed(&letter.cc));
        }
        if let Some(reply_to) = &letter.reply_to {
            line("Reply-To", &reply_to.to_string());
        }
        line("Subject", &letter.subject);
        line("Date", &letter.date.to_string());
        for (name, value) in letter.head() {
            line(name, value);
        }
        text.push_str("\n\n");
        text.push_str(&letter.text);
        if let Some(html) = &letter.html {
            text.push_str("\n\n--- the same as HTML\n\n");
            text.push_str(html);
        }
        text
    }
}

fn listed(mailboxes: &[Mailbox]) -> String {
    mailboxes.iter().map(Mailbox::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}{}", self.security.scheme(), self.host, self.port, self.security.remark())
    }
}

/// How far the talk with a mail server got; a reply says it in its header [`STAGE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Up to `EHLO` and `STARTTLS`.
    Greeting,
    /// `AUTH`.
    Login,
    /// `MAIL FROM`.
    Sender,
    /// `RCPT TO`.
    Recipients,
    /// `DATA` and the mail itself.
    Message,
}

impl Stage {
    const ALL: [Stage; 5] = [Stage::Greeting, Stage::Login, Stage::Sender, Stage::Recipients, Stage::Message];

    /// The word in the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Greeting => "greeting",
            Stage::Login => "login",
            Stage::Sender => "sender",
            Stage::Recipients => "recipients",
            Stage::Message => "message",
        }
    }

    /// Reads the word; a reply that says nothing answered the mail itself.
    pub fn parse(word: Option<&str>) -> Stage {
        Stage::ALL.into_iter().find(|stage| Some(stage.as_str()) == word).unwrap_or(Stage::Message)
    }
}
