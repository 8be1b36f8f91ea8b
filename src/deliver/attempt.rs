//! One try: word the message, send it, judge the reply. No decision about what follows is made
//! here, and nothing is written.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::client::Client;
use crate::deliver::resolution::Tried;
use crate::domain::exchange::{HttpRequest, Method, Reply, Request};
use crate::domain::message::Message;
use crate::domain::outcome::Outcome;
use crate::domain::own_alerts::Own;
use crate::metrics::TargetMetrics;
use crate::pace::clock::Clock;
use crate::rulebook::{Rulebook, TargetRule};
use crate::store::boundary::Open;
use crate::store::schedule::Claimed;
use crate::target::contract::{Step, Turn, Unsayable};
use crate::target::verdict;
use crate::template::library::Fault;
use crate::template::view::View;

/// Characters of a reply that the record keeps.
const EXCERPT_CHARS: usize = 300;

/// Prints what kind `console` and dry runs show. The one way to standard output from down here.
pub type Printer = Arc<dyn Fn(&str) + Send + Sync>;

/// Where the relay's own troubles are told. Never waits: when nobody listens fast enough, what
/// stands in the log must do.
#[derive(Debug, Clone)]
pub struct Voice(mpsc::Sender<Own>);

impl Voice {
    /// A voice, and the ear that hears it.
    pub fn new() -> (Voice, mpsc::Receiver<Own>) {
        /// Things that may wait to be heard.
        const UNHEARD_MAX: usize = 256;
        let (voice, ear) = mpsc::channel(UNHEARD_MAX);
        (Voice(voice), ear)
    }

    /// Says it.
    pub fn say(&self, own: Own) {
        let _unheard = self.0.try_send(own);
    }
}

/// What a try needs besides the delivery.
#[derive(Clone)]
pub struct Courier {
    /// The way out.
    pub client: Client,
    /// For `at`, `took` and the times a target signs.
    pub clock: Arc<dyn Clock>,
    /// Where printed messages go.
    pub printer: Printer,
    /// Where troubles are told.
    pub voice: Voice,
}

impl Courier {
    /// Makes one try.
    pub async fn attempt(
        &self,
        book: &Rulebook,
        rule: &TargetRule,
        claimed: &Claimed,
        metrics: &TargetMetrics,
    ) -> Tried {
        let at = self.clock.now();
        let Some(open) = &claimed.head else {
            return Tried { outcome: Outcome::delivered(), ..Tried::nothing(at) };
        };
        let message = message_of(rule, open, claimed);
        let view = View::of(&message, &book.external_url, at);
        let talk = Talk { courier: self, book, rule, open, message: &message, view: &view, metrics };
        let mut tried = talk.hold(at).await;
        tried.took = self.clock.now().duration_since(at).unsigned_abs();
        metrics.attempt_finished(tried.outcome.word(), tried.took);
        tried
    }
}

/// The calls of one try.
struct Talk<'a> {
    courier: &'a Courier,
    book: &'a Rulebook,
    rule: &'a TargetRule,
    open: &'a Open,
    message: &'a Message,
    view: &'a View,
    metrics: &'a TargetMetrics,
}

impl Talk<'_> {
    /// Makes call after call until the kind says that it is over.
    async fn hold(&self, at: Timestamp) -> Tried {
        let mut tried = Tried::nothing(at);
        let mut worded = match self.rule.target.request(self.message, self.view) {
            Ok(worded) => worded,
            Err(Unsayable(why)) => {
                tried.outcome = Outcome::Rejected { reason: self.book.redactor.clean(&why) };
                return tried;
            }
        };
        let mut replies = Vec::new();
        loop {
            self.report_faults(&worded.faults);
            let reply = match self.carry_out(worded.request).await {
                Ok(reply) => reply,
                Err((outcome, excerpt)) => {
                    tried.outcome = outcome;
                    tried.excerpt = excerpt;
                    return tried;
                }
            };
            tried.calls += 1;
            tried.status = reply.status;
            tried.excerpt = reply_excerpt(&reply);
            replies.push(reply);
            let step = match self.rule.target.follow(self.message, self.view, &replies) {
                Turn::Over(outcome) => {
                    tried.outcome = outcome;
                    return tried;
                }
                Turn::Call(step) => *step,
            };
            if replies.len() > Step::MAX {
                let reason = format!("not over after {} calls: this is a bug of the relay", Step::MAX);
                tried.outcome = Outcome::Unknown { reason };
                return tried;
            }
            tried.kept = step.keep.or(tried.kept);
            if !step.wait.is_zero() {
                tokio::time::sleep(step.wait).await;
            }
            worded = step.worded;
        }
    }

    fn report_faults(&self, faults: &[Fault]) {
        for fault in faults {
            let error = self.book.redactor.clean(&fault.what);
            self.metrics.template_failed(&fault.field);
            tracing::warn!(
                target_name = %self.rule.name, delivery = %self.open.uid, field = %fault.field, %error,
                "a template failed; the built-in wording was sent instead"
            );
            let reason = format!("{}: {error}", fault.field);
            self.courier.voice.say(Own::TemplateFailing { target: self.rule.name.to_string(), reason });
        }
    }

    /// Does what is asked; without a reply it says what that means.
    async fn carry_out(&self, request: Request) -> Result<Reply, (Outcome, String)> {
        match request {
            Request::Print(text) => {
                (self.courier.printer)(&text);
                Err((Outcome::delivered(), String::new()))
            }
            Request::Http(request) if self.rule.dry_run => {
                let shown = self.book.redactor.clean(&request.to_text());
                let (name, kind) = (&self.rule.name, self.rule.kind);
                (self.courier.printer)(&format!("── {name} would be sent ({kind}):\n{shown}\n"));
                Err((Outcome::delivered(), "dry run".into()))
            }
            Request::Http(request) => self.call(&request).await.map_err(|outcome| (outcome, String::new())),
        }
    }

    async fn call(&self, request: &HttpRequest) -> Result<Reply, Outcome> {
        let client = self
            .courier
            .client
            .with_timeout(self.rule.timeout)
            .map_err(|error| Outcome::Hold { reason: error.to_string() })?;
        match client.send(request).await {
            // Starred before anything is cut out of it: half a secret would not be found.
            Ok(reply) => {
                let starred = match verdict::cleaned(&reply, &self.book.redactor) {
                    Cow::Owned(starred) => Some(starred),
                    Cow::Borrowed(_) => None,
                };
                Ok(starred.unwrap_or(reply))
            }
            Err(error) => Err(match verdict::unanswered(&error) {
                // A question that may have arrived has changed nothing.
                Outcome::Unknown { reason } if request.method == Method::Get => {
                    Outcome::Retry { reason, after: None, whole_target: false }
                }
                outcome => outcome,
            }),
        }
    }
}

fn message_of(rule: &TargetRule, open: &Open, claimed: &Claimed) -> Message {
    Message {
        id: open.uid.clone(),
        target: rule.name.to_string(),
        action: open.action,
        dedup_key: open.key.clone(),
        group: Arc::clone(&open.group),
        remote: claimed.state.remote.clone(),
        may_exist: claimed.state.seen,
        note: open.note.clone(),
        accepted_at: open.accepted_at,
    }
}

fn reply_excerpt(reply: &Reply) -> String {
    if (200..300).contains(&reply.status) { String::new() } else { reply.excerpt(EXCERPT_CHARS) }
}
