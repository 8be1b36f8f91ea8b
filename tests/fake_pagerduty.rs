//! The stage prop itself: that the fake PagerDuty checks what the real one checks, keeps incidents
//! as it does and breaks connections as told. Otherwise every test that leans on it proves nothing.
#![expect(clippy::unwrap_used, reason = "a test may fall over")]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::vendor::ledger::State;
use support::vendor::rules::Action;
use support::vendor::script::{Chaos, Fault};
use support::vendor::{PagerDuty, ROUTING_KEY};

fn event(action: &str, key: &str) -> Value {
    json!({
        "routing_key": ROUTING_KEY,
        "event_action": action,
        "dedup_key": key,
        "payload": { "summary": "disk full", "source": "db1", "severity": "critical" },
    })
}

/// Status and body; `None` when the connection broke before the answer was whole.
async fn send(pd: &PagerDuty, event: &Value) -> Option<(u16, Value)> {
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_millis(500)).build().unwrap();
    let answer = http.post(format!("{}/v2/enqueue", pd.url())).json(event).send().await.ok()?;
    let status = answer.status().as_u16();
    let text = answer.text().await.ok()?;
    Some((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
}

#[tokio::test]
async fn a_trigger_opens_a_repeat_adds_and_a_resolve_closes() {
    let pd = PagerDuty::start().await;
    let (status, answer) = send(&pd, &event("trigger", "k")).await.unwrap();
    assert_eq!((status, &answer["status"], &answer["dedup_key"]), (202, &json!("success"), &json!("k")));
    send(&pd, &event("trigger", "k")).await.unwrap();
    send(&pd, &event("acknowledge", "k")).await.unwrap();
    assert_eq!(pd.incidents()[0].state, State::Acknowledged);
    send(&pd, &event("resolve", "k")).await.unwrap();
    let incident = &pd.incidents()[0];
    assert_eq!((incident.state, incident.triggers, incident.opened), (State::Resolved, 2, 1));
    send(&pd, &event("trigger", "k")).await.unwrap();
    assert_eq!((pd.incidents()[0].state, pd.incidents()[0].opened), (State::Open, 2));
}

#[tokio::test]
async fn a_resolve_of_nothing_is_answered_202_and_does_nothing() {
    let pd = PagerDuty::start().await;
    assert_eq!(send(&pd, &event("resolve", "k")).await.unwrap().0, 202);
    assert!(pd.incidents().is_empty());
    assert_eq!(pd.processed(Action::Resolve), 1);
}

#[tokio::test]
async fn what_the_real_one_refuses_is_refused_with_the_reason() {
    let pd = PagerDuty::start().await;
    let with = |path: &str, value: Value| {
        let mut event = event("trigger", "k");
        match value {
            Value::Null => drop(event["payload"].as_object_mut().unwrap().remove(path)),
            value => *event.pointer_mut(path).unwrap() = value,
        }
        event
    };
    let cases = [
        (with("/routing_key", json!("short")), "routing_key"),
        (with("/routing_key", json!("f".repeat(32))), "routing_key"),
        (with("/event_action", json!("close")), "event_action"),
        (with("/dedup_key", json!("k".repeat(256))), "dedup_key"),
        (with("summary", Value::Null), "payload.summary"),
        (with("source", Value::Null), "payload.source"),
        (with("severity", Value::Null), "payload.severity"),
        (with("/payload/summary", json!(" ")), "payload.summary"),
        (with("/payload/summary", json!("长".repeat(1025))), "payload.summary"),
        (with("/payload/severity", json!("high")), "payload.severity"),
        (event("resolve", ""), "dedup_key"),
        (json!([1]), "JSON object"),
    ];
    for (event, reason) in cases {
        let (status, answer) = send(&pd, &event).await.unwrap();
        assert_eq!((status, &answer["status"]), (400, &json!("invalid event")), "{event}");
        assert!(answer["errors"][0].as_str().unwrap().contains(reason), "{answer} should name {reason}");
    }
    assert!(pd.incidents().is_empty());
    let long = with("/payload/summary", json!("长".repeat(1024)));
    assert_eq!(send(&pd, &long).await.unwrap().0, 202);
    let mut fat = event("trigger", "k");
    fat["payload"]["custom_details"] = json!({ "log": "x".repeat(512 * 1024) });
    assert_eq!(send(&pd, &fat).await.unwrap().0, 413);
}

#[tokio::test]
async fn a_body_that_is_not_called_json_is_refused() {
    let pd = PagerDuty::start().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = http.post(format!("{}/v2/enqueue", pd.url())).body(event("trigger", "k").to_string());
    assert_eq!(post.send().await.unwrap().status().as_u16(), 400);
    assert!(pd.calls()[0].note.contains("Content-Type"), "{}", pd.ledger());
}

#[tokio::test]
async fn faults_that_come_before_processing_leave_no_incident() {
    let pd = PagerDuty::start().await;
    pd.fail_next(503);
    pd.next(Fault::retry_after(7));
    pd.next(Fault::Reset);
    pd.next(Fault::Hang);
    let sent = event("trigger", "k");
    assert_eq!(send(&pd, &sent).await.unwrap().0, 503);
    assert_eq!(send(&pd, &sent).await.unwrap().0, 429);
    assert!(send(&pd, &sent).await.is_none(), "reset");
    assert!(send(&pd, &sent).await.is_none(), "hang");
    assert!(pd.incidents().is_empty());
    assert_eq!(send(&pd, &sent).await.unwrap().0, 202);
    let answers: Vec<_> = pd.calls().iter().map(|call| call.answered).collect();
    assert_eq!(answers, [Some(503), Some(429), None, None, Some(202)]);
}

#[tokio::test]
async fn faults_that_come_after_processing_leave_one() {
    let pd = PagerDuty::start().await;
    let faults = [Fault::ResetAfter, Fault::Truncate, Fault::Stall];
    for (n, fault) in faults.into_iter().enumerate() {
        pd.next(fault);
        assert!(send(&pd, &event("trigger", "k")).await.is_none(), "fault {n}");
        assert_eq!(pd.incidents()[0].triggers, n + 1);
    }
    pd.next(Fault::ReplyAfter { status: 500 });
    assert_eq!(send(&pd, &event("trigger", "k")).await.unwrap().0, 500);
    assert_eq!(pd.incidents()[0].triggers, 4);
    pd.wait_for("hung calls to go", |seen| seen.in_progress == 0, Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_vendor_that_is_down_refuses_and_comes_back_on_its_port() {
    let pd = PagerDuty::start().await;
    pd.go_down();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(send(&pd, &event("trigger", "k")).await.is_none());
    pd.come_back();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(send(&pd, &event("trigger", "k")).await.unwrap().0, 202);
    assert_eq!(pd.calls().len(), 1);
}

#[tokio::test]
async fn over_its_limit_it_answers_429_and_stores_nothing() {
    let pd = PagerDuty::start().await;
    pd.limit(2, Duration::from_secs(60));
    let mut answers = Vec::new();
    for key in ["a", "b", "c"] {
        answers.push(send(&pd, &event("trigger", key)).await.unwrap().0);
    }
    assert_eq!(answers, [202, 202, 429]);
    assert_eq!(pd.incidents().len(), 2);
}

#[tokio::test]
async fn chaos_from_one_seed_is_the_same_twice() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let pd = PagerDuty::start().await;
        pd.chaos(Chaos::new(7, vec![(300, Fault::status(500)), (200, Fault::status(429))]));
        for n in 0..40 {
            send(&pd, &event("trigger", &n.to_string())).await.unwrap();
        }
        runs.push(pd.calls().iter().map(|call| call.answered.unwrap()).collect::<Vec<_>>());
    }
    assert_eq!(runs[0], runs[1]);
    for status in [202, 429, 500] {
        assert!(runs[0].contains(&status), "{status} never came: {:?}", runs[0]);
    }
}
