//! The durable half: accepting an event, with one sender and with 64 at once, and settling what it
//! made. On the disk of `target/`, since the answer waits for that disk.
#![allow(missing_docs, reason = "criterion's macros write functions")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "measuring is reading clocks, and may fall over"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use alert_relay::domain::delivery::State;
use alert_relay::pace::clock::StoppedClock;
use alert_relay::plan::plan;
use alert_relay::route::inhibit::Active;
use alert_relay::rulebook::Rulebook;
use alert_relay::store::boundary::{AttemptRow, Settled, Settlement};
use alert_relay::store::event::NewEvent;
use alert_relay::store::handle::{Closing, Store, open_embedded};
use alert_relay::store::schedule::{Caps, Claim};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use uuid::Uuid;

mod samples;

static NUMBER: AtomicUsize = AtomicUsize::new(0);

fn enqueue(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let with = Arc::new(samples::rulebook("", ""));
    let mut without = samples::rulebook("", "");
    without.incidents = None;
    let without = Arc::new(without);
    let mut group = criterion.benchmark_group("enqueue");
    for senders in [1_usize, 64] {
        for (settled, incidents) in [(false, true), (false, false), (true, true), (true, false)] {
            let book = if incidents { &with } else { &without };
            let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let (store, closing) = open(folder.path());
            let name = match (settled, incidents) {
                (false, true) => "accept",
                (false, false) => "accept, without incidents",
                (true, true) => "accept+settle",
                (true, false) => "accept+settle, without incidents",
            };
            group.throughput(Throughput::Elements(senders as u64));
            group.bench_function(BenchmarkId::new(name, senders), |bencher| {
                bencher
                    .to_async(&runtime)
                    .iter_custom(|rounds| all(store.clone(), Arc::clone(book), senders, rounds, settled));
            });
            drop(store);
            closing.wait(Duration::from_secs(30));
        }
    }
    group.finish();
}

fn open(folder: &std::path::Path) -> (Store, Closing) {
    let clock = Arc::new(StoppedClock::at(samples::now()));
    let (store, closing, _) = open_embedded(folder, Caps::default(), clock, Box::new(|_, _| {})).unwrap();
    store.queues().of("pagerduty-core").schedule().refilled(&[], 0);
    (store, closing)
}

/// `rounds` events of each sender; the preparation of events is not counted.
async fn all(store: Store, book: Arc<Rulebook>, senders: usize, rounds: u64, settled: bool) -> Duration {
    let mut spent = Duration::ZERO;
    for _ in 0..rounds {
        let events: Vec<NewEvent> = (0..senders).map(|_| event(&book)).collect();
        let began = Instant::now();
        let calls = events.into_iter().map(|event| {
            let store = store.clone();
            tokio::spawn(async move {
                store.accept(event).await.unwrap();
                if settled {
                    settle(&store).await;
                }
            })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap();
        }
        spent += began.elapsed();
        if !settled {
            // Off the clock: what nobody settles must not pile up in the schedule.
            while claimed(&store).is_some() {}
        }
    }
    spent
}

fn event(book: &Rulebook) -> NewEvent {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let plan = plan(book, samples::groups(number, 1), &Active::default(), samples::now());
    NewEvent {
        uid: Uuid::from_u128(number as u128),
        source: "alertmanager".to_owned(),
        received_at: samples::now(),
        body: samples::webhook(number, 1),
        window: Duration::from_secs(60),
        groups: plan.groups,
        parts: plan.parts,
        notes: Vec::new(),
    }
}

fn claimed(store: &Store) -> Option<Box<alert_relay::store::schedule::Claimed>> {
    match store.queues().of("pagerduty-core").schedule().claim(samples::now()) {
        Claim::Ready(claimed) => Some(claimed),
        _ => None,
    }
}

async fn settle(store: &Store) {
    let Some(claimed) = claimed(store) else { return };
    let now = samples::now();
    let attempt = AttemptRow {
        n: 1,
        at: now,
        took: Duration::from_millis(3),
        status: 202,
        outcome: "delivered",
        excerpt: String::new(),
    };
    let id = claimed.head.as_ref().unwrap().id;
    let settled =
        Settled { id, state: State::Delivered, reason: String::new(), by: None, attempt: Some(attempt) };
    let settlement = Settlement {
        epoch: 0,
        lane: claimed.lane,
        settled: vec![settled],
        due: now,
        after: claimed.state.clone(),
        now,
        fall_now: false,
        given_up: None,
        tells: None,
        follows: None,
    };
    store.settle(settlement).await.unwrap();
    store.queues().of("pagerduty-core").schedule().release(claimed.lane, &[id], None, now, claimed.state);
}

criterion_group!(benches, enqueue);
criterion_main!(benches);
