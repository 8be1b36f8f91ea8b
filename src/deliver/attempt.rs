//! One try: word the message, send it, judge the reply. No decision about what follows is made
//! here, and nothing is written.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::client::Client;
use crate::deliver::engine::Tried;
use crate::domain::exchange::{HttpRequest, Reply, Request};
use crate::domain::message::Message;
use crate::domain::outcome::Outcome;
use crate::domain::own_alerts::Own;
use crate::metrics::TargetMetrics;
use crate::pace::clock::Clock;
use crate::rulebook::{Rulebook, TargetRule};
use crate::store::boundary::Open;
use crate::store::schedule::Claimed;
use crate::target::contract::{Unsayable, Worded};
use crate::target::verdict;
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
            return Tried {
                outcome: Outcome::delivered(),
                at,
                took: std::time::Duration::ZERO,
                status: 0,
                excerpt: String::new(),
            };
        };
        let message = message_of(rule, open, claimed);
        let view = View::of(&message, &book.external_url, at);
        let (outcome, status, excerpt) = match rule.target.request(&message, &view) {
            Err(Unsayable(why)) => {
                (Outcome::Rejected { reason: book.redactor.clean(&why) }, 0, String::new())
            }
            Ok(worded) => {
                self.report_faults(rule, open, &worded, metrics, book);
                self.carry_out(book, rule, &message, worded.request).await
            }
        };
        let took = self.clock.now().duration_since(at).unsigned_abs();
        metrics.attempt_finished(outcome.word(), took);
        Tried { outcome, at, took, status, excerpt }
    }

    fn report_faults(
        &self,
        rule: &TargetRule,
        open: &Open,
        worded: &Worded,
        metrics: &TargetMetrics,
        book: &Rulebook,
    ) {
        for fault in &worded.faults {
            let error = book.redactor.clean(&fault.what);
            metrics.template_failed(&fault.field);
            tracing::warn!(
                target_name = %rule.name, delivery = %open.uid, field = %fault.field, %error,
                "a template failed; the built-in wording was sent instead"
            );
            let reason = format!("{}: {error}", fault.field);
            self.voice.say(Own::TemplateFailing { target: rule.name.to_string(), reason });
        }
    }

    async fn carry_out(
        &self,
        book: &Rulebook,
        rule: &TargetRule,
        message: &Message,
        request: Request,
    ) -> (Outcome, u16, String) {
        match request {
            Request::Print(text) => {
                (self.printer)(&text);
                (Outcome::delivered(), 0, String::new())
            }
            Request::Http(request) if rule.dry_run => {
                let shown = book.redactor.clean(&request.to_text());
                (self.printer)(&format!("── {} would be sent ({}):\n{shown}\n", rule.name, rule.kind));
                (Outcome::delivered(), 0, "dry run".into())
            }
            Request::Http(request) => self.call(book, rule, message, &request).await,
        }
    }

    async fn call(
        &self,
        book: &Rulebook,
        rule: &TargetRule,
        message: &Message,
        request: &HttpRequest,
    ) -> (Outcome, u16, String) {
        let client = match self.client.with_timeout(rule.timeout) {
            Ok(client) => client,
            Err(error) => return (Outcome::Hold { reason: error.to_string() }, 0, String::new()),
        };
        match client.send(request).await {
            Ok(reply) => {
                // Starred before anything is cut out of it: half a secret would not be found.
                let reply = verdict::cleaned(&reply, &book.redactor);
                let excerpt = reply_excerpt(&reply);
                (rule.target.judge(message, &reply), reply.status, excerpt)
            }
            Err(error) => (verdict::unanswered(&error), 0, String::new()),
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
        note: open.note.clone(),
        accepted_at: open.accepted_at,
    }
}

fn reply_excerpt(reply: &Reply) -> String {
    if (200..300).contains(&reply.status) { String::new() } else { reply.excerpt(EXCERPT_CHARS) }
}
