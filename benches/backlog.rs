//! A store with a million waiting deliveries in a million lanes of one target: how long a start
//! takes until the first delivery can go out, and how much memory it holds, at once and after
//! many tries that fail. `BACKLOG` sets another number. Figures are printed, nothing is asserted.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a bench measures real time, prints, and may fall over"
)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alert_relay::deliver::engine::{Engine, Step};
use alert_relay::deliver::errand::Errand;
use alert_relay::deliver::resolution::{Terms, Tried};
use alert_relay::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status};
use alert_relay::domain::delivery::RetryPolicy;
use alert_relay::domain::lane::{AlertClock, Told};
use alert_relay::domain::message::DedupKey;
use alert_relay::domain::outcome::Outcome;
use alert_relay::domain::reminders::Reminders;
use alert_relay::pace::breaker::BreakerPolicy;
use alert_relay::pace::bucket::Rate;
use alert_relay::pace::clock::StoppedClock;
use alert_relay::store::boundary::{Engine as _, Op};
use alert_relay::store::event::{NewEvent, NewPart};
use alert_relay::store::handle::{Store, open_embedded};
use alert_relay::store::schedule::{Caps, Claimed};
use alert_relay::store::sqlite::Place;
use alert_relay::store::sqlite_write::SqliteEngine;
use alert_relay::target::contract::Repeat;
use jiff::Timestamp;
use uuid::Uuid;

const TARGET: &str = "pager";
const MEASURE: &str = "BACKLOG_FOLDER";
/// Tries that fail after the start, as while a target is down.
const TRIES: usize = 100_000;
/// Calls at once.
const CONCURRENCY: usize = 64;
/// Operations in one commit.
const BATCH: u64 = 1000;

fn main() {
    if let Ok(folder) = std::env::var(MEASURE) {
        return measure(Path::new(&folder));
    }
    let count = std::env::var("BACKLOG").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let began = Instant::now();
    fill(folder.path(), count);
    println!("filled with {count} waiting deliveries in {:.1} s", began.elapsed().as_secs_f64());
    // A process of its own, so that what filling took is not counted.
    let me = std::env::current_exe().unwrap();
    assert!(Command::new(me).env(MEASURE, folder.path()).status().unwrap().success());
}

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn event(n: u64) -> NewEvent {
    let labels = Labels::from([
        ("alertname".into(), "DiskWillFillIn4Hours".into()),
        ("instance".into(), format!("host-{n}:9100")),
        ("severity".into(), "critical".into()),
    ]);
    let summary = "The file system /var is predicted to be full within four hours at its present rate.";
    let alert = Alert {
        status: Status::Firing,
        fingerprint: Fingerprint::of(&labels),
        annotations: Labels::from([("summary".into(), summary.into())]),
        labels,
        starts_at: Some(now()),
        ends_at: None,
        generator_url: "http://prometheus.example:9090/graph?g0.expr=predict_linear".into(),
        extra: serde_json::Map::new(),
    };
    let told =
        Told { place: 0, print: alert.fingerprint, clock: AlertClock::of(&alert), only_if_known: false };
    let group = AlertGroup {
        source: "alertmanager".into(),
        group_key: format!("{{}}:{{instance=\"host-{n}:9100\"}}"),
        receiver: "relay".into(),
        group_labels: alert.labels.clone(),
        common_labels: alert.labels.clone(),
        common_annotations: alert.annotations.clone(),
        external_url: "http://alertmanager.example:9093".into(),
        truncated: 0,
        reason: String::new(),
        alerts: vec![alert],
        event: serde_json::Value::Null,
        changes: Vec::new(),
    };
    let key = DedupKey::hash(&["alertmanager", "group", &group.group_key]);
    let part = NewPart {
        target: TARGET.into(),
        key,
        group: 0,
        alerts: vec![told],
        content: 1,
        truncated: false,
        reminders: Reminders::Every,
        fall_after: None,
        note: None,
        incident: None,
    };
    NewEvent {
        uid: Uuid::from_u128(u128::from(n) + 1),
        source: "alertmanager".into(),
        received_at: now(),
        body: format!("{{\"alert\":\"{n}\",\"padding\":\"{}\"}}", summary.repeat(10)).into_bytes(),
        window: Duration::from_secs(60),
        groups: vec![Arc::new(group)],
        parts: vec![part],
        notes: Vec::new(),
    }
}

fn fill(folder: &Path, count: u64) {
    let place = Place::take(folder).unwrap();
    let (connection, found) = place.writer().unwrap();
    let mut engine = SqliteEngine::new(connection, found).unwrap();
    for first in (0..count).step_by(usize::try_from(BATCH).unwrap()) {
        let batch: Vec<Op> =
            (first..count.min(first + BATCH)).map(|n| Op::Accept(Box::new(event(n)))).collect();
        engine.apply(&batch).unwrap();
    }
    // No farewell: the start after a kill is the harder one.
}

fn measure(folder: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let began = Instant::now();
    let clock = Arc::new(StoppedClock::at(now()));
    let (store, closing, _) = open_embedded(folder, Caps::default(), clock, Box::new(|_, _| {})).unwrap();
    println!("open: {:.0} ms", millis(began));
    let mut engine = Engine::new(1);
    let mut at = now();
    let first = runtime.block_on(next(&store, &mut engine, &mut at));
    println!("ready (open, refill, first delivery in hand): {:.0} ms", millis(began));
    println!("VmRSS when ready: {} MiB", rss_mib());
    let trying = Instant::now();
    runtime.block_on(fail(&store, &mut engine, first, &mut at));
    println!("{TRIES} failing tries: {:.0} ms, VmRSS {} MiB", millis(trying), rss_mib());
    drop(store);
    closing.wait(Duration::from_secs(30));
}

/// Tries lane after lane, as many at once as the target takes, and every try fails.
async fn fail(store: &Store, engine: &mut Engine, first: Errand, at: &mut Timestamp) {
    let queue = store.queues().of(TARGET);
    let mut errands = vec![first];
    for _ in 0..TRIES / CONCURRENCY {
        while errands.len() < CONCURRENCY {
            errands.push(next(store, engine, at).await);
        }
        let mut writes = tokio::task::JoinSet::new();
        for errand in errands.drain(..) {
            // A 503 would make the engine send fewer at once.
            let outcome = Outcome::Retry { reason: "HTTP 500".into(), after: None, whole_target: false };
            let tried = Tried { outcome, status: 500, ..Tried::nothing(*at) };
            let end = engine.tried(&errand, tried, &terms(), *at).resolutions.remove(0);
            let store = store.clone();
            writes.spawn(async move {
                store.settle(end.settlement.clone()).await.unwrap();
                end
            });
        }
        while let Some(end) = writes.join_next().await {
            let end = end.unwrap();
            let lane = end.settlement.lane;
            queue.schedule().release(lane, &end.done, end.tried, end.settlement.due, end.settlement.after);
        }
    }
}

fn terms() -> Terms {
    let retry = RetryPolicy {
        base: Duration::from_secs(3600),
        cap: Duration::from_secs(3600),
        ..RetryPolicy::default()
    };
    // Every try is to fail here, so the breaker stays out of it.
    let breaker = BreakerPolicy { failures: u32::MAX, open_for: Duration::from_secs(30) };
    Terms {
        retry,
        rate: Rate::Unlimited,
        concurrency: CONCURRENCY,
        repeat: Repeat::Harmless,
        send_resolved: true,
        digest: false,
        breaker,
        fall_after_attempts: None,
    }
}

/// Walks until something can be sent; waiting is made short by moving the clock.
async fn next(store: &Store, engine: &mut Engine, at: &mut Timestamp) -> Errand {
    let queue = store.queues().of(TARGET);
    loop {
        let step = engine.step(&mut queue.schedule(), &terms(), *at, &|_: &Claimed| None);
        match step {
            Step::Send(errand) => return *errand,
            Step::Aside { .. } => {}
            Step::Settle(_) => unreachable!("every lane owes a trigger"),
            Step::Load(lanes) => {
                let found = store.read(move |reader| Ok(reader.lane_work(&lanes, 64))).await.unwrap();
                let mut schedule = queue.schedule();
                for (lane, work) in found {
                    schedule.loaded(lane, work.unwrap());
                }
            }
            Step::Refill { limit, mark } => {
                let lanes = store.read(move |reader| reader.due_lanes(TARGET, limit)).await.unwrap();
                queue.schedule().refilled(&lanes, mark);
            }
            Step::Wait(until) | Step::Defer { until, .. } => *at = until.unwrap(),
        }
    }
}

fn millis(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1000.0
}

fn rss_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
