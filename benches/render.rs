//! A message to the request that says it, view included, as each attempt does it.
#![allow(missing_docs, reason = "criterion's macros write functions")]

use std::hint::black_box;

use alert_relay::template::view::View;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

mod samples;

fn render(criterion: &mut Criterion) {
    let book = samples::rulebook("", "");
    let mut group = criterion.benchmark_group("render");
    for alerts in [1, 20] {
        let message = samples::message(alerts);
        group.bench_function(BenchmarkId::new("view", alerts), |bencher| {
            bencher.iter(|| View::of(black_box(&message), "https://relay.example", samples::now()));
        });
        for rule in book.targets.values() {
            group.bench_function(BenchmarkId::new(rule.kind, alerts), |bencher| {
                bencher.iter(|| {
                    let view = View::of(black_box(&message), "https://relay.example", samples::now());
                    rule.target.request(&message, &view)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, render);
criterion_main!(benches);
