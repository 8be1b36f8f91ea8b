//! Alert groups to planned deliveries: routed alert by alert, split into lanes.
#![allow(missing_docs, reason = "criterion's macros write functions")]

use alert_relay::plan::plan;
use alert_relay::route::inhibit::Active;
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};

mod samples;

fn planning(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    let active = Active::default();
    for per in ["group", "alert"] {
        let book = samples::rulebook(&format!("    per: {per}"), &samples::routes(100));
        for alerts in [1, 20] {
            let groups = samples::groups(1, alerts);
            group.bench_function(BenchmarkId::new(format!("per-{per}"), alerts), |bencher| {
                let fresh = || groups.clone();
                let one = |groups| plan(&book, groups, &active, samples::now());
                bencher.iter_batched(fresh, one, BatchSize::SmallInput);
            });
        }
    }
    group.finish();
}

criterion_group!(benches, planning);
criterion_main!(benches);
