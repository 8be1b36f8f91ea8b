//! Kind `job`: a run is started once, whatever happens in between: news of the same alert, a lost
//! answer, a kill of the relay while the platform holds its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::kinds::{config, in_state, retry, tell, tell_again};
use crate::support::relay::Relay;

const KEY: &str = "job-key-0123456789";

/// What the platform checks of every call.
fn is_allowed(heard: &Heard) -> bool {
    heard.header("authorization") == format!("Bearer {KEY}")
}

fn is_start(heard: &Heard) -> bool {
    let job = &heard.json()["job"];
    heard.method == "POST"
        && heard.path == "/api/jobs"
        && heard.header("content-type") == "application/json"
        && job["script"] == "restart_service"
        && job["parameters"]["service_name"] == "checkout"
        && job["timeout"].is_u64()
        && job["targets"].is_array()
}

fn target(url: &str, more: &str) -> String {
    config(&format!(
        r#"job: {{ base_url: "{url}/api", api_key: {KEY}, script: restart_service, parameters: {{ service_name: "{{{{commonLabels.service}}}}" }}, {more} }}"#
    ))
}

fn calls(heard: &[Heard]) -> Vec<String> {
    heard.iter().map(|heard| format!("{} {}", heard.method, heard.path)).collect()
}

#[tokio::test]
async fn a_problem_starts_one_run_and_its_end_cancels_it() {
    let fake = Fake::start(|heard| match (heard.method.as_str(), heard.path.as_str()) {
        _ if !is_allowed(heard) => Answer::text(401, "who are you"),
        ("POST", "/api/jobs") if is_start(heard) => Answer::json(201, &json!({ "job": { "id": 17 } })),
        ("GET", "/api/jobs/17") => Answer::json(200, &json!({ "job": { "id": 17, "status": "running" } })),
        ("POST", "/api/jobs/17/cancel") => Answer::json(200, &json!({})),
        _ => Answer::text(404, "no such thing"),
    });
    let relay = Relay::start(&target(&fake.url(), "on_resolve: cancel")).await;
    tell(&relay, "DiskFull", true).await;
    in_state(&relay, "delivered", 1).await;
    tell_again(&relay, "DiskFull", "worse by now").await;
    in_state(&relay, "delivered", 2).await;
    tell(&relay, "DiskFull", false).await;
    in_state(&relay, "delivered", 3).await;
    let heard = fake.heard();
    assert_eq!(calls(&heard), ["POST /api/jobs", "GET /api/jobs/17", "POST /api/jobs/17/cancel"]);
    // A new episode is a new problem.
    let mut again = crate::support::kinds::webhook("DiskFull", true);
    again["alerts"][0]["startsAt"] = "2026-03-02T04:00:00Z".into();
    relay.accepts("/hooks/alertmanager", again.to_string()).await;
    assert_eq!(calls(&fake.has_heard(4).await)[3], "POST /api/jobs");
}

#[tokio::test]
async fn a_lost_answer_is_left_to_a_person_who_may_order_the_start() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let fake = Fake::start(move |heard| match count.fetch_add(1, Ordering::SeqCst) {
        _ if !is_start(heard) => Answer::text(400, "no start"),
        0 => Answer::cut(),
        n => Answer::json(201, &json!({ "job": { "id": n } })),
    });
    let relay = Relay::start(&target(&fake.url(), "")).await;
    tell(&relay, "DiskFull", true).await;
    let dead = in_state(&relay, "dead", 1).await;
    assert!(dead[0]["reason"].as_str().unwrap().contains("may have been done already"), "{dead:#?}");
    tell_again(&relay, "DiskFull", "worse by now").await;
    let dead = in_state(&relay, "dead", 2).await;
    assert!(dead[0]["reason"].as_str().unwrap().contains("look at the platform"), "{dead:#?}");
    assert_eq!(fake.heard().len(), 1, "nothing is started while it is in doubt");
    retry(&relay, &dead[0]).await;
    in_state(&relay, "delivered", 1).await;
    assert_eq!(fake.heard().len(), 2);
}

/// The first start is at the platform when the relay is killed, the second waits for its turn.
#[tokio::test]
async fn a_kill_leaves_one_start_in_doubt_and_none_is_made_twice() {
    let hold = Duration::from_secs(3);
    let fake = Fake::start(move |heard| match heard.text().contains("DiskFull") {
        _ if !is_start(heard) => Answer::text(400, "no start"),
        true => Answer::json(201, &json!({ "job": { "id": 17 } })).after(hold),
        false => Answer::json(201, &json!({ "job": { "id": 18 } })),
    });
    let with_names = r#"description: "{{groupKey}}""#;
    let mut relay = Relay::start(&format!("{}    concurrency: 1\n", target(&fake.url(), with_names))).await;
    tell(&relay, "DiskFull", true).await;
    fake.has_heard(1).await;
    tell(&relay, "CpuHot", true).await;
    relay.kill9();
    relay.start_again().await;
    in_state(&relay, "delivered", 1).await;
    let dead = in_state(&relay, "dead", 1).await;
    assert!(dead[0]["reason"].as_str().unwrap().contains("may have been started already"), "{dead:#?}");
    tokio::time::sleep(hold).await;
    let heard = fake.heard();
    let starts = |name: &str| heard.iter().filter(|heard| heard.text().contains(name)).count();
    assert_eq!((starts("DiskFull"), starts("CpuHot")), (1, 1), "{:?}", calls(&heard));
    // It is over: the next episode starts afresh.
    tell(&relay, "DiskFull", false).await;
    in_state(&relay, "delivered", 2).await;
    assert_eq!(fake.heard().len(), 2);
}
