//! Every desk and every job platform that calls back, as it proves itself: what it says is kept, and
//! what nobody has proven is turned away. The signatures are made here by the vendors' recipes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::relay::Relay;

const SECRET: &str = "signing-key-0123456789";
const RECORD: &str = "9d385017c611228701d22104cc95c371";

const CONFIG: &str = r#"
server: { listen: LISTEN, external_url: "https://relay.example.com" }
store: { path: STORE }
sources: [{ name: alertmanager, kind: alertmanager, auth: none }]
route: { receiver: all }
receivers: [{ name: all, targets: [zendesk, jira, servicenow, bk_job, rundeck, awx, jenkins] }]
targets:
  - name: zendesk
    zendesk: { base_url: "http://127.0.0.1:9", email: bot@example.com, api_token: token-of-the-bot-0123, webhook_secrets: [SECRET] }
  - name: jira
    jira: { base_url: "http://127.0.0.1:9", email: bot@example.com, api_token: token-of-the-bot-0123, project: OPS, webhook_secrets: [SECRET] }
  - name: servicenow
    servicenow: { base_url: "http://127.0.0.1:9", username: relay, password: password-of-the-relay, webhook_tokens: [SECRET] }
  - name: bk_job
    bk_job: { base_url: "http://127.0.0.1:9", bk_app_code: relay, bk_app_secret: bk-secret-01, bk_username: admin, bk_scope_id: 2, script_id: "1000", account_alias: root, ips: ["10.0.0.7"], callback_tokens: [SECRET] }
  - name: rundeck
    rundeck: { base_url: "http://127.0.0.1:9", token: rundeck-token-0001, job: 3166e079-5374-450f-a594-a992478f15a9, callback_tokens: [SECRET] }
  - name: awx
    awx: { base_url: "http://127.0.0.1:9", token: awx-token-0001, job_template: "42", callback_tokens: [SECRET] }
  - name: jenkins
    jenkins: { base_url: "http://127.0.0.1:9", username: relay, api_token: jenkins-token-0001, job: ops/restart, callback_tokens: [SECRET] }
"#;

/// What a service sends along with a body, for this secret.
type Prove = fn(&str, &str) -> Vec<(&'static str, String)>;

fn hmac(secret: &str, text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[expect(clippy::disallowed_methods, reason = "the vendor has a clock of its own")]
fn by_zendesk(secret: &str, body: &str) -> Vec<(&'static str, String)> {
    let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    vec![
        ("x-zendesk-webhook-signature", BASE64.encode(hmac(secret, &format!("{at}{body}")))),
        ("x-zendesk-webhook-signature-timestamp", at),
        ("x-zendesk-webhook-invocation-id", "inv-1".to_owned()),
    ]
}

fn by_jira(secret: &str, body: &str) -> Vec<(&'static str, String)> {
    let hex: String = hmac(secret, body).iter().map(|byte| format!("{byte:02x}")).collect();
    vec![("x-hub-signature", format!("sha256={hex}")), ("x-atlassian-webhook-identifier", "w-1".to_owned())]
}

fn by_login(secret: &str, _: &str) -> Vec<(&'static str, String)> {
    vec![("authorization", format!("Basic {}", BASE64.encode(format!("relay:{secret}"))))]
}

fn by_token(secret: &str, _: &str) -> Vec<(&'static str, String)> {
    vec![("authorization", format!("Bearer {secret}"))]
}

/// Target, its proof, what it says, and what is heard: event, who and text.
fn table() -> Vec<(&'static str, Prove, Value, [&'static str; 3])> {
    vec![
        (
            "zendesk",
            by_zendesk,
            json!({
                "type": "zen:event-type:ticket.status_changed", "id": "01H", "time": "2026-03-02T03:29:58Z",
                "subject": "zen:ticket:17", "detail": { "id": "17", "actor_id": "99", "status": "OPEN" },
                "event": { "current": "SOLVED", "previous": "OPEN" },
            }),
            ["ticket_closed", "99", "solved"],
        ),
        (
            "jira",
            by_jira,
            json!({
                "timestamp": 1_772_422_200_000_i64, "webhookEvent": "jira:issue_updated",
                "user": { "displayName": "Bob", "accountId": "5b" },
                "issue": { "id": "10042", "key": "OPS-17", "fields": {
                    "status": { "name": "Done", "statusCategory": { "key": "done" } } } },
                "changelog": { "id": "7", "items": [
                    { "field": "status", "fromString": "To Do", "toString": "Done" }] },
            }),
            ["ticket_closed", "Bob", "Done"],
        ),
        (
            "servicenow",
            by_login,
            json!({ "sys_id": RECORD, "number": "INC0010023", "state": "6", "state_name": "Resolved", "by": "bob" }),
            ["ticket_closed", "bob", "Resolved"],
        ),
        (
            "bk_job",
            by_token,
            json!({ "job_instance_id": 20_000_000_017_i64, "status": 4, "step_instance_list": [] }),
            ["job_failed", "", ""],
        ),
        (
            "rundeck",
            by_token,
            json!({ "trigger": "success", "status": "succeeded", "executionId": 17 }),
            ["job_succeeded", "", ""],
        ),
        (
            "awx",
            by_token,
            json!({ "id": 17, "name": "Restart", "status": "failed", "hosts": {} }),
            ["job_failed", "", ""],
        ),
        (
            "jenkins",
            by_token,
            json!({ "name": "restart", "url": "job/ops/job/restart/",
                "build": { "number": 5, "queue_id": 17, "phase": "COMPLETED", "status": "SUCCESS" } }),
            ["job_succeeded", "", ""],
        ),
    ]
}

async fn call(relay: &Relay, target: &str, proof: Vec<(&'static str, String)>, body: &str) -> (u16, String) {
    let mut post = relay.http().post(relay.url(&format!("/callbacks/{target}")));
    for (name, value) in proof {
        post = post.header(name, value);
    }
    let answer = post.header("content-type", "application/json").body(body.to_owned()).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn each_desk_and_platform_is_heard_by_its_own_proof_and_by_no_other() {
    let relay = Relay::start(&CONFIG.replace("SECRET", SECRET)).await;
    for (target, prove, body, [event, who, text]) in table() {
        let body = body.to_string();
        for (proof, expected) in
            [(prove("a-key-that-was-guessed", &body), 401), (Vec::new(), 401), (prove(SECRET, &body), 200)]
        {
            let (status, answer) = call(&relay, target, proof, &body).await;
            assert_eq!(status, expected, "{target}: {answer}");
        }
        let url = relay.url(&format!("/api/v1/signals?target={target}"));
        let answer: Value = relay.http().get(url).send().await.unwrap().json().await.unwrap();
        let heard = answer["signals"].as_array().unwrap();
        assert_eq!(heard.len(), 1, "{target}: {heard:#?}");
        assert_eq!(heard[0]["event"], event, "{target}: {heard:#?}");
        assert_eq!(heard[0]["who"], who, "{target}: {heard:#?}");
        if !text.is_empty() {
            assert_eq!(heard[0]["text"], text, "{target}: {heard:#?}");
        }
    }
    assert!(!relay.log().contains(SECRET), "{}", relay.log());
}
