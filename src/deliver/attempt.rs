//! One try: word the message, send it, judge the reply. No decision about what follows is made
//! here, and nothing is written.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::client::Client;
use crate::deliver::errand::Errand;
use crate::deliver::patience::Inquiries;
use crate::deliver::purse::{Purse, Unpaid};
use crate::deliver::resolution::Tried;
use crate::domain::exchange::{Reply, Request};
use crate::domain::mail::REFUSED;
use crate::domain::message::Message;
use crate::domain::outcome::Outcome;
use crate::domain::own_alerts::Own;
use crate::metrics::handles::TargetMetrics;
use crate::pace::clock::Clock;
use crate::rulebook::{Rulebook, TargetRule};
use crate::target::contract::{Step, Turn, Unsayable};
use crate::target::verdict;
use crate::template::library::Fault;
use crate::template::text::cut;
use crate::template::view::View;
use crate::trace::span::Tracer;

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
    /// Pays for what costs money.
    pub purse: Purse,
    /// How often targets may be asked how things stand.
    pub inquiries: Inquiries,
    /// Where spans are handed in.
    pub tracer: Tracer,
}

impl Courier {
    /// Makes one try.
    pub async fn attempt(
        &self,
        book: &Rulebook,
        rule: &TargetRule,
        errand: &Errand,
        metrics: &TargetMetrics,
    ) -> Tried {
        let at = self.clock.now();
        let Some(message) = errand.message(&rule.name) else {
            return Tried { outcome: Outcome::delivered(), ..Tried::nothing(at) };
        };
        let view = View::of(&message, &book.external_url, at).on_call(book.on_call(at));
        let key = errand.key.as_deref().unwrap_or_default();
        let talk = Talk { courier: self, book, rule, message: &message, view: &view, key, metrics };
        let mut tried = talk.hold(at).await;
        tried.took = self.clock.now().duration_since(at).unsigned_abs();
        if tried.unpaid.is_none() {
            metrics.attempt_finished(tried.outcome.word(), tried.took);
        }
        tried
    }

    /// Sends one request within the target's limits of time.
    ///
    /// # Errors
    /// What it means that no reply came.
    pub(super) async fn exchange(
        &self,
        book: &Rulebook,
        rule: &TargetRule,
        request: &Request,
    ) -> Result<Reply, Outcome> {
        let client = self
            .client
            .with_limits(rule.limits)
            .map_err(|error| Outcome::Hold { reason: error.to_string() })?;
        let sent = match request {
            Request::Http(request) => client.send(request).await,
            // Talking SMTP takes ten times the room of a call, which every try would make.
            Request::Mail(request) => Box::pin(client.send_mail(request)).await,
            Request::Print(_) | Request::Nothing(_) => return Err(Outcome::delivered()),
        };
        match sent {
            // Starred before anything is cut out of it: half a secret would not be found.
            Ok(reply) => {
                let starred = match verdict::cleaned(&reply, &book.redactor) {
                    Cow::Owned(starred) => Some(starred),
                    Cow::Borrowed(_) => None,
                };
                Ok(starred.unwrap_or(reply))
            }
            Err(error) => Err(match verdict::unanswered(&error) {
                // A question that may have arrived has changed nothing.
                Outcome::Unknown { reason } if request.is_question() => {
                    Outcome::Retry { reason, after: None, whole_target: false }
                }
                outcome => outcome,
            }),
        }
    }
}

/// The calls of one try.
struct Talk<'a> {
    courier: &'a Courier,
    book: &'a Rulebook,
    rule: &'a TargetRule,
    message: &'a Message,
    view: &'a View<'a>,
    /// What its calls are charged to.
    key: &'a str,
    metrics: &'a TargetMetrics,
}

/// Why no reply came.
enum Silence {
    /// The try is over, with this outcome and excerpt.
    Over(Outcome, &'static str),
    /// There is nothing to call for, with this remark.
    Nothing(String),
    /// The call was not made.
    Unpaid(Unpaid),
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
            tried.calls += 1;
            let reply = match self.carry_out(worded.request).await {
                Ok(reply) => reply,
                Err(Silence::Over(outcome, excerpt)) => {
                    tried.outcome = outcome;
                    tried.excerpt = excerpt.to_owned();
                    return tried;
                }
                Err(Silence::Nothing(remark)) => {
                    tried.calls -= 1;
                    tried.outcome = Outcome::delivered();
                    tried.excerpt = remark;
                    return tried;
                }
                Err(Silence::Unpaid(unpaid)) => {
                    tried.calls -= 1;
                    tried.broke_off(unpaid, self.courier.clock.now());
                    return tried;
                }
            };
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
                target_name = %self.rule.name, delivery = %self.message.id, field = %fault.field, %error,
                "a template failed; the built-in wording was sent instead"
            );
            let reason = format!("{}: {error}", fault.field);
            self.courier.voice.say(Own::TemplateFailing { target: self.rule.name.to_string(), reason });
        }
    }

    /// Does what is asked; without a reply it says what that means.
    async fn carry_out(&self, request: Request) -> Result<Reply, Silence> {
        match request {
            Request::Print(text) => {
                (self.courier.printer)(&text);
                Err(Silence::Over(Outcome::delivered(), ""))
            }
            Request::Nothing(remark) => Err(Silence::Nothing(self.book.redactor.clean(&remark))),
            request if self.rule.dry_run => {
                let shown = self.book.redactor.clean(&request.to_text());
                let (name, kind) = (&self.rule.name, self.rule.kind);
                (self.courier.printer)(&format!("── {name} would be sent ({kind}):\n{shown}\n"));
                Err(Silence::Over(Outcome::delivered(), "dry run"))
            }
            request => {
                self.pay(&request).await.map_err(Silence::Unpaid)?;
                self.call(&request).await.map_err(|outcome| Silence::Over(outcome, ""))
            }
        }
    }

    /// Counts the call against the quota. A question costs nothing.
    async fn pay(&self, request: &Request) -> Result<(), Unpaid> {
        match self.rule.quota.filter(|_| !request.is_question()) {
            Some(quota) => {
                let now = self.courier.clock.now();
                self.courier.purse.pay(&self.rule.name, self.key, quota, now).await
            }
            None => Ok(()),
        }
    }

    async fn call(&self, request: &Request) -> Result<Reply, Outcome> {
        let reply = self.courier.exchange(self.book, self.rule, request).await?;
        self.report_refused(&reply);
        Ok(reply)
    }

    /// A mail that reached only some of its recipients.
    fn report_refused(&self, reply: &Reply) {
        if let Some(refused) = reply.header(REFUSED) {
            let refused = self.book.redactor.clean(refused);
            tracing::warn!(
                target_name = %self.rule.name, delivery = %self.message.id, %refused,
                "the mail server refused some of the recipients; the others have the mail"
            );
        }
    }
}

/// A yes says nothing of interest, but for the recipients that it leaves out.
fn reply_excerpt(reply: &Reply) -> String {
    if !(200..300).contains(&reply.status) {
        return reply.excerpt(EXCERPT_CHARS);
    }
    let refused = reply.header(REFUSED).map(|refused| format!("refused: {refused}"));
    refused.map(|text| cut(&text, EXCERPT_CHARS).into_owned()).unwrap_or_default()
}
