//! Kind `pagerduty_rest`: a service that keeps incidents by key, checks what the REST API checks,
//! and posts signed webhooks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hmac::{KeyInit as _, Mac as _};
use serde_json::{Value, json};

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::kinds::{config, tell};
use crate::support::relay::Relay;

const KEY: &str = "y_NbAkKc66ryYTWUXYEu";
const SECRET: &str = "secret-of-the-subscription-01";

#[derive(Debug, Clone, Default)]
struct Incident {
    key: String,
    status: String,
    notes: Vec<String>,
}

type Incidents = Vec<Incident>;

fn error(status: u16, code: u32, message: &str, errors: &[&str]) -> Answer {
    Answer::json(status, &json!({ "error": { "message": message, "code": code, "errors": errors } }))
}

fn shown(index: usize, incident: &Incident) -> Value {
    json!({ "id": format!("P{index}"), "incident_key": incident.key, "status": incident.status })
}

fn play(incidents: &mut Incidents, heard: &Heard) -> Answer {
    if heard.header("authorization") != format!("Token token={KEY}") {
        return error(401, 2006, "Authentication failed", &[]);
    }
    let versioned = heard.header("accept") == "application/vnd.pagerduty+json;version=2";
    let writes = heard.method != "GET";
    if !versioned || writes && heard.header("content-type") != "application/json" {
        return error(400, 2001, "Invalid Input Provided", &[]);
    }
    if writes && heard.header("from") != "relay@example.com" {
        return error(400, 1008, "Requester User Not Found", &[]);
    }
    let parts: Vec<&str> = heard.path.trim_matches('/').split('/').collect();
    let index =
        parts.get(1).and_then(|id| id.strip_prefix('P')).and_then(|number| number.parse::<usize>().ok());
    match (heard.method.as_str(), parts.as_slice(), index) {
        ("GET", ["incidents"], _) => {
            let pairs: Vec<(String, String)> =
                url::form_urlencoded::parse(heard.query.as_bytes()).into_owned().collect();
            let value =
                |name: &str| pairs.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str());
            assert_eq!(value("service_ids[]"), Some("PSERV01"));
            let open = incidents.iter().enumerate().filter(|(_, incident)| {
                incident.status != "resolved" && value("incident_key") == Some(incident.key.as_str())
            });
            let list: Vec<Value> = open.map(|(index, incident)| shown(index, incident)).collect();
            Answer::json(200, &json!({ "incidents": list, "more": false }))
        }
        ("POST", ["incidents"], _) => create(incidents, &heard.json()["incident"]),
        ("PUT", ["incidents", _], Some(index)) => {
            let asked = heard.json();
            if incidents[index].status == "resolved" {
                return error(400, 1001, "Incident Already Resolved", &[]);
            }
            if let Some(status) = asked["incident"]["status"].as_str() {
                incidents[index].status = status.to_owned();
            }
            Answer::json(200, &json!({ "incident": shown(index, &incidents[index]) }))
        }
        ("POST", ["incidents", _, "notes"], Some(index)) => {
            let Some(note) = heard.json()["note"]["content"].as_str().map(str::to_owned) else {
                return error(400, 2001, "Invalid Input Provided", &["Note is missing"]);
            };
            incidents[index].notes.push(note);
            Answer::json(201, &json!({ "note": { "id": "N1" } }))
        }
        _ => error(404, 2100, "Not Found", &[]),
    }
}

fn create(incidents: &mut Incidents, asked: &Value) -> Answer {
    let key = asked["incident_key"].as_str().unwrap_or_default().to_owned();
    let whole = asked["type"] == "incident"
        && asked["service"] == json!({ "id": "PSERV01", "type": "service_reference" })
        && asked["body"]["type"] == "incident_body"
        && asked["title"].as_str().is_some_and(|title| (1..=1024).contains(&title.chars().count()))
        && asked["urgency"] == "high";
    if !whole || key.is_empty() {
        return error(400, 2001, "Invalid Input Provided", &["it is not whole"]);
    }
    if incidents.iter().any(|incident| incident.key == key && incident.status != "resolved") {
        let why = "Open incident with matching dedup key already exists on this service";
        return error(400, 2002, "Arguments Caused Error", &[why]);
    }
    incidents.push(Incident { key, status: "triggered".into(), notes: Vec::new() });
    let index = incidents.len() - 1;
    Answer::json(201, &json!({ "incident": shown(index, &incidents[index]) }))
}

async fn until(incidents: &Mutex<Incidents>, what: impl Fn(&Incidents) -> bool) -> Incidents {
    let mut waits = 0;
    while !what(&incidents.lock().unwrap()) {
        waits += 1;
        assert!(waits < 1000, "{:?}", incidents.lock().unwrap());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    incidents.lock().unwrap().clone()
}

fn target(fake: &Fake) -> String {
    let url = fake.url();
    config(&format!(
        r#"pagerduty_rest: {{ base_url: "{url}", api_key: "{KEY}", from: relay@example.com, service_id: PSERV01, webhook_secrets: [{SECRET}] }}"#
    ))
}

/// A webhook about the first incident, signed.
async fn post(relay: &Relay, event: &str, key: &str) -> u16 {
    let agent = json!({ "summary": "Alice", "type": "user_reference" });
    let data = json!({ "id": "P0", "type": "incident", "incident_key": key });
    let event = json!({ "id": format!("01-{event}"), "event_type": event, "occurred_at": "2026-03-02T03:30:00Z", "agent": agent, "data": data });
    let body = json!({ "event": event }).to_string();
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let post =
        relay.http().post(relay.url("/callbacks/it")).header("x-pagerduty-signature", format!("v1={hex}"));
    post.body(body).send().await.unwrap().status().as_u16()
}

/// The first answer is lost after the incident was opened; then a person resolves it there.
#[tokio::test]
async fn opens_one_incident_even_when_the_answer_is_lost_and_hears_of_its_end() {
    let incidents = Arc::new(Mutex::new(Incidents::new()));
    let (part, calls) = (Arc::clone(&incidents), Mutex::new(0));
    let fake = Fake::start(move |heard| {
        let answer = play(&mut part.lock().unwrap(), heard);
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        if *calls == 1 { Answer::cut() } else { answer }
    });
    let relay = Relay::start(&target(&fake)).await;
    tell(&relay, "DiskFull", true).await;
    fake.has_heard(3).await;
    let open = until(&incidents, |incidents| incidents.len() == 1).await;
    assert_eq!(open[0].status, "triggered");
    assert_eq!(post(&relay, "incident.acknowledged", &open[0].key).await, 200);
    incidents.lock().unwrap()[0].status = "resolved".into();
    assert_eq!(post(&relay, "incident.resolved", &open[0].key).await, 200);
    let signals =
        relay.http().get(relay.url("/api/v1/signals")).send().await.unwrap().json::<Value>().await.unwrap();
    let told: Vec<(&str, bool)> = signals["signals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|signal| (signal["event"].as_str().unwrap(), signal["who"] == "Alice"))
        .collect();
    assert_eq!(told, [("resolved", true), ("acknowledged", true)]);
    // The same problem a while later is another incident.
    let later =
        crate::support::kinds::webhook("DiskFull", true).to_string().replace("T03:04:05Z", "T05:04:05Z");
    relay.post("/hooks/alertmanager", later).await.unwrap();
    until(&incidents, |incidents| incidents.len() == 2).await;
}

#[tokio::test]
async fn resolves_what_it_opened() {
    let incidents = Arc::new(Mutex::new(Incidents::new()));
    let part = Arc::clone(&incidents);
    let fake = Fake::start(move |heard| play(&mut part.lock().unwrap(), heard));
    let relay = Relay::start(&target(&fake)).await;
    tell(&relay, "DiskFull", true).await;
    until(&incidents, |incidents| incidents.len() == 1).await;
    tell(&relay, "DiskFull", false).await;
    until(&incidents, |incidents| incidents[0].status == "resolved").await;
    let heard = fake.has_heard(2).await;
    assert_eq!(heard.len(), 2, "{heard:#?}");
}
