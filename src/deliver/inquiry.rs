//! How that stands which a target opened (a ticket, a run of a job), and its early end: the calls of
//! one question, made with the same client, limits and outbound rules as a delivery's. Nothing is
//! written here, and nothing is decided about what follows.
//!
//! [`Courier::inquire`] asks: it takes a token of the target's own budget for questions
//! (`targets[].inquiries`), none of its deliveries', and leaves a target alone that rests or whose
//! breaker is open. [`Courier::cancel`] ends; that waits for no token, since somebody wants it now. All
//! text that comes back is free of secrets and of control characters.

use jiff::Timestamp;

use crate::deliver::attempt::Courier;
use crate::domain::exchange::Request;
use crate::domain::message::RemoteRef;
use crate::domain::outcome::Outcome;
use crate::rulebook::{Rulebook, TargetRule};
use crate::target::contract::{Found, Inquiry, Step, Turn};

/// Characters of a state and of a name that are kept.
const WORDS_CHARS: usize = 200;

/// What a question came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// So it stands.
    Known(Found),
    /// This target has nothing that could be asked; it was not called.
    Untold,
    /// Not asked, because of the budget, a rest or the breaker; not before then.
    NotBefore(Timestamp),
    /// Asked in vain, and why. A rest that the service wants is kept here.
    Failed(Outcome),
}

impl Told {
    /// One word for metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Told::Known(_) => "known",
            Told::Untold => "untold",
            Told::NotBefore(_) => "put_off",
            Told::Failed(outcome) => outcome.word(),
        }
    }
}

impl Courier {
    /// Asks a target how that stands which it gave back as `remote`.
    pub async fn inquire(&self, book: &Rulebook, rule: &TargetRule, remote: &RemoteRef) -> Told {
        let told = self.question(book, rule, remote).await;
        if told != Told::Untold {
            self.inquiries.count(&rule.name, told.word());
        }
        told
    }

    async fn question(&self, book: &Rulebook, rule: &TargetRule, remote: &RemoteRef) -> Told {
        let mut replies = Vec::new();
        let mut calls = 0;
        let failed = loop {
            let request = match rule.target.inquire(remote, &replies) {
                Inquiry::Untold => return Told::Untold,
                Inquiry::Call(_) if rule.dry_run => return Told::Untold,
                Inquiry::Known(found) => {
                    self.inquiries.asked(rule, calls, None, self.clock.now());
                    return Told::Known(fit(found, book));
                }
                Inquiry::Failed(outcome) => break outcome,
                Inquiry::Call(request) => request,
            };
            if calls == 0
                && let Err(until) = self.inquiries.may_ask(rule, self.clock.now())
            {
                return Told::NotBefore(until);
            }
            if replies.len() > Step::MAX {
                break endless();
            }
            calls += 1;
            match self.exchange(book, rule, &request).await {
                Ok(reply) => replies.push(reply),
                Err(outcome) => break outcome,
            }
        };
        self.inquiries.asked(rule, calls, Some(&failed), self.clock.now());
        Told::Failed(failed)
    }

    /// Ends early what a target gave back as `remote`; `None` when there is nothing that could be
    /// ended. May be repeated, whatever came of it.
    pub async fn cancel(&self, book: &Rulebook, rule: &TargetRule, remote: &RemoteRef) -> Option<Outcome> {
        let mut replies = Vec::new();
        let mut turn = rule.target.cancel(remote, &replies)?;
        loop {
            let step = match turn {
                Turn::Over(outcome) => return Some(outcome),
                Turn::Call(step) => *step,
            };
            let request = match step.worded.request {
                request @ (Request::Http(_) | Request::Mail(_)) if !rule.dry_run => request,
                _ => return Some(Outcome::delivered()),
            };
            if replies.len() > Step::MAX {
                return Some(endless());
            }
            if !step.wait.is_zero() {
                tokio::time::sleep(step.wait).await;
            }
            match self.exchange(book, rule, &request).await {
                Ok(reply) => replies.push(reply),
                Err(outcome) => return Some(outcome),
            }
            turn = rule.target.cancel(remote, &replies)?;
        }
    }
}

fn endless() -> Outcome {
    let reason = format!("not over after {} calls: this is a bug of the relay", Step::MAX);
    Outcome::Unknown { reason }
}

/// What a service wrote, fit to be kept and shown.
fn fit(found: Found, book: &Rulebook) -> Found {
    let line = |text: &str| {
        let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let line: String = words.collect::<Vec<_>>().join(" ").chars().take(WORDS_CHARS).collect();
        book.redactor.clean(&line)
    };
    let is_shown = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    let output: String = book.redactor.clean(&found.output).chars().filter(is_shown).collect();
    Found { event: found.event, state: line(&found.state), who: line(&found.who), output }
}
