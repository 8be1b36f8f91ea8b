//! Intake under pressure, from outside: whatever is posted, the memory of the real binary stays
//! bounded, slow senders are cut, a store that does not keep up is told to senders in time, and
//! never as a 4xx.
#![expect(clippy::unwrap_used, reason = "a test may fall over")]
#![expect(clippy::disallowed_methods, reason = "tests live in the real world: its clock is theirs")]
#![expect(clippy::disallowed_macros, reason = "what a run measured is worth a line, shown when it fails")]

#[path = "crash/load.rs"]
mod load;
mod support;

use std::io::Write as _;
use std::time::{Duration, Instant};

use load::{Word, webhook};
use support::relay::{self, Relay};
use support::vendor::PagerDuty;
use support::wire;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(20);
const HOOK: &str = "/hooks/alertmanager";
/// MiB that the relay may take with a budget of 24 MiB: twice that, what one heavy body becomes, and
/// what an unoptimized build takes at rest.
const MEMORY_MAX: u64 = 220;
const OVER: &str = " (too much)";

fn alert(name: &str) -> String {
    webhook(name, Word { round: 1, firing: true })
}

async fn stage(server: &str) -> (PagerDuty, Relay) {
    let pagerduty = PagerDuty::start().await;
    let config =
        relay::config(&pagerduty, "").replace("listen: LISTEN", &format!("listen: LISTEN, {server}"));
    let relay = Relay::start(&config).await;
    (pagerduty, relay)
}

fn address(relay: &Relay) -> String {
    relay.url("").trim_start_matches("http://").to_owned()
}

/// MiB, now and at most.
fn memory(relay: &Relay) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", relay.pid())).unwrap();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_matches([':', ' ', '\t', 'k', 'B']).parse::<u64>().unwrap() / 1024
    };
    (of("VmRSS"), of("VmHWM"))
}

/// The value of a series in `/metrics`; 0 when it is not there.
async fn count(relay: &Relay, series: &str) -> u64 {
    let text = relay.metrics().await;
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |number| number.parse().unwrap())
}

fn head(length: usize, more: &str) -> Vec<u8> {
    format!("POST {HOOK} HTTP/1.1\r\nhost: x\r\n{more}content-length: {length}\r\n\r\n").into_bytes()
}

/// Says all of these at the same time, each over a connection of its own; gives the statuses of the
/// answers, 0 where none came.
async fn at_once(relay: &Relay, requests: impl Iterator<Item = Vec<u8>>) -> Vec<u16> {
    let mut calls = JoinSet::new();
    for request in requests {
        let address = address(relay);
        calls.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            // It may be answered before all of it is read.
            let _ = stream.write_all(&request).await;
            let answer = tokio::time::timeout(PATIENCE, wire::read_message(&mut stream)).await;
            let answer = answer.unwrap_or_default();
            answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
        });
    }
    calls.join_all().await
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(plain).unwrap();
    packed.finish().unwrap()
}

/// An alert with so much more in it.
fn stuffed(name: &str, key: &str, more: &str) -> String {
    alert(name).replacen('{', &format!("{{\"{key}\": {more}, "), 1)
}

fn request(body: &[u8], more: &str) -> Vec<u8> {
    [head(body.len(), more), body.to_vec()].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_bounded_whatever_is_posted() {
    let (pagerduty, relay) = stage("body_budget: 24MiB").await;
    relay.accepts(HOOK, alert("before")).await;
    let (rest, _) = memory(&relay);
    let mut peaks = Vec::new();
    let mut peak = |attack: &str| {
        // Each attack is measured by itself.
        let (now, most) = memory(&relay);
        let verdict = if most < MEMORY_MAX { "" } else { OVER };
        peaks.push(format!("{attack}: {most} MiB{verdict}, then {now} MiB"));
        std::fs::write(format!("/proc/{}/clear_refs", relay.pid()), "5").unwrap();
    };

    // 600 MiB of bodies that never end.
    let mut held = JoinSet::new();
    for _ in 0..150 {
        let address = address(&relay);
        held.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let _ = stream.write_all(&head(4_190_000, "")).await;
            let _ = tokio::time::timeout(PATIENCE, stream.write_all(&vec![b'['; 4_189_999])).await;
            stream
        });
    }
    let held = held.join_all().await;
    relay.accepts(HOOK, alert("beside")).await;
    // What a sender has written may still lie in the buffers of the kernel.
    let deadline = Instant::now() + PATIENCE;
    while count(&relay, "alert_relay_intake_refused_total{reason=\"memory\"}").await <= 100 {
        assert!(Instant::now() < deadline, "{}", relay.metrics().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(held);
    peak("endless bodies");

    // Bombs: 4 MiB each once they are unpacked, and most of them good alerts.
    let spaces = format!("\"{}\"", " ".repeat(4_000_000));
    let bombs: Vec<Vec<u8>> =
        (0..4).map(|n| gzip(stuffed(&format!("bomb-{n}"), "x", &spaces).as_bytes())).collect();
    let statuses =
        at_once(&relay, (0..100).map(|n| request(&bombs[n % 4], "content-encoding: gzip\r\n"))).await;
    assert!(statuses.iter().all(|status| [0, 200, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&200), "{statuses:?}");
    peak("bombs");

    // As much as is made of as little as is allowed.
    let swarm = |alerts: usize| {
        alert("swarm").replacen("\"alerts\":[", &format!("\"alerts\":[{}", "{},".repeat(alerts)), 1)
    };
    let values = |count: usize| stuffed("values", "x", &format!("[{}0]", "0,".repeat(count)));
    for (attack, body) in [("swarms", swarm(10_000)), ("values", values(500_000))] {
        let statuses = at_once(&relay, (0..20).map(|_| request(body.as_bytes(), ""))).await;
        assert!(statuses.iter().all(|status| [0, 200, 503].contains(status)), "{attack}: {statuses:?}");
        assert!(statuses.contains(&200), "{attack}: {statuses:?}");
        peak(attack);
    }
    for (body, what) in [(swarm(20_000), "alerts"), (swarm(50_000), "objects"), (values(600_000), "values")] {
        let (status, text) = relay.post(HOOK, body).await.unwrap();
        assert_eq!(status, 413, "{text}");
        assert!(text.contains(what) && text.contains("send fewer alerts at once"), "{text}");
    }
    peak("too much");

    // Thousands of connections, each with a little.
    let mut slow = Vec::new();
    for _ in 0..3000 {
        let mut stream = TcpStream::connect(address(&relay)).await.unwrap();
        stream.write_all(&request(&[b'['; 2000], "")[..1500]).await.unwrap();
        slow.push(stream);
    }
    relay.accepts(HOOK, alert("among")).await;
    peak("slow bodies");
    drop(slow);
    let measured = format!("at rest {rest} MiB; {}", peaks.join("; "));
    println!("{measured}");
    assert!(memory(&relay).1 < MEMORY_MAX && !measured.contains(OVER), "{measured}");
    pagerduty.wait_for("the honest", |seen| seen.open() >= 3, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_comes_too_slowly_is_cut_and_told_to_come_again() {
    let (_pagerduty, relay) = stage("").await;
    let began = Instant::now();
    let mut drip = TcpStream::connect(address(&relay)).await.unwrap();
    drip.write_all(&head(2000, "")).await.unwrap();
    let mut steady = TcpStream::connect(address(&relay)).await.unwrap();
    let body = stuffed("steady", "x", &format!("\"{}\"", " ".repeat(7000)));
    steady.write_all(&head(body.len(), "")).await.unwrap();
    for piece in body.as_bytes().chunks(body.len() / 24 + 1) {
        let _ = drip.write_all(b" ").await;
        steady.write_all(piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let taken = wire::read_message(&mut steady).await;
    assert!(taken.starts_with("HTTP/1.1 200 "), "one that is slow and goes on is heard out: {taken}");
    let cut = tokio::time::timeout(PATIENCE, wire::read_message(&mut drip)).await.unwrap();
    assert!(cut.starts_with("HTTP/1.1 503 "), "{cut}");
    assert_eq!(wire::header_of(&cut, "retry-after"), Some("1"));
    assert!(cut.contains("did not arrive in time"), "{cut}");
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    assert_eq!(count(&relay, "alert_relay_intake_refused_total{reason=\"slow\"}").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_stuck_is_told_at_once_and_heals_by_itself() {
    let (pagerduty, relay) = stage("store_wait: 300ms").await;
    relay.accepts(HOOK, alert("before")).await;
    pagerduty.wait_for("the first", |seen| seen.open() == 1, PATIENCE).await;
    // Another program holds the file, as a backup may: no commit gets through.
    let file = relay.folder().join("store/alert-relay.db");
    let other = rusqlite::Connection::open(file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let mut calls = JoinSet::new();
    let mut slowest = Duration::ZERO;
    let mut refused = 0;
    for number in 0..100 {
        let http = relay.http().post(relay.url(HOOK)).body(alert(&format!("during-{number}")));
        calls.spawn(async move {
            let began = Instant::now();
            let answer = http.send().await.unwrap();
            let wait = answer.headers().get("retry-after").map(|wait| wait.to_str().unwrap().to_owned());
            (answer.status().as_u16(), wait, answer.text().await.unwrap(), began.elapsed())
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let held = began.elapsed();
    other.execute_batch("ROLLBACK").unwrap();
    let mut accepted = 0;
    for (status, wait, text, took) in calls.join_all().await {
        match status {
            200 => accepted += 1,
            503 => {
                assert!(wait.is_some() && text.contains("the store is busy"), "{wait:?} {text}");
                slowest = slowest.max(took);
                refused += 1;
            }
            other => panic!("{other} {text}"),
        }
    }
    println!("held {held:?}: {accepted} accepted, {refused} refused, the slowest after {slowest:?}");
    assert!(refused > 50 && accepted > 0, "{accepted} accepted, {refused} refused");
    assert!(slowest < Duration::from_millis(500), "a refusal took {slowest:?}");
    assert_eq!(count(&relay, "alert_relay_intake_refused_total{reason=\"busy\"}").await, refused);
    relay.accepts(HOOK, alert("after")).await;
    pagerduty.wait_for("all accepted", |seen| seen.open() == accepted + 2, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identical_bodies_at_the_same_moment_are_accepted_once() {
    let (pagerduty, relay) = stage("").await;
    const ROUNDS: usize = 30;
    for round in 0..ROUNDS {
        let body = alert(&format!("twins-{round}"));
        let mut calls = JoinSet::new();
        for _ in 0..8 {
            let (http, url, body) = (relay.http(), relay.url(HOOK), body.clone());
            calls.spawn(async move {
                let answer = http.post(url).body(body).send().await.unwrap();
                let text = answer.text().await.unwrap();
                serde_json::from_str::<serde_json::Value>(&text).unwrap()
            });
        }
        let answers = calls.join_all().await;
        let made: u64 = answers.iter().map(|answer| answer["deliveries"].as_u64().unwrap()).sum();
        let repeats = answers.iter().filter(|answer| answer["duplicate"] == true).count();
        assert_eq!((made, repeats), (1, 7), "round {round}: {answers:?}");
    }
    pagerduty.wait_for("all", |seen| seen.open() == ROUNDS, PATIENCE).await;
    pagerduty.stays_quiet(Duration::from_millis(500)).await;
    assert_eq!(pagerduty.calls().len(), ROUNDS);
    let twins = "alert_relay_events_received_total{source=\"alertmanager\",result=\"duplicate\"}";
    assert_eq!(count(&relay, twins).await, 7 * ROUNDS as u64);
}
