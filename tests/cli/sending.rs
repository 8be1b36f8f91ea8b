//! `alert-relay send` against services that a test scripts.

use std::fs;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::fake::{Answer, Fake, Heard};

/// Runs `send` with one target named `it`.
fn send(target: &str, words: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "sources: [{{ name: a, kind: alertmanager, auth: none }}]\nroute: {{ receiver: r }}\n\
         receivers: [{{ name: r, targets: [it] }}]\ntargets: [{{ name: it, {target} }}]\n"
    );
    fs::write(folder.path().join("relay.yaml"), config).unwrap();
    Command::new(env!("CARGO_BIN_EXE_alert-relay"))
        .args(["send", "--config", "relay.yaml", "--target", "it"])
        .args(words)
        .current_dir(folder.path())
        .env_clear()
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

fn pagerduty(fake: &Fake) -> String {
    format!("pagerduty: {{ base_url: \"{}\", routing_key: 0123456789abcdef0123456789abcdef }}", fake.url())
}

fn accepts(heard: &Heard) -> Answer {
    let key = heard.json()["dedup_key"].clone();
    Answer::json(202, &json!({ "status": "success", "message": "Event processed", "dedup_key": key }))
}

#[test]
fn a_test_is_sent_and_resolved_under_one_key_and_says_that_it_is_a_test() {
    let fake = Fake::start(accepts);
    let (code, told) = told(&send(&pagerduty(&fake), &["--resolve", "--label", "service=checkout"]));
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("trigger to it (pagerduty): delivered"), "{told}");
    assert!(told.contains("resolve to it (pagerduty): delivered"), "{told}");
    assert!(told.contains("202") && !told.contains("0123456789abcdef"), "{told}");
    let heard: Vec<Value> = fake.heard().iter().map(Heard::json).collect();
    let actions: Vec<&str> = heard.iter().filter_map(|body| body["event_action"].as_str()).collect();
    assert_eq!(actions, ["trigger", "resolve"]);
    assert_eq!(
        (&heard[0]["dedup_key"], &heard[1]["dedup_key"]),
        (&json!("alert-relay-test-it"), &json!("alert-relay-test-it"))
    );
    assert!(heard[0]["payload"]["summary"].as_str().unwrap().contains("Test of alert-relay"));
    assert_eq!(heard[0]["payload"]["component"], "checkout");
}

#[test]
fn what_is_not_delivered_is_shown_with_status_and_answer_and_ends_with_1() {
    for (status, outcome) in [(400, "rejected"), (429, "retry"), (500, "retry")] {
        let body = r#"{"message": "no such thing, 0123456789abcdef0123456789abcdef"}"#;
        let fake = Fake::start(move |_| Answer::text(status, body));
        let (code, told) = told(&send(&pagerduty(&fake), &[]));
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains(&status.to_string()) && told.contains("no such thing"), "{told}");
        assert!(!told.contains("0123456789abcdef") && told.contains(outcome), "{told}");
    }
}

#[test]
fn a_target_that_cannot_be_reached_or_does_not_answer_is_said_to_be_so() {
    let nobody = "webhook: { url: \"http://127.0.0.1:1/in\" }";
    let (code, answer) = told(&send(nobody, &[]));
    assert_eq!(code, Some(1));
    assert!(answer.contains("trigger to it (webhook): retry") && answer.contains("why"), "{answer}");
    let fake = Fake::start(|_| Answer::cut());
    let (code, answer) = told(&send(&format!("webhook: {{ url: \"{}\" }}", fake.url()), &[]));
    assert_eq!(code, Some(1));
    assert!(answer.contains("unknown"), "{answer}");
}

#[test]
fn a_dry_run_shows_the_request_without_secrets_and_calls_nobody() {
    let fake = Fake::start(accepts);
    let (code, told) = told(&send(&pagerduty(&fake), &["--dry-run", "--action", "acknowledge"]));
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("POST ") && told.contains("\"event_action\": \"acknowledge\""), "{told}");
    assert!(told.contains("***") && !told.contains("0123456789abcdef"), "{told}");
    assert!(fake.heard().is_empty());
}

#[test]
fn a_job_is_started_only_when_that_is_said() {
    let fake = Fake::start(|_| Answer::json(201, &json!({ "job": { "id": "17", "status": "pending" } })));
    let job = format!("job: {{ base_url: \"{}\", api_key: job-key-secret, script: restart }}", fake.url());
    let (code, refused) = told(&send(&job, &[]));
    assert_eq!(code, Some(1));
    assert!(refused.contains("starts a job") && refused.contains("--yes"), "{refused}");
    assert!(fake.heard().is_empty());
    let (code, shown) = told(&send(&job, &["--dry-run"]));
    assert_eq!(code, Some(0));
    assert!(fake.heard().is_empty() && shown.contains("restart"), "{shown}");
    let (code, done) = told(&send(&job, &["--yes"]));
    assert_eq!((code, fake.heard().len()), (Some(0), 1), "{done}");
    assert!(!done.contains("job-key-secret"), "{done}");
}

#[test]
fn what_the_first_answer_gave_is_used_to_resolve() {
    let fake = Fake::start(|heard: &Heard| match heard.path.as_str() {
        "/chat.postMessage" => Answer::json(200, &json!({ "ok": true, "channel": "C123", "ts": "17.42" })),
        _ => Answer::json(200, &json!({ "ok": true })),
    });
    let slack =
        format!("slack: {{ base_url: \"{}\", bot_token: xoxb-slack-secret, channel: \"#ops\" }}", fake.url());
    let (code, told) = told(&send(&slack, &["--resolve"]));
    assert_eq!(code, Some(0), "{told}");
    let update = fake.heard().into_iter().find(|heard| heard.path == "/chat.update").expect(&told);
    assert_eq!(
        (update.json()["ts"].clone(), update.json()["channel"].clone()),
        (json!("17.42"), json!("C123"))
    );
    assert!(!told.contains("xoxb-slack-secret"), "{told}");
}

#[test]
fn programs_get_json() {
    let fake = Fake::start(accepts);
    let output = send(&pagerduty(&fake), &["--json"]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&said[0]["outcome"], &said[0]["status"], &said[0]["target"]),
        (&json!("delivered"), &json!(202), &json!("it"))
    );
}

#[test]
fn what_a_console_prints_is_shown_and_so_is_a_template_that_fails() {
    let (code, told) =
        told(&send("console: { text: \"{{status}} {{title}} {{commonLabels.nope}}\" }", &["--resolve"]));
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("trigger to it (console): delivered") && told.contains("Test of alert-relay"),
        "{told}"
    );
    let (code, told) =
        super::sending::told(&send("console: { text: \"{{commonLabels.nope}}\" }", &["--dry-run"]));
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("not sent") && told.contains("template failed: text: "), "{told}");
}

/// What a kind asks first says little; what it would write then is what people want to see.
#[test]
fn a_dry_run_shows_what_follows_a_look_up() {
    let tickets = "zendesk: { base_url: \"https://example.zendesk.com\", email: a@example.com, api_token: \"0123456789\" }";
    let jsm = "opsgenie: { jsm: { cloud_id: 11111111-2222-3333-4444-555555555555, email: a@example.com, api_token: \"0123456789\" } }";
    let by_rest = "pagerduty_rest: { api_key: \"0123456789\", from: a@example.com, service_id: PABC123 }";
    for (target, words, answer, method, path) in [
        (tickets, &["--dry-run"][..], "nothing is found", "POST", "/api/v2/tickets.json"),
        (jsm, &["--dry-run", "--action", "resolve"], "it is found", "POST", "/close"),
        (by_rest, &["--dry-run", "--action", "resolve"], "it is found", "PUT", "/incidents/IDOFTHEINCIDENT"),
    ] {
        let (code, page) = told(&send(target, words));
        assert_eq!(code, Some(0), "{page}");
        assert!(page.contains(&format!("then, if {answer}")), "{page}");
        let said: Value =
            serde_json::from_slice(&send(target, &[words, &["--json"]].concat()).stdout).unwrap();
        let then = &said[0]["then"];
        assert_eq!(
            (&then["if"], &then["request"]["http"]["method"]),
            (&json!(answer), &json!(method)),
            "{said}"
        );
        assert!(then["request"]["http"]["url"].as_str().unwrap().contains(path), "{said}");
    }
}
