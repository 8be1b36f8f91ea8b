//! One story over real HTTP, from a deploy to the review of what it broke; and the same story with
//! the relay killed at every turn, which must end the same.
#![expect(clippy::unwrap_used, reason = "a test may fall over")]

mod support;
#[path = "story/town.rs"]
mod town;

use std::time::Duration;

use serde_json::{Value, json};
use support::relay::Relay;
use support::vendor::ledger::State;
use support::vendor::{PagerDuty, ROUTING_KEY};
use town::{Desk, Phone, Platform, Slack, Town};

/// How long a consequence may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What happens, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scene {
    /// A pipeline announces what it rolled out.
    Deploy,
    /// Four minutes later thirty alerts of that service.
    Alarm,
    /// Nobody acts, and the phone rings.
    Call,
    /// A key is pressed.
    Keypress,
    /// A click in the chat lets a repair start.
    Approve,
    /// It fails.
    Fail,
    /// The rollback that is proposed next is approved as well.
    Rollback,
    /// It succeeds.
    Succeed,
    /// The alerts end.
    Over,
    /// Somebody writes down what it was.
    Review,
}

const SCENES: [Scene; 10] = [
    Scene::Deploy,
    Scene::Alarm,
    Scene::Call,
    Scene::Keypress,
    Scene::Approve,
    Scene::Fail,
    Scene::Rollback,
    Scene::Succeed,
    Scene::Over,
    Scene::Review,
];

const OUTPUT: &str = "restart: checkout does not come up: no database connection left";

struct Play {
    began: jiff::Timestamp,
    relay: Relay,
    pager: PagerDuty,
    slack: Town<Slack>,
    phone: Town<Phone>,
    desk: Town<Desk>,
    platform: Town<Platform>,
}

fn config(play: [&str; 5]) -> String {
    let [pager, slack, phone, desk, platform] = play;
    let (slack_token, slack_secret) = (town::SLACK_TOKEN, town::SLACK_SECRET);
    let (account, phone_token, desk_key) = (town::ACCOUNT, town::PHONE_TOKEN, town::DESK_KEY);
    let job_key = town::JOB_KEY;
    format!(
        r##"
server: {{ listen: LISTEN, external_url: "https://relay.example.com" }}
store: {{ path: STORE }}
sources: [{{ name: alertmanager, kind: alertmanager, auth: none }}]
route: {{ receiver: on-call }}
receivers:
  - name: on-call
    targets: [pager, slack-ops, desk]
    escalate: [{{ after: 4s, targets: [phone] }}]
incidents:
  levels: [{{ level: P1, matchers: ['severity = "critical"'] }}]
jobs:
  rules:
    - {{ name: restart, target: restart, matchers: ['alertname = "CheckoutDown"'], on_failure: [desk] }}
    - {{ name: roll back, target: roll-back, after_change: [deploy] }}
targets:
  - name: pager
    pagerduty: {{ base_url: "{pager}", routing_key: "{ROUTING_KEY}" }}
    rate: {{ limit: 1000/s, burst: 1000 }}
  - name: slack-ops
    slack: {{ base_url: "{slack}/api", bot_token: "{slack_token}", channel: "#ops", signing_secret: "{slack_secret}" }}
    rate: {{ limit: 1000/s, burst: 1000 }}
  - name: phone
    twilio: {{ base_url: "{phone}", mode: call, account_sid: {account}, auth_token: "{phone_token}", from: "+15550100", to: ["+15550101"] }}
  - name: desk
    ticket: {{ base_url: "{desk}/api", api_key: "{desk_key}", look_up: "/tickets?external_id={{{{dedupKey}}}}" }}
  - name: restart
    job: {{ base_url: "{platform}/api", api_key: "{job_key}", script: restart_service }}
  - name: roll-back
    job: {{ base_url: "{platform}/api", api_key: "{job_key}", script: roll_back }}
"##
    )
}

async fn until<T>(what: &str, relay: &Relay, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let mut waited = Duration::ZERO;
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(waited < PATIENCE, "it never came to this: {what}; the log:\n{}", relay.log());
        tokio::time::sleep(Duration::from_millis(25)).await;
        waited += Duration::from_millis(25);
    }
}

impl Play {
    #[expect(clippy::disallowed_methods, reason = "what is monitored has a clock of its own")]
    async fn begin() -> Play {
        let began = jiff::Timestamp::now();
        let pager = PagerDuty::start().await;
        let (slack, phone, desk) = (town::slack(), town::phone(), town::desk());
        let platform = town::platform();
        let urls = [&pager.url(), &slack.url(), &phone.url(), &desk.url(), &platform.url()];
        let relay = Relay::start(&config(urls.map(String::as_str))).await;
        Play { began, relay, pager, slack, phone, desk, platform }
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.relay.http().get(self.relay.url(path)).send().await.unwrap();
        let text = answer.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    async fn order(&self, what: &str, note: &str) {
        let path = format!("/api/v1/incidents/1/{what}");
        let (status, text) = self.relay.post(&path, json!({ "note": note }).to_string()).await.unwrap();
        assert!((200..300).contains(&status), "{what}: {status} {text}");
    }

    /// What stands on the time line: `delivered slack-ops trigger`, `acknowledged`.
    async fn lines(&self) -> Vec<String> {
        let story = self.get("/api/v1/incidents/1").await;
        let word = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let line = |entry: &Value| match word(entry, "kind") {
            kind if kind == "delivered" => format!("{} {}", word(entry, "target"), word(entry, "text")),
            kind => kind,
        };
        story["timeline"].as_array().into_iter().flatten().map(line).collect()
    }

    /// Until all of this stands on the time line: then it is settled, and no crash repeats it.
    async fn told(&self, wanted: &[&str]) {
        until(&format!("{wanted:?}"), &self.relay, async || {
            let lines = self.lines().await;
            let mut missing = wanted.iter().filter(|want| !lines.iter().any(|line| line == **want));
            missing.next().is_none().then_some(())
        })
        .await;
    }

    /// Until the jobs of the incident stand like this.
    async fn jobs(&self, wanted: &[&str]) {
        until(&format!("{wanted:?}"), &self.relay, async || {
            let story = self.get("/api/v1/incidents/1").await;
            let word = |job: &Value, name: &str| job[name].as_str().unwrap_or_default().to_owned();
            let job = |job: &Value| format!("{} {}", word(job, "rule"), word(job, "state"));
            let found: Vec<String> = story["jobs"].as_array().into_iter().flatten().map(job).collect();
            (found == wanted).then_some(())
        })
        .await;
    }

    /// Until nothing is on its way.
    async fn settled(&self) {
        until("all is settled", &self.relay, async || {
            let waiting = self.get("/api/v1/deliveries?state=waiting").await;
            waiting["deliveries"].as_array().is_some_and(Vec::is_empty).then_some(())
        })
        .await;
    }

    async fn gate(&self) -> String {
        let answer = self.get("/api/v1/gate?service=checkout&environment=prod").await;
        answer["answer"].as_str().or(answer["verdict"].as_str()).unwrap_or_default().to_owned()
    }

    /// Somebody, or something, does something; it is accepted.
    #[expect(clippy::disallowed_methods, reason = "a pipeline has a clock of its own")]
    async fn does(&self, scene: Scene) {
        match scene {
            Scene::Deploy => {
                let at = jiff::Timestamp::now().saturating_sub(Duration::from_secs(240)).unwrap();
                let change = json!({ "service": "checkout", "environment": "prod", "kind": "deploy",
                    "title": "release 4.2.1", "who": "ann", "id": "build-17", "at": at.to_string() });
                self.relay.accepts("/changes/alertmanager", change.to_string()).await;
            }
            Scene::Alarm => self.relay.accepts("/hooks/alertmanager", town::alarm(self.began, true)).await,
            Scene::Call => {}
            Scene::Keypress => {
                let call = self.phone.now().calls[0].clone();
                let answer = town::press(&self.relay, &call, "1").await;
                assert!(answer.contains("Acknowledged. Goodbye."), "{answer}");
            }
            Scene::Approve => {
                let found = || self.slack.now().button("alert_relay.approve");
                let button = until("a button", &self.relay, async || found()).await;
                assert_eq!(town::click(&self.relay, &button, "ann").await, 200);
            }
            Scene::Fail => self.platform.now().ends(0, "failed", OUTPUT),
            Scene::Rollback => self.order("approve", "back to 4.2.0").await,
            Scene::Succeed => self.platform.now().ends(1, "completed", "4.2.0 is live"),
            Scene::Over => self.relay.accepts("/hooks/alertmanager", town::alarm(self.began, false)).await,
            Scene::Review => {
                self.order("review", "the pool of 4.2.1 was too small").await;
                self.order("close", "").await;
            }
        }
    }

    /// Until all that follows from it is settled.
    async fn follows(&self, scene: Scene) {
        match scene {
            Scene::Deploy => {
                let changes = self.get("/api/v1/changes").await;
                assert_eq!(changes["changes"][0]["title"], "release 4.2.1", "{changes}");
            }
            Scene::Alarm => {
                self.told(&["pager trigger", "slack-ops trigger", "desk trigger"]).await;
                self.jobs(&["restart proposed"]).await;
            }
            Scene::Call => self.told(&["escalated", "phone trigger"]).await,
            Scene::Keypress => {
                self.told(&[
                    "acknowledged",
                    "pager acknowledge",
                    "slack-ops acknowledge",
                    "desk acknowledge",
                ])
                .await;
            }
            Scene::Approve => self.jobs(&["restart running"]).await,
            Scene::Fail => {
                self.jobs(&["restart failed", "roll back proposed"]).await;

                self.settled().await;
                let comments = self.desk.now().comments.clone();
                assert!(comments.iter().any(|comment| comment.contains(OUTPUT)), "{comments:#?}");
            }
            Scene::Rollback => self.jobs(&["restart failed", "roll back running"]).await,
            Scene::Succeed => self.jobs(&["restart failed", "roll back succeeded"]).await,
            Scene::Over => {
                self.told(&["pager resolve", "slack-ops resolve", "desk resolve", "phone resolve"]).await;
            }
            Scene::Review => self.told(&["reviewed", "closed"]).await,
        }
        self.settled().await;
    }

    /// What the story is at the end, as all who took part in it remember it.
    async fn end(&self) -> Value {
        let mut lines = self.lines().await;
        // News that waits together is told as one.
        lines.sort();
        lines.dedup();
        let story = self.get("/api/v1/incidents/1").await;
        let incidents = self.get("/api/v1/incidents").await;
        let pages: Vec<_> = self.pager.incidents().iter().map(|page| page.state == State::Resolved).collect();
        let (slack, desk) = (self.slack.now(), self.desk.now());
        let runs: Vec<_> =
            self.platform.now().runs.iter().map(|run| json!([run["script"], run["status"]])).collect();
        json!({
            "incidents": incidents["incidents"].as_array().map(Vec::len),
            "state": story["state"], "level": story["level"], "by": story["acknowledged_by"],
            "lines": lines,
            "pages are over": pages,
            "messages": slack.messages.len(),
            "a message is open": slack.messages.iter().any(|one| !one.to_string().contains("Resolved")),
            "calls": self.phone.now().calls.len(),
            "tickets": desk.tickets.iter().map(|one| one["status"].clone()).collect::<Vec<_>>(),
            "comments": desk.comments.len(),
            "runs": runs,
        })
    }
}

/// Plays it all, with the relay killed after this scene and all that follows from it, or right after
/// this scene and before anything has followed.
async fn play(settled: Option<Scene>, at_once: Option<Scene>) -> (Play, Value) {
    let mut play = Play::begin().await;
    for scene in SCENES {
        play.does(scene).await;
        if at_once == Some(scene) {
            play.relay.kill9();
            play.relay.start_again().await;
        }
        play.follows(scene).await;
        if settled == Some(scene) {
            play.relay.kill9();
            play.relay.start_again().await;
        }
        let gate = play.gate().await;
        let is_on = !matches!(scene, Scene::Deploy | Scene::Over | Scene::Review);
        assert_eq!(gate, if is_on { "deny" } else { "allow" }, "after {scene:?}");
    }
    let end = play.end().await;
    (play, end)
}

#[tokio::test]
async fn from_the_deploy_to_the_review_everybody_knows_what_he_needs() {
    let (play, end) = play(None, None).await;
    let expected = json!({
        "incidents": 1, "state": "closed", "level": "P1", "by": "+15…0101", "pages are over": [true],
        "messages": 1, "a message is open": false, "calls": 1, "tickets": ["solved"],
        "runs": [["restart_service", "failed"], ["roll_back", "completed"]],
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(end[name], *value, "{name} in {end:#}");
    }
    let (page, message) =
        (play.pager.incidents()[0].summary.clone(), play.slack.now().messages[0].to_string());
    let ticket = play.desk.now().tickets[0]["description"].to_string();
    for told in [page, message, ticket] {
        assert!(told.contains("release 4.2.1"), "it does not name the deploy: {told}");
    }
    let report = play.get("/api/v1/incidents/1/report").await;
    let report = report.as_str().unwrap();
    for part in ["release 4.2.1", "restart", "roll back", "the pool of 4.2.1 was too small", "P1"] {
        assert!(report.contains(part), "no {part} in {report}");
    }
    let numbers = play.get("/api/v1/report?since=1d&format=markdown").await;
    for stage in ["detect", "notify", "respond", "resolve", "bottleneck", "MTTA", "MTTR"] {
        assert!(numbers.as_str().unwrap().contains(stage), "{numbers}");
    }
}

/// Plays the story once for each scene, all at the same time, and compares how they end.
async fn all_end_the_same(kill: fn(Scene) -> (Option<Scene>, Option<Scene>), what: &[&str]) {
    let stage = tokio::task::LocalSet::new();
    let plain = stage.spawn_local(async { play(None, None).await.1 });
    let others = SCENES.map(|scene| {
        let (settled, at_once) = kill(scene);
        (scene, stage.spawn_local(async move { play(settled, at_once).await.1 }))
    });
    stage.await;
    let plain = plain.await.unwrap();
    for (scene, other) in others {
        let end = other.await.unwrap();
        for name in what {
            assert_eq!(end[name], plain[name], "{name}, killed at {scene:?}");
        }
    }
}

/// All that is compared.
const ALL: [&str; 12] = [
    "incidents",
    "state",
    "level",
    "by",
    "lines",
    "pages are over",
    "messages",
    "a message is open",
    "calls",
    "tickets",
    "runs",
    "comments",
];

#[tokio::test]
async fn killed_between_two_scenes_it_ends_the_same() {
    all_end_the_same(|scene| (Some(scene), None), &ALL).await;
}

/// A comment that was on its way is written a second time, or not where the ticket is closed already,
/// since no ticket system can be asked whether it has arrived. Nothing else differs.
#[tokio::test]
async fn killed_the_moment_that_something_was_accepted_it_ends_the_same() {
    all_end_the_same(|scene| (None, Some(scene)), &ALL[..11]).await;
}
