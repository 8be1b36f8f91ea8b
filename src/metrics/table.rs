//! The table of all metrics: name, kind, labels, help. Registration takes the help from it, the
//! documentation is made from it, and a test compares it with what is really encoded.

/// What every name begins with.
pub const PREFIX: &str = "alert_relay";

/// One metric as the documentation shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricDoc {
    /// The name as Prometheus stores it.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// One sentence without a full stop.
    pub help: &'static str,
}

/// All metrics.
pub const METRICS: &[MetricDoc] = &[
    row("alert_relay_build_info", "gauge", &["version"], "Always 1; the label is the version that runs"),
    row(
        "alert_relay_events_received_total",
        "counter",
        &["source", "result"],
        "Calls to a hook, by what became of them: accepted, duplicate, unreadable, refused, unavailable",
    ),
    row("alert_relay_alerts_received_total", "counter", &["source", "status"], "Alerts in accepted events"),
    row("alert_relay_quarantined_total", "counter", &["source"], "Unreadable bodies put aside"),
    row(
        "alert_relay_intake_refused_total",
        "counter",
        &["reason"],
        "Calls answered with 503, by reason: busy (the store would take too long), disk_low, disk_full, memory (of bodies), slow (sender), store",
    ),
    row(
        "alert_relay_deliveries_total",
        "counter",
        &["target", "kind", "state"],
        "Deliveries that came into a state; waiting counts each one once, when it is made",
    ),
    row(
        "alert_relay_attempts_total",
        "counter",
        &["target", "kind", "outcome"],
        "Attempts by outcome: delivered, retry, hold, rejected, unknown",
    ),
    row(
        "alert_relay_deferrals_total",
        "counter",
        &["target", "reason"],
        "Times a due delivery waited without an attempt, for a token, a breaker or a quota",
    ),
    row(
        "alert_relay_template_faults_total",
        "counter",
        &["target", "field"],
        "Templates that failed, so that the built-in wording went out",
    ),
    row(
        "alert_relay_signals_total",
        "counter",
        &["target", "event"],
        "What services told us by callbacks: acknowledged, resolved, commented, missed and so on",
    ),
    row(
        "alert_relay_incident_duration_seconds",
        "histogram",
        &["stage", "level"],
        "From when an incident was opened to when it was taken (acknowledge) or over (resolve)",
    ),
    row("alert_relay_attempt_duration_seconds", "histogram", &["target"], "How long one attempt took"),
    row(
        "alert_relay_delivery_latency_seconds",
        "histogram",
        &["target"],
        "From the acceptance of an alert to its delivery",
    ),
    row("alert_relay_waiting_deliveries", "gauge", &["target"], "Deliveries still owed"),
    row(
        "alert_relay_oldest_waiting_age_seconds",
        "gauge",
        &["target"],
        "Age of the oldest delivery still owed; 0 when none is",
    ),
    row(
        "alert_relay_parked_deliveries",
        "gauge",
        &["target"],
        "Deliveries kept for a target that is not in the configuration any more",
    ),
    row(
        "alert_relay_target_concurrency",
        "gauge",
        &["target"],
        "Calls that may be under way at once: the configured number, or fewer while the target is slow or says that it is too much",
    ),
    row("alert_relay_store_commit_seconds", "histogram", &[], "How long a commit took, sync included"),
    row("alert_relay_store_commit_operations", "histogram", &[], "Operations made durable by one commit"),
    row("alert_relay_store_disk_free_bytes", "gauge", &[], "Room on the disk of the store"),
    row(
        "alert_relay_store_used_bytes",
        "gauge",
        &[],
        "What the rows of the store take; its file may be larger",
    ),
    row(
        "alert_relay_tls_certificate_expires_timestamp_seconds",
        "gauge",
        &["listener"],
        "When the certificate in use expires, by listener: senders or admin",
    ),
    row(
        "alert_relay_tls_handshakes_failed_total",
        "counter",
        &[],
        "Connections that ended before TLS was agreed on: no TLS, too slow, no certificate that is known",
    ),
    row("alert_relay_http_connections", "gauge", &[], "Open connections to the relay"),
    row(
        "alert_relay_http_requests_total",
        "counter",
        &["path", "code"],
        "Requests answered, by pattern of the path and status",
    ),
    row(
        "alert_relay_shadow_events_total",
        "counter",
        &["result"],
        "Events that the candidate of --shadow was shown: same, different, or skipped because it was behind",
    ),
    row(
        "alert_relay_shadow_config_sound",
        "gauge",
        &[],
        "1 when there is a candidate (--shadow) and it has no errors",
    ),
    row(
        "alert_relay_config_last_reload_successful",
        "gauge",
        &[],
        "1 when the last configuration offered was taken, 0 when it was refused",
    ),
    row(
        "alert_relay_config_last_reload_success_timestamp_seconds",
        "gauge",
        &[],
        "When the configuration in force was taken",
    ),
];

const fn row(
    name: &'static str,
    kind: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> MetricDoc {
    MetricDoc { name, kind, labels, help }
}
