//! End to end: what Guance's own article shows as a webhook becomes a PagerDuty incident, and its
//! recovery closes it. The fixture is that article's payload, byte for byte.
#![expect(clippy::unwrap_used, reason = "a test may fall over")]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::relay::{self, GUANCE_TOKEN, Relay};
use support::vendor::PagerDuty;
use support::vendor::ledger::State;
use support::vendor::rules::Action;

const CRITICAL: &str = include_str!("fixtures/guance-critical.json");
const PATIENCE: Duration = Duration::from_secs(20);
const QUIET: Duration = Duration::from_millis(500);

/// The same problem told again: other event, other time, perhaps other status.
fn later(status: &str, seconds: i64) -> String {
    let mut event: Value = serde_json::from_str(CRITICAL).unwrap();
    event["df_event_id"] = json!(format!("event-{seconds:032x}"));
    event["df_status"] = json!(status);
    event["df_sub_status"] = json!(status);
    for field in ["date", "timestamp"] {
        event[field] = json!(event[field].as_i64().unwrap() + seconds);
    }
    event.to_string()
}

async fn stage() -> (PagerDuty, Relay, String) {
    let pd = PagerDuty::start().await;
    let relay = Relay::start(&relay::config(&pd, "")).await;
    (pd, relay, format!("/hooks/guance/{GUANCE_TOKEN}"))
}

#[tokio::test]
async fn the_article_s_event_becomes_a_critical_incident_with_its_title_and_its_link() {
    let (pd, relay, hook) = stage().await;
    relay.accepts(&hook, CRITICAL).await;
    pd.wait_for("the trigger", |seen| seen.open() == 1, PATIENCE).await;
    let told: Value = serde_json::from_str(CRITICAL).unwrap();
    let body = pd.ledger().events().next().unwrap().body.clone();
    assert_eq!(body["payload"]["severity"], "critical");
    let title = told["df_title"].as_str().unwrap();
    assert!(body["payload"]["summary"].as_str().unwrap().contains(title), "{body:#}");
    let link = &told["df_event_link"];
    let linked = body["client_url"] == *link
        || body["links"].as_array().is_some_and(|links| links.iter().any(|entry| entry["href"] == *link));
    assert!(linked, "neither client_url nor links lead to {link}\n{body:#}");
}

#[tokio::test]
async fn a_recovery_with_another_event_id_closes_the_same_incident() {
    let (pd, relay, hook) = stage().await;
    relay.accepts(&hook, CRITICAL).await;
    pd.wait_for("the trigger", |seen| seen.open() == 1, PATIENCE).await;
    relay.accepts(&hook, later("ok", 60)).await;
    pd.wait_for("the resolve", |seen| seen.open() == 0, PATIENCE).await;
    pd.stays_quiet(QUIET).await;
    let incidents = pd.incidents();
    assert_eq!((incidents.len(), incidents[0].opened), (1, 1), "{}", pd.ledger());
    assert_eq!((pd.processed(Action::Trigger), pd.processed(Action::Resolve)), (1, 1), "{}", pd.ledger());
}

#[tokio::test]
async fn the_same_problem_told_again_keeps_its_key_and_opens_nothing_new() {
    let (pd, relay, hook) = stage().await;
    relay.accepts(&hook, CRITICAL).await;
    relay.accepts(&hook, later("critical", 60)).await;
    pd.wait_for("the trigger", |seen| seen.open() == 1, PATIENCE).await;
    tokio::time::sleep(QUIET).await;
    let incidents = pd.incidents();
    assert_eq!((incidents.len(), incidents[0].opened), (1, 1), "{}", pd.ledger());
    assert_eq!(incidents[0].state, State::Open);
}

#[tokio::test]
async fn a_recovery_of_something_that_never_fired_opens_nothing() {
    let (pd, relay, hook) = stage().await;
    relay.accepts(&hook, later("ok", 60)).await;
    tokio::time::sleep(QUIET).await;
    assert!(pd.incidents().is_empty(), "{}", pd.ledger());
    assert_eq!(pd.processed(Action::Trigger), 0);
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_pages_nobody() {
    let (pd, relay, _) = stage().await;
    let (status, text) = relay.post("/hooks/guance/not-the-token", CRITICAL).await.unwrap();
    assert!([401, 403, 404].contains(&status), "{status} {text}");
    assert!(!text.contains(GUANCE_TOKEN), "the refusal tells the token: {text}");
    tokio::time::sleep(QUIET).await;
    assert!(pd.calls().is_empty(), "{}", pd.ledger());
}
