//! The loop of one target: asks the engine what to do, does it, and waits for what comes next.
//!
//! Everything here is waiting and carrying out; every decision is the engine's. A lane stays busy
//! until its settlement is on disk, so order and "not twice" hold whatever the timing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::deliver::attempt::Courier;
use crate::deliver::engine::{Engine, Step};
use crate::deliver::errand::{Asked, Errand};
use crate::deliver::gate::later;
use crate::deliver::keeping::{Keeper, Kept, STORE_PAUSE, announce};
use crate::deliver::patience::Peace;
use crate::deliver::report;
use crate::deliver::rescue::Rescuer;
use crate::deliver::resolution::{Health, Resolution, Terms, Tried};
use crate::deliver::tickets::{Follow, elsewhere};
use crate::deliver::traced;
use crate::domain::announcement;
use crate::domain::delivery::State;
use crate::domain::message::Action;
use crate::domain::outcome::Outcome;
use crate::metrics::handles::TargetMetrics;
use crate::rulebook::{Fallback, Rulebook, Rulebooks, TargetRule};
use crate::store::boundary::{Open, Settled};
use crate::store::follows::Following;
use crate::store::handle::Store;
use crate::store::queues::Queue;
use crate::store::schedule::Claimed;
use crate::trace::span::Tracer;

/// Deliveries of one lane read at a time; what lies behind is read when these are done.
const EACH_LANE_MAX: usize = 64;
/// Outcomes that may wait to be written, as a multiple of the calls at once.
const UNWRITTEN_FACTOR: usize = 2;
/// How often lanes are looked through for those whose fallback is to be told.
const FALLBACK_EVERY: Duration = Duration::from_secs(1);
/// Longest sleep, so that a wall clock that jumps is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// What the loop works with.
pub struct TargetLoop {
    name: Arc<str>,
    books: Rulebooks,
    // Shared with every try, as each of them is a handful of handles.
    store: Arc<Store>,
    courier: Arc<Courier>,
    metrics: Arc<TargetMetrics>,
    queue: Arc<Queue>,
    engine: Engine,
    /// Shared with those who ask the target how things stand.
    peace: Arc<Peace>,
    /// How its tickets are followed, if it opens any.
    follow: Option<Follow>,
    dice: fastrand::Rng,
    tries: JoinSet<Tried>,
    /// What is being tried, by the task that tries it.
    under_way: HashMap<Id, Arc<Errand>>,
    writes: Keeper,
    rescuer: Rescuer,
    /// The target's terms, as they were last.
    terms: Option<Terms>,
    /// The target is well again: what was given up is to be told again.
    redrive: bool,
    /// What the target said when it last failed.
    trouble: String,
    /// When lanes are next looked through for those whose fallback is to be told.
    look_at: Timestamp,
}

impl TargetLoop {
    /// A loop for this target. `seed` is its dice.
    pub fn new(
        name: Arc<str>,
        books: Rulebooks,
        store: Store,
        courier: Courier,
        metrics: TargetMetrics,
        seed: u64,
    ) -> TargetLoop {
        let queue = store.queues().of(&name);
        let peace = courier.inquiries.peace(&name);
        let rescuer = Rescuer::new(Arc::clone(&name), store.clone(), seed.rotate_left(32));
        TargetLoop {
            rescuer,
            terms: None,
            redrive: false,
            trouble: String::new(),
            look_at: Timestamp::UNIX_EPOCH,
            name,
            books,
            writes: Keeper::new(store.clone()),
            store: Arc::new(store),
            queue,
            courier: Arc::new(courier),
            metrics: Arc::new(metrics),
            engine: Engine::new(seed),
            peace,
            follow: None,
            dice: fastrand::Rng::with_seed(seed.rotate_left(16)),
            tries: JoinSet::new(),
            under_way: HashMap::new(),
        }
    }

    /// Runs until `stop`, then finishes what is under way; the caller's deadline cuts it short by
    /// dropping this future, after which what was under way counts as perhaps sent.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut deferred = None;
        while !stop.is_cancelled() {
            let book = self.books.current();
            let Some(rule) = book.target(&self.name) else {
                self.metrics.seen_sick(false);
                self.stand_by(&stop).await;
                continue;
            };
            let terms = terms_of(&rule);
            self.terms = Some(terms);
            self.follow = Follow::of(&book, &rule);
            let now = self.courier.clock.now();
            if let Some(until) = self.peace.wished() {
                self.engine.rest(until, now);
            }
            if let Some(fallback) = rule.fallback.as_ref().filter(|_| now >= self.look_at) {
                self.look_at = self.tell_fallbacks(fallback, now).await;
            }
            if std::mem::take(&mut self.redrive)
                && let Err(error) = self.rescuer.redrive(now).await
            {
                tracing::error!(target_name = %self.name, %error, "what was given up could not be told again");
            }
            // What has been tried and is not written down would be tried again after a crash: while
            // the disk does not keep up, nothing more is sent.
            if self.writes.len() >= UNWRITTEN_FACTOR * terms.concurrency {
                self.wait(None, now, &terms, &stop).await;
                continue;
            }
            let asked = Asked { book: &book, rule: &rule, now };
            let step = self.engine.step(&mut self.queue.schedule(), &terms, now, &asked);
            match step {
                Step::Send(errand) => self.send(book, rule, *errand),
                Step::Settle(resolution) => self.writes.write(*resolution),
                Step::Aside { why } => self.metrics.deferred(why),
                Step::Load(lanes) => self.load(lanes).await,
                Step::Refill { limit, mark } => self.refill(limit, mark).await,
                Step::Wait(until) => {
                    deferred = None;
                    self.wait(until, now, &terms, &stop).await;
                }
                Step::Defer { until, why } => {
                    // Woken by the bell it may find the same wait again: that is one deferral.
                    if deferred.replace((until, why)) != Some((until, why)) {
                        self.metrics.deferred(why);
                    }
                    self.wait(until, now, &terms, &stop).await;
                }
            }
        }
        self.finish().await;
    }

    /// Taken out of the configuration: what it owes stays on disk, visible, until the target comes
    /// back. What is under way is still judged as it was begun.
    async fn stand_by(&mut self, stop: &CancellationToken) {
        let now = self.courier.clock.now();
        match self.terms {
            Some(terms) => self.wait(Some(later(now, STORE_PAUSE)), now, &terms, stop).await,
            None => tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(STORE_PAUSE) => {}
            },
        }
    }

    /// In a task of its own, so that a panic in a kind costs one try and not the loop.
    fn send(&mut self, book: Arc<Rulebook>, rule: Arc<TargetRule>, errand: Errand) {
        let (courier, metrics) = (Arc::clone(&self.courier), Arc::clone(&self.metrics));
        let store = Arc::clone(&self.store);
        let errand = Arc::new(errand);
        let work = Arc::clone(&errand);
        let task = self.tries.spawn(async move {
            if !announce(&store, &rule, &work).await {
                return Tried::unsent(courier.clock.now());
            }
            if let Some(target) = elsewhere(&store, &rule, &work).await {
                return Tried::left_to(target, courier.clock.now());
            }
            courier.attempt(&book, &rule, &work, &metrics).await
        });
        self.under_way.insert(task.id(), errand);
    }

    async fn wait(
        &mut self,
        until: Option<Timestamp>,
        now: Timestamp,
        terms: &Terms,
        stop: &CancellationToken,
    ) {
        self.metrics.allowed_at_once(self.engine.allowed(terms));
        self.metrics.seen_sick(self.engine.is_sick());
        self.peace.deliveries_wait(self.engine.rests_until(now));
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.something_happens(until, now, terms) => {}
        }
    }

    async fn something_happens(&mut self, until: Option<Timestamp>, now: Timestamp, terms: &Terms) {
        let look = if self.look_at > Timestamp::UNIX_EPOCH { FALLBACK_EVERY } else { SLEEP_MAX };
        let pause = until.map_or(look, |until| until.duration_since(now).unsigned_abs().min(look));
        tokio::select! {
            Some(joined) = self.tries.join_next_with_id(), if !self.tries.is_empty() => {
                self.tried(joined, terms);
            }
            Some(kept) = self.writes.next(), if !self.writes.is_empty() => self.release(kept),
            () = self.queue.rung() => {}
            () = tokio::time::sleep(pause) => {}
        }
        // Under load one thing seldom comes alone, and to look around costs more than to take it in.
        while let Some(joined) = self.tries.try_join_next_with_id() {
            self.tried(joined, terms);
        }
        while let Some(kept) = self.writes.at_hand() {
            self.release(kept);
        }
    }

    fn tried(&mut self, joined: Result<(Id, Tried), JoinError>, terms: &Terms) {
        let now = self.courier.clock.now();
        let (id, tried) = joined.unwrap_or_else(|error| (error.id(), Tried::panicked(now)));
        let Some(errand) = self.under_way.remove(&id) else { return };
        match (&tried.unpaid, &tried.elsewhere) {
            (Some(unpaid), _) => {
                report::unpaid(&self.name, unpaid, &self.courier.voice);
                self.metrics.deferred("quota");
            }
            (None, Some(_)) => {}
            (None, None) => {
                report::tried(&self.name, &errand, &tried);
                self.trace(|tracer, rule| traced::tried(tracer, rule, &errand, &tried));
            }
        }
        if tried.elsewhere.is_none() && matches!(tried.outcome, Outcome::Delivered { .. }) {
            let ages = errand.heads().map(|head| now.duration_since(head.accepted_at).unsigned_abs());
            ages.for_each(|age| self.metrics.delivered(age));
        }
        if !tried.outcome.reason().is_empty() {
            self.trouble = tried.outcome.reason().to_owned();
        }
        let ended = self.engine.tried(&errand, tried, terms, now);
        if let Some(health) = &ended.health {
            report::health(&self.name, health, &self.courier.voice);
            self.redrive |= matches!(health, Health::Well { .. });
        }
        for (claimed, resolution) in errand.claims().zip(ended.resolutions) {
            self.settle(claimed, resolution);
        }
    }

    fn settle(&mut self, claimed: &Claimed, mut resolution: Resolution) {
        for settled in &resolution.settlement.settled {
            if !matches!(settled.state, State::Waiting | State::Delivered) {
                self.metrics.delivery_entered(settled.state);
            }
            if let Some(head) = &claimed.head {
                let now = resolution.settlement.now;
                self.trace(|tracer, rule| traced::settled(tracer, rule, head, settled, now));
            }
            if settled.state == State::Dead {
                let (head, voice) = (claimed.head.as_ref(), &self.courier.voice);
                report::dead_letter(&self.name, settled.id, head, &settled.reason, voice);
            }
        }
        if let (Some(fallback), Some(head)) = (self.owes_fallback(claimed, &resolution), &claimed.head) {
            let now = resolution.settlement.now;
            let event = self.rescuer.told_instead(&fallback, head, &self.trouble, now);
            resolution.settlement.tells = Some(Box::new(event));
        }
        if let Some(follow) = self.follow
            && let Some(following) = follow.settled(claimed, &resolution.settlement, self.dice.f64())
        {
            resolution.settlement.follows = Some(Box::new(following));
        }
        self.writes.write(resolution);
    }

    fn trace(&self, tell: impl FnOnce(&Tracer, &TargetRule)) {
        let tracer = &self.courier.tracer;
        if tracer.is_on()
            && let Some(rule) = self.books.current().targets.get(&self.name)
        {
            tell(tracer, rule);
        }
    }

    /// A trigger that dies without its fallback having been told, or is told to the fallback instead.
    fn owes_fallback(&self, claimed: &Claimed, resolution: &Resolution) -> Option<Fallback> {
        let wakes = |head: &&Open| head.action == Action::Trigger && !announcement::is(&head.group);
        let head = claimed.head.as_ref().filter(wakes)?;
        let dies = |settled: &Settled| settled.id == head.id && settled.state == State::Dead;
        let settlement = &resolution.settlement;
        let is_elsewhere = settlement.follows.as_deref() == Some(&Following::Elsewhere);
        if !(is_elsewhere || settlement.settled.iter().any(dies)) {
            return None;
        }
        self.books.current().target(&self.name)?.fallback.clone()
    }

    async fn tell_fallbacks(&mut self, fallback: &Fallback, now: Timestamp) -> Timestamp {
        let wait = match self.rescuer.tell_fallbacks(fallback, &self.trouble, now).await {
            Ok(true) => Duration::ZERO,
            Ok(false) => FALLBACK_EVERY,
            Err(error) => {
                tracing::error!(target_name = %self.name, %error, "the fallback could not be told; trying again");
                FALLBACK_EVERY
            }
        };
        now.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    fn release(&self, kept: Kept) {
        let Kept { settlement, done, tried } = kept;
        let after = settlement.after.clone();
        self.queue.schedule().release(settlement.lane, &done, tried, settlement.due, after);
    }

    async fn load(&self, lanes: Vec<(i64, i64)>) {
        let wanted = lanes.clone();
        let read = self.store.read(move |reader| Ok(reader.lane_work(&wanted, EACH_LANE_MAX))).await;
        let again = self.courier.clock.now().saturating_add(STORE_PAUSE).unwrap_or(Timestamp::MAX);
        let found =
            read.unwrap_or_else(|error| lanes.iter().map(|(lane, _)| (*lane, Err(error.clone()))).collect());
        let mut schedule = self.queue.schedule();
        for (lane, work) in found {
            match work {
                Ok(work) => schedule.loaded(lane, work),
                Err(error) => {
                    tracing::error!(target_name = %self.name, lane, %error, "what is owed could not be read; trying again");
                    schedule.load_failed(lane, again);
                }
            }
        }
    }

    async fn refill(&self, limit: usize, mark: u64) {
        let name = Arc::clone(&self.name);
        match self.store.read(move |reader| reader.due_lanes(&name, limit)).await {
            Ok(lanes) => self.queue.schedule().refilled(&lanes, mark),
            Err(error) => {
                tracing::error!(target_name = %self.name, %error, "the schedule could not be read; trying again");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }

    async fn finish(&mut self) {
        let book = self.books.current();
        let terms = book.target(&self.name).map(|rule| terms_of(&rule)).or(self.terms.take());
        while let Some(joined) = self.tries.join_next_with_id().await {
            match &terms {
                Some(terms) => self.tried(joined, terms),
                // Its target is gone from the configuration: nobody can judge it.
                None => self.store.leave_in_doubt(),
            }
        }
        while self.writes.next().await.is_some() {}
    }
}

impl Drop for TargetLoop {
    /// Cut short: what is under way may have arrived, and the next start must know.
    fn drop(&mut self) {
        if !(self.tries.is_empty() && self.writes.is_empty()) {
            self.store.leave_in_doubt();
        }
    }
}

fn terms_of(rule: &TargetRule) -> Terms {
    Terms {
        retry: rule.retry,
        rate: rule.rate,
        concurrency: rule.concurrency,
        repeat: rule.repeat,
        send_resolved: rule.send_resolved,
        digest: rule.digest,
        breaker: rule.breaker,
        fall_after_attempts: rule.fallback.as_ref().and_then(|fallback| fallback.attempts),
    }
}
