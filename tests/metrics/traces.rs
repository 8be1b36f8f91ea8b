//! Traces, as a collector gets them from the running relay.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::support::fake::{Answer, Fake};
use crate::support::relay::Relay;

const CALLER: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const ALERT: &str = include_str!("../fixtures/alertmanager-firing.json");

fn config(collector: &str, service: &str, sample: &str) -> String {
    format!(
        r#"
server: {{ listen: LISTEN }}
store: {{ path: STORE }}
sources: [{{ name: prod, kind: alertmanager, auth: none }}]
route: {{ receiver: all }}
receivers: [{{ name: all, targets: [hook] }}]
targets:
  - name: hook
    webhook: {{ url: "{service}/" }}
    retry: {{ base: 50ms, cap: 100ms }}
    breaker: {{ failures: 1000 }}
tracing: {{ otlp: {{ endpoint: "{collector}/", headers: {{ Authorization: "Bearer otlp-token-0123456789" }}, sample: {sample} }} }}
"#
    )
}

/// What the collector has by now.
fn spans(collector: &Fake) -> Vec<Value> {
    let calls = collector.heard();
    let of_call = |call: &crate::support::fake::Heard| {
        assert_eq!(call.path, "/v1/traces");
        assert_eq!(call.header("content-type"), "application/json");
        assert_eq!(call.header("authorization"), "Bearer otlp-token-0123456789");
        let resource = &call.json()["resourceSpans"][0];
        assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "alert-relay");
        resource["scopeSpans"][0]["spans"].as_array().unwrap().clone()
    };
    calls.iter().flat_map(of_call).collect()
}

async fn until<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    for _ in 0..150 {
        if let Some(found) = look() {
            return Some(found);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    None
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let all = span["attributes"].as_array().unwrap();
    all.iter().find(|pair| pair["key"] == key).map_or(&Value::Null, |pair| &pair["value"])
}

/// Posts the alert under a `traceparent` of these flags; gives the trace of its event.
async fn post(relay: &Relay, flags: &str) -> String {
    let parent = format!("00-{CALLER}-00f067aa0ba902b7-{flags}");
    let call = relay.http().post(relay.url("/hooks/prod")).header("traceparent", parent).body(ALERT);
    let answer: Value = call.send().await.unwrap().json().await.unwrap();
    answer["id"].as_str().unwrap().replace('-', "")
}

#[tokio::test]
async fn a_delivery_made_after_a_restart_stands_below_the_intake_that_promised_it() {
    let collector = Fake::start(|_| Answer::text(200, "{}"));
    let well = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&well);
    let service =
        Fake::start(move |_| Answer::text(if is_well.load(Ordering::SeqCst) { 200 } else { 500 }, ""));
    let mut relay = Relay::start(&config(&collector.url(), &service.url(), "1.0")).await;
    let trace = post(&relay, "00").await;
    let named =
        |name: &str| spans(&collector).into_iter().filter(|it| it["name"] == name).collect::<Vec<_>>();
    let failed = until(|| named("attempt hook").first().cloned()).await.expect("a try that failed");
    let root = until(|| named("POST /hooks/prod").first().cloned()).await.expect("the intake");
    relay.kill9();
    well.store(true, Ordering::SeqCst);
    relay.start_again().await;
    let delivery = until(|| named("deliver to hook").first().cloned()).await.expect("the delivery");
    let worked =
        until(|| named("attempt hook").into_iter().find(|it| it.get("status").is_none())).await.unwrap();

    for span in [&root, &failed, &delivery, &worked] {
        assert_eq!(span["traceId"], trace.as_str(), "{span}");
        let time = |key: &str| span[key].as_str().unwrap().parse::<u128>().unwrap();
        assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"), "{span}");
    }
    assert!(root.get("parentSpanId").is_none());
    assert_eq!((&root["kind"], &root["links"][0]["traceId"]), (&2.into(), &CALLER.into()));
    assert_eq!(attribute(&root, "alert_relay.alerts")["intValue"], "3");
    assert_eq!((&delivery["parentSpanId"], &delivery["kind"]), (&root["spanId"], &5.into()));
    assert_eq!(attribute(&delivery, "alert_relay.state")["stringValue"], "delivered");
    for attempt in [&failed, &worked] {
        assert_eq!((&attempt["parentSpanId"], &attempt["kind"]), (&delivery["spanId"], &3.into()));
    }
    assert_eq!(
        (&failed["status"]["code"], attribute(&failed, "http.response.status_code")),
        (&2.into(), &serde_json::json!({ "intValue": "500" }))
    );
    let mut ids = BTreeMap::new();
    spans(&collector).iter().for_each(|span| *ids.entry(span["spanId"].to_string()).or_insert(0) += 1);
    assert!(ids.values().all(|count| *count == 1), "{ids:?}");
    assert!(!String::from_utf8_lossy(&relay.whole_log()).contains("otlp-token"));
}

#[tokio::test]
async fn who_records_his_own_trace_finds_ours_whatever_the_sample_and_others_do_not() {
    let collector = Fake::start(|_| Answer::text(200, "{}"));
    let service = Fake::start(|_| Answer::text(200, ""));
    let relay = Relay::start(&config(&collector.url(), &service.url(), "0.0001")).await;
    let left_out = post(&relay, "00").await;
    let mut relay = Relay::start(&config(&collector.url(), &service.url(), "0.0001")).await;
    let recorded = post(&relay, "01").await;
    let root = until(|| spans(&collector).into_iter().find(|span| span["name"] == "POST /hooks/prod")).await;
    assert_eq!(root.expect("its span")["traceId"], recorded.as_str());
    assert_ne!(recorded, left_out);
    relay.stop().await;
    assert!(spans(&collector).iter().all(|span| span["traceId"] == recorded.as_str()));
    assert!(spans(&collector).iter().any(|span| span["name"] == "deliver to hook"), "sent before the end");
}

#[tokio::test]
async fn a_collector_that_is_ill_or_gone_costs_its_spans_and_nothing_else() {
    let collector = Fake::start(|_| Answer::text(400, "no"));
    let service = Fake::start(|_| Answer::text(200, ""));
    for url in [collector.url(), "http://127.0.0.1:9".to_owned()] {
        let mut relay = Relay::start(&config(&url, &service.url(), "1")).await;
        let before = service.heard().len();
        post(&relay, "00").await;
        assert!(until(|| (service.heard().len() > before).then_some(())).await.is_some(), "{}", relay.log());
        for _ in 0..150 {
            if relay.metrics().await.contains("alert_relay_spans_total{result=\"failed\"} ") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let text = relay.metrics().await;
        assert!(text.contains("alert_relay_spans_total{result=\"failed\"} "), "{text}");
        assert!(relay.log().contains("the collector of traces did not take them"), "{}", relay.log());
        assert!(relay.stop().await.success());
    }
}
