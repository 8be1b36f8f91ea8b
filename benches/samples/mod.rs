//! What the benches work on: rulebooks from a few lines of YAML, webhooks of any size, and the
//! message that a target words.
#![allow(dead_code, reason = "no bench needs all of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "a broken sample is a bug of the bench")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use alert_relay::assemble::assemble;
use alert_relay::config::secrets::ThisMachine;
use alert_relay::domain::alert::{AlertGroup, Labels};
use alert_relay::domain::message::{Action, DedupKey, Message};
use alert_relay::rulebook::Rulebook;
use alert_relay::source::contract::{Arrival, Reading};
use alert_relay::source::find;
use jiff::Timestamp;
use serde_json::json;

/// When everything here happens.
pub fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).expect("a time")
}

/// The rulebook of a configuration with one PagerDuty target, `extra` lines for it, and these
/// routes (YAML below `route:`).
pub fn rulebook(extra: &str, routes: &str) -> Rulebook {
    let text = format!(
        r#"
server: {{ listen: "127.0.0.1:0" }}
store: {{ path: "store" }}
sources:
  - {{ name: alertmanager, kind: alertmanager, auth: none }}
route:
  receiver: oncall
{routes}
receivers:
  - {{ name: oncall, targets: [pagerduty-core] }}
targets:
  - name: pagerduty-core
    pagerduty: {{ routing_key: "0123456789abcdef0123456789abcdef" }}
{extra}
  - name: hook
    webhook: {{ url: "https://hooks.example/in" }}
"#
    );
    let assembled = assemble(&text, &ThisMachine::new(Path::new("relay.yaml")));
    let problems = assembled.problems;
    assembled.ready.unwrap_or_else(|| panic!("{problems:?}")).0
}

/// Routes for so many services; the last one is that of [`labels`].
pub fn routes(count: usize) -> String {
    let mut text = "  routes:\n".to_owned();
    for number in (0..count).rev() {
        let _ = writeln!(text, "    - {{ matchers: ['service=\"service-{number}\"'], receiver: oncall }}");
    }
    text
}

/// The labels of the n-th alert of a webhook.
pub fn labels(nth: usize) -> Labels {
    let pairs = [
        ("alertname", "DiskFull".to_owned()),
        ("instance", format!("db{nth}.example:9100")),
        ("job", "node".to_owned()),
        ("service", "service-0".to_owned()),
        ("severity", "critical".to_owned()),
        ("team", "storage".to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Alertmanager's webhook about problem `number`, with so many alerts.
pub fn webhook(number: usize, alerts: usize) -> Vec<u8> {
    let annotations = json!({
        "summary": "disk of db1 is 95% full",
        "description": "The file system of /var on db1 has less than 5% of its space left.",
        "runbook_url": "https://runbooks.example/disk-full",
    });
    let alerts: Vec<_> = (0..alerts)
        .map(|nth| {
            json!({
                "status": "firing",
                "labels": labels(nth),
                "annotations": annotations,
                "startsAt": "2026-01-01T00:00:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://prometheus.example:9090/graph?g0.expr=disk_free+%3C+5&g0.tab=1",
                "fingerprint": format!("{number:012x}{nth:04x}"),
            })
        })
        .collect();
    let body = json!({
        "version": "4",
        "receiver": "relay",
        "status": "firing",
        "groupKey": format!("{{}}:{{alertname=\"DiskFull\", number=\"{number}\"}}"),
        "truncatedAlerts": 0,
        "groupLabels": { "alertname": "DiskFull" },
        "commonLabels": { "alertname": "DiskFull", "severity": "critical", "service": "service-0" },
        "commonAnnotations": annotations,
        "externalURL": "http://alertmanager.example:9093",
        "alerts": alerts,
    });
    body.to_string().into_bytes()
}

/// What the source of this kind understands.
pub fn read(kind: &str, body: &[u8]) -> Reading {
    let source = (find(kind).expect("a kind").build)();
    read_by(&*source, body)
}

/// What this source understands.
pub fn read_by(source: &dyn alert_relay::source::contract::Source, body: &[u8]) -> Reading {
    let arrival = Arrival { source: "alertmanager", headers: &[], body, at: now() };
    source.read(&arrival).unwrap_or_else(|why| panic!("{why}"))
}

/// The groups of a webhook.
pub fn groups(number: usize, alerts: usize) -> Vec<AlertGroup> {
    read("alertmanager", &webhook(number, alerts)).groups
}

/// A trigger that tells of so many alerts.
pub fn message(alerts: usize) -> Message {
    Message {
        id: "01978f3e00007000800000000000000a-0".to_owned(),
        target: "pagerduty-core".to_owned(),
        action: Action::Trigger,
        dedup_key: DedupKey::hash(&["a", "b"]),
        group: Arc::new(groups(1, alerts).remove(0)),
        remote: None,
        may_exist: false,
        begun: None,
        note: None,
        proposal: None,
        digest: Vec::new(),
        accepted_at: now(),
    }
}
