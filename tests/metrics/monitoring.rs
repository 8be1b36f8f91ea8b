//! The rules and the dashboard in `monitoring/`: they are of the form that Prometheus and Grafana
//! read, name nothing that the relay does not export, and every alert does what it says.
//! `rules.test.yml` says what each alert does; Debian's `promtool` tries it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use alert_relay::metrics::table::{METRICS, MetricDoc};
use regex::Regex;
use serde_json::Value;

use crate::support::fake::{Answer, Fake};
use crate::support::relay::Relay;

const INSTALL: &str = "this test needs Debian's promtool: ./test installs it, or, as root: \
                       apt-get install -y --no-install-recommends prometheus";
/// Labels that Prometheus adds by itself, and that of the buckets of a histogram.
const FROM_ELSEWHERE: &[&str] = &["job", "instance", "le"];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn promtool(words: &[&str], path: &Path) {
    let done = Command::new("promtool").args(words).arg(path).output().expect(INSTALL);
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && !said.contains("FAILED"), "promtool {words:?}: {said}");
}

fn rules() -> Vec<Value> {
    let text = fs::read_to_string(file("monitoring/alert-relay.rules.yml")).unwrap();
    let rules: Value = serde_yaml::from_str(&text).unwrap();
    let groups = rules["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(file("monitoring/grafana-dashboard.json")).unwrap()).unwrap()
}

/// The expressions of the dashboard, with what Grafana fills in.
fn shown() -> Vec<String> {
    let board = dashboard();
    let panels = board["panels"].as_array().unwrap();
    let of_panels = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let marks = board["annotations"]["list"].as_array().unwrap().iter();
    let exprs = of_panels.chain(marks).map(|target| target["expr"].as_str().unwrap());
    let filled = |expr: &str| expr.replace("$__rate_interval", "5m").replace("$", "a_");
    exprs.map(filled).collect()
}

/// The row that a series is of: histograms have three of them.
fn row_of(series: &str) -> Option<&'static MetricDoc> {
    let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| series.strip_suffix(end));
    let histogram = METRICS.iter().find(|row| row.kind == "histogram" && Some(row.name) == base);
    histogram.or_else(|| METRICS.iter().find(|row| row.name == series))
}

/// Metrics and labels of an expression that the relay does not export.
fn unknown(expr: &str, records: &BTreeSet<String>) -> Vec<String> {
    let series =
        Regex::new(r"([a-z_]+:)?\b(alert_relay|process)_[a-z0-9_]+(:[a-z0-9_]+)?(\{[^}]*\})?").unwrap();
    let label = Regex::new(r"([a-z_]+)\s*(=~|!~|!=|=)").unwrap();
    let mut wrong = Vec::new();
    for found in series.find_iter(expr) {
        let (name, inside) = found.as_str().split_once('{').unwrap_or((found.as_str(), ""));
        if records.contains(name) {
            continue;
        }
        let Some(row) = row_of(name) else {
            wrong.push(format!("{name} in {expr}"));
            continue;
        };
        for name in label.captures_iter(inside).map(|found| found[1].to_owned()) {
            if !row.labels.contains(&name.as_str()) && !FROM_ELSEWHERE.contains(&name.as_str()) {
                wrong.push(format!("label {name} of {} in {expr}", row.name));
            }
        }
    }
    wrong
}

fn records() -> BTreeSet<String> {
    rules().iter().filter_map(|rule| Some(rule["record"].as_str()?.to_owned())).collect()
}

#[test]
fn the_rules_are_sound_and_do_what_they_say() {
    promtool(&["check", "rules"], &file("monitoring/alert-relay.rules.yml"));
    promtool(&["test", "rules"], &file("tests/metrics/rules.test.yml"));
}

#[test]
fn every_alert_is_tried_and_says_what_to_do() {
    let tried = fs::read_to_string(file("tests/metrics/rules.test.yml")).unwrap();
    let operations = fs::read_to_string(file("docs/operations.md")).ok();
    let rules = rules();
    for rule in &rules {
        let Some(name) = rule["alert"].as_str() else {
            let name = rule["record"].as_str().unwrap();
            // By itself, or by an alert over it.
            let alerts = rules.iter().filter(|rule| rule.get("alert").is_some());
            let by_alert = alerts.map(|rule| rule["expr"].as_str().unwrap()).any(|expr| expr.contains(name));
            assert!(by_alert || tried.contains(&format!("expr: {name}\n")), "{name} is not tried");
            continue;
        };
        let fires = format!("alertname: {name}\n        exp_alerts:");
        let is_quiet = format!("alertname: {name} }}");
        assert!(tried.contains(&fires) && tried.contains(&is_quiet), "{name}: tried firing and quiet?");
        assert!(["critical", "warning"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
        for annotation in ["summary", "description"] {
            assert!(rule["annotations"][annotation].as_str().is_some_and(|text| text.len() > 10), "{name}");
        }
        let anchor = name.to_lowercase();
        assert_eq!(rule["annotations"]["runbook_url"], format!("docs/operations.md#{anchor}"));
        if let Some(page) = &operations {
            let headings = page.lines().filter(|line| line.starts_with('#'));
            let has =
                headings.map(|line| line.trim_matches(['#', ' ', '`']).to_lowercase()).any(|it| it == anchor);
            assert!(has, "docs/operations.md has no heading {name}, which its alert names");
        }
    }
}

#[test]
fn rules_and_dashboard_name_nothing_that_is_not_exported() {
    let records = records();
    let exprs: Vec<String> =
        rules().iter().map(|rule| rule["expr"].as_str().unwrap().to_owned()).chain(shown()).collect();
    let wrong: Vec<String> = exprs.iter().flat_map(|expr| unknown(expr, &records)).collect();
    assert_eq!(wrong, Vec::<String>::new());
    let all = exprs.join("\n");
    let unseen: Vec<&str> = METRICS.iter().map(|row| row.name).filter(|name| !all.contains(name)).collect();
    assert_eq!(unseen, Vec::<&str>::new(), "neither an alert nor the dashboard shows them");
    assert_eq!(unknown("rate(alert_relay_nonsense_total{job=\"x\"}[5m])", &records).len(), 1);
    assert_eq!(unknown("alert_relay_target_sick{source=\"x\"}", &records).len(), 1);
}

#[test]
fn the_dashboard_is_of_the_form_that_grafana_reads() {
    let board = dashboard();
    assert!(board["schemaVersion"].as_u64().is_some_and(|version| version >= 39));
    assert!(board.get("id").is_none() && board.get("__inputs").is_none(), "made for one Grafana only");
    let variables: Vec<&str> = board["templating"]["list"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(variables[0], "datasource");
    let panels = board["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    let used = Regex::new(r"\$([a-z]+)").unwrap();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id stands twice");
        let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        for x in side("x")..side("x") + side("w") {
            for y in side("y")..side("y") + side("h") {
                assert!(x < 24 && taken.insert((x, y)), "{title}: lies on another panel, or outside");
            }
        }
        if panel["type"] == "row" {
            continue;
        }
        assert!(!panel["description"].as_str().unwrap().is_empty(), "{title}");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            for name in used.captures_iter(target["expr"].as_str().unwrap()) {
                assert!(variables.contains(&&name[1]), "{title}: ${} is no variable", &name[1]);
            }
        }
    }
    let rows: Vec<&str> =
        panels.iter().filter(|it| it["type"] == "row").map(|it| it["title"].as_str().unwrap()).collect();
    for wanted in [
        "Intake",
        "Delivery by target",
        "Queue age",
        "Outcomes",
        "Latency",
        "Breaker and pace",
        "Store",
        "Process",
    ] {
        assert!(rows.contains(&wanted), "{wanted} is not in {rows:?}");
    }
}

#[test]
fn every_expression_of_the_dashboard_can_be_read() {
    let rules: Vec<Value> = shown()
        .iter()
        .enumerate()
        .map(|(nth, expr)| serde_json::json!({ "record": format!("shown:{nth}"), "expr": expr }))
        .collect();
    assert!(rules.len() > 30);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shown.rules.yml");
    fs::write(&path, serde_json::json!({ "groups": [{ "name": "shown", "rules": rules }] }).to_string())
        .unwrap();
    promtool(&["check", "rules"], &path);
}

/// What is counted by something that happens has no series before it has happened.
const BY_EVENT: &[&str] = &[
    "alert_relay_spans_total",
    "alert_relay_parked_deliveries",
    "alert_relay_incident_duration_seconds",
    "alert_relay_jobs_total",
    "alert_relay_error_budget_left_ratio",
    "alert_relay_shadow_events_total",
    "alert_relay_tls_certificate_expires_timestamp_seconds",
    "alert_relay_deferrals_total",
    "alert_relay_template_faults_total",
    "alert_relay_signals_total",
    "alert_relay_inquiries_total",
    "alert_relay_followed_tickets",
];

#[tokio::test]
async fn a_running_relay_exports_what_the_table_says() {
    let config = r#"
server: { listen: LISTEN }
store: { path: STORE }
sources: [{ name: prod, kind: alertmanager, auth: none }]
route: { receiver: screen }
receivers: [{ name: screen, targets: [screen] }]
targets: [{ name: screen, console: {} }]
heartbeats: [{ name: watchdog, matchers: ["alertname=Watchdog"], every: 1h, receiver: screen }]
"#;
    let relay = Relay::start(config).await;
    let alert = include_str!("../fixtures/alertmanager-firing.json");
    relay.accepts("/hooks/prod", alert).await;
    let expected: BTreeSet<&str> =
        METRICS.iter().map(|row| row.name).filter(|name| !BY_EVENT.contains(name)).collect();
    // Heartbeats and the disk are looked at once a second.
    for _ in 0..100 {
        let text = relay.metrics().await;
        let named = |line: &str| {
            let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
            let end = if kind == "counter" { "_total" } else { "" };
            METRICS.iter().map(|row| row.name).find(|known| *known == format!("{name}{end}"))
        };
        let typed = text.lines().filter(|line| line.starts_with("# TYPE")).count();
        let exported: BTreeSet<&str> = text.lines().filter_map(named).collect();
        assert_eq!(typed, exported.len(), "a metric that the table does not know:\n{text}");
        if expected.is_subset(&exported) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("not all of {expected:?} in\n{}", relay.metrics().await);
}

#[tokio::test]
async fn a_target_that_refuses_our_credentials_shows_as_sick_with_what_it_holds() {
    let service = Fake::start(|_| Answer::text(401, "who are you?"));
    let config = format!(
        r#"
server: {{ listen: LISTEN }}
store: {{ path: STORE }}
sources: [{{ name: prod, kind: alertmanager, auth: none }}]
route: {{ receiver: all }}
receivers: [{{ name: all, targets: [screen, hook] }}]
targets:
  - {{ name: screen, console: {{}} }}
  - {{ name: hook, webhook: {{ url: "{}/" }} }}
"#,
        service.url()
    );
    let relay = Relay::start(&config).await;
    relay.accepts("/hooks/prod", include_str!("../fixtures/alertmanager-firing.json")).await;
    let wanted = [
        "alert_relay_held_deliveries{target=\"hook\"} 1",
        "alert_relay_held_deliveries{target=\"screen\"} 0",
        "alert_relay_target_sick{target=\"hook\"} 1",
        "alert_relay_target_sick{target=\"screen\"} 0",
    ];
    for _ in 0..100 {
        let text = relay.metrics().await;
        if wanted.iter().all(|line| text.lines().any(|have| have == *line)) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("not all of {wanted:#?} in\n{}\n{}", relay.metrics().await, relay.log());
}
