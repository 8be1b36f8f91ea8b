//! A disk that runs low and full under the real binary: intake gives way first and says so, what
//! is owed is delivered all the same, and room that comes back is used without a hand.
#![expect(clippy::unwrap_used, reason = "a test may fall over")]
#![expect(clippy::disallowed_methods, reason = "tests live in the real world: its clock is theirs")]

#[path = "oracle/disk.rs"]
mod disk;
#[path = "crash/load.rs"]
mod load;
mod support;

use std::time::{Duration, Instant};

use disk::Disk;
use load::{Word, webhook};
use support::relay::{self, Relay};
use support::vendor::PagerDuty;
use support::vendor::rules::Action;

const PATIENCE: Duration = Duration::from_secs(20);
const HOOK: &str = "/hooks/alertmanager";

fn alert(name: &str) -> String {
    webhook(name, Word { round: 1, firing: true })
}

/// A relay whose store is on a disk of so many MiB.
async fn stage(mebibytes: u64, keep_free: &str) -> (Disk, PagerDuty, Relay) {
    let disk = Disk::mount(mebibytes);
    let pagerduty = PagerDuty::start().await;
    let store = format!("store: {{ path: {}, keep_free: {keep_free} }}", disk.store().display());
    let config = relay::config(&pagerduty, "").replace("store: { path: STORE }", &store);
    let relay = Relay::start(&config).await;
    (disk, pagerduty, relay)
}

/// Accepted while the target is away.
async fn owe(relay: &Relay, pagerduty: &PagerDuty, count: usize) {
    pagerduty.go_down();
    for number in 0..count {
        relay.accepts(HOOK, alert(&format!("owed-{number}"))).await;
    }
}

async fn ready(relay: &Relay) -> (u16, String) {
    match relay.http().get(relay.url("/-/ready")).send().await {
        Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap()),
        Err(_) => (0, String::new()),
    }
}

async fn until_ready_says(relay: &Relay, status: u16) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let (found, text) = ready(relay).await;
        if found == status {
            return text;
        }
        assert!(Instant::now() < until, "/-/ready says {found} {text}, not {status}\n{}", relay.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn is_refused(relay: &Relay) {
    let answer = relay.http().post(relay.url(HOOK)).body(alert("refused")).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let text = answer.text().await.unwrap();
    assert!(text.contains("hardly any room left on the disk") || text.contains("disk is full"), "{text}");
}

/// How often the vendor heard of the disk.
fn heard_of_disk(pagerduty: &PagerDuty, action: Action) -> usize {
    let ledger = pagerduty.ledger();
    let about = |summary: &str| summary.contains("takes no alerts in");
    let keys: Vec<String> =
        ledger.events().filter(|event| about(&event.summary)).map(|event| event.dedup_key.clone()).collect();
    ledger.events().filter(|event| keys.contains(&event.dedup_key) && event.action == action).count()
}

async fn until(what: &str, relay: &Relay, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "not so: {what}\n{}", relay.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_low_disk_turns_calls_away_and_not_deliveries() {
    let (disk, pagerduty, relay) = stage(64, "24MiB").await;
    owe(&relay, &pagerduty, 20).await;
    disk.leave(8);
    let text = until_ready_says(&relay, 503).await;
    assert!(text.contains("store.keep_free") && text.contains("what is owed is delivered"), "{text}");
    is_refused(&relay).await;
    pagerduty.come_back();
    until("people are told", &relay, || heard_of_disk(&pagerduty, Action::Trigger) == 1).await;
    until("what is owed arrives", &relay, || pagerduty.ledger().open() == 21).await;
    let metrics = relay.metrics().await;
    assert!(metrics.contains("alert_relay_intake_refused_total{reason=\"disk_low\"} 1"), "{metrics}");

    disk.empty();
    until_ready_says(&relay, 200).await;
    relay.accepts(HOOK, alert("after")).await;
    until("it is taken back", &relay, || heard_of_disk(&pagerduty, Action::Resolve) == 1).await;
    until("the next arrives", &relay, || pagerduty.ledger().open() == 21).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_the_reserve_lets_out_what_is_owed() {
    let (disk, pagerduty, relay) = stage(64, "24MiB").await;
    owe(&relay, &pagerduty, 300).await;
    disk.fill();
    until_ready_says(&relay, 503).await;
    is_refused(&relay).await;
    pagerduty.come_back();
    until("what is owed arrives", &relay, || pagerduty.ledger().open() >= 300).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let told_of_disk = heard_of_disk(&pagerduty, Action::Trigger);
    assert_eq!(pagerduty.processed(Action::Trigger), 300 + told_of_disk, "once each");
    disk.empty();
    until_ready_says(&relay, 200).await;
    relay.accepts(HOOK, alert("after")).await;
    until("the next arrives", &relay, || pagerduty.ledger().open() >= 301).await;
    assert_eq!(std::fs::metadata(disk.store().join("reserve")).unwrap().len(), 16 << 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_on_a_full_disk_delivers_what_is_owed_and_says_what_is_wrong() {
    for kill in [false, true] {
        let (disk, pagerduty, mut relay) = stage(64, "24MiB").await;
        owe(&relay, &pagerduty, 50).await;
        if kill {
            relay.kill9();
        } else {
            relay.stop().await;
        }
        disk.fill();
        pagerduty.come_back();
        relay.spawn();
        until("what is owed arrives", &relay, || pagerduty.ledger().open() >= 50).await;
        until_ready_says(&relay, 503).await;
        is_refused(&relay).await;
        let log = String::from_utf8_lossy(&relay.whole_log()).into_owned();
        // After a kill the log of the last run has its room on the disk already.
        assert!(kill || log.contains("the disk is full; its reserve is used up now"), "{log}");
        assert!(log.contains("the disk is nearly full"), "{log}");
        disk.empty();
        until_ready_says(&relay, 200).await;
        relay.accepts(HOOK, alert("after")).await;
        until("the next arrives", &relay, || pagerduty.ledger().open() >= 51).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_reserve_a_start_on_a_full_disk_waits_for_room_and_says_so() {
    let (disk, pagerduty, mut relay) = stage(64, "0").await;
    owe(&relay, &pagerduty, 50).await;
    relay.stop().await;
    disk.fill();
    pagerduty.come_back();
    relay.spawn();
    until("it says why it waits", &relay, || relay.log().contains("because its disk is full")).await;
    disk.empty();
    until_ready_says(&relay, 200).await;
    until("what is owed arrives", &relay, || pagerduty.ledger().open() == 50).await;
}

/// An alert whose text nothing can pack.
fn large(number: u64) -> String {
    let mut noise = vec![0; 100_000];
    fastrand::Rng::with_seed(number).fill(&mut noise);
    let text: String = noise.iter().map(|byte| format!("{byte:02x}")).collect();
    let alert = alert(&format!("large-{number}"));
    alert.replacen("\"annotations\":{", &format!("\"annotations\":{{\"noise\":\"{text}\","), 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_the_store_itself_fills_is_made_room_on_by_forgetting() {
    let (disk, pagerduty, relay) = stage(24, "2MiB").await;
    let mut refused = 0;
    // 40 MiB onto a disk of 24.
    for number in 0..200 {
        let until = Instant::now() + PATIENCE;
        loop {
            let (status, text) = relay.post(HOOK, large(number)).await.unwrap();
            if status == 200 {
                break;
            }
            assert!(status == 503 && Instant::now() < until, "{number}: {status} {text}\n{}", relay.log());
            refused += 1;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    until("all is delivered", &relay, || pagerduty.ledger().open() >= 200).await;
    let size = std::fs::metadata(disk.store().join("alert-relay.db")).unwrap().len();
    assert!(size < 22 << 20, "{size}");
    let metrics = relay.metrics().await;
    assert!(refused < 150, "refused {refused} times\n{metrics}");
}
