//! 100,000 incidents in the store: what people ask for, and the report over all of them.
#![allow(missing_docs, reason = "criterion's macros write functions")]
#![allow(clippy::unwrap_used, reason = "measuring may fall over")]

use std::time::Duration;

use alert_relay::domain::incident::State;
use alert_relay::incident::tally::Tally;
use alert_relay::pace::clock::StoppedClock;
use alert_relay::store::handle::open_embedded;
use alert_relay::store::incidents::IncidentFilter;
use alert_relay::store::schedule::Caps;
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use jiff::tz::TimeZone;

const COUNT: i64 = 100_000;

/// Thirty days of incidents, each told at two targets, taken after minutes and over after an hour; the
/// last hundred go on.
fn fill(folder: &std::path::Path) {
    let raw = rusqlite::Connection::open(folder.join("alert-relay.db")).unwrap();
    raw.execute_batch(&format!(
        "BEGIN;
         WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {COUNT})
         INSERT INTO incidents(id, key, state, level, title, service, environment, owner, source, acknowledged_by,
           started_at, opened_at, notified_at, acknowledged_at, resolved_at, touched_at, reopened, news)
         SELECT n, printf('%064x', n), iif(n > {COUNT} - 100, 0, 3), n % 3, 'The disk of host ' || n % 500 || ' is nearly full',
           'service-' || n % 200, 'prod', 'team-' || n % 20, 'alertmanager', 'person ' || n % 30,
           n * 25920 - 60000, n * 25920, n * 25920 + 900, n * 25920 + 1000 * (n % 900),
           iif(n > {COUNT} - 100, NULL, n * 25920 + 3600000), n * 25920, 0, 1 FROM n;
         INSERT INTO timeline(incident, n, at, kind, who, target, text)
         SELECT id, 1, opened_at + 900, 'delivered', '', 'pagerduty-core', 'trigger' FROM incidents
         UNION ALL SELECT id, 2, opened_at + 950, 'delivered', '', 'repair', 'trigger' FROM incidents;
         COMMIT;"
    ))
    .unwrap();
}

fn incidents(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let now = Timestamp::from_millisecond(COUNT * 25_920).unwrap();
    let open = || {
        let clock = std::sync::Arc::new(StoppedClock::at(now));
        open_embedded(folder.path(), Caps::default(), clock, Box::new(|_, _| {})).unwrap()
    };
    let (store, closing, _) = open();
    drop(store);
    closing.wait(Duration::from_secs(30));
    fill(folder.path());
    let (store, closing, _) = open();
    let mut group = criterion.benchmark_group("incidents");
    group.sample_size(20);
    let newest = IncidentFilter { limit: 100, ..IncidentFilter::default() };
    let going_on = IncidentFilter { states: vec![State::Detected], ..newest.clone() };
    let of_service = IncidentFilter { service: Some("service-7".into()), limit: 1000, ..newest.clone() };
    let nothing = IncidentFilter { owner: Some("nobody".into()), ..newest.clone() };
    let cases =
        [("newest", newest), ("open", going_on), ("of a service", of_service), ("of nobody", nothing)];
    for (name, filter) in cases {
        group.bench_function(name, |bencher| {
            bencher.to_async(&runtime).iter(|| {
                let filter = filter.clone();
                async { store.read(move |reader| reader.incidents(&filter)).await.unwrap() }
            });
        });
    }
    for (name, jobs) in [("report", vec![]), ("report with jobs", vec!["repair".to_owned()])] {
        group.bench_function(name, |bencher| {
            bencher.to_async(&runtime).iter(|| {
                let jobs = jobs.clone();
                let all = IncidentFilter { limit: usize::MAX, ..IncidentFilter::default() };
                async {
                    let read = store.read(move |reader| {
                        let mut tally = Tally::of_days_in(TimeZone::UTC);
                        reader.figures(&all, &jobs, &mut |figure| tally.take(figure))?;
                        Ok(tally.numbers(Timestamp::UNIX_EPOCH, Timestamp::MAX))
                    });
                    read.await.unwrap()
                }
            });
        });
    }
    group.finish();
    drop(store);
    closing.wait(Duration::from_secs(30));
}

criterion_group!(benches, incidents);
criterion_main!(benches);
