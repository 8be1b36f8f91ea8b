//! One clock for sender and sink, and what is made of its readings.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds since the program began; never 0.
pub fn now() -> u64 {
    u64::try_from(BASE.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
}

/// The value below which `part` of the sorted values lie.
pub fn percentile(sorted: &[u64], part: f64) -> Duration {
    if sorted.is_empty() {
        return Duration::ZERO;
    }
    let last = sorted.len() - 1;
    Duration::from_nanos(sorted[(last as f64 * part).round() as usize])
}
