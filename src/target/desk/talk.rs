//! A try of several calls, written down as if every call were answered at once.
//!
//! The contract hands a kind all replies so far and asks what comes next. [`Talk`] turns that round:
//! a function asks, reads the reply, asks again. It runs from its beginning each time; the first
//! question that has no reply yet ends it by `?` and is what is sent next.

use std::time::Duration;

use crate::domain::exchange::{HttpRequest, Reply, Request};
use crate::domain::message::{Message, RemoteRef};
use crate::domain::outcome::Outcome;
use crate::domain::secret::Redactor;
use crate::target::contract::{Step, Turn, Worded};
use crate::target::verdict::{by_status, cleaned, rate_limit_reset, sentence};
use crate::template::library::Fault;
use crate::template::view::View;

/// What was learnt, or how the try goes on without this function: it waits for a reply or is over.
pub type Said<T> = Result<T, Turn>;

/// One try, on its way through the replies.
pub struct Talk<'a> {
    /// What is to be said.
    pub message: &'a Message,
    /// The same for templates.
    pub view: &'a View<'a>,
    replies: std::slice::Iter<'a, Reply>,
    redactor: &'a Redactor,
    keep: Option<RemoteRef>,
    wait: Duration,
    faults: Vec<Fault>,
}

impl<'a> Talk<'a> {
    /// A try with the replies that it has had so far.
    pub fn new(
        message: &'a Message,
        view: &'a View,
        replies: &'a [Reply],
        redactor: &'a Redactor,
    ) -> Talk<'a> {
        let replies = replies.iter();
        Talk { message, view, replies, redactor, keep: None, wait: Duration::ZERO, faults: Vec::new() }
    }

    /// Asks, or changes something that may be changed twice. Gives replies that the kind itself has
    /// to read: 2xx, and those 4xx that speak of this request. All others end the try.
    pub fn ask(&mut self, word: impl FnOnce(&mut Vec<Fault>) -> HttpRequest) -> Said<Reply> {
        let reply = self.call(word)?;
        match reply.status {
            409 => Err(Turn::Over(again(&reply, "somebody else is changing it"))),
            _ => heed(&reply).map(|()| reply),
        }
    }

    /// Asks for something to be made. A failure of the service may come after it was made, so it
    /// is unknown what became of it.
    pub fn ask_to_make(&mut self, word: impl FnOnce(&mut Vec<Fault>) -> HttpRequest) -> Said<Reply> {
        let reply = self.call(word)?;
        heed_maker(&reply).map(|()| reply)
    }

    /// Waits before the next question.
    pub fn wait(&mut self, wait: Duration) {
        self.wait = wait;
    }

    /// What is to be remembered should the next question fail.
    pub fn keep(&mut self, remote: RemoteRef) {
        self.keep = Some(remote);
    }

    /// Something to tell beside the next question.
    pub fn tell(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    fn call(&mut self, word: impl FnOnce(&mut Vec<Fault>) -> HttpRequest) -> Said<Reply> {
        let (wait, mut faults) = (std::mem::take(&mut self.wait), std::mem::take(&mut self.faults));
        if let Some(reply) = self.replies.next() {
            return Ok(cleaned(reply, self.redactor).into_owned());
        }
        let request = Request::Http(word(&mut faults));
        let worded = Worded { request, faults };
        Err(Turn::Call(Box::new(Step { worded, keep: self.keep.take(), wait })))
    }
}

/// Lets a reply pass that the kind has to read; ends the try at all others.
///
/// # Errors
/// The end of the try.
pub fn heed(reply: &Reply) -> Said<()> {
    match reply.status {
        429 => Err(Turn::Over(limited(reply))),
        401 | 407 | 408 | 425 => Err(Turn::Over(by_status(reply))),
        200..=299 | 400..=499 => Ok(()),
        _ => Err(Turn::Over(by_status(reply))),
    }
}

/// The same where something was to be made.
///
/// # Errors
/// The end of the try.
pub fn heed_maker(reply: &Reply) -> Said<()> {
    match reply.status {
        501 | 503 | 505 => heed(reply),
        500..=599 => {
            let reason = sentence(reply, "the ticket may have been made all the same");
            Err(Turn::Over(Outcome::Unknown { reason }))
        }
        _ => heed(reply),
    }
}

/// Too many calls: some of these services say only when they count anew.
fn limited(reply: &Reply) -> Outcome {
    match by_status(reply) {
        Outcome::Retry { reason, after, whole_target } => {
            Outcome::Retry { reason, after: after.or_else(|| rate_limit_reset(reply)), whole_target }
        }
        other => other,
    }
}

/// It may pass later.
pub fn again(reply: &Reply, why: &str) -> Outcome {
    Outcome::Retry { reason: sentence(reply, why), after: None, whole_target: false }
}
