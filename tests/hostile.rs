//! The relay among people who mean no good, from outside: configured secrets are hunted in all
//! that leaves it while everything goes wrong that quotes them; texts of alerts try to forge lines
//! of the log; slow, huge, deep and crooked requests try to stop it.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fall over")]
#![expect(clippy::disallowed_methods, reason = "tests live in the real world: its clock is theirs")]

#[path = "hostile/canaries.rs"]
mod canaries;
#[path = "hostile/echo.rs"]
mod echo;
#[path = "crash/load.rs"]
mod load;
mod support;

use std::io::Write as _;
use std::time::{Duration, Instant};

use canaries::{ADMIN, BEARER, CANARIES, HMAC, PASSWORD, PATH_TOKEN, config, hits};
use echo::Echo;
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

/// Everything that may quote a secret happens at once; gives what the relay answered meanwhile.
async fn provoke(relay: &Relay) -> Vec<String> {
    let http = relay.http();
    let mut answers = Vec::new();
    let mut ids = Vec::new();
    for round in 0..6 {
        let post = http.post(relay.url("/hooks/alertmanager")).bearer_auth(BEARER);
        let text = post.body(alert(&format!("canary-{round}"))).send().await.unwrap().text().await.unwrap();
        let said: serde_json::Value = serde_json::from_str(&text).unwrap();
        ids.push(said["id"].as_str().unwrap_or_else(|| panic!("not accepted: {text}")).to_owned());
        answers.push(text);
    }
    // Wrong proofs that quote right ones, and bodies that cannot be read and hold all of them.
    let unreadable = format!("{{\"alerts\": \"{}\", ", CANARIES.join(" "));
    for canary in CANARIES {
        let path = relay.url(&format!("/hooks/alertmanager/{canary}?token={canary}"));
        let unknown = relay.url(&format!("/hooks/{canary}"));
        let posts = [
            http.post(path).body("{}"),
            http.post(unknown).body("{}"),
            http.post(relay.url("/hooks/alertmanager")).bearer_auth(format!("{canary}x")).body("{}"),
            http.post(relay.url("/hooks/basic"))
                .basic_auth("prometheus", Some(format!("{canary}x")))
                .body("{}"),
            http.post(relay.url("/hooks/grafana")).header("x-grafana-alerting-signature", *canary).body("{}"),
            http.post(relay.url("/hooks/alertmanager"))
                .bearer_auth(BEARER)
                .header("content-encoding", *canary)
                .body("{}"),
            http.get(relay.url(&format!("/api/v1/events/{canary}"))).bearer_auth(ADMIN),
            http.get(relay.url(&format!("/{canary}"))),
            http.post(relay.url("/-/reload")).bearer_auth(format!("{canary}x")),
        ];
        for post in posts {
            answers.push(post.send().await.unwrap().text().await.unwrap());
        }
    }
    for body in [unreadable.clone(), format!("\"{}\"", CANARIES.join("\\n")), CANARIES.join("\n")] {
        let posts = [
            http.post(relay.url("/hooks/alertmanager")).bearer_auth(BEARER),
            http.post(relay.url("/hooks/basic")).basic_auth("prometheus", Some(PASSWORD)),
            http.post(relay.url(&format!("/hooks/guance/{PATH_TOKEN}"))),
        ];
        for post in posts {
            let answer = post.body(body.clone()).send().await.unwrap();
            assert_eq!(answer.status(), 400);
            answers.push(answer.text().await.unwrap());
        }
    }
    // Long enough for every target to be refused in several ways.
    tokio::time::sleep(Duration::from_secs(3)).await;
    for id in ids {
        let event = http.get(relay.url(&format!("/api/v1/events/{id}"))).bearer_auth(ADMIN);
        let text = event.send().await.unwrap().text().await.unwrap();
        assert!(text.contains("attempts"), "the record is not shown: {text}");
        answers.push(text);
    }
    answers.push(relay.metrics().await);
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_leaves_the_relay_whatever_goes_wrong() {
    let echo = Echo::start().await;
    let mut relay = Relay::start(&config(&echo.url())).await;
    let mut answers = provoke(&relay).await;
    // A reload that fails on the very lines that hold secrets.
    let file = relay.folder().join("relay.yaml");
    let good = std::fs::read_to_string(&file).unwrap();
    let broken = [
        good.replace("kind: alertmanager", "kind: alertmanagr"),
        good.replace("bearer: [", "bearers: ["),
        good.replace("routing_key: ", "routing_key: [a], old_key: "),
        good.replace("auth: {", "auth: {{"),
        good.replace(&format!("\"{HMAC}\""), &format!("{{ \"{HMAC}\": 1 }}")),
        good.replace("sign: {", "sign: { secrets: 7, "),
        good.replace("https://example.com", "not a url"),
        good.replace("/in/", "/ in/\u{7}"),
    ];
    for text in broken {
        assert_ne!(text, good);
        std::fs::write(&file, &text).unwrap();
        let reload = relay.http().post(relay.url("/-/reload")).bearer_auth(ADMIN).send().await.unwrap();
        answers.push(reload.text().await.unwrap());
    }
    std::fs::write(&file, &good).unwrap();
    assert!(echo.heard() > 20, "hardly anything was sent: {}", echo.heard());
    let mut places: Vec<(String, Vec<u8>)> =
        answers.into_iter().enumerate().map(|(n, text)| (format!("answer {n}"), text.into_bytes())).collect();
    let folder = relay.folder().join("store");
    let store = |when: &str| {
        let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
        files
            .map(|path| (format!("{} {when}", path.display()), std::fs::read(&path).unwrap()))
            // The reserve of the disk is large and holds nothing.
            .filter(|(_, bytes)| bytes.iter().any(|byte| *byte != 0))
            .collect::<Vec<_>>()
    };
    let running = store("while it ran");
    assert!(running.iter().any(|(_, bytes)| bytes.len() > 10_000), "the store is empty");
    places.extend(running);
    relay.stop().await;
    places.extend(store("at its end"));
    places.push(("log".to_owned(), relay.whole_log()));
    let found: Vec<String> = places.iter().flat_map(|(place, bytes)| hits(place, bytes)).collect();
    assert!(found.is_empty(), "{} secrets were found: {found:#?}", found.len());
    let log = String::from_utf8_lossy(&places.last().unwrap().1).into_owned();
    for outcome in ["hold", "retry", "rejected", "a template failed", "canary-1"] {
        assert!(log.contains(outcome), "the run has no {outcome:?} in its log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_refused_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.yaml");
    let good = config("http://127.0.0.1:9");
    let broken = [
        good.replace("kind: alertmanager", "kind: alertmanagr"),
        good.replace("bearer: [", "bearers: ["),
        good.replace("routing_key: ", "routing_key: [a], old_key: "),
        good.replace("auth: {", "auth: {{"),
        good.replace(&format!("\"{HMAC}\""), &format!("{{ \"{HMAC}\": 1 }}")),
        good.replace("sign: {", "sign: { secrets: 7, "),
        good.replace("tokens: [", "tokens: [\"${NO_SUCH_VARIABLE}\", "),
    ];
    for text in broken {
        std::fs::write(&file, text.replace("LISTEN", "127.0.0.1:1").replace("STORE", "/proc/none")).unwrap();
        let program = env!("CARGO_BIN_EXE_alert-relay");
        let ended =
            std::process::Command::new(program).args(["serve", "--config"]).arg(&file).output().unwrap();
        assert!(!ended.status.success());
        let found = [hits("stdout", &ended.stdout), hits("stderr", &ended.stderr)].concat();
        assert!(found.is_empty(), "{found:?} in\n{}", String::from_utf8_lossy(&ended.stderr));
    }
}

#[test]
fn the_hunt_finds_secrets_in_every_spelling() {
    let hidden = |spelling: String| !hits("here", format!("before {spelling} behind").as_bytes()).is_empty();
    for canary in CANARIES {
        use base64::Engine as _;
        assert!(hidden((*canary).to_owned()) && hidden(canary[4..].to_owned()), "{canary}");
        assert!(hidden(base64::engine::general_purpose::STANDARD.encode(canary)), "{canary}");
    }
    assert!(!hidden("nothing at all".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_text_of_a_stranger_begins_a_line_of_the_log_or_paints_the_terminal() {
    const FORGED: &str = "1999-01-01T00:00:00.000000Z  INFO forged";
    let text = format!("x\r\n{FORGED}\n\u{1b}[45m{FORGED}\u{1b}]0;title\u{7}\u{9b}31m\u{2028}{FORGED}");
    let pd = PagerDuty::start().await;
    pd.always(Fault::Reply { status: 400, headers: Vec::new(), body: text.clone() });
    // The key is made of the alert's own text, so that it stands wherever keys are logged.
    let config = relay::config(&pd, "")
        .replace("    concurrency", "    dedup_key: \"{{commonLabels.forged}}\"\n    concurrency");
    let mut relay = Relay::start(&config).await;
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
    let painted = ["\u{1b}[45m", "\u{1b}]", "\u{9b}", "\u{7}"].into_iter().filter(|code| log.contains(code));
    assert_eq!(painted.collect::<Vec<_>>(), Vec::<&str>::new(), "{log}");
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
