//! The bounds of the histograms, in seconds unless said otherwise.

use prometheus_client::metrics::histogram::Histogram;

/// From a service next door to the time limit of a call.
pub(super) fn call_buckets() -> Histogram {
    Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

/// From the milliseconds of a clean run to the hours of an outage.
pub(super) fn latency_buckets() -> Histogram {
    Histogram::new([
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0,
    ])
}

/// One sync, from a good disk to one that is stuck.
pub(super) fn commit_buckets() -> Histogram {
    Histogram::new([0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5])
}

/// Operations in one commit.
pub(super) fn operation_buckets() -> Histogram {
    Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0])
}
