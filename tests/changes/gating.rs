//! May a pipeline deploy? Freezes that people set, and error budgets, over real HTTP and by the real
//! command line.

use std::process::Output;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::kinds::webhook;
use crate::support::relay::Relay;

const CONFIG: &str = r#"
server: { listen: LISTEN, dedup_window: 0s }
store: { path: STORE }
sources: [{ name: alertmanager, kind: alertmanager, auth: none }]
route: { receiver: all }
receivers: [{ name: all, targets: [screen] }]
targets: [{ name: screen, console: {} }]
gate:
  levels: [P0]
  budget: [{ services: [checkout, cart], objective: 99.9, window: 30d }]
"#;

async fn call(relay: &Relay, method: Method, path: &str, body: Value) -> (u16, Value) {
    let request = relay.http().request(method, relay.url(path)).header("x-actor", "ann");
    let answer =
        request.body(if body.is_null() { String::new() } else { body.to_string() }).send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn gate(relay: &Relay, query: &str) -> Value {
    call(relay, Method::GET, &format!("/api/v1/gate?{query}"), Value::Null).await.1
}

fn reasons(answer: &Value) -> Vec<String> {
    let reasons = answer["reasons"].as_array().unwrap_or_else(|| panic!("{answer}"));
    reasons.iter().map(|reason| reason.as_str().unwrap().to_owned()).collect()
}

async fn cli(relay: &Relay, words: &[&str]) -> (i32, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_alert-relay"));
    command.args(words).args(["--url", &relay.url("")]).env("USER", "bob").env_remove("ALERT_RELAY_TOKEN");
    let done: Output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    (done.status.code().unwrap(), said)
}

#[tokio::test]
async fn a_freeze_that_somebody_set_denies_with_who_and_why_until_it_ends_whatever_is_killed() {
    let mut relay = Relay::start(CONFIG).await;
    assert_eq!(gate(&relay, "service=checkout").await["answer"], "allow");
    for (body, why) in [
        (json!({ "reason": "x" }), "say when it ends"),
        (json!({ "until": "6h" }), "say why"),
        (json!({ "until": "2020-01-01T00:00:00Z", "reason": "x" }), "it ends before it begins"),
        (json!({ "until": "soon", "reason": "x" }), "until: write a time"),
        (json!({ "until": "6h", "reason": "x", "team": "y" }), "unknown field `team`"),
    ] {
        let (status, answer) = call(&relay, Method::POST, "/api/v1/freezes", body).await;
        assert!(status == 400 && answer["detail"].as_str().unwrap().contains(why), "{status} {answer}");
    }
    let body =
        json!({ "service": "check*", "environment": "prod", "until": "6h", "reason": "year-end close" });
    let (status, set) = call(&relay, Method::POST, "/api/v1/freezes", body).await;
    assert_eq!((status, &set["id"], &set["stands"]), (200, &json!(1), &json!(true)), "{set}");
    let later = json!({ "from": "2h", "until": "1h", "reason": "the database moves" });
    assert_eq!(call(&relay, Method::POST, "/api/v1/freezes", later).await.1["stands"], false);
    relay.kill9();
    relay.start_again().await;
    for query in ["service=checkout&environment=prod", "service=checkout"] {
        let answer = gate(&relay, query).await;
        assert_eq!(answer["answer"], "deny");
        let reasons = reasons(&answer);
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        let until = set["until"].as_str().unwrap();
        assert_eq!(reasons[0], format!("frozen until {until} by ann (local): year-end close (freeze 1)"));
    }
    for query in ["service=checkout&environment=staging", "service=cart&environment=prod"] {
        assert_eq!(gate(&relay, query).await["answer"], "allow", "{query}");
    }
    let (code, said) = cli(&relay, &["freeze", "list"]).await;
    assert!(code == 0 && said.lines().count() == 2, "{said}");
    assert!(said.contains("check* in prod  by ann (local): year-end close"), "{said}");
    assert_eq!(cli(&relay, &["gate", "--service", "checkout"]).await.0, 1);

    assert_eq!(call(&relay, Method::DELETE, "/api/v1/freezes/1", Value::Null).await.0, 200);
    assert_eq!(call(&relay, Method::DELETE, "/api/v1/freezes/1", Value::Null).await.0, 409, "once");
    assert_eq!(call(&relay, Method::DELETE, "/api/v1/freezes/9", Value::Null).await.0, 404);
    assert_eq!(call(&relay, Method::DELETE, "/api/v1/freezes/x", Value::Null).await.0, 400);
    assert_eq!(gate(&relay, "service=checkout").await["answer"], "allow");
    let (code, said) = cli(&relay, &["freeze", "add", "--until", "1h", "--reason", "all hands"]).await;
    assert!(code == 0 && said.contains("all services in all environments"), "{said}");
    let (code, said) = cli(&relay, &["gate", "--service", "cart"]).await;
    assert!(code == 1 && said.contains("all hands (freeze 3)"), "{said}");
    assert_eq!(cli(&relay, &["freeze", "end", "3"]).await.0, 0);
    let (code, said) = cli(&relay, &["gate", "--service", "cart"]).await;
    assert!(
        code == 0 && said.contains("43.2 min (100.0 %) of the error budget of 30.0 days are left"),
        "{said}"
    );

    let audit = call(&relay, Method::GET, "/api/v1/audit", Value::Null).await.1;
    let told: Vec<(&str, &str, &str)> = audit["audit"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|row| {
            (row["what"].as_str().unwrap(), row["about"].as_str().unwrap(), row["detail"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("freeze", "freeze 1", "year-end close"),
            ("freeze", "freeze 2", "the database moves"),
            ("end freeze", "freeze 1", ""),
            ("freeze", "freeze 3", "all hands"),
            ("end freeze", "freeze 3", ""),
        ]
    );
}

#[tokio::test]
async fn a_spent_error_budget_denies_and_says_what_is_left_when_it_is_not() {
    let relay = Relay::start(CONFIG).await;
    let minutes_ago =
        |minutes: i64| Timestamp::now().checked_sub(SignedDuration::from_mins(minutes)).unwrap().to_string();
    let alert = |began: i64, is_firing: bool| {
        let mut body = webhook("DiskFull", is_firing);
        body["alerts"][0]["startsAt"] = minutes_ago(began).into();
        if !is_firing {
            body["alerts"][0]["endsAt"] = minutes_ago(0).into();
        }
        body
    };
    // 99.9 % of 30 days are 43.2 minutes. A P1 denies nothing by itself here.
    relay.accepts("/hooks/alertmanager", alert(10, true).to_string()).await;
    let answer = gate(&relay, "service=checkout").await;
    assert_eq!(answer["answer"], "allow", "{answer}");
    let budget = &answer["budgets"][0];
    assert_eq!((budget["objective"].as_f64(), budget["allowed_minutes"].as_f64()), (Some(99.9), Some(43.2)));
    let left = budget["left_minutes"].as_f64().unwrap();
    assert!((32.0..=33.2).contains(&left), "{budget}");
    assert!((74.0..=76.9).contains(&budget["left_percent"].as_f64().unwrap()), "{budget}");
    relay.accepts("/hooks/alertmanager", alert(10, false).to_string()).await;

    let mut worse = alert(50, true);
    worse["groupKey"] = "{}:{alertname=\"Slow\"}".into();
    worse["alerts"][0]["fingerprint"] = "b0d1c2e3f4a59688".into();
    worse["alerts"][0]["labels"]["alertname"] = "Slow".into();
    relay.accepts("/hooks/alertmanager", worse.to_string()).await;
    let answer = gate(&relay, "service=checkout&environment=prod").await;
    let reasons = reasons(&answer);
    assert!(answer["answer"] == "deny" && reasons.len() == 1, "{answer}");
    assert!(reasons[0].starts_with("the error budget is spent: down for 5"), "{reasons:?}");
    assert!(reasons[0].ends_with(" of 44 min in the last 30 days"), "{reasons:?}");
    assert_eq!(gate(&relay, "service=cart").await["budgets"][0]["left_percent"], 100.0);
    assert_eq!(gate(&relay, "service=search").await.get("budgets"), None);
    for _ in 0..1500 {
        let metrics = relay.metrics().await;
        let line = |service: &str| {
            let start = format!("alert_relay_error_budget_left_ratio{{service=\"{service}\"}} ");
            metrics.lines().find_map(|line| line.strip_prefix(&start)?.parse::<f64>().ok())
        };
        if line("checkout").is_some_and(|left| left < 0.0) {
            assert_eq!(line("cart"), Some(1.0));
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("Prometheus was never told");
}
