//! Kind `ticket`: a ticket of an in-house system from its making to its end, and one whose making
//! was never answered.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::kinds::{config, tell};
use crate::support::relay::Relay;

const KEY: &str = "key-of-the-relay-0123";

/// A system with a search by external id. It checks the key and what a ticket must have, and
/// `loses` the answer to the first ticket it makes.
fn system(loses: bool) -> (Fake, Arc<Mutex<Vec<Value>>>) {
    let tickets = Arc::new(Mutex::new(Vec::<Value>::new()));
    let shelf = Arc::clone(&tickets);
    let fake = Fake::start(move |heard| {
        if heard.header("authorization") != format!("Bearer {KEY}") {
            return Answer::text(401, "who are you?");
        }
        if !heard.is_json() {
            return Answer::text(415, "JSON, please");
        }
        let mut tickets = shelf.lock().unwrap();
        let words: Vec<&str> = heard.path.trim_start_matches("/api/").split('/').collect();
        match (heard.method.as_str(), words.as_slice()) {
            ("GET", ["tickets"]) => {
                let wanted = heard.query.strip_prefix("external_id=").unwrap_or_default();
                let found: Vec<&Value> = tickets.iter().filter(|one| one["external_id"] == wanted).collect();
                Answer::json(200, &json!({ "tickets": found }))
            }
            ("POST", ["tickets"]) => {
                let answer = made(heard, &mut tickets);
                if loses && tickets.len() == 1 { Answer::cut() } else { answer }
            }
            (method, ["tickets", id, below @ ..]) => {
                let Some(ticket) = tickets.iter_mut().find(|one| one["id"] == *id) else {
                    return Answer::text(404, "no such ticket");
                };
                match (method, below) {
                    ("PUT", []) => ticket["status"] = heard.json()["ticket"]["status"].clone(),
                    ("POST", ["comments"]) if heard.json()["comment"]["body"].is_string() => {}
                    ("GET", []) => {}
                    _ => return Answer::text(405, "no"),
                }
                Answer::json(200, &json!({ "ticket": ticket }))
            }
            _ => Answer::text(404, "no such path"),
        }
    });
    (fake, tickets)
}

fn made(heard: &Heard, tickets: &mut Vec<Value>) -> Answer {
    let mut ticket = heard.json()["ticket"].clone();
    let is_whole = ["subject", "description", "priority", "type", "requester"]
        .iter()
        .all(|name| ticket[name].is_string());
    if !is_whole || heard.header("idempotency-key").is_empty() {
        return Answer::text(422, "something is missing");
    }
    ticket["id"] = format!("T{}", tickets.len() + 1).into();
    ticket["status"] = "open".into();
    // Made after the relay took the alert in, whatever the clocks say.
    ticket["created_at"] = "2100-01-01T00:00:00Z".into();
    tickets.push(ticket.clone());
    Answer::json(201, &json!({ "ticket": ticket }))
}

fn settings(fake: &Fake) -> String {
    let url = fake.url();
    config(&format!(
        r#"ticket: {{ base_url: "{url}/api", api_key: "{KEY}", look_up: "/tickets?external_id={{{{dedupKey}}}}" }}"#
    ))
}

fn calls(heard: &[Heard]) -> Vec<String> {
    heard.iter().map(|heard| format!("{} {}", heard.method, heard.path)).collect()
}

#[tokio::test]
async fn a_ticket_is_made_once_solved_and_commented() {
    let (fake, tickets) = system(false);
    let relay = Relay::start(&settings(&fake)).await;
    tell(&relay, "DiskFull", true).await;
    fake.has_heard(2).await;
    tell(&relay, "DiskFull", false).await;
    let heard = fake.has_heard(5).await;
    let ticket = "/api/tickets/T1";
    let expected = [
        "GET /api/tickets".to_owned(),
        "POST /api/tickets".to_owned(),
        format!("GET {ticket}"),
        format!("PUT {ticket}"),
        format!("POST {ticket}/comments"),
    ];
    assert_eq!(calls(&heard), expected);
    let tickets = tickets.lock().unwrap();
    assert_eq!((tickets.len(), &tickets[0]["status"]), (1, &json!("solved")));
    assert!(heard[4].text().contains("磁盘 92% full on db-1"), "{}", heard[4].text());
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_ticket() {
    let (fake, tickets) = system(true);
    let relay = Relay::start(&settings(&fake)).await;
    tell(&relay, "DiskFull", true).await;
    // Looked up, made and lost; looked up again and found.
    fake.has_heard(3).await;
    tell(&relay, "DiskFull", false).await;
    let heard = fake.has_heard(6).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(tickets.lock().unwrap().len(), 1, "{:?}", calls(&heard));
    assert_eq!(tickets.lock().unwrap()[0]["status"], "solved");
}
