//! `alert-relay send`: one test alert to one target, through the same kind, client and judgement as
//! the daemon's, and what came of it. No store: nothing is recorded, and no quota is counted.

mod page;
mod said;

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::cli::args::trial::{SendArgs, SentAction};
use crate::cli::check::sound;
use crate::cli::explain::wording::{Wording, request, shown};
use crate::cli::send::page::page;
use crate::cli::send::said::{Said, key};
use crate::cli::{Answer, Surroundings};
use crate::client::{Client, ClientSettings};
use crate::deliver::attempt::{Courier, Voice};
use crate::deliver::errand::Errand;
use crate::deliver::patience::Inquiries;
use crate::deliver::purse::Purse;
use crate::deliver::resolution::Tried;
use crate::document::nearest;
use crate::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status};
use crate::domain::message::{Action, Message};
use crate::domain::outcome::Outcome;
use crate::metrics::Metrics;
use crate::pace::clock::Clock;
use crate::rulebook::{Rulebook, TargetRule};
use crate::store::boundary::{LaneState, Open};
use crate::store::schedule::Claimed;
use crate::trace::span::Tracer;

/// What a reader of the alert is told.
const SUMMARY: &str = "Test of alert-relay: nothing is wrong, nobody has to act";
const DESCRIPTION: &str = "Sent by hand with `alert-relay send`, to see whether this target can be reached.";

/// Sends.
pub fn run(args: &SendArgs, surroundings: &Surroundings) -> Answer {
    let book = match sound(&args.look, surroundings) {
        Ok(book) => book,
        Err(answer) => return answer,
    };
    let cleaner = book.redactor.clone();
    match send(args, surroundings, book) {
        Err(sentence) => Answer::refused_in(args.look.json, &shown(&cleaner, &sentence)),
        Ok(said) => {
            let good = |said: &Said| matches!(said.outcome, "delivered" | "not sent");
            let code = u8::from(!said.iter().all(good));
            let out = match args.look.json {
                true => {
                    serde_json::to_string_pretty(&said).map_or_else(|e| e.to_string(), |json| json + "\n")
                }
                false => page(&said, surroundings.colour_out && !args.look.no_color),
            };
            Answer { out, code, ..Answer::default() }
        }
    }
}

fn send(args: &SendArgs, surroundings: &Surroundings, book: Rulebook) -> Result<Vec<Said>, String> {
    let Some(rule) = book.targets.get(args.target.as_str()).cloned() else {
        let cure = nearest::cure(&args.target, book.targets.keys().map(AsRef::as_ref).collect::<Vec<&str>>());
        return Err(format!("there is no target named `{}`; {cure}", args.target));
    };
    if args.look.no_secrets && !args.dry_run {
        return Err(
            "without secrets nothing can be sent; add --dry-run, or leave out --no-secrets".to_owned()
        );
    }
    let first = action(args.action);
    let starts = rule.repeat.is_announced() && first == Action::Trigger && !rule.dry_run;
    if starts && !args.dry_run && !args.yes {
        let kind = rule.kind;
        return Err(format!(
            "`{}` ({kind}) starts a job, and a test starts it for real; say --yes, or see it with --dry-run",
            rule.name
        ));
    }
    let actions = match first {
        Action::Resolve => vec![first],
        _ if args.resolve => vec![first, Action::Resolve],
        _ => vec![first],
    };
    let alert = |action| group(args, action, surroundings.now);
    if args.dry_run {
        let wordings =
            actions.into_iter().map(|action| worded(&book, &rule, action, alert(action), surroundings.now));
        return Ok(wordings.collect());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the call cannot be made: {error}"))?;
    runtime.block_on(async {
        let client = Client::new(ClientSettings::default()).map_err(|error| error.to_string())?;
        let mut talk = Talk::new(client, &book, &rule);
        let mut all = Vec::new();
        for action in actions {
            all.push(talk.say(action, alert(action)).await);
        }
        Ok(all)
    })
}

fn action(sent: SentAction) -> Action {
    match sent {
        SentAction::Trigger => Action::Trigger,
        SentAction::Acknowledge => Action::Acknowledge,
        SentAction::Resolve => Action::Resolve,
    }
}

fn group(args: &SendArgs, action: Action, now: Timestamp) -> Arc<AlertGroup> {
    let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let own = [("alertname", "AlertRelayTest"), ("severity", args.severity.as_str())];
    let mut labels: Labels = own.into_iter().map(pair).collect();
    labels.extend(args.labels.iter().cloned());
    let over = action == Action::Resolve;
    let alert = Alert {
        status: if over { Status::Resolved } else { Status::Firing },
        fingerprint: Fingerprint::of(&labels),
        labels,
        annotations: [("summary", SUMMARY), ("description", DESCRIPTION)].into_iter().map(pair).collect(),
        starts_at: Some(now),
        ends_at: over.then_some(now),
        generator_url: String::new(),
        extra: Default::default(),
    };
    Arc::new(AlertGroup::of_one("alert-relay send", format!("test of {}", args.target), alert))
}

/// What would be said first; the answers of the service decide what follows.
fn worded(
    book: &Rulebook,
    rule: &TargetRule,
    action: Action,
    group: Arc<AlertGroup>,
    now: Timestamp,
) -> Said {
    let message = Message {
        id: "test".to_owned(),
        target: rule.name.to_string(),
        action,
        dedup_key: key(rule),
        group,
        remote: None,
        may_exist: action != Action::Trigger,
        begun: None,
        note: None,
        proposal: None,
        digest: Vec::new(),
        accepted_at: now,
    };
    let mut faults = Vec::new();
    let Wording { request, then, not_sent } = request(book, rule, &message, now, &mut faults);
    let reason =
        not_sent.into_iter().chain(faults.into_iter().map(|fault| format!("template failed: {fault}")));
    Said { reason: reason.collect::<Vec<_>>().join("; "), request, then, ..Said::nothing(rule, action) }
}

/// The wall clock, for as long as a command runs.
#[derive(Debug)]
struct CommandClock;

impl Clock for CommandClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "a command that makes calls has to know how long they take"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A talk with one target, which remembers what the target gave back.
struct Talk<'a> {
    courier: Courier,
    book: &'a Rulebook,
    rule: &'a TargetRule,
    state: LaneState,
    printed: Arc<Mutex<String>>,
    number: i64,
}

impl<'a> Talk<'a> {
    fn new(client: Client, book: &'a Rulebook, rule: &'a TargetRule) -> Talk<'a> {
        let printed = Arc::new(Mutex::new(String::new()));
        let paper = Arc::clone(&printed);
        let courier = Courier {
            client,
            clock: Arc::new(CommandClock),
            printer: Arc::new(move |text: &str| {
                let mut paper = paper.lock().unwrap_or_else(PoisonError::into_inner);
                paper.push_str(text);
                paper.push('\n');
            }),
            voice: Voice::new().0,
            purse: Purse::uncounted(),
            inquiries: Inquiries::default(),
            tracer: Tracer::default(),
        };
        let state = LaneState { seen: true, ..LaneState::default() };
        Talk { courier, book, rule, state, printed, number: 0 }
    }

    async fn say(&mut self, action: Action, group: Arc<AlertGroup>) -> Said {
        self.number += 1;
        let now = self.courier.clock.now();
        let open = Open {
            id: self.number,
            lane: 1,
            uid: format!("test-{}-{}", now.as_millisecond(), self.number),
            key: key(self.rule),
            action,
            group,
            accepted_at: now,
            attempts: 0,
            proposal: None,
            note: None,
        };
        // A first trigger has not been seen by anybody, as far as is known here.
        let seen = self.state.seen && !(self.number == 1 && action == Action::Trigger);
        let claimed = Claimed {
            lane: 1,
            due: now,
            head: Some(open),
            superseded: Vec::new(),
            state: LaneState { seen, ..self.state.clone() },
        };
        let errand = Errand { first: claimed, along: Vec::new(), key: None };
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION")).target(&self.rule.name, self.rule.kind);
        let tried = self.courier.attempt(self.book, self.rule, &errand, &metrics).await;
        let printed = std::mem::take(&mut *self.printed.lock().unwrap_or_else(PoisonError::into_inner));
        self.said(action, tried, &printed)
    }

    fn said(&mut self, action: Action, tried: Tried, printed: &str) -> Said {
        if let Outcome::Delivered { remote: Some(remote) } = &tried.outcome {
            self.state.remote = Some(remote.clone());
        } else if tried.kept.is_some() {
            self.state.remote.clone_from(&tried.kept);
        }
        let clean = |text: &str| shown(&self.book.redactor, text);
        Said {
            outcome: tried.outcome.word(),
            reason: clean(tried.outcome.reason()),
            status: tried.status,
            answer: clean(&tried.excerpt),
            took_ms: u64::try_from(tried.took.as_millis()).unwrap_or(u64::MAX),
            calls: tried.calls,
            printed: clean(printed),
            ..Said::nothing(self.rule, action)
        }
    }
}
