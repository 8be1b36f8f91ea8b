//! Kind `servicenow`: an incident from its making to its end, on an instance that cuts, passes over
//! and forbids as a real one does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::kinds::{config, tell};
use crate::support::relay::Relay;

const ID: &str = "9d385017c611228701d22104cc95c371";

/// An instance with a data policy (no resolve without close code and notes), which `loses` the
/// answer to the first record it makes.
fn instance(loses: bool) -> (Fake, Arc<Mutex<Vec<Value>>>) {
    let records = Arc::new(Mutex::new(Vec::<Value>::new()));
    let shelf = Arc::clone(&records);
    let login = format!("Basic {}", BASE64.encode("relay:password-of-the-relay"));
    let fake = Fake::start(move |heard| {
        let failure = |status: u16, message: &str| {
            Answer::json(
                status,
                &json!({ "error": { "message": message, "detail": "" }, "status": "failure" }),
            )
        };
        if heard.header("authorization") != login || heard.header("accept") != "application/json" {
            return failure(401, "User Not Authenticated");
        }
        if !heard.is_json() {
            return failure(415, "Unsupported Media Type");
        }
        let mut records = shelf.lock().unwrap();
        let one = format!("/api/now/table/incident/{ID}");
        match (heard.method.as_str(), heard.path.as_str()) {
            ("GET", "/api/now/table/incident") => {
                let is_meant = |record: &&Value| {
                    let id = record["correlation_id"].as_str().unwrap_or("none");
                    heard.query.contains(&format!("correlation_id%3D{id}%5E"))
                };
                Answer::json(200, &json!({ "result": records.iter().filter(is_meant).collect::<Vec<_>>() }))
            }
            ("POST", "/api/now/table/incident") => {
                let answer = made(heard, &mut records);
                if loses && records.len() == 1 { Answer::cut() } else { answer }
            }
            ("GET", path) if path == one && !records.is_empty() => {
                Answer::json(200, &json!({ "result": records[0] }))
            }
            ("PATCH", path) if path == one && !records.is_empty() => {
                let news = heard.json();
                let is_explained = news["close_code"].is_string() && news["close_notes"].is_string();
                if news["state"] == "6" && !is_explained {
                    return failure(403, "Operation Failed");
                }
                for (name, value) in news.as_object().into_iter().flatten() {
                    records[0][name] = value.clone();
                }
                Answer::json(200, &json!({ "result": records[0] }))
            }
            _ => failure(404, "No Record found"),
        }
    });
    (fake, records)
}

/// Long texts are cut without a word; what is not sent in full is what the relay cut itself.
fn made(heard: &Heard, records: &mut Vec<Value>) -> Answer {
    let mut record = heard.json();
    let chars = record["short_description"].as_str().map_or(0, |text| text.chars().count());
    assert!((1..=160).contains(&chars), "{record}");
    for (name, value) in [
        ("sys_id", ID),
        ("number", "INC0010023"),
        ("state", "1"),
        // Made after the relay took the alert in, whatever the clocks say.
        ("sys_created_on", "2100-01-01 00:00:00"),
    ] {
        record[name] = value.into();
    }
    records.push(record.clone());
    Answer::json(201, &json!({ "result": record }))
}

fn settings(fake: &Fake) -> String {
    let url = fake.url();
    config(&format!(
        r#"servicenow: {{ base_url: "{url}", username: relay, password: "password-of-the-relay" }}"#
    ))
}

#[tokio::test]
async fn an_incident_is_made_once_and_resolved_with_a_note() {
    let (fake, records) = instance(false);
    let relay = Relay::start(&settings(&fake)).await;
    tell(&relay, "DiskFull", true).await;
    fake.has_heard(2).await;
    tell(&relay, "DiskFull", false).await;
    fake.has_heard(4).await;
    let records = records.lock().unwrap();
    assert_eq!((records.len(), &records[0]["state"]), (1, &json!("6")));
    assert_eq!((&records[0]["impact"], &records[0]["urgency"]), (&json!("1"), &json!("1")));
    let notes = records[0]["work_notes"].as_str().unwrap_or_default();
    assert!(notes.contains("磁盘 92% full on db-1"), "{notes}");
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_incident() {
    let (fake, records) = instance(true);
    let relay = Relay::start(&settings(&fake)).await;
    tell(&relay, "DiskFull", true).await;
    let heard = fake.has_heard(3).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(records.lock().unwrap().len(), 1, "{heard:#?}");
    tell(&relay, "DiskFull", false).await;
    fake.has_heard(5).await;
    assert_eq!(records.lock().unwrap()[0]["state"], "6");
}
