//! Requests that are too many, too large or framed in two ways, and connections by the thousand:
//! each is ended or refused, and honest senders do not notice.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::relay::{self, Relay};
use crate::support::vendor::PagerDuty;
use crate::{PATIENCE, alert, say};

/// As many as `server.connections` takes by default; here it takes more, for the honest.
const IDLE: u64 = 10_000;
/// Places for the honest.
const HONEST: u64 = 300;
/// Files that this process, or the relay, opens besides.
const OWN_FILES: u64 = 1000;
/// MiB that one idle connection may cost, a thousand times.
const MEMORY_OF_A_THOUSAND: u64 = 40;

fn address(relay: &Relay) -> String {
    relay.url("").trim_start_matches("http://").to_owned()
}

/// MiB in memory.
fn memory(relay: &Relay) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", relay.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim_matches([' ', '\t', 'k', 'B']).parse::<u64>().unwrap() / 1024
}

/// As many files as the system lets this process open; gives how many.
fn files() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = maximum.unwrap_or(u64::MAX).min(IDLE + 2000);
    setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).unwrap();
    raised
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_stop_nobody_and_cost_little() {
    let files = files();
    let idle = IDLE.min(files.saturating_sub(HONEST + OWN_FILES).max(100));
    if idle < IDLE {
        eprintln!(
            "only {idle} idle connections instead of {IDLE}: the limit of open files is {files} (ulimit -Hn)"
        );
    }
    let pagerduty = PagerDuty::start().await;
    let server = format!("listen: LISTEN, header_timeout: 300s, connections: {}", idle + HONEST);
    let relay = Relay::start(&relay::config(&pagerduty, "").replace("listen: LISTEN", &server)).await;
    let before = memory(&relay);
    let mut held = Vec::new();
    for number in 0..idle {
        let mut stream = TcpStream::connect(address(&relay)).await.unwrap();
        if number % 2 == 0 {
            stream.write_all(b"POST /hooks/alertmanager HTTP/1.1\r\nhost: x\r\n").await.unwrap();
        }
        held.push(stream);
        if number % 500 == 0 {
            relay.accepts("/hooks/alertmanager", alert(&format!("honest-{number}"))).await;
        }
    }
    let open = idle.div_ceil(500) as usize;
    pagerduty.wait_for("all honest alerts", |seen| seen.open() == open, PATIENCE * 3).await;
    // Some may still be on their way out of the kernel's queue.
    let until = Instant::now() + PATIENCE;
    loop {
        let text = relay.metrics().await;
        let counted = text.lines().find_map(|line| line.strip_prefix("alert_relay_http_connections "));
        let counted: u64 = counted.unwrap().parse().unwrap();
        if counted >= idle {
            break;
        }
        assert!(Instant::now() < until, "{counted} of {idle} were taken");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let grown = memory(&relay).saturating_sub(before);
    assert!(grown <= idle.div_ceil(1000) * MEMORY_OF_A_THOUSAND, "{grown} MiB for {idle} connections");
}

/// What comes back for these bytes on one connection until the relay closes it, or is silent for a
/// second; statuses in order.
async fn statuses(relay: &Relay, bytes: Vec<u8>) -> Vec<String> {
    let mut stream = TcpStream::connect(address(relay)).await.unwrap();
    // It may be closed before all is said.
    let _cut = stream.write_all(&bytes).await;
    let mut heard = Vec::new();
    let _silence = tokio::time::timeout(Duration::from_secs(1), stream.read_to_end(&mut heard)).await;
    let text = String::from_utf8_lossy(&heard).into_owned();
    let lines = text.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].to_owned());
    lines.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_framed_in_two_ways_smuggles_nothing() {
    let pagerduty = PagerDuty::start().await;
    let relay = Relay::start(&relay::config(&pagerduty, "")).await;
    let hidden = "POST /-/reload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    let head = "POST /hooks/alertmanager HTTP/1.1\r\nhost: x\r\n";
    let chunk = |body: &str| format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let cases = [
        (
            "both",
            format!(
                "content-length: {}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
                hidden.len() + 5
            ),
        ),
        ("both, turned", format!("transfer-encoding: chunked\r\ncontent-length: 6\r\n\r\n0\r\n\r\n{hidden}")),
        (
            "two lengths",
            format!("content-length: 2\r\ncontent-length: {}\r\n\r\n{{}}{hidden}", hidden.len() + 2),
        ),
        ("a list of lengths", format!("content-length: 2, {}\r\n\r\n{{}}{hidden}", hidden.len() + 2)),
        ("a signed length", format!("content-length: +2\r\n\r\n{{}}{hidden}")),
        ("a negative length", format!("content-length: -2\r\n\r\n{{}}{hidden}")),
        ("a length in hexadecimal", format!("content-length: 0x2\r\n\r\n{{}}{hidden}")),
        ("a length without end", format!("content-length: 99999999999999999999\r\n\r\n{{}}{hidden}")),
        ("a blank before the colon", format!("content-length : {}\r\n\r\n{hidden}", hidden.len())),
        ("a folded header", format!("x: y\r\n content-length: 2\r\n\r\n{{}}{hidden}")),
        ("another coding last", format!("transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}")),
        ("an unknown coding", format!("transfer-encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}")),
        (
            "chunked twice",
            format!("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        ("a coding behind a tab", format!("transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n{hidden}")),
        ("a chunk with a sign", format!("transfer-encoding: chunked\r\n\r\n-1\r\n\r\n0\r\n\r\n{hidden}")),
        (
            "a chunk that is too long a number",
            format!("transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{hidden}"),
        ),
        ("a bare line feed", format!("content-length: 2\n\n{{}}{hidden}")),
        ("a zero byte", format!("x: a\0b\r\ncontent-length: 2\r\n\r\n{{}}{hidden}")),
    ];
    for (name, rest) in cases {
        let heard = statuses(&relay, format!("{head}{rest}").into_bytes()).await;
        // One answer to the crooked request, if any: its tail is nobody's request, or was taken for
        // what the standard says it is, in which case both are answered in order.
        let reloads = heard.iter().skip(1).filter(|status| *status == "200").count();
        let standard = ["a bare line feed", "chunked twice"].contains(&name);
        assert!(reloads == 0 || standard, "{name}: {heard:?}");
        assert!(heard.first().is_none_or(|status| status != "200"), "{name}: {heard:?}");
    }
    // The same framing, said rightly, is two requests.
    let body = alert("framed");
    let right = format!("{head}transfer-encoding: chunked\r\n\r\n{}{hidden}", chunk(&body));
    assert_eq!(statuses(&relay, right.into_bytes()).await, ["200", "200"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn header_bombs_of_all_senders_at_once_cost_nothing_and_stop_nobody() {
    let pagerduty = PagerDuty::start().await;
    let relay = Relay::start(&relay::config(&pagerduty, "")).await;
    let before = memory(&relay);
    let bombs = [
        format!("x: {}\r\n", "y".repeat(1 << 20)),
        "a: b\r\n".repeat(100_000),
        format!("{}: y\r\n", "x".repeat(1 << 20)),
        "cookie: a=b; c=d\r\n".repeat(50_000),
    ];
    let mut calls = JoinSet::new();
    for round in 0..100 {
        let (address, bomb) = (address(&relay), bombs[round % bombs.len()].clone());
        calls.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!("POST /hooks/alertmanager HTTP/1.1\r\nhost: x\r\n{bomb}\r\n");
            let _cut = stream.write_all(head.as_bytes()).await;
            let mut heard = Vec::new();
            let _cut =
                tokio::time::timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("it stays");
            String::from_utf8_lossy(&heard).chars().take(12).collect::<String>()
        });
    }
    let path = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "p".repeat(60_000));
    assert!(say(&relay, path.as_bytes()).await.starts_with("HTTP/1.1 4"));
    relay.accepts("/hooks/alertmanager", alert("honest")).await;
    for answer in calls.join_all().await {
        // The answer may be lost, because the sender was still talking.
        assert!(answer.is_empty() || answer == "HTTP/1.1 431", "{answer}");
    }
    let grown = memory(&relay).saturating_sub(before);
    assert!(grown < 64, "{grown} MiB are gone");
    pagerduty.wait_for("the honest one", |seen| seen.open() == 1, PATIENCE).await;
}
