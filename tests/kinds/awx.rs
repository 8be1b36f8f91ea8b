//! Kind `awx`: a launch against a controller that wants the slash at the end, and one that leaves
//! out what it was given and says yes all the same.

use serde_json::json;

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::kinds::{config, in_state, tell, tell_again};
use crate::support::relay::Relay;

fn awx(ignored: serde_json::Value) -> Fake {
    Fake::start(move |heard: &Heard| {
        let body = heard.json();
        match (heard.method.as_str(), heard.path.as_str()) {
            _ if heard.header("authorization") != "Bearer awx-token-01" => Answer::text(401, ""),
            _ if !heard.is_json() => Answer::json(415, &json!({ "detail": "Unsupported media type" })),
            (_, path) if !path.ends_with('/') => Answer::text(301, "").with("location", &format!("{path}/")),
            ("POST", "/api/v2/job_templates/42/launch/") => {
                let is_right = body["extra_vars"]["service"] == "checkout"
                    && body["extra_vars"]["relay_id"].is_string()
                    && body["limit"] == "db-1"
                    && body.as_object().unwrap().len() == 2;
                let launched = json!({ "job": 17, "id": 17, "ignored_fields": ignored, "status": "pending" });
                if is_right { Answer::json(201, &launched) } else { Answer::json(400, &body) }
            }
            ("POST", "/api/v2/jobs/17/cancel/") => Answer::text(202, ""),
            _ => Answer::text(404, ""),
        }
    })
}

fn target(url: &str) -> String {
    config(&format!(
        r#"awx: {{ base_url: "{url}", token: awx-token-01, job_template: 42, extra_vars: {{ service: "{{{{commonLabels.service}}}}" }}, limit: '{{{{reReplaceAll ":.*" "" commonLabels.instance}}}}', marker: relay_id, on_resolve: cancel }}"#
    ))
}

fn paths(heard: &[Heard]) -> Vec<&str> {
    heard.iter().map(|heard| heard.path.as_str()).collect()
}

#[tokio::test]
async fn launches_once_and_cancels_in_the_end() {
    let fake = awx(json!({}));
    let relay = Relay::start(&target(&fake.url())).await;
    tell(&relay, "DiskFull", true).await;
    in_state(&relay, "delivered", 1).await;
    tell_again(&relay, "DiskFull", "worse by now").await;
    in_state(&relay, "delivered", 2).await;
    tell(&relay, "DiskFull", false).await;
    in_state(&relay, "delivered", 3).await;
    assert_eq!(paths(&fake.heard()), ["/api/v2/job_templates/42/launch/", "/api/v2/jobs/17/cancel/"]);
}

#[tokio::test]
async fn a_yes_that_leaves_out_the_limit_is_cancelled_and_told() {
    let fake = awx(json!({ "limit": "db-1" }));
    let relay = Relay::start(&target(&fake.url())).await;
    tell(&relay, "DiskFull", true).await;
    let dead = in_state(&relay, "dead", 1).await;
    assert!(dead[0]["reason"].as_str().unwrap().contains("launched job 17 without limit"), "{dead:#?}");
    tell_again(&relay, "DiskFull", "worse by now").await;
    in_state(&relay, "delivered", 1).await;
    assert_eq!(paths(&fake.heard()), ["/api/v2/job_templates/42/launch/", "/api/v2/jobs/17/cancel/"]);
}
