//! Kind `jenkins`: a build in a folder, found by its queue item and stopped in the end, against a
//! Jenkins that checks login and form; and a lost answer that its marker finds again.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::kinds::{config, in_state, tell, tell_again};
use crate::support::relay::Relay;

fn jenkins(loses_the_answer: bool) -> Fake {
    let items: Arc<Mutex<Vec<Value>>> = Arc::default();
    Fake::start(move |heard: &Heard| {
        let mut items = items.lock().unwrap();
        let login = format!("Basic {}", BASE64.encode("relay:jenkins-token-01"));
        match (heard.method.as_str(), heard.path.strip_prefix("/ci").unwrap_or_default()) {
            _ if heard.header("authorization") != login => {
                Answer::text(302, "").with("location", "https://jenkins.example.com/ci/login")
            }
            _ if !heard.is_form() => Answer::text(415, "no form"),
            ("POST", "/job/ops/job/restart/buildWithParameters") if heard.field("SERVICE") == "checkout" => {
                let marker =
                    json!([{ "parameters": [{ "name": "RELAY_ID", "value": heard.field("RELAY_ID") }] }]);
                items.push(json!({ "id": 17, "actions": marker }));
                let there = "http://localhost:8080/ci/queue/item/17/";
                if loses_the_answer { Answer::cut() } else { Answer::text(201, "").with("location", there) }
            }
            ("GET", "/queue/api/json") => Answer::json(200, &json!({ "items": *items })),
            ("GET", "/queue/item/17/api/json") => {
                Answer::json(200, &json!({ "executable": { "number": 5 } }))
            }
            ("POST", "/job/ops/job/restart/5/stop") => Answer::text(302, "").with("location", "/ci/job/ops/"),
            _ => Answer::text(404, ""),
        }
    })
}

fn target(url: &str) -> String {
    config(&format!(
        r#"jenkins: {{ base_url: "{url}/ci", username: relay, api_token: jenkins-token-01, job: ops/restart, parameters: {{ SERVICE: "{{{{commonLabels.service}}}}" }}, marker: RELAY_ID, on_resolve: cancel }}"#
    ))
}

fn calls(heard: &[Heard]) -> Vec<String> {
    heard.iter().map(|heard| format!("{} {}", heard.method, heard.path)).collect()
}

#[tokio::test]
async fn builds_once_and_is_stopped_in_the_end() {
    let fake = jenkins(false);
    let relay = Relay::start(&target(&fake.url())).await;
    tell(&relay, "DiskFull", true).await;
    in_state(&relay, "delivered", 1).await;
    tell_again(&relay, "DiskFull", "worse by now").await;
    in_state(&relay, "delivered", 2).await;
    tell(&relay, "DiskFull", false).await;
    in_state(&relay, "delivered", 3).await;
    let expected = [
        "POST /ci/job/ops/job/restart/buildWithParameters",
        "GET /ci/queue/item/17/api/json",
        "POST /ci/job/ops/job/restart/5/stop",
    ];
    assert_eq!(calls(&fake.heard()), expected);
}

#[tokio::test]
async fn a_build_whose_answer_was_lost_is_found_in_the_queue() {
    let fake = jenkins(true);
    let relay = Relay::start(&target(&fake.url())).await;
    tell(&relay, "DiskFull", true).await;
    in_state(&relay, "delivered", 1).await;
    let expected = ["POST /ci/job/ops/job/restart/buildWithParameters", "GET /ci/queue/api/json"];
    assert_eq!(calls(&fake.heard()), expected);
}
