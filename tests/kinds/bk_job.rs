//! Kind `bk_job`: a script through the gateway, terminated in the end; a no inside a 200 is a no; an
//! answer that was lost is found again by the name of its task.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::kinds::{config, in_state, tell, tell_again};
use crate::support::relay::Relay;

const RUN: u64 = 20_000_000_017;

fn yes(data: Value) -> Answer {
    Answer::json(200, &json!({ "result": true, "code": 0, "message": "success", "data": data }))
}

fn no(code: u64, message: &str) -> Answer {
    Answer::json(200, &json!({ "result": false, "code": code, "message": message, "data": null }))
}

fn is_allowed(heard: &Heard) -> bool {
    let said: Value = serde_json::from_str(heard.header("x-bkapi-authorization")).unwrap_or_default();
    said == json!({ "bk_app_code": "relay", "bk_app_secret": "bk-secret-01", "bk_username": "admin" })
}

fn bk_job(start: Answer) -> Fake {
    let names: Arc<Mutex<Vec<String>>> = Arc::default();
    Fake::start(move |heard: &Heard| {
        let body = heard.json();
        let scoped = body["bk_scope_type"] == "biz" && body["bk_scope_id"] == "2"
            || heard.query.contains("bk_scope_id=2");
        match (heard.method.as_str(), heard.path.strip_prefix("/api/bk-job/prod/api/v3/").unwrap_or_default())
        {
            _ if !is_allowed(heard) => Answer::json(401, &json!({ "code": 1_640_001 })),
            _ if !heard.is_json() => no(1_210_000, "no JSON"),
            _ if !scoped => no(1_210_000, "no scope"),
            ("POST", "fast_execute_script") => {
                let param = BASE64.encode("checkout");
                if body["script_param"] != param || body["target_server"]["host_id_list"] != json!([101]) {
                    return no(1_210_000, "parameters");
                }
                if body["account_alias"].is_null() && body["account_id"].is_null() {
                    return no(1_210_000, "no account");
                }
                if !body["timeout"].as_u64().is_some_and(|seconds| (1..=86_400).contains(&seconds)) {
                    return no(1_210_000, "no timeout");
                }
                names.lock().unwrap().push(body["task_name"].as_str().unwrap_or_default().to_owned());
                start.clone()
            }
            ("GET", "get_job_instance_list") => {
                let names = names.lock().unwrap();
                let all: Vec<Value> = names.iter().map(|name| json!({ "id": RUN, "name": name })).collect();
                yes(json!({ "data": all, "total": all.len() }))
            }
            ("GET", "get_job_instance_status") => yes(json!({ "finished": false })),
            ("POST", "operate_job_instance")
                if body["job_instance_id"] == RUN && body["operation_code"] == 1 =>
            {
                yes(json!({ "job_instance_id": RUN }))
            }
            _ => no(1_210_001, "no such method"),
        }
    })
}

fn target(url: &str) -> String {
    config(&format!(
        r#"bk_job: {{ base_url: "{url}/api/bk-job/prod", bk_app_code: relay, bk_app_secret: bk-secret-01, bk_username: admin, bk_scope_id: 2, script_id: 1000, account_alias: root, script_args: ["{{{{commonLabels.service}}}}"], host_ids: [101], on_resolve: cancel }}"#
    ))
}

fn methods(heard: &[Heard]) -> Vec<&str> {
    heard.iter().filter_map(|heard| heard.path.rsplit('/').next()).collect()
}

#[tokio::test]
async fn runs_once_and_is_terminated_in_the_end() {
    let fake = bk_job(yes(json!({ "job_instance_id": RUN })));
    let relay = Relay::start(&target(&fake.url())).await;
    tell(&relay, "DiskFull", true).await;
    in_state(&relay, "delivered", 1).await;
    tell_again(&relay, "DiskFull", "worse by now").await;
    in_state(&relay, "delivered", 2).await;
    tell(&relay, "DiskFull", false).await;
    in_state(&relay, "delivered", 3).await;
    let expected = ["fast_execute_script", "get_job_instance_status", "operate_job_instance"];
    assert_eq!(methods(&fake.heard()), expected);
}

#[tokio::test]
async fn a_no_inside_a_200_is_a_no() {
    let fake = bk_job(no(1_241_001, "the script is dangerous"));
    let relay = Relay::start(&target(&fake.url())).await;
    tell(&relay, "DiskFull", true).await;
    let dead = in_state(&relay, "dead", 1).await;
    assert!(dead[0]["reason"].as_str().unwrap().contains("the script is dangerous"), "{dead:#?}");
}

#[tokio::test]
async fn a_run_whose_answer_was_lost_is_found_by_its_name() {
    let fake = bk_job(Answer::cut());
    let relay = Relay::start(&target(&fake.url())).await;
    tell(&relay, "DiskFull", true).await;
    in_state(&relay, "delivered", 1).await;
    assert_eq!(methods(&fake.heard()), ["fast_execute_script", "get_job_instance_list"]);
}
