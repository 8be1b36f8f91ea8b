//! What every source makes of the bodies in `sources/<dialect>/<case>/`: `body.json` (or any other
//! `body.*`), perhaps `headers.txt` and, for `json`, `paths.yaml`; `expected.json` beside them.
//!
//! `UPDATE_GOLDEN=1` rewrites what is expected; read the difference before you commit it. Below
//! the folders: what fire and recovery share, and thousands of alerts at once. What holds for any
//! bytes whatever stands in `sources_laws.rs`.
#![expect(clippy::disallowed_methods, reason = "UPDATE_GOLDEN is read from the environment")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use alert_relay::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status};
use alert_relay::source::contract::{Arrival, Reading, Source, Unreadable};
use alert_relay::source::json::{JsonPaths, JsonSource};
use alert_relay::source::{SOURCES, find};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[test]
fn every_body_in_the_folders_is_read_as_expected() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for dialect in folders(Path::new("tests/sources")) {
        for case in folders(&dialect) {
            count += 1;
            let reading = golden(&read_case(&name_of(&dialect), &case));
            let got = serde_json::to_string_pretty(&reading).unwrap() + "\n";
            let file = case.join("expected.json");
            if std::env::var("UPDATE_GOLDEN").is_ok() {
                fs::write(&file, &got).unwrap();
            }
            if fs::read_to_string(&file).unwrap_or_default() != got {
                wrong.push(format!("{} should not be\n{got}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 250, "only {count} cases found");
}

#[test]
fn guance_recovery_closes_what_the_event_opened() {
    let fire = only_group("guance", "seed-critical");
    for recovery in ["seed-recovery", "recovery-nodata-as-ok", "recovery-by-hand"] {
        let over = only_group("guance", recovery);
        assert_eq!((fire.status(), over.status()), (Status::Firing, Status::Resolved), "{recovery}");
        assert_eq!(fire.group_key, over.group_key, "{recovery}");
        assert_eq!(fire.alerts[0].fingerprint, over.alerts[0].fingerprint, "{recovery}");
        assert_ne!(fire.event["df_event_id"], over.event["df_event_id"], "{recovery}");
    }
    let moved = only_group("guance", "severity-moved");
    assert_eq!(fire.alerts[0].fingerprint, moved.alerts[0].fingerprint);
    assert_ne!(fire.alerts[0].labels, moved.alerts[0].labels);
}

#[test]
fn a_legacy_grafana_rule_is_one_problem_in_all_its_states() {
    let fire = only_group("grafana", "legacy-alerting");
    for state in ["legacy-ok", "legacy-no-data"] {
        let other = only_group("grafana", state);
        assert_eq!(fire.group_key, other.group_key, "{state}");
        assert_eq!(fire.alerts[0].fingerprint, other.alerts[0].fingerprint, "{state}");
    }
}

#[test]
fn an_alert_of_any_json_keeps_its_identity_when_it_ends() {
    let fire = only_group("json", "gcp-open");
    let over = only_group("json", "gcp-closed");
    assert_eq!((fire.status(), over.status()), (Status::Firing, Status::Resolved));
    assert_eq!(fire.group_key, over.group_key);
    assert_eq!(fire.alerts[0].fingerprint, over.alerts[0].fingerprint);
}

#[test]
fn five_thousand_alerts_of_one_group_are_read_in_order() {
    let alert = |i: usize| {
        json!({"status": "firing", "labels": {"alertname": "Down", "pod": format!("web-{i}")},
            "annotations": {"summary": "down"}, "startsAt": "2026-01-02T03:00:00Z"})
    };
    let alerts: Vec<Value> = (0..5000).map(alert).collect();
    let body = json!({"groupKey": "{}:{}", "alerts": alerts}).to_string();
    for dialect in ["alertmanager", "grafana"] {
        let group = read(dialect, &[], body.as_bytes()).unwrap().groups.remove(0);
        assert_eq!(group.alerts.len(), 5000);
        assert_eq!(group.common_labels, Labels::from([("alertname".into(), "Down".into())]));
        for (i, alert) in group.alerts.iter().enumerate() {
            assert_eq!(alert.labels["pod"], format!("web-{i}"));
            assert_eq!(alert.fingerprint, Fingerprint::of(&alert.labels));
        }
    }
}

#[test]
fn five_thousand_pushed_alerts_are_five_thousand_groups() {
    let alert = |i: usize| json!({"labels": {"alertname": "Down", "pod": format!("web-{i}")}});
    let body = Value::from((0..5000).map(alert).collect::<Vec<_>>()).to_string();
    let reading = read("prometheus", &[], body.as_bytes()).unwrap();
    let mut keys: Vec<&str> = reading.groups.iter().map(|group| group.group_key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 5000);
}

#[test]
fn thousands_of_bad_alerts_fill_no_log() {
    let mut alerts = vec![json!(7); 5000];
    alerts.push(json!({"labels": {"alertname": "Down"}}));
    let webhook = read("alertmanager", &[], json!({"alerts": alerts}).to_string().as_bytes()).unwrap();
    let push = read("prometheus", &[], Value::from(alerts).to_string().as_bytes()).unwrap();
    assert_eq!(webhook.groups[0].alerts.len(), 1);
    assert_eq!(webhook.notes.last().unwrap(), "and 4981 more");
    assert_eq!(push.groups.len(), 1);
    assert_eq!(push.invalid.last().unwrap(), "and 4980 more");
    assert!(webhook.notes.len() < 30 && push.invalid.len() < 30);
}

#[test]
fn nesting_without_end_is_refused() {
    for depth in [65, 129, 100_000] {
        let body = format!("{{\"df_title\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        for kind in SOURCES {
            assert!(read(kind.name, &[], body.as_bytes()).is_err(), "{} {depth}", kind.name);
        }
    }
}

#[test]
fn a_source_is_found_by_its_name() {
    let names: Vec<&str> = SOURCES.iter().map(|kind| kind.name).collect();
    assert!(names.is_sorted() && names.len() == 11, "{names:?}");
    assert!(names.iter().all(|name| find(name).is_some_and(|kind| kind.name == *name)));
    assert!(find("json").is_none(), "json takes settings and is built apart");
}

#[test]
fn bad_paths_are_all_named_at_once() {
    let paths = JsonPaths {
        alerts: Some("a..b".into()),
        labels: BTreeMap::from([("host".into(), "a[x]".into()), ("ok".into(), "a.b".into())]),
        ..JsonPaths::default()
    };
    let settings = |paths: &JsonPaths| -> Vec<String> {
        JsonSource::new(paths).unwrap_err().into_iter().map(|fault| fault.setting).collect()
    };
    assert_eq!(settings(&paths), ["alerts", "labels.host"]);
    assert_eq!(settings(&JsonPaths::default()), ["key"], "nothing to know an alert by");
}

fn arrival<'a>(headers: &'a [(String, String)], body: &'a [u8]) -> Arrival<'a> {
    Arrival { source: "here", headers, body, at: "2026-01-02T03:04:05Z".parse().unwrap() }
}

fn read(dialect: &str, headers: &[(String, String)], body: &[u8]) -> Result<Reading, Unreadable> {
    (find(dialect).unwrap().build)().read(&arrival(headers, body))
}

fn read_case(dialect: &str, case: &Path) -> Result<Reading, Unreadable> {
    let files: Vec<PathBuf> = fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path()).collect();
    let body = files.iter().find(|file| file.file_stem().unwrap() == "body").expect("a body");
    let body = fs::read(body).unwrap();
    let headers = fs::read_to_string(case.join("headers.txt")).unwrap_or_default();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    let headers: Vec<_> = headers.lines().map(|line| header(line).expect("name: value")).collect();
    if dialect != "json" {
        return read(dialect, &headers, &body);
    }
    let paths = fs::read_to_string(case.join("paths.yaml")).expect("paths.yaml");
    let paths: PathsFile = serde_yaml::from_str(&paths).expect("paths");
    JsonSource::new(&paths.into()).expect("good paths").read(&arrival(&headers, &body))
}

fn only_group(dialect: &str, case: &str) -> AlertGroup {
    let mut groups = read_case(dialect, &Path::new("tests/sources").join(dialect).join(case)).unwrap().groups;
    assert_eq!(groups.len(), 1, "{case}");
    groups.remove(0)
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap().to_string_lossy().into_owned()
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct PathsFile {
    alerts: Option<String>,
    key: Option<String>,
    status: Option<String>,
    firing: Vec<String>,
    resolved: Vec<String>,
    severity: Option<String>,
    title: Option<String>,
    description: Option<String>,
    url: Option<String>,
    starts_at: Option<String>,
    ends_at: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

impl From<PathsFile> for JsonPaths {
    #[rustfmt::skip]
    fn from(file: PathsFile) -> JsonPaths {
        let PathsFile {
            alerts, key, status, firing, resolved, severity, title, description, url,
            starts_at, ends_at, labels, annotations,
        } = file;
        JsonPaths {
            alerts, key, status, firing, resolved, severity, title, description, url,
            starts_at, ends_at, labels, annotations,
        }
    }
}

/// A reading as JSON. What is empty is left out: a missing key and an empty one mean the same.
fn golden(reading: &Result<Reading, Unreadable>) -> Value {
    match reading {
        Err(refusal) => json!({"unreadable": {"at": refusal.at, "why": refusal.why}}),
        Ok(reading) => trimmed(json!({
            "groups": reading.groups.iter().map(group_form).collect::<Vec<_>>(),
            "notes": reading.notes,
            "invalid": reading.invalid,
            "confirm": reading.confirm.as_ref().map(|wish| json!({"topic": wish.topic, "url": wish.url.as_str()})),
            "whole": reading.whole.as_ref().map(|body| serde_json::from_slice::<Value>(body).unwrap()),
        })),
    }
}

fn group_form(group: &AlertGroup) -> Value {
    trimmed(json!({
        "source": group.source,
        "status": group.status().as_str(),
        "group_key": group.group_key,
        "receiver": group.receiver,
        "group_labels": group.group_labels,
        "common_labels": group.common_labels,
        "common_annotations": group.common_annotations,
        "external_url": group.external_url,
        "truncated": group.truncated,
        "reason": group.reason,
        "alerts": group.alerts.iter().map(alert_form).collect::<Vec<_>>(),
        "event": group.event,
    }))
}

fn alert_form(alert: &Alert) -> Value {
    trimmed(json!({
        "status": alert.status.as_str(),
        "labels": alert.labels,
        "annotations": alert.annotations,
        "starts_at": alert.starts_at.map(|time| time.to_string()),
        "ends_at": alert.ends_at.map(|time| time.to_string()),
        "generator_url": alert.generator_url,
        "fingerprint": alert.fingerprint.to_string(),
        "extra": alert.extra,
    }))
}

fn trimmed(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let empty = [json!(null), json!(""), json!(0), json!([]), json!({})];
    Value::Object(map.into_iter().filter(|(_, value)| !empty.contains(value)).collect::<Map<_, _>>())
}
