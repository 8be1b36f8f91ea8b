//! A relay with one target of any kind, told by an Alertmanager.

use serde_json::{Value, json};

use crate::support::relay::Relay;

/// A config with one source, `alertmanager`, and one target named `it`. `target` is what stands in
/// the target besides its name, in YAML's flow form: `slack: { … }`. Quick retries.
pub fn config(target: &str) -> String {
    format!(
        r#"
server: {{ listen: LISTEN, external_url: "https://relay.example.com" }}
store: {{ path: STORE }}
sources: [{{ name: alertmanager, kind: alertmanager, auth: none }}]
route: {{ receiver: all }}
receivers: [{{ name: all, targets: [it] }}]
targets:
  - name: it
    rate: {{ limit: 1000/s, burst: 1000 }}
    retry: {{ base: 50ms, cap: 200ms }}
    {target}
"#
    )
}

/// An Alertmanager webhook with one alert, firing or resolved, in a group of its own.
pub fn webhook(name: &str, is_firing: bool) -> Value {
    let status = if is_firing { "firing" } else { "resolved" };
    let ends = if is_firing { "0001-01-01T00:00:00Z" } else { "2026-03-02T03:20:00Z" };
    let labels =
        json!({ "alertname": name, "severity": "critical", "service": "checkout", "instance": "db-1:9100" });
    let annotations =
        json!({ "summary": "磁盘 92% full on db-1", "runbook_url": "https://runbooks.example.com/disk" });
    json!({
        "version": "4", "groupKey": format!("{{}}:{{alertname=\"{name}\"}}"), "truncatedAlerts": 0,
        "status": status, "receiver": "relay", "groupLabels": { "alertname": name },
        "commonLabels": labels, "commonAnnotations": annotations,
        "externalURL": "http://alertmanager.example.com:9093",
        "alerts": [{
            "status": status, "labels": labels, "annotations": annotations,
            "startsAt": "2026-03-02T03:04:05Z", "endsAt": ends,
            "generatorURL": "http://prometheus.example.com/graph?g0.expr=disk", "fingerprint": "b0d1c2e3f4a59687",
        }],
    })
}

/// Posts it with another summary, so that it is news, and asserts that it was accepted.
pub async fn tell_again(relay: &Relay, name: &str, summary: &str) {
    let mut body = webhook(name, true);
    body["commonAnnotations"]["summary"] = summary.into();
    body["alerts"][0]["annotations"]["summary"] = summary.into();
    let (status, answer) = relay.post("/hooks/alertmanager", body.to_string()).await.unwrap();
    assert_eq!(status, 200, "{answer}");
}

/// Waits until so many deliveries are in this state, at most ten seconds; gives them, newest first.
pub async fn in_state(relay: &Relay, state: &str, count: usize) -> Vec<Value> {
    let mut found = Vec::new();
    for _ in 0..500 {
        let url = relay.url(&format!("/api/v1/deliveries?state={state}"));
        let answer = relay.http().get(url).send().await.unwrap().text().await.unwrap();
        let page: Value = serde_json::from_str(&answer).unwrap();
        found = page["deliveries"].as_array().cloned().unwrap_or_default();
        if found.len() >= count {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(found.len(), count, "{found:#?}");
    found
}

/// Orders a dead letter to be sent again, as `queue retry` does.
pub async fn retry(relay: &Relay, delivery: &Value) {
    let (status, answer) =
        relay.post(&format!("/api/v1/deliveries/{}/retry", delivery["id"]), "").await.unwrap();
    assert!((200..300).contains(&status), "{status} {answer}");
}

/// Posts it and asserts that it was accepted.
pub async fn tell(relay: &Relay, name: &str, is_firing: bool) {
    let body = webhook(name, is_firing).to_string();
    let (status, answer) = relay.post("/hooks/alertmanager", body).await.unwrap();
    assert_eq!(status, 200, "{answer}");
}
