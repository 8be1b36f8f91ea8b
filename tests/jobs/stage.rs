//! A relay with a chat, a ticket system and a job platform, each played by a fake.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::relay::Relay;

/// By which the platform tells of runs of `clean`.
pub const CALLBACK_TOKEN: &str = "token-of-the-callback-0123";
const KEY: &str = "key-of-the-platform-0123";
const TOKEN: &str = "xoxb-0000000000-jobs";
const SIGNING_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const TS: &str = "1772420700.000240";

/// A run as the platform has it.
#[derive(Debug, Clone)]
pub struct PlatformRun {
    pub start: Value,
    pub status: &'static str,
    pub output: String,
    pub cancelled: usize,
}

/// What the platform has, and how it behaves.
#[derive(Debug, Default)]
pub struct Shelf {
    pub runs: Vec<PlatformRun>,
    /// The answer to a start is lost.
    pub loses: bool,
    /// A start takes so long.
    pub slow: Duration,
}

pub struct Stage {
    pub relay: Relay,
    pub slack: Fake,
    pub robot: Fake,
    pub desk: Fake,
    pub platform: Fake,
    shelf: Arc<Mutex<Shelf>>,
}

impl Stage {
    /// `jobs` is what stands under `jobs:`, in YAML's flow form.
    pub async fn set(jobs: &str) -> Stage {
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let (of_platform, of_desk) = (Arc::clone(&shelf), Arc::new(Mutex::new(0)));
        let platform = Fake::start(move |heard| played(heard, &mut of_platform.lock().unwrap()));
        let slack = Fake::start(chat);
        let desk = Fake::start(move |heard| ticket(heard, &mut of_desk.lock().unwrap()));
        let robot = Fake::start(|_| Answer::json(200, &json!({ "errcode": 0, "errmsg": "ok" })));
        let (chat_url, desk_url, jobs_url) = (slack.url(), desk.url(), platform.url());
        let robot_url = robot.url();
        let quick = "rate: { limit: 1000/s, burst: 1000 }, retry: { base: 50ms, cap: 200ms }";
        let config = format!(
            r##"
server: {{ listen: LISTEN, external_url: "https://relay.example.com", dedup_window: 0s }}
store: {{ path: STORE }}
sources: [{{ name: alertmanager, kind: alertmanager, auth: none }}]
route: {{ receiver: all }}
receivers: [{{ name: all, targets: [chat, robot, desk] }}]
jobs: {jobs}
targets:
  - {{ name: chat, {quick}, slack: {{ base_url: "{chat_url}/api", bot_token: "{TOKEN}", channel: "#ops", signing_secret: "{SIGNING_SECRET}" }} }}
  - {{ name: robot, {quick}, wecom: {{ base_url: "{robot_url}", key: 0123-4567 }} }}
  - {{ name: desk, {quick}, ticket: {{ base_url: "{desk_url}/api", api_key: key-of-the-desk-0123 }} }}
  - {{ name: by-restart, {quick}, inquiries: 600/min, job: {{ base_url: "{jobs_url}/api", api_key: {KEY}, script: restart, parameters: {{ service: "{{{{commonLabels.service}}}}" }} }} }}
  - {{ name: by-cleaning, {quick}, inquiries: 600/min, job: {{ base_url: "{jobs_url}/api", api_key: {KEY}, script: clean, callback_tokens: [{CALLBACK_TOKEN}] }} }}
  - {{ name: by-rollback, {quick}, inquiries: 600/min, job: {{ base_url: "{jobs_url}/api", api_key: {KEY}, script: rollback, parameters: {{ bad: "{{{{commonAnnotations.change_id}}}}" }} }} }}
"##
        );
        Stage { relay: Relay::start(&config).await, slack, robot, desk, platform, shelf }
    }

    /// What the platform has.
    pub fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap()
    }

    /// The scripts that were started, in order.
    pub fn started(&self) -> Vec<String> {
        let script = |run: &PlatformRun| run.start["script"].as_str().unwrap().to_owned();
        self.shelf().runs.iter().map(script).collect()
    }

    /// Ends a run.
    pub fn ends(&self, run: usize, status: &'static str, output: &str) {
        let mut shelf = self.shelf();
        (shelf.runs[run].status, shelf.runs[run].output) = (status, output.to_owned());
    }

    /// Waits until so many runs were started.
    pub async fn has_started(&self, count: usize) {
        self.until(|stage| stage.shelf().runs.len() >= count).await;
    }

    /// Waits at most fifteen seconds for it.
    pub async fn until(&self, is: impl Fn(&Stage) -> bool) {
        for _ in 0..1500 {
            if is(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it never came to that: {:#?}\n{}", self.shelf().runs, self.relay.log());
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.relay.http().get(self.relay.url(path)).send().await.unwrap();
        let text = answer.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    /// The jobs of an incident: rule and state of each.
    pub async fn jobs(&self, incident: i64) -> Vec<String> {
        let story = self.get(&format!("/api/v1/incidents/{incident}")).await;
        let jobs = story["jobs"].as_array().cloned().unwrap_or_default();
        let word = |job: &Value, name: &str| job[name].as_str().unwrap().to_owned();
        jobs.iter().map(|job| format!("{} {}", word(job, "rule"), word(job, "state"))).collect()
    }

    /// Waits until these are the jobs of an incident; gives its story.
    pub async fn until_jobs(&self, incident: i64, expected: &[&str]) -> Value {
        let mut found = Vec::new();
        for _ in 0..750 {
            found = self.jobs(incident).await;
            if found == expected {
                return self.get(&format!("/api/v1/incidents/{incident}")).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let story = self.get(&format!("/api/v1/incidents/{incident}")).await;
        panic!("{found:?} instead of {expected:?}\n{story:#}\n{}", self.relay.log());
    }

    /// Waits until an incident is in this state.
    pub async fn until_state(&self, incident: i64, state: &str) -> Value {
        for _ in 0..750 {
            let story = self.get(&format!("/api/v1/incidents/{incident}")).await;
            if story["state"] == state {
                return story;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never {state}: {:#}", self.get(&format!("/api/v1/incidents/{incident}")).await);
    }

    /// Says yes or no by the API; status and detail.
    pub async fn word(&self, word: &str, body: Value) -> (u16, String) {
        let path = format!("/api/v1/incidents/1/{word}");
        let (status, text) = self.relay.post(&path, body.to_string()).await.unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        (status, answer["detail"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits for a message with a button of this name and a value that begins so.
    pub async fn button(&self, name: &str, begins: &str) -> Value {
        for _ in 0..1000 {
            let all: Vec<Value> = self.slack.heard().iter().flat_map(buttons).collect();
            let is_it = |button: &&Value| {
                button["action_id"] == name
                    && button["value"].as_str().unwrap_or_default().starts_with(begins)
            };
            if let Some(button) = all.iter().find(is_it) {
                return button.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no button {name}: {:#?}", self.slack.heard().last().map(Heard::text));
    }

    /// Clicks on a button as Slack tells it; `nth` tells two clicks apart.
    pub async fn click(&self, button: &Value, nth: u32) -> u16 {
        let now = jiff::Timestamp::now();
        let payload = json!({
            "type": "block_actions", "user": { "id": "U024BE7LH", "username": "alice" },
            "container": { "message_ts": TS, "channel_id": "C024BE91L" },
            "actions": [{
                "type": "button", "action_id": button["action_id"], "value": button["value"],
                "action_ts": format!("{}.{nth:06}", now.as_second()),
            }],
        });
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let body = form.append_pair("payload", &payload.to_string()).finish();
        let time = now.as_second().to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(SIGNING_SECRET.as_bytes()).unwrap();
        mac.update(format!("v0:{time}:{body}").as_bytes());
        let bytes = mac.finalize().into_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let request = self.relay.http().post(self.relay.url("/callbacks/chat"));
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-slack-signature", format!("v0={hex}"))
            .header("x-slack-request-timestamp", time);
        request.body(body).send().await.unwrap().status().as_u16()
    }
}

/// The buttons of a message.
pub fn buttons(heard: &Heard) -> Vec<Value> {
    let body = heard.json();
    let blocks = body["attachments"][0]["blocks"].as_array().cloned().unwrap_or_default();
    blocks.iter().filter_map(|block| block["elements"].as_array()).flatten().cloned().collect()
}

fn played(heard: &Heard, shelf: &mut Shelf) -> Answer {
    if heard.header("authorization") != format!("Bearer {KEY}") {
        return Answer::text(401, "who are you?");
    }
    let words: Vec<&str> = heard.path.trim_start_matches("/api/").split('/').collect();
    if let ("POST", ["jobs"]) = (heard.method.as_str(), words.as_slice()) {
        let start = heard.json()["job"].clone();
        shelf.runs.push(PlatformRun { start, status: "running", output: String::new(), cancelled: 0 });
        let answer = Answer::json(201, &json!({ "job": { "id": shelf.runs.len() } })).after(shelf.slow);
        return if shelf.loses { Answer::cut() } else { answer };
    }
    let run = words.get(1).and_then(|id| id.parse::<usize>().ok()).and_then(|id| shelf.runs.get_mut(id - 1));
    match (heard.method.as_str(), words.as_slice(), run) {
        ("GET", ["jobs", id], Some(run)) => {
            Answer::json(200, &json!({ "job": { "id": id, "status": run.status } }))
        }
        ("GET", ["jobs", _, "output"], Some(run)) => {
            Answer::json(200, &json!({ "stdout": run.output, "stderr": "" }))
        }
        ("POST", ["jobs", _, "cancel"], Some(run)) => {
            run.cancelled += 1;
            run.status = "cancelled";
            Answer::json(200, &json!({}))
        }
        _ => Answer::text(404, "no such thing"),
    }
}

fn chat(heard: &Heard) -> Answer {
    let body = heard.json();
    let said = |ts: &str| Answer::json(200, &json!({ "ok": true, "channel": "C024BE91L", "ts": ts }));
    match (heard.path.as_str(), body["thread_ts"].is_string()) {
        ("/api/chat.postMessage", false) | ("/api/chat.update", _) => said(TS),
        ("/api/chat.postMessage", true) => said("1772420701.000100"),
        _ => Answer::json(200, &json!({ "ok": false, "error": "unknown_method" })),
    }
}

/// A desk that makes tickets and takes comments.
fn ticket(heard: &Heard, made: &mut usize) -> Answer {
    let words: Vec<&str> = heard.path.trim_start_matches("/api/").split('/').collect();
    let ticket = |id: usize| json!({ "ticket": { "id": id.to_string(), "status": "open" } });
    match (heard.method.as_str(), words.as_slice()) {
        ("POST", ["tickets"]) => {
            *made += 1;
            Answer::json(201, &ticket(*made))
        }
        (_, ["tickets", id, ..]) => Answer::json(200, &ticket(id.parse().unwrap_or(0))),
        _ => Answer::text(404, "no such path"),
    }
}
