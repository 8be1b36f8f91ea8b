//! Bytes to alert groups: each dialect, and Alertmanager's by number of alerts.
#![allow(missing_docs, reason = "criterion's macros write functions")]

use std::hint::black_box;

use alert_relay::source::find;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

mod samples;

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for alerts in [1, 20, 1000] {
        case(&mut group, "alertmanager", &alerts.to_string(), &samples::webhook(1, alerts));
    }
    case(&mut group, "guance", "1", include_bytes!("../tests/sources/guance/every-field/body.json"));
    case(&mut group, "grafana", "1", include_bytes!("../tests/sources/grafana/firing/body.json"));
    case(&mut group, "prometheus", "2", include_bytes!("../tests/sources/prometheus/two-alerts/body.json"));
    group.finish();
}

type Group<'a> = criterion::BenchmarkGroup<'a, criterion::measurement::WallTime>;

fn case(group: &mut Group<'_>, kind: &str, alerts: &str, body: &[u8]) {
    let Some(kind) = find(kind) else { return };
    let source = (kind.build)();
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function(BenchmarkId::new(kind.name, alerts), |bencher| {
        bencher.iter(|| samples::read_by(&*source, black_box(body)));
    });
}

criterion_group!(benches, parse);
criterion_main!(benches);
