//! The relay among people who mean no good, from outside: configured secrets are hunted in all
//! that leaves it while everything goes wrong that quotes them; texts of alerts try to forge lines
//! of the log; slow, huge, deep and crooked requests try to stop it.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fall over")]
#![expect(clippy::disallowed_macros, reason = "a test says what it leaves out")]
#![expect(clippy::disallowed_methods, reason = "tests live in the real world: its clock is theirs")]

#[path = "hostile/canaries.rs"]
mod canaries;
#[path = "hostile/doors.rs"]
mod doors;
#[path = "hostile/echo.rs"]
mod echo;
#[path = "hostile/floods.rs"]
mod floods;
#[path = "crash/load.rs"]
mod load;
#[path = "hostile/outward.rs"]
mod outward;
#[path = "hostile/secrets.rs"]
mod secrets;
mod support;

use std::io::Write as _;
use std::time::{Duration, Instant};

use load::{Word, webhook};
use support::relay::{self, Relay};
use support::vendor::PagerDuty;
use support::vendor::script::Fault;
use support::wire;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(20);

fn alert(name: &str) -> String {
    webhook(name, Word { round: 1, firing: true })
}

/// Says raw bytes to the relay and hears the whole answer.
async fn say(relay: &Relay, request: &[u8]) -> String {
    let address = relay.url("").trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    tokio::time::timeout(PATIENCE, wire::read_message(&mut stream)).await.expect("no answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_text_of_a_stranger_begins_a_line_of_the_log_or_paints_the_terminal() {
    forge(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_text_of_a_stranger_breaks_the_log_in_json() {
    let log = forge(&["sh", "-c", "exec \"$0\" \"$@\" --log-level debug --log-format json"]).await;
    let broken: Vec<&str> =
        log.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_err()).collect();
    assert_eq!(broken, Vec::<&str>::new());
}

/// Tries it on a relay that is started by these words; gives its log.
async fn forge(under: &[&str]) -> String {
    const FORGED: &str = "1999-01-01T00:00:00.000000Z  INFO forged";
    let text = format!(
        "x\r\n{FORGED}\n\u{1b}[45m{FORGED}\u{1b}]0;title\u{7}\u{9b}31m\u{2028}{FORGED}\u{202e}detrever\u{2066}"
    );
    let pd = PagerDuty::start().await;
    pd.always(Fault::Reply { status: 400, headers: Vec::new(), body: text.clone() });
    // The key is made of the alert's own text, so that it stands wherever keys are logged.
    let config = relay::config(&pd, "")
        .replace("    concurrency", "    dedup_key: \"{{commonLabels.forged}}\"\n    concurrency");
    let mut relay = Relay::start_under(under, &config).await;
    let mut body: serde_json::Value = serde_json::from_str(&alert("forger")).unwrap();
    for place in ["/alerts/0/labels", "/alerts/0/annotations", "/groupLabels", "/commonLabels"] {
        body.pointer_mut(place).unwrap()["forged"] = text.as_str().into();
        body.pointer_mut(place).unwrap()[text.as_str()] = "x".into();
    }
    for field in ["receiver", "groupKey", "externalURL", "status"] {
        let mut one = body.clone();
        one[field] = text.as_str().into();
        relay.post("/hooks/alertmanager", one.to_string()).await.unwrap();
    }
    relay.post("/hooks/alertmanager", text.clone()).await.unwrap();
    relay.post("/hooks/alertmanager", format!("{{\"{text}\": 1}}")).await.unwrap();
    for path in ["/hooks/a%0d%0aforged%1b[45m", "/hooks/alertmanager/%0a1999-01-01", "/%0a1999-01-01%1b[45m"]
    {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nx-forged: \x1b[45m\tforged\r\ncontent-length: 0\r\n\r\n"
        );
        say(&relay, request.as_bytes()).await;
    }
    pd.wait_for("some calls", |seen| !seen.calls.is_empty(), PATIENCE).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    relay.stop().await;
    let log = String::from_utf8_lossy(&relay.whole_log()).into_owned();
    assert!(log.contains("forged"), "the run logged nothing of it:\n{log}");
    let lines =
        |line: &&str| line.trim_start().starts_with("1999") || line.trim_start().starts_with("FORGED");
    let forged: Vec<&str> = log.split(['\n', '\r', '\u{2028}']).filter(lines).collect();
    assert!(forged.is_empty(), "{forged:#?}");
    let painted = ["\u{1b}[45m", "\u{1b}]", "\u{9b}", "\u{7}", "\u{202e}", "\u{2066}"]
        .into_iter()
        .filter(|code| log.contains(code));
    assert_eq!(painted.collect::<Vec<_>>(), Vec::<&str>::new(), "{log}");
    log
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_idle_and_slow_connections_stop_nobody() {
    let pd = PagerDuty::start().await;
    let relay = Relay::start(&relay::config(&pd, "")).await;
    let address = relay.url("").trim_start_matches("http://").to_owned();
    let mut held = Vec::new();
    for number in 0..300 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let begun: &[u8] = match number % 3 {
            0 => b"",
            1 => b"POST /hooks/alertmanager HTTP/1.1\r\nhost: x\r\nx-slow: ",
            _ => b"POST /hooks/alertmanager HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{",
        };
        stream.write_all(begun).await.unwrap();
        held.push(stream);
    }
    for round in 0..20 {
        for stream in &mut held {
            let _ = stream.try_write(b" ");
        }
        relay.accepts("/hooks/alertmanager", alert(&format!("normal-{round}"))).await;
    }
    pd.wait_for("all alerts", |seen| seen.open() == 20, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_depths_and_crooked_paths_are_refused_with_the_right_words() {
    let pd = PagerDuty::start().await;
    let relay = Relay::start(&relay::config(&pd, "")).await;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&vec![b' '; 64 << 20]).unwrap();
    let bomb = relay.http().post(relay.url("/hooks/alertmanager")).header("content-encoding", "gzip");
    assert_eq!(bomb.body(packed.finish().unwrap()).send().await.unwrap().status(), 413);
    for deep in [
        "[".repeat(20_000),
        "{\"a\":".repeat(20_000),
        format!("{}{}", "[".repeat(20_000), "]".repeat(20_000)),
    ] {
        let body = format!("{{\"alerts\": [{{\"labels\": {{\"a\": {deep}}}}}]}}");
        for body in [deep, body] {
            for path in ["/hooks/alertmanager", &format!("/hooks/guance/{}", relay::GUANCE_TOKEN)] {
                let (status, text) = relay.post(path, body.clone()).await.unwrap();
                assert_eq!(status, 400, "{text}");
            }
        }
    }
    let long = "a".repeat(5000);
    let paths = [
        "/hooks/../../../../etc/passwd",
        "/hooks/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/hooks/..",
        "/hooks/%2e%2e",
        "/hooks/alertmanager%00",
        "/hooks/alertmanager%2f..%2fguance",
        "/hooks/%61lertmanager%20",
        "/hooks/ALERTMANAGER",
        "/hooks/%ff%fe",
        "/hooks//alertmanager",
        "/hooks/alertmanager/x/y",
        "/hooks/;alertmanager",
        "/hooks/%",
        "/hooks/{source}",
        &long,
    ];
    for path in paths {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/hooks/{path}") };
        let body = alert("crooked");
        let length = body.len();
        let request = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
        let answer = say(&relay, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
    // Not one of them was taken for an alert, and the relay is well.
    let began = Instant::now();
    relay.accepts("/hooks/alertmanager", alert("well")).await;
    pd.wait_for("the good one", |seen| seen.open() == 1, PATIENCE).await;
    assert_eq!(pd.calls().len(), 1, "after {:?}:\n{}", began.elapsed(), pd.ledger());
}
