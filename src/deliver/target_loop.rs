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
use crate::deliver::engine::{Engine, Resolution, Step, Terms, Tried};
use crate::domain::delivery::State;
use crate::domain::outcome::Outcome;
use crate::metrics::TargetMetrics;
use crate::rulebook::{Rulebook, Rulebooks, TargetRule};
use crate::store::boundary::{Settlement, StoreError};
use crate::store::handle::Store;
use crate::store::queues::Queue;
use crate::store::schedule::Claimed;

/// Deliveries of one lane read at a time; what lies behind is read when these are done.
const EACH_LANE_MAX: usize = 64;
/// Pause before a write or a read that the store refused is tried again.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// Longest sleep, so that a wall clock that jumps is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// What the loop works with.
pub struct TargetLoop {
    name: Arc<str>,
    books: Rulebooks,
    store: Store,
    queue: Arc<Queue>,
    courier: Courier,
    metrics: TargetMetrics,
    engine: Engine,
    tries: JoinSet<Tried>,
    /// What is being tried, by the task that tries it.
    under_way: HashMap<Id, Arc<Claimed>>,
    writes: JoinSet<Resolution>,
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
        TargetLoop {
            name,
            books,
            store,
            queue,
            courier,
            metrics,
            engine: Engine::new(seed),
            tries: JoinSet::new(),
            under_way: HashMap::new(),
            writes: JoinSet::new(),
        }
    }

    /// Runs until `stop`, then finishes what is under way; the caller's deadline cuts it short by
    /// dropping this future, after which what was under way counts as perhaps sent.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let book = self.books.current();
            let Some(rule) = book.targets.get(&self.name).cloned() else {
                // Taken out of the configuration: what it owes stays on disk, visible, until the
                // target comes back.
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(STORE_PAUSE) => continue,
                }
            };
            let terms = terms_of(&rule);
            let now = self.courier.clock.now();
            let step = self.engine.step(&mut self.queue.schedule(), &terms, now);
            match step {
                Step::Send(claimed) => self.send(book, rule, *claimed),
                Step::Settle(resolution) => self.write(*resolution),
                Step::Load(lanes) => self.load(lanes).await,
                Step::Refill { limit, mark } => self.refill(limit, mark).await,
                Step::Wait(until) => {
                    self.observe(now);
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = self.something_happens(until, now, &terms) => {}
                    }
                }
            }
        }
        self.finish().await;
    }

    /// In a task of its own, so that a panic in a kind costs one try and not the loop.
    fn send(&mut self, book: Arc<Rulebook>, rule: Arc<TargetRule>, claimed: Claimed) {
        let (courier, metrics) = (self.courier.clone(), self.metrics.clone());
        let claimed = Arc::new(claimed);
        let work = Arc::clone(&claimed);
        let task = self.tries.spawn(async move { courier.attempt(&book, &rule, &work, &metrics).await });
        self.under_way.insert(task.id(), claimed);
    }

    async fn something_happens(&mut self, until: Option<Timestamp>, now: Timestamp, terms: &Terms) {
        let pause = until.map_or(SLEEP_MAX, |until| until.duration_since(now).unsigned_abs().min(SLEEP_MAX));
        tokio::select! {
            Some(joined) = self.tries.join_next_with_id(), if !self.tries.is_empty() => {
                self.tried(joined, terms);
            }
            Some(joined) = self.writes.join_next(), if !self.writes.is_empty() => {
                if let Ok(resolution) = joined {
                    self.release(resolution);
                }
            }
            () = self.queue.rung() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    fn tried(&mut self, joined: Result<(Id, Tried), JoinError>, terms: &Terms) {
        let now = self.courier.clock.now();
        let (id, tried) = joined.unwrap_or_else(|error| (error.id(), panicked(now)));
        let Some(claimed) = self.under_way.remove(&id) else { return };
        self.log(&claimed, &tried);
        if let (Outcome::Delivered { .. }, Some(head)) = (&tried.outcome, &claimed.head) {
            self.metrics.delivered(now.duration_since(head.accepted_at).unsigned_abs());
        }
        let resolution = self.engine.tried(&claimed, tried, terms, now);
        for settled in &resolution.settlement.settled {
            if !matches!(settled.state, State::Waiting | State::Delivered) {
                self.metrics.delivery_entered(settled.state);
            }
            if settled.state == State::Dead {
                tracing::error!(target_name = %self.name, delivery = settled.id, reason = %settled.reason, "dead letter");
            }
        }
        self.write(resolution);
    }

    fn write(&mut self, resolution: Resolution) {
        let store = self.store.clone();
        self.writes.spawn(async move {
            keep(&store, &resolution.settlement).await;
            resolution
        });
    }

    fn release(&self, resolution: Resolution) {
        let Resolution { settlement, done, tried } = resolution;
        self.queue.schedule().release(settlement.lane, &done, tried, settlement.due, settlement.after);
    }

    async fn load(&self, lanes: Vec<(i64, i64)>) {
        let wanted = lanes.clone();
        match self.store.read(move |reader| reader.lane_work(&wanted, EACH_LANE_MAX)).await {
            Ok(found) => {
                let mut schedule = self.queue.schedule();
                for (lane, work) in found {
                    schedule.loaded(lane, work);
                }
            }
            Err(error) => {
                tracing::error!(target_name = %self.name, %error, "what is owed could not be read; trying again");
                let again = self.courier.clock.now().saturating_add(STORE_PAUSE).unwrap_or(Timestamp::MAX);
                let mut schedule = self.queue.schedule();
                for (lane, _) in lanes {
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
        let terms = book.targets.get(&self.name).map(|rule| terms_of(rule));
        while let Some(joined) = self.tries.join_next_with_id().await {
            if let Some(terms) = &terms {
                self.tried(joined, terms);
            }
        }
        while self.writes.join_next().await.is_some() {}
    }

    fn observe(&self, now: Timestamp) {
        let schedule = self.queue.schedule();
        let oldest = schedule.next_due().map_or(Duration::ZERO, |due| {
            if due < now { now.duration_since(due).unsigned_abs() } else { Duration::ZERO }
        });
        self.metrics.backlog(schedule.len(), oldest);
    }

    fn log(&self, claimed: &Claimed, tried: &Tried) {
        let Some(head) = &claimed.head else { return };
        let took_ms = tried.took.as_millis();
        let outcome = tried.outcome.word();
        match &tried.outcome {
            Outcome::Delivered { .. } => tracing::info!(
                target_name = %self.name, delivery = %head.uid, action = %head.action, key = %head.key,
                attempt = head.attempts + 1, status = tried.status, took_ms, outcome, "attempt"
            ),
            other => tracing::warn!(
                target_name = %self.name, delivery = %head.uid, action = %head.action, key = %head.key,
                attempt = head.attempts + 1, status = tried.status, took_ms, outcome, reason = other.reason(), "attempt"
            ),
        }
    }
}

/// Writes a settlement, however long it takes: its outcome must not be forgotten, or the target
/// would be told twice.
async fn keep(store: &Store, settlement: &Settlement) {
    loop {
        match store.settle(settlement.clone()).await {
            Ok(()) | Err(StoreError::Closed) => return,
            Err(error) => {
                tracing::error!(%error, lane = settlement.lane, "an outcome could not be written; trying again");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }
}

fn terms_of(rule: &TargetRule) -> Terms {
    Terms {
        retry: rule.retry,
        pace: rule.pace,
        concurrency: rule.concurrency,
        repeat: rule.repeat,
        send_resolved: rule.send_resolved,
    }
}

fn panicked(now: Timestamp) -> Tried {
    Tried {
        outcome: Outcome::Unknown { reason: "the attempt panicked: this is a bug of the relay".into() },
        at: now,
        took: Duration::ZERO,
        status: 0,
        excerpt: String::new(),
    }
}
