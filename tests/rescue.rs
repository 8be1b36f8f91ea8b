//! End to end: what happens when a target does not take what it is owed. Its fallback is told with
//! the reason, the resolve follows, the relay speaks of the trouble itself, and what was given up
//! is told again when the target is back and the trouble goes on.
#![expect(clippy::unwrap_used, reason = "a test may fall over")]

mod support;

use std::time::Duration;

use serde_json::json;
use support::relay::Relay;
use support::vendor::PagerDuty;
use support::vendor::rules::Action;
use support::vendor::script::Fault;

const PATIENCE: Duration = Duration::from_secs(20);
const QUIET: Duration = Duration::from_secs(2);
const HOOK: &str = "/hooks/alertmanager";
const KEY: &str = "0123456789abcdef0123456789abcdef";

/// `first` is told of alerts, `second` of the relay's own and of what `first` does not take.
fn config(first: &PagerDuty, second: &PagerDuty, of_first: &str, heartbeats: &str) -> String {
    let (first, second) = (first.url(), second.url());
    format!(
        r#"
server: {{ listen: LISTEN }}
store: {{ path: STORE }}
sources:
  - {{ name: alertmanager, kind: alertmanager, auth: none }}
route:
  receiver: oncall
  routes:
    - {{ matchers: ['alertname =~ "AlertRelay.*"'], receiver: ops }}
    - {{ matchers: ['alertname = "Watchdog"'], receiver: nobody }}
receivers:
  - {{ name: oncall, targets: [first] }}
  - {{ name: ops, targets: [first, second] }}
  - {{ name: nobody, targets: [] }}
{heartbeats}
targets:
  - name: first
    pagerduty: {{ base_url: "{first}", routing_key: "{KEY}" }}
    rate: {{ limit: 100000/s, burst: 100000 }}
    {of_first}
  - name: second
    pagerduty: {{ base_url: "{second}", routing_key: "{KEY}" }}
    rate: {{ limit: 100000/s, burst: 100000 }}
    retry: {{ base: 50ms, cap: 500ms }}
"#
    )
}

async fn stage(of_first: &str) -> (PagerDuty, PagerDuty, Relay) {
    stage_with(of_first, "").await
}

async fn stage_with(of_first: &str, heartbeats: &str) -> (PagerDuty, PagerDuty, Relay) {
    let (first, second) = (PagerDuty::start().await, PagerDuty::start().await);
    first.know(KEY);
    second.know(KEY);
    let relay = Relay::start(&config(&first, &second, of_first, heartbeats)).await;
    (first, second, relay)
}

fn alert(name: &str, status: &str, ends: &str) -> String {
    json!({ "version": "4", "groupKey": name, "status": status, "alerts": [{
        "status": status,
        "labels": { "alertname": name, "severity": "critical" },
        "annotations": { "summary": format!("{name} is down") },
        "startsAt": "2026-11-21T08:00:00Z",
        "endsAt": ends,
    }]})
    .to_string()
}

fn firing(name: &str) -> String {
    alert(name, "firing", "0001-01-01T00:00:00Z")
}

fn resolved(name: &str) -> String {
    alert(name, "resolved", "2026-11-21T09:00:00Z")
}

/// Summaries of the triggers that a vendor has processed.
fn summaries(vendor: &PagerDuty) -> Vec<String> {
    let ledger = vendor.ledger();
    let triggers = ledger.events().filter(|event| event.body["event_action"] == "trigger");
    triggers.map(|event| event.body["payload"]["summary"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_fallback_is_told_with_the_reason_and_hears_the_end() {
    let of_first = "retry: { base: 50ms, cap: 200ms }\n    breaker: { failures: 1000, open_for: 1s }\n    \
                    fallback: { targets: [second], after: 1s }";
    let (first, second, relay) = stage(of_first).await;
    first.go_down();
    relay.accepts(HOOK, firing("db")).await;
    second.wait_for("the fallback", |seen| seen.open() == 1, PATIENCE).await;
    let told = summaries(&second).pop().unwrap();
    assert!(told.contains("db is down"), "{told}");
    assert!(told.contains("Sent by fallback: first has not taken this for"), "{told}");
    relay.accepts(HOOK, resolved("db")).await;
    second.wait_for("the resolve", |seen| seen.open() == 0, PATIENCE).await;
    first.come_back();
    first.stays_quiet(QUIET).await;
    assert_eq!(first.processed(Action::Trigger), 0, "nobody is paged for what is over");
    assert_eq!(second.processed(Action::Trigger), 1, "the fallback is told once");
}

#[tokio::test]
async fn enough_failed_attempts_tell_the_fallback_long_before_its_time() {
    let of_first =
        "retry: { base: 50ms, cap: 100ms }\n    fallback: { targets: [second], after: 1h, attempts: 3 }";
    let (first, second, relay) = stage(of_first).await;
    first.always(Fault::status(500));
    relay.accepts(HOOK, firing("db")).await;
    let fallback = |seen: &support::vendor::ledger::Ledger| {
        seen.events().any(|event| event.body.to_string().contains("Sent by fallback"))
    };
    second.wait_for("the fallback", fallback, PATIENCE).await;
}

#[tokio::test]
async fn the_relay_speaks_of_a_sick_target_elsewhere_and_takes_it_back() {
    let of_first = "retry: { base: 50ms, cap: 100ms }\n    breaker: { failures: 3, open_for: 200ms }";
    let (first, second, relay) = stage(of_first).await;
    first.go_down();
    relay.accepts(HOOK, firing("db")).await;
    second.wait_for("the relay's own alert", |seen| seen.open() == 1, PATIENCE).await;
    assert!(summaries(&second)[0].contains("alert-relay cannot reach first"), "{:?}", summaries(&second));
    first.come_back();
    second.wait_for("its end", |seen| seen.open() == 0, PATIENCE).await;
    first.wait_for("what was owed", |seen| seen.open() == 1, PATIENCE).await;
    first.stays_quiet(QUIET).await;
    assert_eq!(summaries(&first), ["db is down"], "an alert about a target never goes to that target");
}

#[tokio::test]
async fn what_was_given_up_is_told_again_if_it_goes_on_and_not_if_it_is_over() {
    let of_first = "retry: { base: 50ms, cap: 100ms, give_up_after: 1s }\n    \
                    breaker: { failures: 1000, open_for: 1s }";
    let (first, second, relay) = stage(of_first).await;
    // Looked at by nobody; after a 500 the end would be told.
    first.always(Fault::status(503));
    relay.accepts(HOOK, firing("goes-on")).await;
    relay.accepts(HOOK, firing("is-over")).await;
    let dead = |seen: &support::vendor::ledger::Ledger| {
        seen.events().any(|event| event.body.to_string().contains("gave up on a delivery to first"))
    };
    second.wait_for("the dead letter", dead, PATIENCE).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    relay.accepts(HOOK, resolved("is-over")).await;
    first.calm();
    relay.accepts(HOOK, firing("news")).await;
    first.wait_for("news and what goes on", |seen| seen.open() == 2, PATIENCE).await;
    first.stays_quiet(QUIET).await;
    let mut told = summaries(&first);
    told.sort();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("goes-on is down (Late: first could not be reached"), "{told:?}");
    assert_eq!(told[1], "news is down");
}

#[tokio::test]
async fn a_heartbeat_that_stops_is_an_alert_and_its_return_ends_it() {
    let beat = "heartbeats: [{ name: prometheus-alive, matchers: ['alertname = \"Watchdog\"'], every: 2s, receiver: ops }]";
    let (_first, second, relay) = stage_with("", beat).await;
    relay.accepts(HOOK, firing("Watchdog")).await;
    second.wait_for("the missing heartbeat", |seen| seen.open() == 1, PATIENCE).await;
    assert!(
        summaries(&second)[0].contains("heartbeat prometheus-alive is missing"),
        "{:?}",
        summaries(&second)
    );
    relay.accepts(HOOK, firing("Watchdog")).await;
    second.wait_for("its end", |seen| seen.open() == 0, PATIENCE).await;
}
