//! The services of the story, each with a memory and the checks of the real one: a chat, a phone, a
//! ticket system and a job platform.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::relay::Relay;

pub const SLACK_TOKEN: &str = "xoxb-0000000000-story";
pub const SLACK_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
pub const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
pub const PHONE_TOKEN: &str = "9f8e7d6c5b4a39281706f5e4d3c2b1a0";
pub const DESK_KEY: &str = "key-of-the-relay-0123";
pub const JOB_KEY: &str = "job-key-0123456789";

/// A fake with what it remembers.
pub struct Town<M> {
    fake: Fake,
    memory: Arc<Mutex<M>>,
}

impl<M: Default + Send + 'static> Town<M> {
    fn start(play: fn(&mut M, &Heard) -> Answer) -> Town<M> {
        let memory = Arc::new(Mutex::new(M::default()));
        let part = Arc::clone(&memory);
        Town { fake: Fake::start(move |heard| play(&mut part.lock().unwrap(), heard)), memory }
    }

    pub fn url(&self) -> String {
        self.fake.url()
    }

    pub fn now(&self) -> MutexGuard<'_, M> {
        self.memory.lock().unwrap()
    }
}

fn hex<M: hmac::Mac>(mac: M) -> String {
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bearer(heard: &Heard, token: &str) -> bool {
    heard.header("authorization") == format!("Bearer {token}")
}

/// Messages of a channel by their time stamp, as they read now.
#[derive(Default)]
pub struct Slack {
    pub messages: Vec<Value>,
    pub threads: Vec<Value>,
}

pub fn slack() -> Town<Slack> {
    Town::start(|slack, heard| {
        let body = heard.json();
        let no = |word: &str| Answer::json(200, &json!({ "ok": false, "error": word }));
        let said = |ts: &str| Answer::json(200, &json!({ "ok": true, "channel": "C024BE91L", "ts": ts }));
        match heard.path.as_str() {
            _ if !bearer(heard, SLACK_TOKEN) => no("invalid_auth"),
            _ if body["text"].as_str().is_none_or(str::is_empty) => no("no_text"),
            "/api/chat.postMessage" if body["thread_ts"].is_string() => {
                slack.threads.push(body);
                said("1772420701.000100")
            }
            "/api/chat.postMessage" => {
                slack.messages.push(body);
                said(&format!("1772420700.{:06}", slack.messages.len()))
            }
            "/api/chat.update" => {
                let ts = body["ts"].as_str().unwrap_or_default().to_owned();
                let place = ts.rsplit('.').next().and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
                match slack.messages.get_mut(place.wrapping_sub(1)) {
                    Some(message) => *message = body,
                    None => return no("message_not_found"),
                }
                said(&ts)
            }
            _ => no("unknown_method"),
        }
    })
}

impl Slack {
    /// A button of a message, by the start of its name.
    pub fn button(&self, name: &str) -> Option<(usize, Value)> {
        let elements = |message: &Value| -> Vec<Value> {
            let attached = message["attachments"].as_array().into_iter().flatten().map(|one| &one["blocks"]);
            let lists = std::iter::once(&message["blocks"]).chain(attached);
            let blocks = lists.filter_map(Value::as_array).flatten();
            blocks.filter_map(|block| block["elements"].as_array()).flatten().cloned().collect()
        };
        self.messages.iter().enumerate().find_map(|(n, message)| {
            let named = |one: &Value| one["action_id"].as_str().is_some_and(|id| id.starts_with(name));
            elements(message).into_iter().find(named).map(|button| (n, button))
        })
    }
}

/// Somebody clicks on a button.
#[expect(clippy::disallowed_methods, reason = "Slack has a clock of its own")]
pub async fn click(relay: &Relay, (place, button): &(usize, Value), user: &str) -> u16 {
    let now = jiff::Timestamp::now().as_second();
    let payload = json!({
        "type": "block_actions", "user": { "id": "U024BE7LH", "username": user },
        "container": { "message_ts": format!("1772420700.{:06}", place + 1), "channel_id": "C024BE91L" },
        "actions": [{
            "type": "button", "action_id": button["action_id"], "value": button["value"],
            "action_ts": format!("{now}.000000"),
        }],
    });
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    let body = form.append_pair("payload", &payload.to_string()).finish();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SLACK_SECRET.as_bytes()).unwrap();
    mac.update(format!("v0:{now}:{body}").as_bytes());
    let request = relay.http().post(relay.url("/callbacks/slack-ops"));
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-slack-signature", format!("v0={}", hex(mac)))
        .header("x-slack-request-timestamp", now.to_string());
    request.body(body).send().await.unwrap().status().as_u16()
}

/// Calls that were made: what they were asked with.
#[derive(Default)]
pub struct Phone {
    pub calls: Vec<Heard>,
}

pub fn phone() -> Town<Phone> {
    Town::start(|phone, heard| {
        let credentials = BASE64.encode(format!("{ACCOUNT}:{PHONE_TOKEN}"));
        let path = heard.path.strip_prefix(&format!("/2010-04-01/Accounts/{ACCOUNT}"));
        match (heard.method.as_str(), path) {
            _ if heard.header("authorization") != format!("Basic {credentials}") => {
                Answer::json(401, &json!({ "code": 20003, "message": "Authenticate", "status": 401 }))
            }
            ("POST", Some("/Calls.json")) => {
                phone.calls.push(heard.clone());
                let sid = format!("CA{:032}", phone.calls.len() - 1);
                Answer::json(201, &json!({ "sid": sid, "status": "queued" }))
            }
            (_, Some(path)) => {
                let sid = path.trim_start_matches("/Calls/").trim_end_matches(".json");
                Answer::json(200, &json!({ "sid": sid, "status": "completed" }))
            }
            _ => Answer::json(404, &json!({ "code": 20404, "message": "not found", "status": 404 })),
        }
    })
}

/// Whoever was called first presses a key.
pub async fn press(relay: &Relay, call: &Heard, digit: &str) -> String {
    let url = call.field("StatusCallback");
    let (sid, to) = (format!("CA{:032}", 0), call.field("To"));
    let fields = [("CallSid", sid.as_str()), ("CallStatus", "in-progress"), ("Digits", digit), ("To", &to)];
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let signed: String = sorted.iter().flat_map(|(name, value)| [*name, *value]).collect();
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(PHONE_TOKEN.as_bytes()).unwrap();
    mac.update(format!("{url}{signed}").as_bytes());
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let path = url.strip_prefix("https://relay.example.com").unwrap();
    let post = relay.http().post(relay.url(path)).header("content-type", "application/x-www-form-urlencoded");
    let post = post.header("x-twilio-signature", BASE64.encode(mac.finalize().into_bytes()));
    post.body(body).send().await.unwrap().text().await.unwrap()
}

/// Tickets, each with its comments.
#[derive(Default)]
pub struct Desk {
    pub tickets: Vec<Value>,
    pub comments: Vec<String>,
}

pub fn desk() -> Town<Desk> {
    Town::start(|desk, heard| {
        let words: Vec<&str> = heard.path.trim_start_matches("/api/").split('/').collect();
        match (heard.method.as_str(), words.as_slice()) {
            _ if !bearer(heard, DESK_KEY) => Answer::text(401, "who are you?"),
            ("GET", ["tickets"]) => {
                let wanted = heard.query.strip_prefix("external_id=").unwrap_or_default();
                let found: Vec<_> = desk.tickets.iter().filter(|one| one["external_id"] == wanted).collect();
                Answer::json(200, &json!({ "tickets": found }))
            }
            ("POST", ["tickets"]) => {
                let mut ticket = heard.json()["ticket"].clone();
                ticket["id"] = format!("T{}", desk.tickets.len() + 1).into();
                ticket["status"] = "open".into();
                ticket["created_at"] = "2100-01-01T00:00:00Z".into();
                desk.tickets.push(ticket.clone());
                Answer::json(201, &json!({ "ticket": ticket }))
            }
            (method, ["tickets", id, below @ ..]) => {
                let Some(ticket) = desk.tickets.iter_mut().find(|one| one["id"] == *id) else {
                    return Answer::text(404, "no such ticket");
                };
                match (method, below) {
                    ("PUT", []) => ticket["status"] = heard.json()["ticket"]["status"].clone(),
                    ("POST", ["comments"]) => {
                        let body = heard.json()["comment"]["body"].clone();
                        desk.comments.push(body.as_str().unwrap_or_default().to_owned());
                    }
                    ("GET", []) => {}
                    _ => return Answer::text(405, "no"),
                }
                Answer::json(200, &json!({ "ticket": ticket }))
            }
            _ => Answer::text(404, "no such path"),
        }
    })
}

/// Runs of jobs: script, status, output.
#[derive(Default)]
pub struct Platform {
    pub runs: Vec<Value>,
}

pub fn platform() -> Town<Platform> {
    Town::start(|platform, heard| {
        let words: Vec<&str> = heard.path.trim_start_matches("/api/").split('/').collect();
        match (heard.method.as_str(), words.as_slice()) {
            _ if !bearer(heard, JOB_KEY) => Answer::text(401, "who are you?"),
            ("POST", ["jobs"]) => {
                let mut run = heard.json()["job"].clone();
                run["id"] = (platform.runs.len() + 1).into();
                run["status"] = "running".into();
                platform.runs.push(run.clone());
                Answer::json(201, &json!({ "job": run }))
            }
            (method, ["jobs", id, below @ ..]) => {
                let place = id.parse::<usize>().unwrap_or(0).wrapping_sub(1);
                let Some(run) = platform.runs.get_mut(place) else { return Answer::text(404, "no such run") };
                match (method, below) {
                    ("POST", ["cancel"]) => run["status"] = "cancelled".into(),
                    ("GET", ["output"]) => {
                        return Answer::json(200, &json!({ "stdout": run["output"], "stderr": "" }));
                    }
                    ("GET", []) => {}
                    _ => return Answer::text(405, "no"),
                }
                Answer::json(200, &json!({ "job": run }))
            }
            _ => Answer::text(404, "no such path"),
        }
    })
}

impl Platform {
    /// A run comes to its end.
    pub fn ends(&mut self, place: usize, status: &str, output: &str) {
        self.runs[place]["status"] = status.into();
        self.runs[place]["output"] = output.into();
    }
}

/// Thirty alerts of one service in one group.
pub fn alarm(began: jiff::Timestamp, is_firing: bool) -> String {
    let mut body = crate::support::kinds::webhook("CheckoutDown", is_firing);
    let one = body["alerts"][0].clone();
    let alerts = (0..30).map(|n| {
        let mut alert = one.clone();
        alert["labels"]["instance"] = format!("checkout-{n}:8080").into();
        alert["labels"]["environment"] = "prod".into();
        alert["startsAt"] = began.to_string().into();
        if !is_firing {
            alert["endsAt"] = began.saturating_add(Duration::from_secs(1)).unwrap().to_string().into();
        }
        alert["fingerprint"] = format!("b0d1c2e3f4a5{n:04x}").into();
        alert
    });
    body["alerts"] = alerts.collect();
    body["commonLabels"]["environment"] = "prod".into();
    body.to_string()
}
