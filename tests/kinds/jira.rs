//! Kind `jira`: an issue of Jira Cloud and one of Data Center from their making to their end, and one
//! whose making was never answered.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::kinds::{config, tell};
use crate::support::relay::Relay;

const TOKEN: &str = "token-of-the-bot-0123";

#[derive(Default)]
struct Shelf {
    issues: Vec<Value>,
    comments: Vec<Value>,
}

/// A Jira that checks login, fields and bodies as its version does; `loses` the answer to the first
/// issue it makes.
fn jira(version: u8, loses: bool) -> (Fake, Arc<Mutex<Shelf>>) {
    let shelf = Arc::new(Mutex::new(Shelf::default()));
    let inside = Arc::clone(&shelf);
    let login = match version {
        3 => format!("Basic {}", BASE64.encode(format!("bot@example.com:{TOKEN}"))),
        _ => format!("Bearer {TOKEN}"),
    };
    let fake = Fake::start(move |heard| {
        if heard.header("authorization") != login {
            return Answer::text(401, "Client must be authenticated to access this resource.");
        }
        if !heard.is_json() {
            return Answer::text(415, "Unsupported Media Type");
        }
        let mut shelf = inside.lock().unwrap();
        let below = heard.path.strip_prefix(&format!("/rest/api/{version}/")).unwrap_or_default();
        let words: Vec<&str> = below.split('/').collect();
        match (heard.method.as_str(), words.as_slice()) {
            ("GET", ["search", "jql"]) if version == 3 => found(heard, &shelf),
            ("GET", ["search"]) if version == 2 => found(heard, &shelf),
            ("POST", ["issue"]) => {
                let answer = made(heard, version, &mut shelf);
                if loses && shelf.issues.len() == 1 { Answer::cut() } else { answer }
            }
            ("GET", ["issue", "10001"]) if !shelf.issues.is_empty() => Answer::json(200, &shelf.issues[0]),
            ("GET", ["issue", "10001", "transitions"]) => Answer::json(
                200,
                &json!({ "transitions": [
                    { "id": "21", "name": "Start", "to": { "name": "In Progress", "statusCategory": { "key": "indeterminate" } } },
                    { "id": "31", "name": "Erledigt", "to": { "name": "Fertig", "statusCategory": { "key": "done" } } },
                ] }),
            ),
            ("POST", ["issue", "10001", "transitions"]) if heard.json()["transition"]["id"] == "31" => {
                shelf.issues[0]["fields"]["status"] =
                    json!({ "name": "Fertig", "statusCategory": { "key": "done" } });
                Answer::text(204, "")
            }
            ("POST", ["issue", "10001", "comment"]) if is_body(&heard.json()["body"], version) => {
                shelf.comments.push(heard.json());
                Answer::json(201, &json!({ "id": "1" }))
            }
            _ => Answer::text(404, "no such path"),
        }
    });
    (fake, shelf)
}

/// A document in the cloud, wiki text elsewhere.
fn is_body(body: &Value, version: u8) -> bool {
    match version {
        3 => body["type"] == "doc" && body["version"] == 1 && body["content"].is_array(),
        _ => body.as_str().is_some_and(|text| text.chars().count() <= 32_767),
    }
}

fn found(heard: &Heard, shelf: &Shelf) -> Answer {
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(heard.query.as_bytes()).into_owned().collect();
    let jql = query.iter().find(|(name, _)| name == "jql").map_or("", |(_, jql)| jql);
    let is_meant = |issue: &&Value| {
        let label = issue["fields"]["labels"][0].as_str().unwrap_or("none");
        jql.contains("project = \"OPS\"") && jql.contains(&format!("labels = \"{label}\""))
    };
    Answer::json(200, &json!({ "issues": shelf.issues.iter().filter(is_meant).collect::<Vec<_>>() }))
}

fn made(heard: &Heard, version: u8, shelf: &mut Shelf) -> Answer {
    let mut fields = heard.json()["fields"].clone();
    let summary = fields["summary"].as_str().unwrap_or_default();
    let labels = fields["labels"].as_array().cloned().unwrap_or_default();
    let fits = (1..=255).contains(&summary.chars().count())
        && !summary.contains('\n')
        && fields["project"]["key"] == "OPS"
        && fields["issuetype"]["name"] == "Incident"
        && labels.iter().all(|label| label.as_str().is_some_and(|label| !label.contains(' ')));
    if !fits || !is_body(&fields["description"], version) {
        return Answer::json(400, &json!({ "errorMessages": ["bad"], "errors": {} }));
    }
    if fields.get("priority").is_some() {
        let errors = json!({ "priority": "Field 'priority' cannot be set. It is not on the appropriate screen, or unknown." });
        return Answer::json(400, &json!({ "errorMessages": [], "errors": errors }));
    }
    fields["status"] = json!({ "name": "Offen", "statusCategory": { "key": "new" } });
    // Made after the relay took the alert in, whatever the clocks say.
    fields["created"] = "2100-01-01T00:00:00.000+0000".into();
    shelf.issues.push(json!({ "id": "10001", "key": "OPS-1", "fields": fields }));
    Answer::json(201, &json!({ "id": "10001", "key": "OPS-1", "self": "x" }))
}

fn settings(fake: &Fake, login: &str) -> String {
    let url = fake.url();
    config(&format!(
        r#"jira: {{ base_url: "{url}", {login}, project: OPS, issue_type: Incident, reopen: never }}"#
    ))
}

const CLOUD: &str = r#"email: bot@example.com, api_token: "token-of-the-bot-0123""#;

async fn fires_and_resolves(version: u8, login: &str) {
    let (fake, shelf) = jira(version, false);
    let relay = Relay::start(&settings(&fake, login)).await;
    tell(&relay, "DiskFull", true).await;
    // Refused with its priority, taken without.
    fake.has_heard(2).await;
    tell(&relay, "DiskFull", false).await;
    let heard = fake.has_heard(6).await;
    let shelf = shelf.lock().unwrap();
    assert_eq!(shelf.issues.len(), 1, "{heard:#?}");
    assert_eq!(shelf.issues[0]["fields"]["status"]["name"], "Fertig");
    assert_eq!(shelf.comments.len(), 1);
    assert!(shelf.comments[0].to_string().contains("磁盘 92% full on db-1"), "{}", shelf.comments[0]);
    assert!(relay.log().contains("cannot be set"), "the operator is told of the priority");
}

#[tokio::test]
async fn the_cloud_gets_documents() {
    fires_and_resolves(3, CLOUD).await;
}

#[tokio::test]
async fn data_center_gets_wiki_text() {
    fires_and_resolves(2, r#"token: "token-of-the-bot-0123""#).await;
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_issue() {
    let (fake, shelf) = jira(2, true);
    let relay = Relay::start(&settings(&fake, r#"token: "token-of-the-bot-0123""#)).await;
    tell(&relay, "DiskFull", true).await;
    // Refused with its priority, made without it and lost; looked up and found.
    let heard = fake.has_heard(3).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(shelf.lock().unwrap().issues.len(), 1, "{heard:#?}");
    tell(&relay, "DiskFull", false).await;
    fake.has_heard(7).await;
    assert_eq!(shelf.lock().unwrap().issues[0]["fields"]["status"]["name"], "Fertig");
}
