//! Which routes an alert reaches, among 10 and among 10,000. Ends with the ratio of the two, which
//! must stay below 2.
#![allow(missing_docs, reason = "criterion's macros write functions")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "measuring is reading clocks and printing"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use alert_relay::route::tree::Tree;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

mod samples;

fn route(criterion: &mut Criterion) {
    let labels = samples::labels(0);
    let books = [10, 10_000].map(|count| (count, samples::rulebook("", &samples::routes(count))));
    let mut group = criterion.benchmark_group("route");
    for (count, book) in &books {
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| book.tree.find(black_box(&labels)));
        });
    }
    group.finish();
    let [few, many] = books.map(|(_, book)| fastest(&book.tree, &labels).as_secs_f64());
    let verdict = if many <= 2.0 * few { "as promised" } else { "MORE THAN PROMISED" };
    println!("among 10,000 routes: {:.2} x the time of among 10 ({verdict}: at most 2)", many / few);
}

/// The shortest of several rounds: what the machine does besides only makes rounds longer.
fn fastest(tree: &Tree, labels: &alert_relay::domain::alert::Labels) -> Duration {
    let round = || {
        let began = Instant::now();
        for _ in 0..1000 {
            black_box(tree.find(black_box(labels)));
        }
        began.elapsed()
    };
    (0..50).map(|_| round()).min().unwrap_or_default()
}

criterion_group!(benches, route);
criterion_main!(benches);
