//! What services tell back, over real HTTP at the real binary: an acknowledgement given in one place
//! shows in the others, echoes and repeats change nothing, and nobody unproven is listened to.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fall over")]

mod support;
#[path = "callbacks/vendors.rs"]
mod vendors;

use std::time::Duration;

use serde_json::{Value, json};
use support::fake::{Answer, Fake};
use support::relay::Relay;
use support::vendor::ledger::State;
use support::vendor::{PagerDuty, ROUTING_KEY};

/// A pager, a chat that can speak back, and a listener that cannot.
struct Stage {
    pager: PagerDuty,
    chat: Fake,
    relay: Relay,
}

impl Stage {
    async fn set() -> Stage {
        let pager = PagerDuty::start().await;
        let chat = Fake::start(|_| Answer::text(204, ""));
        let (pager_url, chat_url) = (pager.url(), chat.url());
        let config = format!(
            r#"
server: {{ listen: LISTEN, external_url: "https://relay.example.com" }}
store: {{ path: STORE }}
sources: [{{ name: alertmanager, kind: alertmanager, auth: none }}]
route: {{ receiver: all }}
receivers: [{{ name: all, targets: [pager, chat, screen] }}]
targets:
  - {{ name: pager, pagerduty: {{ base_url: "{pager_url}", routing_key: "{ROUTING_KEY}" }}, rate: {{ limit: 1000/s, burst: 1000 }} }}
  - name: chat
    webhook: {{ url: "{chat_url}/in", callback_tokens: ["chat-callback-token"] }}
  - {{ name: screen, console: {{}} }}
"#
        );
        Stage { pager, chat, relay: Relay::start(&config).await }
    }

    /// An alert that both have heard of; gives its dedup key.
    async fn alarm(&self) -> String {
        support::kinds::tell(&self.relay, "DiskFull", true).await;
        let key = self.chat.has_heard(1).await[0].json()["dedupKey"].as_str().unwrap().to_owned();
        until("the pager has it", || !self.pager.incidents().is_empty()).await;
        key
    }

    async fn call_back(&self, token: &str, body: &Value) -> (u16, String) {
        let request = self.relay.http().post(self.relay.url("/callbacks/chat"));
        let answer = request.bearer_auth(token).body(body.to_string()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn signals(&self) -> Vec<Value> {
        let answer = self.relay.http().get(self.relay.url("/api/v1/signals")).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["signals"].as_array().unwrap().clone()
    }

    fn chat_heard(&self) -> Vec<String> {
        let action = |heard: &support::fake::Heard| heard.json()["action"].as_str().unwrap().to_owned();
        self.chat.heard().iter().map(action).collect()
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("in ten seconds it did not come to this: {what}");
}

fn said(event: &str, key: &str, id: &str) -> Value {
    json!({ "event": event, "dedup_key": key, "who": "alice", "id": id })
}

#[tokio::test]
async fn an_acknowledgement_in_one_place_acknowledges_in_the_others_once() {
    let stage = Stage::set().await;
    let key = stage.alarm().await;
    for _ in 0..3 {
        let (status, answer) = stage.call_back("chat-callback-token", &said("acknowledged", &key, "1")).await;
        assert_eq!(status, 200, "{answer}");
    }
    until("acknowledged at the pager", || stage.pager.incidents()[0].state == State::Acknowledged).await;
    // The same told again under another id is an echo.
    stage.call_back("chat-callback-token", &said("acknowledged", &key, "2")).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(stage.pager.calls().len(), 2, "one trigger, one acknowledgement");
    assert_eq!(stage.chat_heard(), ["trigger"], "it knows what was said there");
    let signals = stage.signals().await;
    let told: Vec<_> = signals.iter().map(|signal| (&signal["who"], signal["echo"] == true)).collect();
    assert_eq!(told, [(&json!("alice"), true), (&json!("alice"), false)], "{signals:#?}");
    assert!(stage.relay.log().contains("Acknowledged by alice (chat)"), "shown on the screen");
}

#[tokio::test]
async fn a_resolve_in_one_place_closes_everywhere_and_the_late_resolve_of_the_alert_is_harmless() {
    let stage = Stage::set().await;
    let key = stage.alarm().await;
    stage.call_back("chat-callback-token", &said("resolved", &key, "1")).await;
    until("resolved at the pager", || stage.pager.incidents()[0].state == State::Resolved).await;
    stage.chat.has_heard(2).await;
    support::kinds::tell(&stage.relay, "DiskFull", false).await;
    stage.call_back("chat-callback-token", &said("resolved", &key, "2")).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(stage.chat_heard(), ["trigger", "resolve"]);
    assert_eq!(stage.pager.calls().len(), 2);
}

#[tokio::test]
async fn what_was_said_survives_kill_9_and_a_new_episode_starts_unacknowledged() {
    let mut stage = Stage::set().await;
    let key = stage.alarm().await;
    stage.call_back("chat-callback-token", &said("acknowledged", &key, "1")).await;
    until("acknowledged", || stage.pager.incidents()[0].state == State::Acknowledged).await;
    stage.relay.kill9();
    stage.relay.start_again().await;
    stage.call_back("chat-callback-token", &said("acknowledged", &key, "1")).await;
    stage.call_back("chat-callback-token", &said("acknowledged", &key, "2")).await;
    support::kinds::tell(&stage.relay, "DiskFull", false).await;
    until("resolved", || stage.pager.incidents()[0].state == State::Resolved).await;
    let later = support::kinds::webhook("DiskFull", true).to_string().replace("T03:04:05Z", "T05:04:05Z");
    stage.relay.post("/hooks/alertmanager", later).await.unwrap();
    until("open again", || stage.pager.incidents()[0].state == State::Open).await;
    stage.call_back("chat-callback-token", &said("acknowledged", &key, "3")).await;
    until("acknowledged again", || stage.pager.incidents()[0].state == State::Acknowledged).await;
}

#[tokio::test]
async fn nobody_unproven_and_nothing_unknown_is_acted_on() {
    let stage = Stage::set().await;
    let key = stage.alarm().await;
    let (status, answer) = stage.call_back("guessed", &said("acknowledged", &key, "1")).await;
    assert_eq!((status, answer.contains("bearer token")), (401, true), "{answer}");
    let (status, _) = stage.call_back("chat-callback-token", &said("exploded", &key, "1")).await;
    assert_eq!(status, 400);
    let (status, _) = stage.call_back("chat-callback-token", &said("acknowledged", "another", "1")).await;
    assert_eq!(status, 200, "nothing of ours, but well said: the service must not repeat it");
    for (target, code) in [("screen", 404), ("pager", 404), ("nobody", 404)] {
        let (status, answer) = stage.relay.post(&format!("/callbacks/{target}"), "{}").await.unwrap();
        assert_eq!(status, code, "{target}: {answer}");
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(stage.pager.calls().len(), 1);
    assert_eq!(stage.signals().await.len(), 1, "kept, with no key");
}

/// Another program holds the file, as a backup may: the service is answered while it still waits, and
/// what it said is kept once the file is free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_stuck_is_told_to_the_service_before_it_gives_up() {
    let stage = Stage::set().await;
    let key = stage.alarm().await;
    let other = rusqlite::Connection::open(stage.relay.folder().join("store/alert-relay.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (status, answer) = stage.call_back("chat-callback-token", &said("acknowledged", &key, "1")).await;
    assert!(status == 503 && answer.contains("could not be kept in time"), "{status} {answer}");
    other.execute_batch("ROLLBACK").unwrap();
    let (status, answer) = stage.call_back("chat-callback-token", &said("acknowledged", &key, "1")).await;
    assert_eq!(status, 200, "{answer}");
    until("acknowledged at the pager", || stage.pager.incidents()[0].state == State::Acknowledged).await;
    assert_eq!(stage.signals().await.len(), 1, "the repeat is the same");
}
