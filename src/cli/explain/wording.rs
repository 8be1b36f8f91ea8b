//! What a target would be asked, worded and made safe to show.
//!
//! Takes a message and its target; gives the first request and, where that is only a question, the
//! one that follows the usual answer. Nothing is sent.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::domain::exchange::{HttpRequest, Request};
use crate::domain::message::{Action, Message};
use crate::domain::secret::Redactor;
use crate::rulebook::{Rulebook, TargetRule};
use crate::target::contract::{Turn, Unsayable, Worded};
use crate::template::library::Fault;
use crate::template::view::View;

/// What follows a question that is answered as usual.
#[derive(Debug, Serialize)]
pub struct ThenShown {
    /// The usual answer: `nothing is found` or `it is found`.
    #[serde(rename = "if")]
    pub answer: &'static str,
    /// What is sent then.
    pub request: RequestShown,
}

/// A request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestShown {
    /// Text on the daemon's standard output.
    Print(String),
    /// A mail: its server, recipients, head and words.
    Mail(String),
    /// An HTTP call.
    Http {
        /// Method.
        method: &'static str,
        /// Where to.
        url: String,
        /// Names and values.
        headers: Vec<(String, String)>,
        /// JSON as it is, other bodies as text.
        body: Value,
        /// The whole of it as text.
        #[serde(skip)]
        text: String,
    },
}

impl RequestShown {
    /// The whole of it as text.
    pub fn text(&self) -> &str {
        match self {
            RequestShown::Print(text) | RequestShown::Mail(text) | RequestShown::Http { text, .. } => text,
        }
    }
}

/// Text from outside, fit to be shown: secrets starred, nothing in it that a terminal obeys.
pub fn shown(redactor: &Redactor, text: &str) -> String {
    redactor.clean(text).replace(|c: char| c.is_control() && c != '\n' && c != '\t', "\u{fffd}")
}

/// What went wrong with a template.
pub fn sentence(book: &Rulebook, fault: &Fault) -> String {
    shown(&book.redactor, &format!("{}: {}", fault.field, fault.what))
}

/// What a target would be asked, or why it is asked nothing.
#[derive(Debug, Default)]
pub struct Wording {
    /// First.
    pub request: Option<RequestShown>,
    /// What follows, where the first only asks.
    pub then: Option<ThenShown>,
    /// Why nothing is sent.
    pub not_sent: Option<String>,
}

/// What a target would be asked first, and what follows if that is a question.
pub fn request(
    book: &Rulebook,
    rule: &TargetRule,
    message: &Message,
    at: Timestamp,
    faults: &mut Vec<String>,
) -> Wording {
    let unsent = |why: &str| Wording { not_sent: Some(shown(&book.redactor, why)), ..Wording::default() };
    let view = View::of(message, &book.external_url, at).on_call(book.on_call(at));
    let first = match rule.target.request(message, &view) {
        Err(Unsayable(reason)) => return unsent(&reason),
        Ok(Worded { request: Request::Nothing(remark), .. }) => return unsent(&remark),
        Ok(first) => first,
    };
    faults.extend(first.faults.iter().map(|fault| sentence(book, fault)));
    let usual = rule.target.finds(message).filter(|_| first.request.is_question());
    let then = usual.and_then(|reply| match rule.target.follow(message, &view, &[reply]) {
        Turn::Call(step) => Some(step.worded),
        Turn::Over(_) => None,
    });
    let answer = if message.action == Action::Trigger { "nothing is found" } else { "it is found" };
    let then = then.map(|worded| {
        faults.extend(worded.faults.iter().map(|fault| sentence(book, fault)));
        ThenShown { answer, request: request_shown(book, &worded.request) }
    });
    Wording { request: Some(request_shown(book, &first.request)), then, not_sent: None }
}

fn request_shown(book: &Rulebook, request: &Request) -> RequestShown {
    match request {
        Request::Nothing(text) | Request::Print(text) => RequestShown::Print(shown(&book.redactor, text)),
        Request::Http(request) => http(&book.redactor, request),
        Request::Mail(request) => RequestShown::Mail(shown(&book.redactor, &request.to_text())),
    }
}

fn http(redactor: &Redactor, request: &HttpRequest) -> RequestShown {
    let text = shown(redactor, &request.to_text());
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let url = lines.next().and_then(|line| line.split_once(' ')).map_or("", |(_, url)| url);
    let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    RequestShown::Http {
        method: request.method.as_str(),
        url: url.to_owned(),
        headers: lines.filter_map(pair).collect(),
        body: serde_json::from_str(body).unwrap_or_else(|_| Value::from(body)),
        text,
    }
}
