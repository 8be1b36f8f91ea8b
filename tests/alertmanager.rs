//! End to end: Debian's real Alertmanager, the real relay, a scripted PagerDuty. What a person on
//! call would notice: one incident a problem, closed when it is over, whatever restarts in between
//! and however many Alertmanagers tell it.
#![expect(clippy::disallowed_methods, reason = "tests live in the real world: its clock is theirs")]

mod support;

use std::time::Duration;

use jiff::Timestamp;
use support::alertmanager::{self, Alertmanager, firing, resolved};
use support::relay::{self, Relay};
use support::vendor::PagerDuty;
use support::vendor::rules::Action;

const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than two group intervals: whatever was to come has come.
const QUIET: Duration = Duration::from_millis(2500);

/// PagerDuty and a relay that calls it.
async fn stage() -> (PagerDuty, Relay) {
    let pd = PagerDuty::start().await;
    let relay = Relay::start(&relay::config(&pd, "")).await;
    (pd, relay)
}

/// An Alertmanager that tells the relay.
async fn teller(relay: &Relay, flags: &[&str]) -> Alertmanager {
    Alertmanager::start(&alertmanager::config(&relay.url("/hooks/alertmanager")), flags).await
}

/// One incident, opened once by one trigger and closed by one resolve, and nothing afterwards.
async fn ends_as_one_closed_incident(pd: &PagerDuty) {
    pd.wait_for("the resolve", |seen| seen.incidents.len() == 1 && seen.open() == 0, PATIENCE).await;
    pd.stays_quiet(QUIET).await;
    let incident = &pd.incidents()[0];
    let counts = (pd.incidents().len(), incident.triggers, incident.resolves, incident.opened);
    assert_eq!(counts, (1, 1, 1, 1), "incidents, triggers, resolves, openings\n{}", pd.ledger());
    assert_eq!((pd.processed(Action::Trigger), pd.processed(Action::Resolve)), (1, 1));
}

#[tokio::test]
async fn an_alert_that_fires_and_ends_is_one_trigger_and_one_resolve_with_one_key() {
    let (pd, relay) = stage().await;
    let am = teller(&relay, &[]).await;
    let since = Timestamp::now();
    am.post(&[firing("DiskFull", "db1", since)]).await;
    pd.wait_for("the trigger", |seen| seen.open() == 1, PATIENCE).await;
    assert_eq!(pd.incidents()[0].severity, "critical");
    am.post(&[resolved("DiskFull", "db1", since, Timestamp::now())]).await;
    ends_as_one_closed_incident(&pd).await;
}

#[tokio::test]
async fn a_group_of_which_one_alert_ends_stays_open_until_the_other_ends_too() {
    let (pd, relay) = stage().await;
    let am = teller(&relay, &[]).await;
    let since = Timestamp::now();
    am.post(&[firing("DiskFull", "db1", since), firing("DiskFull", "db2", since)]).await;
    pd.wait_for("the trigger", |seen| seen.open() == 1, PATIENCE).await;
    tokio::time::sleep(QUIET).await;
    let told = am.notified().await;
    am.post(&[resolved("DiskFull", "db1", since, Timestamp::now())]).await;
    am.has_notified(told + 1).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(pd.processed(Action::Resolve), 0, "closed while db2 still fires\n{}", pd.ledger());
    assert_eq!(pd.ledger().open(), 1);
    am.post(&[resolved("DiskFull", "db2", since, Timestamp::now())]).await;
    pd.wait_for("the resolve", |seen| seen.open() == 0, PATIENCE).await;
    pd.stays_quiet(QUIET).await;
    let incidents = pd.incidents();
    assert_eq!((incidents.len(), incidents[0].opened, incidents[0].resolves), (1, 1, 1), "{}", pd.ledger());
}

#[tokio::test]
async fn a_restart_between_trigger_and_resolve_changes_nothing() {
    let (pd, mut relay) = stage().await;
    let am = teller(&relay, &[]).await;
    let since = Timestamp::now();
    am.post(&[firing("DiskFull", "db1", since)]).await;
    pd.wait_for("the trigger", |seen| seen.open() == 1, PATIENCE).await;
    let ended = relay.stop().await;
    assert!(ended.success(), "SIGTERM is a normal end, not {ended}; log:\n{}", relay.log());
    relay.start_again().await;
    am.post(&[resolved("DiskFull", "db1", since, Timestamp::now())]).await;
    ends_as_one_closed_incident(&pd).await;
}

#[tokio::test]
async fn what_ends_while_the_relay_is_dead_is_closed_when_it_is_back() {
    let (pd, mut relay) = stage().await;
    let am = teller(&relay, &[]).await;
    let since = Timestamp::now();
    am.post(&[firing("DiskFull", "db1", since)]).await;
    pd.wait_for("the trigger", |seen| seen.open() == 1, PATIENCE).await;
    relay.kill9();
    let told = am.notified().await;
    am.post(&[resolved("DiskFull", "db1", since, Timestamp::now())]).await;
    am.has_notified(told + 1).await;
    assert_eq!(pd.ledger().open(), 1);
    relay.start_again().await;
    ends_closed_with_at_most_one_repeat(&pd).await;
}

/// As above, but a kill may repeat one request.
async fn ends_closed_with_at_most_one_repeat(pd: &PagerDuty) {
    pd.wait_for("the resolve", |seen| seen.incidents.len() == 1 && seen.open() == 0, PATIENCE).await;
    pd.stays_quiet(QUIET).await;
    let incident = &pd.incidents()[0];
    assert_eq!(incident.opened, 1, "{}", pd.ledger());
    assert!(incident.triggers <= 2 && incident.resolves == 1, "{}", pd.ledger());
}

#[tokio::test]
async fn what_fires_while_pagerduty_is_down_arrives_when_it_is_back() {
    let (pd, relay) = stage().await;
    let am = teller(&relay, &[]).await;
    pd.go_down();
    let since = Timestamp::now();
    am.post(&[firing("DiskFull", "db1", since)]).await;
    am.has_notified(1).await;
    tokio::time::sleep(QUIET).await;
    assert!(pd.incidents().is_empty());
    pd.come_back();
    pd.wait_for("the trigger", |seen| seen.open() == 1, PATIENCE).await;
    am.post(&[resolved("DiskFull", "db1", since, Timestamp::now())]).await;
    ends_as_one_closed_incident(&pd).await;
}

/// Two Alertmanagers, the same alerts, neither knows the other.
async fn a_pair_pages_once(flags: &[&str]) {
    let (pd, relay) = stage().await;
    let pair = [teller(&relay, flags).await, teller(&relay, flags).await];
    let since = Timestamp::now();
    for am in &pair {
        am.post(&[firing("DiskFull", "db1", since)]).await;
    }
    for am in &pair {
        am.has_notified(1).await;
    }
    pd.wait_for("the trigger", |seen| seen.open() == 1, PATIENCE).await;
    pd.stays_quiet(QUIET).await;
    assert_eq!(pd.processed(Action::Trigger), 1, "the second Alertmanager paged again\n{}", pd.ledger());
    let until = Timestamp::now();
    for am in &pair {
        am.post(&[resolved("DiskFull", "db1", since, until)]).await;
    }
    for am in &pair {
        am.has_notified(2).await;
    }
    ends_as_one_closed_incident(&pd).await;
}

#[tokio::test]
async fn a_pair_of_alertmanagers_behind_one_address_pages_once() {
    a_pair_pages_once(&["--web.external-url=http://alertmanager.example"]).await;
}

#[tokio::test]
async fn a_pair_of_alertmanagers_with_an_address_each_pages_once() {
    // Their webhooks differ in `externalURL`, so no two bodies are the same.
    a_pair_pages_once(&[]).await;
}
