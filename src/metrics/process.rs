//! The process as Prometheus' own libraries show it (`process_*`), read from Linux's `/proc` when
//! somebody asks. What cannot be read is left out.
//!
//! Source: <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>, proc(5).

use std::fmt;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

use crate::metrics::table::help;

/// The process that this is.
#[derive(Debug, Clone, Default)]
pub(super) struct Process {
    /// When it started, in milliseconds of the epoch; 0 until it is told. Not of `/proc`, which a
    /// service that is walled in (`ProcSubset=pid`) does not see as a whole.
    pub started: Arc<AtomicI64>,
}

/// What `/proc/self/stat` says.
#[derive(Debug, PartialEq)]
struct Stat {
    /// Ticks of the clock spent on a processor.
    ticks: u64,
    /// Pages in memory.
    pages: u64,
}

/// The name of the program stands in brackets and may hold anything, brackets too.
fn stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    // The first of them is the third of proc(5).
    let number = |nth: usize| fields.get(nth - 3)?.parse::<u64>().ok();
    Some(Stat { ticks: number(14)? + number(15)?, pages: number(24)? })
}

/// As the library writes the help of all others.
fn sentence(wanted: impl Fn(&str) -> bool) -> String {
    format!("{}.", help(wanted))
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut gauge = |name: &str, value: Option<f64>| match value {
            Some(value) => {
                let text = sentence(|row| row == name);
                let metric = encoder.encode_descriptor(name, &text, None, MetricType::Gauge)?;
                ConstGauge::new(value).encode(metric)
            }
            None => Ok(()),
        };
        let ticks = clock_ticks_per_second() as f64;
        let read = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(stat);
        let started = Some(self.started.load(Ordering::Relaxed)).filter(|millis| *millis != 0);
        gauge("process_start_time_seconds", started.map(|millis| millis as f64 / 1000.0))?;
        gauge(
            "process_resident_memory_bytes",
            read.as_ref().map(|stat| stat.pages as f64 * page_size() as f64),
        )?;
        // The folder itself is open while it is read.
        let open = fs::read_dir("/proc/self/fd").ok().map(|folder| folder.count().saturating_sub(1) as f64);
        gauge("process_open_fds", open)?;
        gauge("process_max_fds", getrlimit(Resource::Nofile).current.map(|most| most as f64))?;
        if let Some(stat) = read {
            let name = "process_cpu_seconds";
            let text = sentence(|row| row.strip_suffix("_total") == Some(name));
            let metric = encoder.encode_descriptor(name, &text, None, MetricType::Counter)?;
            ConstCounter::new(stat.ticks as f64 / ticks).encode(metric)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_a_strange_name_is_still_read() {
        let rest = "S 1 1 1 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 4242 1000000 77 18446744073709551615";
        let want = Some(Stat { ticks: 300, pages: 77 });
        assert_eq!(stat(&format!("12 (relay) {rest}")), want);
        assert_eq!(stat(&format!("12 (a) b) {rest}")), want);
        assert_eq!(stat(&format!("12 (a) S (b) {rest}")), want);
        assert_eq!(stat("12 (relay) S 1"), None);
    }
}
