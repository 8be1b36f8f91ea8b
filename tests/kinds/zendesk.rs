//! Kind `zendesk`: a ticket from its making to its end, and one whose making was never answered.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::kinds::{config, tell};
use crate::support::relay::Relay;

/// A Zendesk that checks login, words and bodies, knows idempotency keys, and `loses` the answer to
/// the first ticket it makes.
fn zendesk(loses: bool) -> (Fake, Arc<Mutex<Vec<Value>>>) {
    let tickets = Arc::new(Mutex::new(Vec::<Value>::new()));
    let shelf = Arc::clone(&tickets);
    let login = format!("Basic {}", BASE64.encode("bot@example.com/token:token-of-the-bot-0123"));
    let fake = Fake::start(move |heard| {
        if heard.header("authorization") != login {
            return Answer::json(401, &json!({ "error": "Couldn't authenticate you" }));
        }
        if !heard.is_json() {
            return Answer::json(415, &json!({ "error": "UnsupportedMediaType" }));
        }
        let mut tickets = shelf.lock().unwrap();
        match (heard.method.as_str(), heard.path.as_str()) {
            ("GET", "/api/v2/tickets.json") => {
                let wanted = heard.query.strip_prefix("external_id=").unwrap_or_default();
                let found: Vec<&Value> = tickets.iter().filter(|one| one["external_id"] == wanted).collect();
                Answer::json(200, &json!({ "tickets": found }))
            }
            ("POST", "/api/v2/tickets.json") => {
                let answer = made(heard, &mut tickets);
                if loses && tickets[0]["answered"].is_null() {
                    tickets[0]["answered"] = true.into();
                    return Answer::cut();
                }
                answer
            }
            ("GET", "/api/v2/tickets/35.json") => Answer::json(200, &json!({ "ticket": tickets[0] })),
            ("PUT", "/api/v2/tickets/35.json") => {
                let news = heard.json()["ticket"].clone();
                if !news["comment"]["html_body"].is_string() || news["comment"]["public"] != false {
                    return Answer::json(422, &json!({ "error": "RecordInvalid" }));
                }
                tickets[0]["status"] = news["status"].clone();
                tickets[0]["comment"] = news["comment"].clone();
                Answer::json(200, &json!({ "ticket": tickets[0] }))
            }
            _ => Answer::json(404, &json!({ "error": "InvalidEndpoint" })),
        }
    });
    (fake, tickets)
}

fn made(heard: &Heard, tickets: &mut Vec<Value>) -> Answer {
    let mut ticket = heard.json()["ticket"].clone();
    let key = heard.header("idempotency-key").to_owned();
    if let Some(before) = tickets.iter().find(|before| before["key"] == key.as_str()) {
        return Answer::json(201, &json!({ "ticket": before })).with("x-idempotency-lookup", "hit");
    }
    let is_word =
        |name: &str, words: [&str; 4]| ticket[name].as_str().is_some_and(|word| words.contains(&word));
    let fits = is_word("priority", ["urgent", "high", "normal", "low"])
        && is_word("type", ["problem", "incident", "question", "task"])
        && ticket["comment"]["html_body"].is_string()
        && ticket["subject"].as_str().is_some_and(|text| (1..=255).contains(&text.chars().count()));
    if !fits || key.is_empty() {
        return Answer::json(422, &json!({ "error": "RecordInvalid", "description": "bad" }));
    }
    for (name, value) in [("id", json!(35)), ("status", json!("new")), ("key", json!(key))] {
        ticket[name] = value;
    }
    // Made after the relay took the alert in, whatever the clocks say.
    ticket["created_at"] = "2100-01-01T00:00:00Z".into();
    tickets.push(ticket.clone());
    Answer::json(201, &json!({ "ticket": ticket }))
}

fn settings(fake: &Fake) -> String {
    let url = fake.url();
    config(&format!(
        r#"zendesk: {{ base_url: "{url}", email: bot@example.com, api_token: "token-of-the-bot-0123" }}"#
    ))
}

#[tokio::test]
async fn a_ticket_is_made_once_and_solved_with_a_comment() {
    let (fake, tickets) = zendesk(false);
    let relay = Relay::start(&settings(&fake)).await;
    tell(&relay, "DiskFull", true).await;
    fake.has_heard(2).await;
    tell(&relay, "DiskFull", false).await;
    fake.has_heard(4).await;
    let tickets = tickets.lock().unwrap();
    assert_eq!((tickets.len(), &tickets[0]["status"]), (1, &json!("solved")));
    let comment = tickets[0]["comment"]["html_body"].as_str().unwrap_or_default();
    assert!(comment.contains("磁盘 92% full on db-1"), "{comment}");
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_ticket() {
    let (fake, tickets) = zendesk(true);
    let relay = Relay::start(&settings(&fake)).await;
    tell(&relay, "DiskFull", true).await;
    let heard = fake.has_heard(3).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(tickets.lock().unwrap().len(), 1, "{heard:#?}");
    tell(&relay, "DiskFull", false).await;
    fake.has_heard(5).await;
    assert_eq!(tickets.lock().unwrap()[0]["status"], "solved");
}
