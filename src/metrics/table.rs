//! The table of all metrics: name, kind, labels, help, and what to do about it. Registration takes
//! the help from it, `docs/metrics.md` is made from it, and tests compare it with what is really
//! encoded and with what the rules and the dashboard in `monitoring/` name.

/// What every name of our own begins with.
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
    /// What somebody who watches it does about it: one sentence without a full stop.
    pub advice: &'static str,
}

impl MetricDoc {
    /// What it is counted in, as its name says.
    pub fn unit(&self) -> &'static str {
        let bare = self.name.strip_suffix("_total").unwrap_or(self.name);
        match bare.rsplit('_').next() {
            Some("seconds") => "seconds",
            Some("bytes") => "bytes",
            _ => "",
        }
    }
}

/// The help of the row whose name is wanted; empty when there is none, which a test forbids.
pub(super) fn help(wanted: impl Fn(&str) -> bool) -> &'static str {
    METRICS.iter().find(|row| wanted(row.name)).map_or("", |row| row.help)
}

/// All metrics.
pub const METRICS: &[MetricDoc] = &[
    row(
        "alert_relay_build_info",
        "gauge",
        &["version"],
        "Always 1; the label is the version that runs",
        "Compare it over relays and with the time of a change in the others",
    ),
    row(
        "alert_relay_events_received_total",
        "counter",
        &["source", "result"],
        "Calls to a hook, by what became of them: accepted, duplicate, unreadable, refused, unavailable",
        "`unreadable` and `refused`: mend the sender (its kind, its token); `unavailable`: see `alert_relay_intake_refused_total`",
    ),
    row(
        "alert_relay_alerts_received_total",
        "counter",
        &["source", "status"],
        "Alerts in accepted events",
        "A source that falls silent may have lost its way here: give it a heartbeat",
    ),
    row(
        "alert_relay_quarantined_total",
        "counter",
        &["source"],
        "Unreadable bodies put aside",
        "Look at the reason in the log, mend the sender or the `kind` of the source, and send again",
    ),
    row(
        "alert_relay_intake_refused_total",
        "counter",
        &["reason"],
        "Calls answered with 503, by reason: busy (the store would take too long), disk_low, disk_full, memory (of bodies), slow (sender), store",
        "`disk_*`: make room; `busy`: a faster disk or fewer alerts; `memory`: `server.body_budget`. Senders come again by themselves",
    ),
    row(
        "alert_relay_deliveries_total",
        "counter",
        &["target", "kind", "state"],
        "Deliveries that came into a state; waiting counts each one once, when it is made",
        "`dead` says that somebody was not told: `alert-relay queue list --state dead` says why, `queue retry` sends it once more",
    ),
    row(
        "alert_relay_attempts_total",
        "counter",
        &["target", "kind", "outcome"],
        "Attempts by outcome: delivered, retry, hold, rejected, unknown",
        "`hold`: credentials or address are wrong; `rejected`: the template or a setting; `retry` and `unknown`: the service is ill or far away",
    ),
    row(
        "alert_relay_deferrals_total",
        "counter",
        &["target", "reason"],
        "Times a due delivery waited without an attempt, for a token, a breaker or a quota",
        "`rate`: raise `rate` if the service allows more; `quota`: the day's money is spent; `breaker`: see `alert_relay_target_sick`",
    ),
    row(
        "alert_relay_template_faults_total",
        "counter",
        &["target", "field"],
        "Templates that failed, so that the built-in wording went out",
        "Mend the template that the log names; `alert-relay explain` tries it without sending",
    ),
    row(
        "alert_relay_signals_total",
        "counter",
        &["target", "event"],
        "What services told us by callbacks: acknowledged, resolved, commented, missed and so on",
        "None from a service that should speak: its webhook does not reach `server.external_url`",
    ),
    row(
        "alert_relay_inquiries_total",
        "counter",
        &["target", "outcome"],
        "Questions how a ticket or a run stands: known, put_off (by the budget or a rest), or why it was asked in vain (retry, hold, rejected, unknown)",
        "`hold`: the account may not read; much `put_off`: raise `inquiries` of the target if the service allows more",
    ),
    row(
        "alert_relay_jobs_total",
        "counter",
        &["rule", "end"],
        "Jobs of incidents by rule and end: succeeded, failed, cancelled, declined, expired, refused, rehearsed, unknown",
        "Many `failed`: the script does not help any more; `expired`: nobody is asked who could say yes; `unknown`: look at the platform",
    ),
    row(
        "alert_relay_attempt_duration_seconds",
        "histogram",
        &["target"],
        "How long one attempt took",
        "A service that becomes slow; the relay lowers what is under way at once by itself",
    ),
    row(
        "alert_relay_incident_duration_seconds",
        "histogram",
        &["stage", "level"],
        "From when an incident was opened to when it was taken (acknowledge) or over (resolve)",
        "Nobody takes what is told, or what is taken goes on: `alert-relay report` says where the time goes",
    ),
    row(
        "alert_relay_error_budget_left_ratio",
        "gauge",
        &["service"],
        "What is left of the error budget of a service (`gate.budget`): 1 is all of it, 0 or less is nothing",
        "At 0 the gate denies: mend the service before it is changed again",
    ),
    row(
        "alert_relay_delivery_latency_seconds",
        "histogram",
        &["target"],
        "From the acceptance of an alert to its delivery",
        "What people wait for. High with fast attempts: the target is paced (`rate`) or was sick",
    ),
    row(
        "alert_relay_waiting_deliveries",
        "gauge",
        &["target"],
        "Deliveries still owed",
        "Grows while a target is sick or paced; nothing is lost, but people are told late",
    ),
    row(
        "alert_relay_held_deliveries",
        "gauge",
        &["target"],
        "Deliveries still owed that wait for a person, because credentials or address are wrong",
        "Mend the target and reload, then `alert-relay queue retry --target <target>`",
    ),
    row(
        "alert_relay_oldest_waiting_age_seconds",
        "gauge",
        &["target"],
        "Age of the oldest delivery still owed; 0 when none is",
        "The one number to alert on: whatever the cause, somebody has not been told for so long",
    ),
    row(
        "alert_relay_parked_deliveries",
        "gauge",
        &["target"],
        "Deliveries kept for a target that is not in the configuration any more",
        "Put the target back, or drop them: `alert-relay queue drop --target`",
    ),
    row(
        "alert_relay_followed_tickets",
        "gauge",
        &["target"],
        "Tickets that are open and asked after; counted twice a minute",
        "Grows for ever: nobody closes tickets, or the account may not see that they are closed",
    ),
    row(
        "alert_relay_target_concurrency",
        "gauge",
        &["target"],
        "Calls that may be under way at once: the configured number, or fewer while the target is slow or says that it is too much",
        "Nothing; it explains a slow target",
    ),
    row(
        "alert_relay_target_sick",
        "gauge",
        &["target"],
        "1 while the breaker of the target is open or its credentials are refused, else 0",
        "The reason is in the log and in the alert AlertRelayTargetSick; a fallback is told meanwhile if there is one",
    ),
    row(
        "alert_relay_heartbeat_missing",
        "gauge",
        &["heartbeat"],
        "1 while an alert that must keep coming does not, else 0",
        "Look after the monitoring that should have sent it: it may be dead, and silent about all else",
    ),
    row(
        "alert_relay_store_commit_seconds",
        "histogram",
        &[],
        "How long a commit took, sync included",
        "A disk that becomes slow makes senders wait, and at last be turned away",
    ),
    row(
        "alert_relay_store_commit_operations",
        "histogram",
        &[],
        "Operations made durable by one commit",
        "Grows with the load, as it should",
    ),
    row(
        "alert_relay_store_disk_free_bytes",
        "gauge",
        &[],
        "Room on the disk of the store",
        "Make room before it comes down to `store.keep_free`; `retention` says what is kept",
    ),
    row(
        "alert_relay_store_disk_low",
        "gauge",
        &[],
        "1 while less room is left than store.keep_free, so that calls are answered with 503, else 0",
        "Make room now: senders are turned away, deliveries go on",
    ),
    row(
        "alert_relay_store_used_bytes",
        "gauge",
        &[],
        "What the rows of the store take; its file may be larger",
        "Lower `retention` when it is too much",
    ),
    row(
        "alert_relay_spans_total",
        "counter",
        &["result"],
        "Spans of traces: sent, failed (the collector did not take them), dropped (no room to wait); none without `tracing`",
        "`failed`: see the log and the collector; `dropped`: lower `tracing.otlp.sample`. Deliveries are not touched by it",
    ),
    row(
        "alert_relay_http_connections",
        "gauge",
        &[],
        "Open connections to the relay",
        "Near `server.connections` more have to wait at the door",
    ),
    row(
        "alert_relay_tls_certificate_expires_timestamp_seconds",
        "gauge",
        &["listener"],
        "When the certificate in use expires, by listener: senders or admin",
        "Put a new one in its place in time; it is taken up without a restart",
    ),
    row(
        "alert_relay_tls_handshakes_failed_total",
        "counter",
        &[],
        "Connections that ended before TLS was agreed on: no TLS, too slow, no certificate that is known",
        "Senders that speak plain HTTP to a TLS port, or without the certificate that `client_ca` asks for; the log names them",
    ),
    row(
        "alert_relay_http_requests_total",
        "counter",
        &["path", "code"],
        "Requests answered, by pattern of the path and status; path none is no path of the relay",
        "4xx at a hook: the sender loses what it sent, so mend it; 5xx: see the log",
    ),
    row(
        "alert_relay_shadow_events_total",
        "counter",
        &["result"],
        "Events that the candidate of --shadow was shown: same, different, or skipped because it was behind",
        "`different`: `GET /api/v1/shadow` shows what, before the candidate is put into effect",
    ),
    row(
        "alert_relay_shadow_config_sound",
        "gauge",
        &[],
        "1 when there is a candidate (--shadow) and it has no errors",
        "0 with a candidate: `alert-relay check` shows what is wrong with it",
    ),
    row(
        "alert_relay_config_last_reload_successful",
        "gauge",
        &[],
        "1 when the last configuration offered was taken, 0 when it was refused",
        "`alert-relay check` shows what is wrong; the old configuration stays in force",
    ),
    row(
        "alert_relay_config_last_reload_success_timestamp_seconds",
        "gauge",
        &[],
        "When the configuration in force was taken",
        "Compare it with the time of a change in the others",
    ),
    row(
        "process_start_time_seconds",
        "gauge",
        &[],
        "When the process started, in seconds of the epoch",
        "Changes without a reason: the log of the service manager says why it ended",
    ),
    row(
        "process_resident_memory_bytes",
        "gauge",
        &[],
        "Memory that the process has",
        "Bounded; more than some hundred MiB is a bug worth a report",
    ),
    row("process_open_fds", "gauge", &[], "Open file descriptors", "Compare it with process_max_fds"),
    row(
        "process_max_fds",
        "gauge",
        &[],
        "File descriptors that the process may have",
        "Raise `LimitNOFILE` when the log says that fewer connections are taken",
    ),
    row(
        "process_cpu_seconds_total",
        "counter",
        &[],
        "Time spent on processors",
        "A rate near the number of processors: see which source sends so much",
    ),
];

const fn row(
    name: &'static str,
    kind: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    advice: &'static str,
) -> MetricDoc {
    MetricDoc { name, kind, labels, help, advice }
}
