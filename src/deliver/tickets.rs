//! Tickets are followed: [`Follow`] says with each settlement of a ticket system's lane what begins or
//! ends there, purely; [`run`] asks the services how open tickets stand, within the budget of each, the
//! longest due first, and keeps what is news as if the service had told it.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::deliver::attempt::Courier;
use crate::deliver::errand::Errand;
use crate::deliver::gate::later;
use crate::deliver::inquiry::Told;
use crate::domain::delivery::State;
use crate::domain::message::Action;
use crate::domain::outcome::Outcome;
use crate::domain::signal::Event;
use crate::domain::ticket::{first_pause, pause};
use crate::metrics::Metrics;
use crate::rulebook::{Rulebook, Rulebooks, TargetRule};
use crate::store::boundary::{Open, Settlement, StoreError};
use crate::store::follows::{Answer, Asked, Asking, Following};
use crate::store::handle::Store;
use crate::store::schedule::Claimed;

/// How often it is looked for what has come due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Tickets of one target that are asked after in one go.
const EACH_MAX: usize = 16;
/// Looks between two counts of what is followed, for metrics.
const LOOKS_A_COUNT: NonZeroU64 = NonZeroU64::new(30).unwrap();

/// How the tickets of one target are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follow {
    /// How often they are asked after while they are young; zero: never.
    every: Duration,
    /// When somebody is reminded; zero: never.
    remind_after: Duration,
}

impl Follow {
    /// For this target; `None`: it opens no tickets, or no incidents are kept.
    pub fn of(book: &Rulebook, rule: &TargetRule) -> Option<Follow> {
        let rules = &book.incidents.as_ref()?.tickets;
        let follow = Follow { every: rules.every, remind_after: rules.remind_after };
        rule.target.keeps_tickets().then_some(follow)
    }

    /// What a settlement of this lane means for its tickets. `dice` is evenly drawn from `0.0..1.0`.
    pub fn settled(self, claimed: &Claimed, settlement: &Settlement, dice: f64) -> Option<Following> {
        match &settlement.after.remote {
            Some(remote) if triggered(claimed.head.as_ref()?, settlement) => Some(Following::Begins {
                remote: remote.clone(),
                ask_at: (!self.every.is_zero()).then(|| later(settlement.now, first_pause(self.every, dice))),
                remind_at: (!self.remind_after.is_zero()).then(|| later(settlement.now, self.remind_after)),
            }),
            None if claimed.state.remote.is_some() => Some(Following::Ends),
            _ => None,
        }
    }
}

fn triggered(head: &Open, settlement: &Settlement) -> bool {
    let mut settled = settlement.settled.iter();
    head.action == Action::Trigger
        && settled.any(|settled| settled.id == head.id && settled.state == State::Delivered)
}

/// The fallback target that has the ticket which this errand would open: a second one would serve
/// nobody. Asked only of ticket systems with a fallback, before they open anything.
pub async fn elsewhere(store: &Store, rule: &TargetRule, errand: &Errand) -> Option<String> {
    let fallback = rule.fallback.as_ref().filter(|_| rule.target.keeps_tickets() && !rule.dry_run)?;
    let claimed = &errand.first;
    let head = claimed.head.as_ref().filter(|head| head.action == Action::Trigger)?;
    if claimed.state.seen || claimed.state.remote.is_some() {
        return None;
    }
    let (key, targets) = (head.key.clone(), fallback.targets.clone());
    let found = store.read(move |reader| reader.ticket_elsewhere(key.as_str(), &targets)).await;
    // Better two tickets than none.
    found.unwrap_or_default()
}

/// Asks after tickets as they come due, until `stop`.
pub async fn run(
    store: Store,
    books: Rulebooks,
    courier: Courier,
    metrics: Metrics,
    seed: u64,
    stop: CancellationToken,
) {
    let mut dice = fastrand::Rng::with_seed(seed);
    // One conversation a target at a time: a slow desk holds up no other.
    let mut rounds: JoinSet<(Arc<str>, Option<Timestamp>)> = JoinSet::new();
    let mut resting: HashMap<Arc<str>, Option<Timestamp>> = HashMap::new();
    let mut looks: u64 = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        while let Some(ended) = rounds.try_join_next() {
            if let Ok((target, rests_until)) = ended {
                resting.insert(target, rests_until);
            }
        }
        if rounds.is_empty() {
            // A round that panicked has told nobody that it is over.
            resting.retain(|_, until| until.is_some());
        }
        let book = books.current();
        let Some(rules) = book.incidents.as_ref() else { continue };
        if looks % LOOKS_A_COUNT == 0 {
            count(&store, &metrics).await;
        }
        looks += 1;
        if rules.tickets.every.is_zero() {
            continue;
        }
        let now = courier.clock.now();
        for rule in book.spoken_to().into_iter().filter(|rule| rule.target.keeps_tickets()) {
            match resting.get(&rule.name) {
                // Under way.
                Some(None) => continue,
                Some(Some(until)) if *until > now => continue,
                _ => {}
            }
            resting.insert(Arc::clone(&rule.name), None);
            let round = Round {
                store: store.clone(),
                book: Arc::clone(&book),
                courier: courier.clone(),
                metrics: metrics.clone(),
                every: rules.tickets.every,
                dice: dice.fork(),
            };
            rounds.spawn(round.ask(rule));
        }
    }
}

async fn count(store: &Store, metrics: &Metrics) {
    match store.read(|reader| reader.followed()).await {
        Ok(followed) => metrics.followed(followed.iter().map(|(target, count)| (target.as_str(), *count))),
        Err(error) => tracing::warn!(%error, "followed tickets could not be counted"),
    }
}

/// Some questions to one target.
struct Round {
    store: Store,
    book: Arc<Rulebook>,
    courier: Courier,
    metrics: Metrics,
    every: Duration,
    dice: fastrand::Rng,
}

impl Round {
    /// Asks after what is due, until the target is to be left alone; gives the target, and when it may
    /// be asked again.
    async fn ask(mut self, rule: Arc<TargetRule>) -> (Arc<str>, Option<Timestamp>) {
        let until = match self.go_through(&rule).await {
            Ok(until) => until,
            Err(error) => {
                tracing::error!(target_name = %rule.name, %error, "tickets could not be followed; trying again");
                self.courier.clock.now()
            }
        };
        (Arc::clone(&rule.name), Some(until))
    }

    async fn go_through(&mut self, rule: &TargetRule) -> Result<Timestamp, StoreError> {
        let (name, now) = (Arc::clone(&rule.name), self.courier.clock.now());
        let due = self.store.read(move |reader| reader.asking(&name, now, EACH_MAX)).await?;
        for asking in due {
            let answer = match self.courier.inquire(&self.book, rule, &asking.remote).await {
                Told::NotBefore(until) => return Ok(until),
                Told::Known(found) => {
                    Answer::Found { event: found.event, state: found.state, who: found.who }
                }
                Told::Failed(Outcome::Rejected { reason }) => Answer::Nothing(reason),
                Told::Untold => Answer::Untold,
                Told::Failed(outcome) => {
                    let why = outcome.reason();
                    tracing::warn!(target_name = %rule.name, ticket = asking.remote.0, why, "a ticket was asked after in vain");
                    Answer::Untold
                }
            };
            self.keep(rule, &asking, answer).await?;
        }
        Ok(self.courier.clock.now())
    }

    async fn keep(&mut self, rule: &TargetRule, asking: &Asking, answer: Answer) -> Result<(), StoreError> {
        let now = self.courier.clock.now();
        let stood_still = Duration::try_from(now.duration_since(asking.changed_at)).unwrap_or_default();
        let event: Option<Event> = match &answer {
            Answer::Found { event, .. } => Some(*event),
            Answer::Nothing(_) | Answer::Untold => None,
        };
        let asked = Asked {
            id: asking.id,
            due: asking.due,
            at: now,
            next: later(now, pause(self.every, stood_still, self.dice.f64())),
            answer,
            uid: self.fresh_id(now),
            cast: Arc::new(self.book.cast()),
        };
        let heard = self.store.asked(asked).await?;
        if let Some(event) = event.filter(|_| heard.kept > 0) {
            tracing::info!(target_name = %rule.name, event = event.as_str(), ticket = asking.remote.0, "a ticket moved");
            self.metrics.signal_heard(&rule.name, event);
        }
        Ok(())
    }

    fn fresh_id(&mut self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.dice.fill(&mut random);
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}
