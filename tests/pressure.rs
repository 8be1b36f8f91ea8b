//! Intake under pressure, from outside: whatever is posted, the memory of the real binary stays
//! bounded, slow senders are cut, a store that does not keep up is told to senders in time, and
//! never as a 4xx.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fall over")]
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

fn alert(name: &str) -> String {
    webhook(name, Word { round: 1, firing: true })
}

async fn stage(server: &str) -> (PagerDuty, Relay) {
    let pagerduty = PagerDuty::start().await;
    let config = relay::config(&pagerduty, "").replace("listen: LISTEN", &format!("listen: LISTEN, {server}"));
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
        peaks.push(format!("{attack}: {} MiB", memory(&relay).1));
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
    assert!(count(&relay, "alert_relay_intake_refused_total{reason=\"memory\"}").await > 100);
    drop(held);
    peak("endless bodies");

    // Bombs: 4 MiB each once they are unpacked, and most of them good alerts.
    let spaces = format!("\"{}\"", " ".repeat(4_000_000));
    let bombs: Vec<Vec<u8>> =
        (0..4).map(|n| gzip(stuffed(&format!("bomb-{n}"), "x", &spaces).as_bytes())).collect();
    let statuses =
        at_once(&relay, (0..200).map(|n| request(&bombs[n % 4], "content-encoding: gzip\r\n"))).await;
    assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&200), "{statuses:?}");
    peak("bombs");

    // Two bytes that become an alert, or a value.
    let swarm = alert("swarm").replacen("\"alerts\":[", &format!("\"alerts\":[{}", "{},".repeat(60_000)), 1);
    assert!(swarm.len() > 150_000, "no swarm");
    let values = stuffed("values", "x", &format!("[{}0]", "0,".repeat(1_900_000)));
    let statuses = at_once(
        &relay,
        (0..40).map(|n| request(if n % 2 == 0 { swarm.as_bytes() } else { values.as_bytes() }, "")),
    )
    .await;
    assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
    peak("swarms");
    let crowd = format!("{{\"alerts\":[{}{{}}]}}", "{},".repeat(1_000_000));
    let (status, text) = relay.post(HOOK, crowd).await.unwrap();
    assert_eq!(status, 413, "{text}");
    assert!(text.contains("send fewer alerts at once"), "{text}");

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
    println!("at rest {rest} MiB; {}", peaks.join("; "));
    pagerduty.wait_for("the honest", |seen| seen.open() >= 3, PATIENCE).await;
}
