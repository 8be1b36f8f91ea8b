//! One bad target hurts nobody else: a target that takes connections and never answers, with a
//! large backlog behind it, and two poisoned lanes at the good one. Proven by counts and order:
//! every good delivery arrives while the bad ones still wait. How much throughput it costs is a
//! matter of `benches/isolation.rs`.
#![expect(clippy::unwrap_used, reason = "a test may fall over")]
#![expect(clippy::disallowed_methods, reason = "tests live in the real world: its clock is theirs")]

#[path = "crash/load.rs"]
mod load;
mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use load::{Word, webhook};
use support::relay::Relay;
use support::vendor::script::Fault;
use support::vendor::{PagerDuty, ROUTING_KEY};

/// For the good ones. The dead target's time limit is longer, so nothing of its backlog is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Alerts for the dead target, posted before and among the others.
const BACKLOG: usize = 400;
/// Alerts for the good target.
const GOOD: usize = 200;

/// Alerts go to the targets that their severity names; all of them to `well` unless it is `dead`.
fn config(well: &PagerDuty, dead: &PagerDuty) -> String {
    let (well, dead) = (well.url(), dead.url());
    let common = "rate: { limit: 100000/s, burst: 100000 }, retry: { base: 20ms, cap: 50ms }, \
                  breaker: { failures: 100000, open_for: 1s }, concurrency: 4, timeout: 10min";
    let summary = r#""{{commonAnnotations.summary}}""#;
    format!(
        r#"
server: {{ listen: LISTEN }}
store: {{ path: STORE }}
sources:
  - {{ name: alertmanager, kind: alertmanager, auth: none }}
route:
  receiver: well
  routes:
    - {{ matchers: ['alertname =~ "dead-.*"'], receiver: dead }}
    - {{ matchers: ['alertname =~ "both-.*"'], receiver: both }}
receivers:
  - {{ name: well, targets: [well] }}
  - {{ name: dead, targets: [dead] }}
  - {{ name: both, targets: [dead, well] }}
targets:
  - {{ name: well, {common}, pagerduty: {{ base_url: "{well}", routing_key: "{ROUTING_KEY}", summary: {summary} }} }}
  - {{ name: dead, {common}, pagerduty: {{ base_url: "{dead}", routing_key: "{ROUTING_KEY}", summary: {summary} }} }}
"#
    )
}

fn alert(name: &str, round: u64) -> String {
    webhook(name, Word { round, firing: true })
}

async fn waiting(relay: &Relay, target: &str) -> u64 {
    let text = relay.metrics().await;
    let name = format!("alert_relay_waiting_deliveries{{target=\"{target}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_target_with_a_backlog_holds_up_nothing_of_the_others() {
    let (well, dead) = (PagerDuty::start().await, PagerDuty::start().await);
    dead.always(Fault::Hang);
    let relay = Relay::start(&config(&well, &dead)).await;
    for number in 0..BACKLOG {
        relay.accepts("/hooks/alertmanager", alert(&format!("dead-{number}"), 1)).await;
    }
    for number in 0..GOOD / 2 {
        relay.accepts("/hooks/alertmanager", alert(&format!("well-{number}"), 1)).await;
        relay.accepts("/hooks/alertmanager", alert(&format!("both-{number}"), 1)).await;
    }
    well.wait_for("all good deliveries", |seen| seen.open() == GOOD, PATIENCE).await;
    // The dead one has answered nothing meanwhile, and everything for it still waits.
    assert_eq!(dead.processed(support::vendor::rules::Action::Trigger), 0);
    assert!(dead.calls().len() <= 4, "more calls than its concurrency allows: {}", dead.calls().len());
    assert_eq!(well.calls().len(), GOOD, "something was sent twice\n{}", well.ledger());
    let owed = (BACKLOG + GOOD / 2) as u64;
    let left = waiting(&relay, "dead").await;
    assert!((owed - 4..=owed).contains(&left), "{left} of {owed} wait for the dead target");
    // Their outcomes are written a moment after they arrived.
    let until = Instant::now() + PATIENCE;
    while waiting(&relay, "well").await > 0 {
        assert!(Instant::now() < until, "the good target still owes something");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_poisoned_lanes_with_much_behind_them_hold_up_no_other_lane() {
    let (well, dead) = (PagerDuty::start().await, PagerDuty::start().await);
    let relay = Relay::start(&config(&well, &dead)).await;
    // The vendor fails whatever names these two alerts, and nothing else.
    well.poison(&["poison-a", "poison-b"], 500);
    for round in 1..=BACKLOG as u64 / 2 {
        relay.accepts("/hooks/alertmanager", alert("poison-a", round)).await;
        relay.accepts("/hooks/alertmanager", alert("poison-b", round)).await;
        if round % 2 == 0 {
            relay.accepts("/hooks/alertmanager", alert(&format!("well-{round}"), 1)).await;
        }
    }
    let good = BACKLOG / 4;
    well.wait_for("all good deliveries", |seen| seen.open() == good, PATIENCE).await;
    let calls = well.calls();
    let failed: Vec<_> = calls.iter().filter(|call| !call.processed).collect();
    let lanes: BTreeSet<_> = failed.iter().filter_map(|call| Some(&call.event.as_ref()?.dedup_key)).collect();
    assert_eq!(lanes.len(), 2, "the poisoned lanes were both tried");
    // Good ones went out between the failures of the poisoned, from the first to the last.
    let places: Vec<usize> =
        calls.iter().enumerate().filter(|(_, call)| !call.processed).map(|(place, _)| place).collect();
    let between = calls[places[0]..places[places.len() - 1]].iter().filter(|call| call.processed).count();
    assert!(places.len() > 10 && between > good / 2, "{} failures, {between} between them", places.len());
    // Each poisoned lane has one in flight at a time and what waits behind it is folded.
    let left = waiting(&relay, "well").await;
    assert!(left >= 2, "what is poisoned was given up: {left} wait");
    // Once the poison is gone the newest word of each arrives, and no older one.
    well.calm();
    well.wait_for("the poisoned ones", |seen| seen.open() == good + 2, PATIENCE).await;
    let newest = format!("round {}", BACKLOG / 2);
    let told = |name: &str| well.incidents().into_iter().find(|one| one.summary.starts_with(name)).unwrap();
    for name in ["poison-a ", "poison-b "] {
        assert!(told(name).summary.ends_with(&newest), "{:?}", told(name));
    }
}
