//! Kind `rundeck`: options, marker and abort against a Rundeck that checks token and form; a start
//! that was lost on the way back is found again by its marker.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::kinds::{config, in_state, tell, tell_again};
use crate::support::relay::Relay;

const JOB: &str = "3166e079-5374-450f-a594-a992478f15a9";

/// A Rundeck whose first run is answered as given; executions are kept.
fn rundeck(first: Answer) -> Fake {
    let executions: Arc<Mutex<Vec<Value>>> = Arc::default();
    Fake::start(move |heard: &Heard| {
        if heard.header("x-rundeck-auth-token") != "rundeck-token-01"
            || heard.header("accept") != "application/json"
        {
            return Answer::text(200, "<html>Log in</html>");
        }
        if !heard.is_json() {
            return Answer::json(415, &json!({ "error": true, "errorCode": "api.error.invalid.request" }));
        }
        let mut executions = executions.lock().unwrap();
        match (heard.method.as_str(), heard.path.strip_prefix("/api/21").unwrap_or_default()) {
            ("POST", path) if path == format!("/job/{JOB}/run") => {
                let options = heard.json()["options"].clone();
                if options["service"] != "checkout"
                    || !options["why"].as_str().unwrap_or_default().contains("磁盘")
                {
                    return Answer::json(
                        400,
                        &json!({ "error": true, "errorCode": "api.error.job.options-invalid" }),
                    );
                }
                executions
                    .push(json!({ "id": 17, "status": "running", "job": { "id": JOB, "options": options } }));
                if executions.len() == 1 { first.clone() } else { Answer::json(200, &json!({ "id": 18 })) }
            }
            ("GET", path) if path == format!("/job/{JOB}/executions") => {
                Answer::json(200, &json!({ "executions": *executions }))
            }
            ("POST", "/execution/17/abort") => Answer::json(
                200,
                &json!({ "abort": { "status": "pending" }, "execution": { "id": "17", "status": "running" } }),
            ),
            _ => Answer::json(404, &json!({ "error": true })),
        }
    })
}

fn target(url: &str) -> String {
    config(&format!(
        r#"rundeck: {{ base_url: "{url}", token: rundeck-token-01, job: {JOB}, options: {{ service: "{{{{commonLabels.service}}}}" }}, reason_option: why, marker: relay_id, on_resolve: cancel }}"#
    ))
}

fn calls(heard: &[Heard]) -> Vec<String> {
    let short = |heard: &Heard| heard.path.rsplit('/').next().unwrap_or_default().to_owned();
    heard.iter().map(|heard| format!("{} {}", heard.method, short(heard))).collect()
}

#[tokio::test]
async fn runs_once_and_is_aborted_in_the_end() {
    let fake = rundeck(Answer::json(200, &json!({ "id": 17, "status": "running" })));
    let relay = Relay::start(&target(&fake.url())).await;
    tell(&relay, "DiskFull", true).await;
    in_state(&relay, "delivered", 1).await;
    tell_again(&relay, "DiskFull", "worse by now").await;
    in_state(&relay, "delivered", 2).await;
    tell(&relay, "DiskFull", false).await;
    in_state(&relay, "delivered", 3).await;
    assert_eq!(calls(&fake.heard()), ["POST run", "POST abort"]);
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_found_and_not_repeated() {
    let fake = rundeck(Answer::cut());
    let relay = Relay::start(&target(&fake.url())).await;
    tell(&relay, "DiskFull", true).await;
    in_state(&relay, "delivered", 1).await;
    tell(&relay, "DiskFull", false).await;
    in_state(&relay, "delivered", 2).await;
    assert_eq!(calls(&fake.heard()), ["POST run", "GET executions", "POST abort"]);
}

#[tokio::test]
async fn a_start_that_a_kill_left_in_doubt_is_found_and_not_repeated() {
    let answer = Answer::json(200, &json!({ "id": 17 })).after(std::time::Duration::from_secs(2));
    let fake = rundeck(answer);
    let mut relay = Relay::start(&target(&fake.url())).await;
    tell(&relay, "DiskFull", true).await;
    fake.has_heard(1).await;
    relay.kill9();
    relay.start_again().await;
    in_state(&relay, "delivered", 1).await;
    assert_eq!(calls(&fake.heard()), ["POST run", "GET executions"]);
}
