//! What the relay counts about itself, and the text that Prometheus reads. Takes what happened,
//! in methods named after it; gives OpenMetrics text.
//!
//! Series of a source or target are made when its handle is, so that `rate()` sees them start at
//! zero. Deliberately not here: label values out of alerts (their number has no bound), a clock.

pub mod handles;
mod process;
mod series;
pub mod table;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use crate::domain::delivery::State;
use crate::domain::signal::Event;

use self::handles::{Intake, OUTCOMES, OpenConnection, SourceMetrics, TargetMetrics};
use self::process::Process;
use self::series::{
    Counters, GaugeF64, OfHeartbeat, OfListener, OfReason, OfResult, OfService, OfSource, OfStage, OfTarget,
    PathCode, RuleEnd, SourceResult, SourceStatus, TargetAsked, TargetEvent, TargetField, TargetOutcome,
    TargetReason, TargetState, Version, call_buckets, commit_buckets, incident_buckets, latency_buckets,
    operation_buckets, target_state,
};
use self::table::PREFIX;

/// `Content-Type` of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics. A clone counts into the same series.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

#[derive(Debug)]
struct Inner {
    registry: Registry,
    events: Counters<SourceResult>,
    alerts: Counters<SourceStatus>,
    quarantined: Counters<OfSource>,
    refusals: Counters<OfReason>,
    deliveries: Counters<TargetState>,
    attempts: Counters<TargetOutcome>,
    deferrals: Counters<TargetReason>,
    template_faults: Counters<TargetField>,
    signals: Counters<TargetEvent>,
    inquiries: Counters<TargetAsked>,
    incident_duration: Histograms<OfStage>,
    jobs: Counters<RuleEnd>,
    budget_left: Family<OfService, GaugeF64>,
    attempt_duration: Histograms<OfTarget>,
    delivery_latency: Histograms<OfTarget>,
    waiting: Family<OfTarget, Gauge>,
    held: Family<OfTarget, Gauge>,
    oldest_age: Family<OfTarget, GaugeF64>,
    parked: Family<OfTarget, Gauge>,
    followed: Family<OfTarget, Gauge>,
    concurrency: Family<OfTarget, Gauge>,
    sick: Family<OfTarget, Gauge>,
    heartbeats: Family<OfHeartbeat, Gauge>,
    heartbeat_names: Mutex<Vec<String>>,
    commit_duration: Histogram,
    commit_operations: Histogram,
    disk_free: Gauge,
    disk_low: Gauge,
    store_used: Gauge,
    process: Process,
    spans: Counters<OfResult>,
    connections: Gauge,
    certificate_expires: Family<OfListener, GaugeF64>,
    handshakes_failed: Counter,
    requests: Counters<PathCode>,
    shadowed: Counters<OfResult>,
    candidate: Gauge,
    reload_successful: Gauge,
    reload_time: GaugeF64,
}

impl Metrics {
    /// A fresh registry; `version` is shown in `build_info`.
    pub fn new(version: &str) -> Metrics {
        let mut registry = Registry::default();
        let process = Process::default();
        registry.register_collector(Box::new(process.clone()));
        let r = registry.sub_registry_with_prefix(PREFIX);
        let build: Family<Version, Gauge> = register(r, "build_info", Family::default());
        build.get_or_create(&Version { version: version.to_owned() }).set(1);
        let mut inner = Inner {
            events: register(r, "events_received_total", Family::default()),
            alerts: register(r, "alerts_received_total", Family::default()),
            quarantined: register(r, "quarantined_total", Family::default()),
            refusals: register(r, "intake_refused_total", Family::default()),
            deliveries: register(r, "deliveries_total", Family::default()),
            attempts: register(r, "attempts_total", Family::default()),
            deferrals: register(r, "deferrals_total", Family::default()),
            template_faults: register(r, "template_faults_total", Family::default()),
            signals: register(r, "signals_total", Family::default()),
            inquiries: register(r, "inquiries_total", Family::default()),
            incident_duration: register(r, "incident_duration_seconds", histograms(incident_buckets)),
            jobs: register(r, "jobs_total", Family::default()),
            budget_left: register(r, "error_budget_left_ratio", Family::default()),
            attempt_duration: register(r, "attempt_duration_seconds", histograms(call_buckets)),
            delivery_latency: register(r, "delivery_latency_seconds", histograms(latency_buckets)),
            waiting: register(r, "waiting_deliveries", Family::default()),
            held: register(r, "held_deliveries", Family::default()),
            oldest_age: register(r, "oldest_waiting_age_seconds", Family::default()),
            parked: register(r, "parked_deliveries", Family::default()),
            followed: register(r, "followed_tickets", Family::default()),
            concurrency: register(r, "target_concurrency", Family::default()),
            sick: register(r, "target_sick", Family::default()),
            heartbeats: register(r, "heartbeat_missing", Family::default()),
            heartbeat_names: Mutex::default(),
            commit_duration: register(r, "store_commit_seconds", commit_buckets()),
            commit_operations: register(r, "store_commit_operations", operation_buckets()),
            disk_free: register(r, "store_disk_free_bytes", Gauge::default()),
            disk_low: register(r, "store_disk_low", Gauge::default()),
            store_used: register(r, "store_used_bytes", Gauge::default()),
            process,
            spans: register(r, "spans_total", Family::default()),
            certificate_expires: register(r, "tls_certificate_expires_timestamp_seconds", Family::default()),
            handshakes_failed: register(r, "tls_handshakes_failed_total", Counter::default()),
            connections: register(r, "http_connections", Gauge::default()),
            requests: register(r, "http_requests_total", Family::default()),
            shadowed: register(r, "shadow_events_total", Family::default()),
            candidate: register(r, "shadow_config_sound", Gauge::default()),
            reload_successful: register(r, "config_last_reload_successful", Gauge::default()),
            reload_time: register(r, "config_last_reload_success_timestamp_seconds", GaugeF64::default()),
            registry: Registry::default(),
        };
        inner.registry = registry;
        for reason in REFUSALS {
            inner.refusals.get_or_create_owned(&OfReason { reason });
        }
        Metrics(Arc::new(inner))
    }

    /// The text that Prometheus reads.
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        // Writing into a String cannot fail; were it to, what is there is still shown.
        let _ = encode(&mut text, &self.0.registry);
        text
    }

    /// The series of a source, made now. Keep the handle: it counts without a look-up.
    pub fn source(&self, name: &str) -> SourceMetrics {
        let source: Arc<str> = name.into();
        let all = &self.0;
        SourceMetrics {
            events: Intake::ALL.map(|result| {
                all.events
                    .get_or_create_owned(&SourceResult { source: source.clone(), result: result.as_str() })
            }),
            alerts: ["firing", "resolved"].map(|status| {
                all.alerts.get_or_create_owned(&SourceStatus { source: source.clone(), status })
            }),
            quarantined: all.quarantined.get_or_create_owned(&OfSource { source }),
        }
    }

    /// The series of a target, made now. Keep the handle: it counts without a look-up.
    pub fn target(&self, name: &str, kind: &'static str) -> TargetMetrics {
        let target: Arc<str> = name.into();
        let all = &self.0;
        let of = OfTarget { target: target.clone() };
        TargetMetrics {
            deliveries: State::ALL
                .map(|state| all.deliveries.get_or_create_owned(&target_state(&target, kind, state))),
            attempts: OUTCOMES.map(|outcome| {
                all.attempts.get_or_create_owned(&TargetOutcome { target: target.clone(), kind, outcome })
            }),
            attempt_duration: all.attempt_duration.get_or_create_owned(&of),
            delivery_latency: all.delivery_latency.get_or_create_owned(&of),
            waiting: all.waiting.get_or_create_owned(&of),
            held: all.held.get_or_create_owned(&of),
            oldest_age: all.oldest_age.get_or_create_owned(&of),
            concurrency: all.concurrency.get_or_create_owned(&of),
            sick: all.sick.get_or_create_owned(&of),
            target,
            deferrals: all.deferrals.clone(),
            template_faults: all.template_faults.clone(),
        }
    }

    /// A target has left the configuration: its gauges, which would stand still, leave too. Its
    /// counters stay, as Prometheus wants it.
    pub fn target_removed(&self, name: &str) {
        let of = OfTarget { target: name.into() };
        self.0.waiting.remove(&of);
        self.0.held.remove(&of);
        self.0.sick.remove(&of);
        self.0.oldest_age.remove(&of);
        self.0.concurrency.remove(&of);
    }

    /// What waits for targets that are not configured any more: these, and no others.
    pub fn parked<'a>(&self, by_target: impl Iterator<Item = (&'a str, u64)>) {
        self.0.parked.clear();
        for (target, count) in by_target {
            let of = OfTarget { target: target.into() };
            self.0.parked.get_or_create(&of).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Open tickets that are followed, by target: these, and no others.
    pub fn followed<'a>(&self, by_target: impl Iterator<Item = (&'a str, u64)>) {
        self.0.followed.clear();
        for (target, count) in by_target {
            let of = OfTarget { target: target.into() };
            self.0.followed.get_or_create(&of).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// The writer made so many operations durable in one commit.
    pub fn committed(&self, operations: usize, took: Duration) {
        self.0.commit_duration.observe(took.as_secs_f64());
        self.0.commit_operations.observe(operations as f64);
    }

    /// A call was answered with 503 for this reason: one of [`REFUSALS`].
    pub fn intake_refused(&self, reason: &'static str) {
        self.0.refusals.get_or_create(&OfReason { reason }).inc();
    }

    /// Bytes that are free on the disk of the store, and that its rows take; and whether so few are
    /// free that no calls are taken in.
    pub fn disk_seen(&self, free: u64, used: u64, low: bool) {
        self.0.disk_low.set(i64::from(low));
        let whole = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.0.disk_free.set(whole(free));
        self.0.store_used.set(whole(used));
    }

    /// All heartbeats that are configured, and whether each is missing.
    pub fn heartbeats_seen<'a>(&self, beats: impl Iterator<Item = (&'a str, bool)>) {
        let of = |name: &str| OfHeartbeat { heartbeat: name.to_owned() };
        let mut known = self.0.heartbeat_names.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = std::mem::take(&mut *known);
        for (name, missing) in beats {
            self.0.heartbeats.get_or_create(&of(name)).set(i64::from(missing));
            known.push(name.to_owned());
        }
        for name in gone.iter().filter(|name| !known.contains(name)) {
            self.0.heartbeats.remove(&of(name));
        }
    }

    /// So many spans were taken by the collector.
    pub fn spans_sent(&self, spans: u64) {
        self.spans("sent", spans);
    }

    /// So many were not.
    pub fn spans_failed(&self, spans: u64) {
        self.spans("failed", spans);
    }

    /// For so many there was no room.
    pub fn spans_dropped(&self, spans: u64) {
        self.spans("dropped", spans);
    }

    fn spans(&self, result: &'static str, spans: u64) {
        self.0.spans.get_or_create(&OfResult { result }).inc_by(spans);
    }

    /// A connection came in; it counts until the guard is dropped.
    pub fn connection_opened(&self) -> OpenConnection {
        self.0.connections.inc();
        OpenConnection(self.0.connections.clone())
    }

    /// A connection ended before TLS was agreed on.
    pub fn handshake_failed(&self) {
        self.0.handshakes_failed.inc();
    }

    /// The certificate of a listener (`senders`, `admin`) is good until then.
    pub fn certificate_in_use(&self, listener: &'static str, expires: Timestamp) {
        let of = OfListener { listener };
        self.0.certificate_expires.get_or_create(&of).set(expires.as_millisecond() as f64 / 1000.0);
    }

    /// A request was answered. `path` is the pattern of the route, never the path as sent (which
    /// may hold a token); `""` for no route.
    pub fn request_answered(&self, path: &'static str, code: u16) {
        self.0.requests.get_or_create(&PathCode { path, code }).inc();
    }

    /// An incident came to the end of a stage: `acknowledge` or `resolve`, after so long.
    pub fn incident_moved(&self, stage: &'static str, level: &'static str, after: Duration) {
        self.0.incident_duration.get_or_create_owned(&OfStage { stage, level }).observe(after.as_secs_f64());
    }

    /// A job of an incident came to its end, or to none.
    pub fn job_ended(&self, rule: &str, end: &'static str) {
        self.0.jobs.get_or_create_owned(&RuleEnd { rule: rule.to_owned(), end }).inc();
    }

    /// How much is left of the error budgets, of 1, by service; of others nothing is told any more.
    pub fn budgets_left(&self, left: impl IntoIterator<Item = (String, f64)>) {
        self.0.budget_left.clear();
        for (service, ratio) in left {
            self.0.budget_left.get_or_create_owned(&OfService { service }).set(ratio);
        }
    }

    /// A service told us something.
    pub fn signal_heard(&self, target: &Arc<str>, event: Event) {
        let labels = TargetEvent { target: Arc::clone(target), event: event.as_str() };
        self.0.signals.get_or_create(&labels).inc();
    }

    /// A service was asked how something stands, or left alone; `outcome` is one word.
    pub fn inquired(&self, target: &Arc<str>, outcome: &'static str) {
        let labels = TargetAsked { target: Arc::clone(target), outcome };
        self.0.inquiries.get_or_create(&labels).inc();
    }

    /// The process started at `now`.
    pub fn started(&self, now: Timestamp) {
        self.0.process.started.store(now.as_millisecond(), Ordering::Relaxed);
    }

    /// A candidate was shown an event: `same`, `different`, or `skipped` when it could not keep up.
    pub fn shadowed(&self, result: &'static str) {
        self.0.shadowed.get_or_create(&OfResult { result }).inc();
    }

    /// Whether the candidate can be used.
    pub fn candidate(&self, is_sound: bool) {
        self.0.candidate.set(i64::from(is_sound));
    }

    /// A configuration is in force since `now`.
    pub fn config_loaded(&self, now: Timestamp) {
        self.0.reload_successful.set(1);
        self.0.reload_time.set(now.as_millisecond() as f64 / 1000.0);
    }

    /// A new configuration was refused; the old one stays in force.
    pub fn config_refused(&self) {
        self.0.reload_successful.set(0);
    }
}

/// Why calls are answered with 503: the store would take too long, the disk is low or full, bodies
/// take all the memory that they may, the sender is too slow, the store has other trouble.
pub const REFUSALS: [&str; 6] = ["busy", "disk_low", "disk_full", "memory", "slow", "store"];

/// Registers under the table's help. The library adds `_total` and the full stop itself.
fn register<M: Metric + Clone>(registry: &mut Registry, name: &str, metric: M) -> M {
    let help = table::help(|row| row.strip_prefix(PREFIX).and_then(|n| n.strip_prefix('_')) == Some(name));
    let bare = name.strip_suffix("_total").unwrap_or(name);
    registry.register(bare, help, metric.clone());
    metric
}

fn histograms<L: Clone + Eq + std::hash::Hash>(make: fn() -> Histogram) -> Histograms<L> {
    Family::new_with_constructor(make)
}
