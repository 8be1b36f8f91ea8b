//! The text that Prometheus reads: it says what the table of metrics says, and counts what happened.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and measures real time"
)]

#[path = "metrics/monitoring.rs"]
mod monitoring;
mod support;
#[path = "metrics/traces.rs"]
mod traces;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use alert_relay::domain::delivery::State;
use alert_relay::domain::outcome::Outcome;
use alert_relay::domain::signal::Event;
use alert_relay::metrics::Metrics;
use alert_relay::metrics::handles::Intake;
use alert_relay::metrics::table::{METRICS, MetricDoc};

/// Metrics after one of everything has happened.
fn busy() -> Metrics {
    let metrics = Metrics::new("9.9.9");
    let source = metrics.source("prod");
    source.event_received(Intake::Accepted);
    source.alerts_received(3, 1);
    source.quarantined();
    let target = metrics.target("oncall", "pagerduty");
    target.attempt_finished("retry", Duration::from_millis(30));
    target.delivered(Duration::from_millis(700));
    target.deferred("rate");
    target.template_failed("summary");
    target.backlog(4, 1, Duration::from_millis(1500));
    target.seen_sick(true);
    metrics.heartbeats_seen([("watchdog", true)].into_iter());
    metrics.spans_sent(1);
    metrics.started("2026-01-02T03:04:05.5Z".parse().unwrap());
    metrics.disk_seen(1 << 30, 1 << 20, true);
    metrics.signal_heard(&"oncall".into(), Event::Acknowledged);
    metrics.budgets_left([("checkout".to_owned(), 0.25)]);
    metrics.incident_moved("acknowledge", "P1", Duration::from_secs(90));
    metrics.job_ended("restart", "failed");
    metrics.inquired(&"desk".into(), "known");
    metrics.followed([("desk", 3)].into_iter());
    metrics.parked([("gone", 2)].into_iter());
    metrics.shadowed("same");
    metrics.committed(17, Duration::from_micros(300));
    metrics.request_answered("/hooks/{source}", 202);
    metrics.certificate_in_use("senders", "2027-01-02T03:04:05Z".parse().unwrap());
    metrics.handshake_failed();
    metrics.config_loaded("2026-01-02T03:04:05.5Z".parse().unwrap());
    metrics
}

/// The value of a series, or a failure that shows the text.
fn value(text: &str, series: &str) -> String {
    text.lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
        .unwrap_or_else(|| panic!("no series {series} in\n{text}"))
        .to_owned()
}

#[test]
fn the_table_and_the_encoded_text_say_the_same() {
    let text = busy().encode();
    let mut encoded: BTreeMap<String, (String, String)> = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            encoded.entry(name.to_owned()).or_default().0 = kind.to_owned();
        }
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            encoded.entry(name.to_owned()).or_default().1 = help.to_owned();
        }
    }
    let bare = |name: &str| name.trim_end_matches("_total").to_owned();
    let documented: BTreeMap<String, (String, String)> =
        METRICS.iter().map(|row| (bare(row.name), (row.kind.to_owned(), format!("{}.", row.help)))).collect();
    assert_eq!(encoded, documented);
    assert_eq!(documented.len(), METRICS.len(), "a name stands twice in the table");
}

#[test]
fn every_series_bears_the_labels_of_the_table() {
    let text = busy().encode();
    for row in METRICS {
        let suffixes: &[&str] = if row.kind == "histogram" { &["_sum", "_count"] } else { &[""] };
        for suffix in suffixes {
            let name = format!("{}{suffix}", row.name);
            let line = text
                .lines()
                .find(|line| line.strip_prefix(&name).is_some_and(|rest| rest.starts_with(['{', ' '])))
                .unwrap_or_else(|| panic!("no series of {name} in\n{text}"));
            let inside = line.split_once('{').map_or("", |(_, rest)| rest.rsplit_once('}').unwrap().0);
            let labels: BTreeSet<&str> =
                inside.split("\",").filter_map(|pair| Some(pair.split_once("=\"")?.0)).collect();
            assert_eq!(labels, row.labels.iter().copied().collect(), "labels of {name}");
        }
    }
}

#[test]
fn what_happened_is_counted_where_it_belongs() {
    let metrics = busy();
    let text = metrics.encode();
    for (series, want) in [
        ("alert_relay_build_info{version=\"9.9.9\"}", "1"),
        ("alert_relay_events_received_total{source=\"prod\",result=\"accepted\"}", "1"),
        ("alert_relay_events_received_total{source=\"prod\",result=\"unavailable\"}", "0"),
        ("alert_relay_alerts_received_total{source=\"prod\",status=\"firing\"}", "3"),
        ("alert_relay_alerts_received_total{source=\"prod\",status=\"resolved\"}", "1"),
        ("alert_relay_attempts_total{target=\"oncall\",kind=\"pagerduty\",outcome=\"retry\"}", "1"),
        ("alert_relay_deliveries_total{target=\"oncall\",kind=\"pagerduty\",state=\"delivered\"}", "1"),
        ("alert_relay_deliveries_total{target=\"oncall\",kind=\"pagerduty\",state=\"dead\"}", "0"),
        ("alert_relay_delivery_latency_seconds_bucket{le=\"0.5\",target=\"oncall\"}", "0"),
        ("alert_relay_delivery_latency_seconds_bucket{le=\"1.0\",target=\"oncall\"}", "1"),
        ("alert_relay_deferrals_total{target=\"oncall\",reason=\"rate\"}", "1"),
        ("alert_relay_template_faults_total{target=\"oncall\",field=\"summary\"}", "1"),
        ("alert_relay_waiting_deliveries{target=\"oncall\"}", "4"),
        ("alert_relay_held_deliveries{target=\"oncall\"}", "1"),
        ("alert_relay_target_sick{target=\"oncall\"}", "1"),
        ("alert_relay_heartbeat_missing{heartbeat=\"watchdog\"}", "1"),
        ("alert_relay_store_disk_low", "1"),
        ("alert_relay_oldest_waiting_age_seconds{target=\"oncall\"}", "1.5"),
        ("alert_relay_store_commit_operations_bucket{le=\"16.0\"}", "0"),
        ("alert_relay_store_commit_operations_bucket{le=\"32.0\"}", "1"),
        ("alert_relay_http_requests_total{path=\"/hooks/{source}\",code=\"202\"}", "1"),
        ("alert_relay_config_last_reload_successful", "1"),
        ("alert_relay_config_last_reload_success_timestamp_seconds", "1767323045.5"),
    ] {
        assert_eq!(value(&text, series), want, "{series}");
    }
    assert!(text.ends_with("# EOF\n"));
    metrics.config_refused();
    assert_eq!(value(&metrics.encode(), "alert_relay_config_last_reload_successful"), "0");
}

#[test]
fn every_state_and_every_outcome_has_its_own_series() {
    let metrics = Metrics::new("1");
    let target = metrics.target("t", "k");
    for (times, state) in State::ALL.into_iter().enumerate() {
        (0..=times).for_each(|_| target.delivery_entered(state));
    }
    let reason = String::new;
    let outcomes = [
        Outcome::delivered(),
        Outcome::Retry { reason: reason(), after: None, whole_target: false },
        Outcome::Hold { reason: reason() },
        Outcome::Rejected { reason: reason() },
        Outcome::Unknown { reason: reason() },
    ];
    for (times, outcome) in outcomes.iter().enumerate() {
        (0..=times).for_each(|_| target.attempt_finished(outcome.word(), Duration::ZERO));
    }
    for (times, result) in Intake::ALL.into_iter().enumerate() {
        (0..=times).for_each(|_| metrics.source("s").event_received(result));
    }
    let text = metrics.encode();
    for (times, state) in State::ALL.into_iter().enumerate() {
        let series =
            format!("alert_relay_deliveries_total{{target=\"t\",kind=\"k\",state=\"{}\"}}", state.as_str());
        assert_eq!(value(&text, &series), (times + 1).to_string());
    }
    for (times, outcome) in outcomes.iter().enumerate() {
        let series =
            format!("alert_relay_attempts_total{{target=\"t\",kind=\"k\",outcome=\"{}\"}}", outcome.word());
        assert_eq!(value(&text, &series), (times + 1).to_string());
    }
    for (times, result) in Intake::ALL.into_iter().enumerate() {
        let series =
            format!("alert_relay_events_received_total{{source=\"s\",result=\"{}\"}}", result.as_str());
        assert_eq!(value(&text, &series), (times + 1).to_string());
    }
}

#[test]
fn a_connection_counts_while_it_is_open() {
    let metrics = Metrics::new("1");
    let open = metrics.connection_opened();
    assert_eq!(value(&metrics.encode(), "alert_relay_http_connections"), "1");
    drop(open);
    assert_eq!(value(&metrics.encode(), "alert_relay_http_connections"), "0");
}

#[test]
fn a_removed_target_leaves_no_gauge_behind() {
    let metrics = busy();
    metrics.target_removed("oncall");
    let text = metrics.encode();
    assert!(!text.contains("alert_relay_waiting_deliveries{"), "{text}");
    assert_eq!(
        value(&text, "alert_relay_attempts_total{target=\"oncall\",kind=\"pagerduty\",outcome=\"retry\"}"),
        "1"
    );
}

#[test]
fn a_heartbeat_that_is_no_longer_configured_leaves_and_others_stay() {
    let metrics = busy();
    metrics.heartbeats_seen([("other", false)].into_iter());
    let text = metrics.encode();
    assert!(!text.contains("watchdog"), "{text}");
    assert_eq!(value(&text, "alert_relay_heartbeat_missing{heartbeat=\"other\"}"), "0");
}

#[test]
fn the_process_shows_true_figures() {
    let text = busy().encode();
    let number = |series: &str| value(&text, series).parse::<f64>().unwrap();
    assert_eq!(value(&text, "process_start_time_seconds"), "1767323045.5");
    assert!(number("process_resident_memory_bytes") > 1e6);
    let (open, most) = (number("process_open_fds"), number("process_max_fds"));
    assert!((3.0..=most).contains(&open), "{open} of {most}");
}

/// `docs/metrics.md`. `UPDATE_GOLDEN=1` writes it anew.
#[test]
fn the_page_of_metrics_is_that_of_the_table() {
    let mut page = String::from(
        "# Metrics\n\n\
         `GET /metrics` answers in the OpenMetrics format, on each listener and without a token. This page is\n\
         made from the code (`tests/metrics.rs`). Alerts and a dashboard over these metrics are in\n\
         `monitoring/`; `docs/monitoring.md` says how they are set up. Labels hold names of the\n\
         configuration only, never anything out of an alert, so that the number of series is bounded by it.\n\n\
         | metric | type | labels | unit | meaning | what to do |\n|---|---|---|---|---|---|\n",
    );
    for row in METRICS {
        let labels: Vec<String> = row.labels.iter().map(|label| format!("`{label}`")).collect();
        let MetricDoc { name, kind, help, advice, .. } = row;
        page +=
            &format!("| `{name}` | {kind} | {} | {} | {help} | {advice} |\n", labels.join(", "), row.unit());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    if std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1") {
        fs::write(&path, page).unwrap();
        return;
    }
    assert_eq!(fs::read_to_string(path).unwrap(), page, "run this test with UPDATE_GOLDEN=1");
}

#[test]
fn a_hostile_name_cannot_break_the_text() {
    let metrics = Metrics::new("1");
    metrics.source("a\"} 1\nevil_total 7\n").quarantined();
    assert!(!metrics.encode().lines().any(|line| line.starts_with("evil")));
}
