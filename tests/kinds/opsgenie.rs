//! Kind `opsgenie`: a service that answers before it has worked, checks what Opsgenie checks, and
//! keeps alerts by alias.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::kinds::{config, in_state, tell};
use crate::support::relay::Relay;

const TOKEN: &str = "callback-token-0123456789";
const KEY: &str = "0a1b2c3d-0000-4000-8000-0000000000ff";

/// What the service knows.
#[derive(Default)]
struct Alerts {
    /// Priority, and whether it is open, by alias.
    by_alias: BTreeMap<String, (String, bool)>,
    /// What became of each write, and how often that was asked.
    writes: Vec<(Value, u32)>,
}

impl Alerts {
    fn taken(&mut self, success: bool, status: &str) -> Answer {
        let done = json!({ "success": success, "isSuccess": success, "status": status, "alertId": "a-1" });
        self.writes.push((done, 0));
        let request = format!("r-{}", self.writes.len());
        Answer::json(
            202,
            &json!({ "result": "Request will be processed", "requestId": request, "took": 0.1 }),
        )
    }

    fn play(&mut self, heard: &Heard) -> Answer {
        if heard.header("authorization") != format!("GenieKey {KEY}") {
            return Answer::json(401, &json!({ "message": "Could not authenticate" }));
        }
        if heard.method != "GET" && heard.header("content-type") != "application/json" {
            return Answer::json(415, &json!({ "message": "Unsupported media type" }));
        }
        let parts: Vec<&str> = heard.path.trim_start_matches("/v2/alerts").split('/').skip(1).collect();
        match (heard.method.as_str(), parts.as_slice()) {
            ("POST", []) => self.create(&heard.json()),
            ("GET", ["requests", request]) => self.asked(request),
            ("POST" | "PUT", [alias, verb]) if heard.query == "identifierType=alias" => {
                self.change(alias, verb, &heard.json())
            }
            _ => Answer::json(404, &json!({ "message": "no such page" })),
        }
    }

    fn create(&mut self, alert: &Value) -> Answer {
        let text = |name: &str| alert[name].as_str().unwrap_or_default().to_owned();
        let short = (1..=130).contains(&text("message").chars().count());
        let known = ["P1", "P2", "P3", "P4", "P5"].contains(&text("priority").as_str());
        let flat = alert["details"].as_object().is_none_or(|map| map.values().all(Value::is_string));
        if !short || !known || !flat || text("alias").is_empty() || text("alias").len() > 512 {
            return Answer::json(422, &json!({ "message": "Request body is not processable" }));
        }
        self.by_alias.insert(text("alias"), (text("priority"), true));
        self.taken(true, "Created alert")
    }

    fn asked(&mut self, request: &str) -> Answer {
        let number: usize = request.trim_start_matches("r-").parse().unwrap();
        let (done, asked) = &mut self.writes[number - 1];
        *asked += 1;
        match *asked {
            1 => {
                Answer::json(404, &json!({ "message": "Request not found. It might not be processed, yet." }))
            }
            _ => Answer::json(200, &json!({ "data": done })),
        }
    }

    fn change(&mut self, alias: &str, verb: &str, body: &Value) -> Answer {
        let Some((priority, open)) = self.by_alias.get_mut(alias) else {
            return self.taken(false, "Alert does not exist");
        };
        match verb {
            "close" => *open = false,
            "priority" => *priority = body["priority"].as_str().unwrap().to_owned(),
            "message" | "description" | "acknowledge" => {}
            _ => return Answer::json(404, &json!({ "message": "no such action" })),
        }
        self.taken(true, "done")
    }
}

fn service() -> (Fake, Arc<Mutex<Alerts>>) {
    let alerts = Arc::new(Mutex::new(Alerts::default()));
    let part = Arc::clone(&alerts);
    (Fake::start(move |heard| part.lock().unwrap().play(heard)), alerts)
}

async fn until(alerts: &Mutex<Alerts>, what: impl Fn(&Alerts) -> bool) {
    let mut waits = 0;
    while !what(&alerts.lock().unwrap()) {
        waits += 1;
        assert!(waits < 1000, "{:?}", alerts.lock().unwrap().by_alias);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn creates_by_alias_asks_what_became_of_it_and_closes() {
    let (fake, alerts) = service();
    let target = format!(r#"opsgenie: {{ base_url: "{}", api_key: "{KEY}" }}"#, fake.url());
    let relay = Relay::start(&config(&target)).await;
    tell(&relay, "DiskFull", true).await;
    until(&alerts, |alerts| alerts.writes.first().is_some_and(|(_, asked)| *asked == 2)).await;
    tell(&relay, "DiskFull", false).await;
    until(&alerts, |alerts| alerts.writes.get(1).is_some_and(|(_, asked)| *asked == 2)).await;
    let known = alerts.lock().unwrap().by_alias.clone();
    assert_eq!(known.into_values().collect::<Vec<_>>(), [("P1".to_owned(), false)]);
    let heard = fake.has_heard(6).await;
    let methods: Vec<&str> = heard.iter().map(|heard| heard.method.as_str()).collect();
    assert_eq!(methods, ["POST", "GET", "GET", "POST", "GET", "GET"], "{heard:#?}");
}

/// Who closes it there closes it here, if the token is right.
#[tokio::test]
async fn what_people_do_there_is_heard() {
    let (fake, alerts) = service();
    let target = format!(
        r#"opsgenie: {{ base_url: "{}", api_key: "{KEY}", callback_tokens: [{TOKEN}] }}"#,
        fake.url()
    );
    let relay = Relay::start(&config(&target)).await;
    tell(&relay, "DiskFull", true).await;
    until(&alerts, |alerts| alerts.writes.first().is_some_and(|(_, asked)| *asked == 2)).await;
    let alias = alerts.lock().unwrap().by_alias.keys().next().unwrap().clone();
    let alert = json!({ "alertId": "a-1", "alias": alias, "username": "alice@example.com", "updatedAt": 1772421000213000000_i64 });
    let call =
        json!({ "action": "Close", "alert": alert, "source": { "name": "web", "type": "web" } }).to_string();
    let (status, answer) = relay.post("/callbacks/it?token=guessed", call.clone()).await.unwrap();
    assert_eq!(status, 401, "{answer}");
    let (status, answer) = relay.post(&format!("/callbacks/it?token={TOKEN}"), call).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    until(&alerts, |alerts| alerts.by_alias.values().all(|(_, open)| !open)).await;
    assert!(!relay.log().contains(TOKEN), "{}", relay.log());
}

/// The service has taken the alert, and the answer is lost: the alias makes one of two.
#[tokio::test]
async fn an_answer_that_is_lost_opens_no_second_alert() {
    let alerts = Arc::new(Mutex::new((Alerts::default(), 0)));
    let part = Arc::clone(&alerts);
    let fake = Fake::start(move |heard| {
        let (alerts, calls) = &mut *part.lock().unwrap();
        *calls += 1;
        let answer = alerts.play(heard);
        match *calls {
            1 => Answer::cut(),
            2 => Answer::json(429, &json!({ "message": "You are making too many requests!" }))
                .with("retry-after", "1"),
            _ => answer,
        }
    });
    let target = format!(r#"opsgenie: {{ base_url: "{}", api_key: "{KEY}" }}"#, fake.url());
    let relay = Relay::start(&config(&target)).await;
    tell(&relay, "DiskFull", true).await;
    fake.has_heard(5).await;
    assert_eq!(alerts.lock().unwrap().0.by_alias.len(), 1);
}

const CLOUD: &str = "11111111-2222-3333-4444-555555555555";

/// JSM Operations: the same alerts under another roof, closed by the id that the alias leads to.
#[tokio::test]
async fn jsm_is_asked_for_the_id_and_closes_by_it() {
    let login = format!("Basic {}", BASE64.encode("bot@example.com:token-of-a-bot"));
    let open = Mutex::new(None::<String>);
    let fake = Fake::start(move |heard| {
        if heard.header("authorization") != login {
            return Answer::json(401, &json!({ "message": "Unauthorized" }));
        }
        if !heard.is_json() {
            return Answer::json(415, &json!({ "message": "Unsupported media type" }));
        }
        let mut open = open.lock().unwrap();
        let taken = |request: &str| {
            Answer::json(
                202,
                &json!({ "result": "Request will be processed", "requestId": request, "took": 0.1 }),
            )
        };
        let root = format!("/jsm/ops/api/{CLOUD}/v1/alerts");
        match (heard.method.as_str(), heard.path.strip_prefix(&root).unwrap_or("/elsewhere")) {
            ("POST", "") if heard.json()["alias"].is_string() && heard.json()["priority"] == "P1" => {
                *open = heard.json()["alias"].as_str().map(str::to_owned);
                taken("r-1")
            }
            ("GET", "/alias")
                if open.as_ref().is_some_and(|alias| heard.query == format!("alias={alias}")) =>
            {
                Answer::json(200, &json!({ "id": "bf415f36-0000", "alias": *open }))
            }
            ("POST", "/bf415f36-0000/close") => {
                *open = None;
                taken("r-2")
            }
            ("GET", "/requests/r-1" | "/requests/r-2") => {
                Answer::json(200, &json!({ "success": true, "status": "done", "alertId": "bf415f36-0000" }))
            }
            _ => Answer::json(404, &json!({ "message": "not found" })),
        }
    });
    let jsm = format!(r#"jsm: {{ cloud_id: {CLOUD}, email: bot@example.com, api_token: token-of-a-bot }}"#);
    let target = format!(r#"opsgenie: {{ base_url: "{}/jsm/ops/api", {jsm} }}"#, fake.url());
    let relay = Relay::start(&config(&target)).await;
    tell(&relay, "DiskFull", true).await;
    in_state(&relay, "delivered", 1).await;
    tell(&relay, "DiskFull", false).await;
    in_state(&relay, "delivered", 2).await;
    let heard = fake.heard();
    let ends: Vec<&str> = heard.iter().map(|heard| heard.path.rsplit('/').next().unwrap()).collect();
    assert_eq!(ends, ["alerts", "r-1", "alias", "close", "r-2"]);
}
