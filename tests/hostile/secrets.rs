//! The hunt for configured secrets in all that leaves the relay: answers of every endpoint, the log
//! down to its last detail, the store, `check` and `explain`, while everything goes wrong that quotes
//! them.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use alert_relay::server::paths::{Access, ENDPOINTS};

use crate::alert;
use crate::canaries::{ADMIN, BEARER, CANARIES, HMAC, PASSWORD, PATH_TOKEN, config, hits, traced};
use crate::echo::Echo;
use crate::support::fake::{Answer, Fake, Heard};
use crate::support::relay::Relay;

/// What every endpoint that can be looked at shows, filled and asked wrongly.
async fn all_that_is_shown(relay: &Relay) -> Vec<String> {
    let http = relay.http();
    let mut shown = Vec::new();
    for row in ENDPOINTS.iter().filter(|row| row.access != Access::Senders) {
        for (word, query) in [("1", ""), ("1", "?limit=1000"), (API_WORD, "?target=x&since=x&key=x")] {
            let path = row.pattern.split('/').map(|part| if part.starts_with('{') { word } else { part });
            let path = path.collect::<Vec<_>>().join("/");
            let request = http.request(row.method.clone(), relay.url(&format!("{path}{query}")));
            let answer =
                request.bearer_auth(ADMIN).header("x-actor", PASSWORD).body("{}").send().await.unwrap();
            shown.push(format!(
                "{path}{query}: {:?} {}",
                answer.headers().clone(),
                answer.text().await.unwrap()
            ));
        }
    }
    assert!(shown.iter().any(|text| text.contains("\"deliveries\":[{")), "nothing is shown: {shown:#?}");
    shown
}

/// An id that is none.
const API_WORD: &str = "no-number";

/// What commands write of a good configuration; `send` does so while the target quotes what it was sent.
fn said_of_the_file(file: &Path) -> Vec<String> {
    let case = file.with_file_name("cases").join("one");
    std::fs::create_dir_all(&case).unwrap();
    std::fs::write(case.join("payload.json"), alert("explained")).unwrap();
    std::fs::write(case.join("case.yaml"), "source: alertmanager\n").unwrap();
    let (payload, cases) = (case.join("payload.json"), case.with_file_name(""));
    let (payload, cases) = (payload.to_str().unwrap(), cases.to_str().unwrap());
    let mut said = said_of_targets(file);
    let commands: [&[&str]; 7] = [
        &["check"],
        &["check", "--json"],
        &["explain", "--source", "alertmanager", payload],
        &["explain", "--source", "alertmanager", "--json", payload],
        &["test", cases, "--update"],
        &["test", cases],
        &["test", cases, "--json"],
    ];
    let run = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alert-relay"));
        let ended = command.args(words).arg("--config").arg(file).output().unwrap();
        assert!(ended.status.success() && !ended.stdout.is_empty(), "{words:?}: {ended:?}");
        format!(
            "{words:?}: {}{}",
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr)
        )
    };
    said.extend(commands.map(run));
    said.push(std::fs::read_to_string(case.join("expected.txt")).unwrap());
    said
}

/// What `send` shows of each target, refused or not.
fn said_of_targets(file: &Path) -> Vec<String> {
    let mut said = Vec::new();
    for target in ["pd", "keyed", "signed", "basic", "screen", "dry"] {
        for more in [&["--resolve"][..], &["--json"], &["--dry-run"], &["--dry-run", "--json"]] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_alert-relay"));
            let command = command.args(["send", "--target", target]).args(more).arg("--config").arg(file);
            let ended = command.output().unwrap();
            assert!(!ended.stdout.is_empty(), "{target} {more:?}: {ended:?}");
            let texts = [ended.stdout, ended.stderr].concat();
            said.push(format!("send {target} {more:?}: {}", String::from_utf8_lossy(&texts)));
        }
    }
    said
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
    hunt(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_the_log_at_its_most_talkative() {
    let talkative = "exec \"$0\" \"$@\" --log-level trace --log-format json";
    hunt(&["sh", "-c", talkative]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_that_differs_shows_no_secret() {
    let shadowed = "sed 's/targets: .pd, /targets: [/' relay.yaml > candidate.yaml
                    exec \"$0\" \"$@\" --shadow candidate.yaml";
    let log = hunt(&["sh", "-c", shadowed]).await;
    assert!(log.contains("the candidate makes something else of this event"), "{log}");
}

/// Starts the relay by these words, makes everything go wrong and looks everywhere. Gives the log.
async fn hunt(under: &[&str]) -> String {
    let echo = Echo::start().await;
    let collector = Fake::start(|_| Answer::json(200, &serde_json::json!({})));
    let mut relay = Relay::start_under(under, &traced(&echo.url(), &collector.url())).await;
    let mut answers = provoke(&relay).await;
    answers.extend(all_that_is_shown(&relay).await);
    answers.extend(said_of_the_file(&relay.folder().join("relay.yaml")));
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
    let spans: Vec<u8> = collector.heard().into_iter().flat_map(|heard: Heard| heard.body).collect();
    assert!(String::from_utf8_lossy(&spans).contains("POST /hooks/alertmanager"), "no span came");
    places.push(("spans".to_owned(), spans));
    places.push(("log".to_owned(), relay.whole_log()));
    let found: Vec<String> = places.iter().flat_map(|(place, bytes)| hits(place, bytes)).collect();
    assert!(found.is_empty(), "{} secrets were found: {found:#?}", found.len());
    let log = String::from_utf8_lossy(&places.last().unwrap().1).into_owned();
    for outcome in ["hold", "retry", "rejected", "a template failed", "canary-1"] {
        assert!(log.contains(outcome), "the run has no {outcome:?} in its log");
    }
    log
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
        let ended = Command::new(program).args(["serve", "--config"]).arg(&file).output().unwrap();
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
