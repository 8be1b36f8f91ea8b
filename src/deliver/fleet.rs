//! The loops of all targets: started, counted, drained.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::deliver::attempt::Courier;
use crate::deliver::target_loop::TargetLoop;
use crate::metrics::Metrics;
use crate::metrics::handles::TargetMetrics;
use crate::rulebook::{Rulebook, Rulebooks};
use crate::store::handle::Store;
use crate::store::records::Backlog;

/// How long somebody who asks for metrics waits for the count of a large backlog.
const COUNT_TIME: Duration = Duration::from_millis(500);

/// What runs, by target.
type Loops = BTreeMap<Arc<str>, (TargetMetrics, JoinHandle<()>)>;

/// Dice for a new loop.
pub type Seed = Arc<dyn Fn() -> u64 + Send + Sync>;

/// All loops of all targets.
#[derive(Clone)]
pub struct Fleet {
    books: Rulebooks,
    store: Store,
    courier: Courier,
    metrics: Metrics,
    stop: CancellationToken,
    seed: Seed,
    counting: Arc<tokio::sync::Mutex<()>>,
    loops: Arc<Mutex<Loops>>,
}

impl Fleet {
    /// A fleet without loops; `seed` gives each loop its dice.
    pub fn new(rulebook: Rulebook, store: Store, courier: Courier, metrics: Metrics, seed: Seed) -> Fleet {
        let books = Rulebooks::new(rulebook);
        Fleet {
            books,
            store,
            courier,
            metrics,
            stop: CancellationToken::new(),
            seed,
            counting: Arc::default(),
            loops: Arc::default(),
        }
    }

    /// What calls are made with.
    pub fn courier(&self) -> &Courier {
        &self.courier
    }

    /// The rules in force.
    pub fn books(&self) -> &Rulebooks {
        &self.books
    }

    /// One loop for each target of the rulebook in force; those that run go on. Must be called
    /// inside of the runtime.
    pub fn ensure_loops(&self) {
        let mut loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, rule) in &self.books.current().targets {
            loops.entry(Arc::clone(name)).or_insert_with(|| {
                let metrics = self.metrics.target(name, rule.kind);
                let (books, store, courier) = (self.books.clone(), self.store.clone(), self.courier.clone());
                let one =
                    TargetLoop::new(Arc::clone(name), books, store, courier, metrics.clone(), (self.seed)());
                (metrics, tokio::spawn(one.run(self.stop.clone())))
            });
        }
    }

    /// Counts what waits for each target, for metrics. Answers after half a second at the latest:
    /// then the last count stands until this one is done.
    pub async fn count_backlog(&self) {
        let fleet = self.clone();
        let counting = tokio::spawn(async move {
            // One count at a time, however often somebody asks.
            let Ok(_one) = fleet.counting.try_lock() else { return };
            match fleet.store.read(|reader| reader.waiting()).await {
                Ok(waiting) => fleet.show_backlog(&waiting),
                Err(error) => tracing::warn!(%error, "what waits could not be counted"),
            }
        });
        let _late = tokio::time::timeout(COUNT_TIME, counting).await;
    }

    fn show_backlog(&self, waiting: &[Backlog]) {
        let (now, book) = (self.courier.clock.now(), self.books.current());
        let loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        let parked = waiting.iter().filter(|backlog| book.target(&backlog.target).is_none());
        self.metrics.parked(parked.map(|backlog| (backlog.target.as_str(), backlog.waiting)));
        for (name, (metrics, _)) in loops.iter() {
            if book.target(name).is_none() {
                // It may come back: its series stay, and `parked` counts meanwhile.
                metrics.backlog(0, 0, Duration::ZERO);
                continue;
            }
            let of_target = waiting.iter().find(|backlog| *backlog.target == **name);
            let (count, held) = of_target.map_or((0, 0), |backlog| (backlog.waiting, backlog.held));
            let oldest = of_target.and_then(|backlog| backlog.oldest);
            let age = oldest.map_or(Duration::ZERO, |since| now.duration_since(since).unsigned_abs());
            metrics.backlog(count, held, age);
        }
    }

    /// Stops claiming and waits for what is under way; what is not done by then is cut, and counts
    /// as perhaps sent at the next start.
    pub async fn drain(&self, limit: Duration) {
        self.stop.cancel();
        let loops = std::mem::take(&mut *self.loops.lock().unwrap_or_else(PoisonError::into_inner));
        let mut handles: Vec<JoinHandle<()>> = loops.into_values().map(|(_, handle)| handle).collect();
        let all = async {
            for handle in &mut handles {
                let _ended = handle.await;
            }
        };
        if tokio::time::timeout(limit, all).await.is_err() {
            tracing::warn!("some calls did not end in time and were cut");
            handles.iter().for_each(JoinHandle::abort);
        }
    }
}
