//! Incidents in the real binary: opened by alerts, taken at PagerDuty or here and then everywhere,
//! told to others when nobody takes them, over when the alerts are; whatever is killed in between.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fall over")]

#[path = "incidents/quiet.rs"]
mod quiet;
mod support;

use std::time::Duration;

use hmac::{KeyInit, Mac};
use serde_json::{Value, json};
use support::fake::{Answer, Fake};
use support::kinds::{tell, tell_again, webhook};
use support::relay::Relay;
use support::vendor::ledger::State;
use support::vendor::{PagerDuty, ROUTING_KEY};

const SECRET: &str = "webhook-secret-of-pagerduty";

/// A pager, a chat, and a phone that is called when nobody acknowledges. The phone hears of each
/// alert by itself, so that its keys are others.
struct Stage {
    pager: PagerDuty,
    chat: Fake,
    phone: Fake,
    relay: Relay,
}

impl Stage {
    async fn set(incidents: &str, after: &str) -> Stage {
        let pager = PagerDuty::start().await;
        let (chat, phone) = (Fake::start(|_| Answer::text(204, "")), Fake::start(|_| Answer::text(204, "")));
        let (pager_url, chat_url, phone_url) = (pager.url(), chat.url(), phone.url());
        let config = format!(
            r#"
server: {{ listen: LISTEN, external_url: "https://relay.example.com", dedup_window: 0s }}
store: {{ path: STORE }}
sources: [{{ name: alertmanager, kind: alertmanager, auth: none }}]
route: {{ receiver: all }}
receivers:
  - name: all
    targets: [pager, chat]
    escalate: [{{ after: {after}, rota: managers }}]
people: [{{ name: mia, targets: [phone] }}]
rotas: [{{ name: managers, layers: [{{ people: [mia], starts: "2026-01-05T09:00" }}] }}]
{incidents}
targets:
  - name: pager
    pagerduty: {{ base_url: "{pager_url}", routing_key: "{ROUTING_KEY}", webhook_secrets: ["{SECRET}"] }}
    rate: {{ limit: 1000/s, burst: 1000 }}
  - {{ name: chat, webhook: {{ url: "{chat_url}/in" }}, rate: {{ limit: 1000/s, burst: 1000 }} }}
  - {{ name: phone, per: alert, webhook: {{ url: "{phone_url}/in" }}, rate: {{ limit: 1000/s, burst: 1000 }} }}
"#
        );
        Stage { pager, chat, phone, relay: Relay::start(&config).await }
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.relay.http().get(self.relay.url(path)).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    async fn incidents(&self) -> Vec<Value> {
        self.get("/api/v1/incidents").await["incidents"].as_array().unwrap().clone()
    }

    /// Does something with the first incident; status and answer.
    async fn act(&self, act: &str, body: Value) -> (u16, Value) {
        let path = format!("/api/v1/incidents/1/{act}");
        let (status, text) = self.relay.post(&path, body.to_string()).await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Until the first incident is in this state; gives its story.
    async fn until(&self, state: &str) -> Value {
        for _ in 0..500 {
            let found = self.incidents().await;
            if found.last().is_some_and(|incident| incident["state"] == state) {
                return self.get("/api/v1/incidents/1").await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it never became {state}: {:#?}", self.incidents().await);
    }

    /// Until this stands on the time line: then it is settled, and no crash repeats it.
    async fn settled(&self, what: &str) {
        for _ in 0..500 {
            if !self.incidents().await.is_empty()
                && kinds(&self.get("/api/v1/incidents/1").await).iter().any(|kind| kind == what)
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{what} was never settled");
    }

    /// Somebody acts at PagerDuty, which tells us.
    async fn pagerduty_says(&self, event: &str) -> u16 {
        for _ in 0..500 {
            if !self.pager.incidents().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let key = self.pager.incidents()[0].dedup_key.clone();
        let data = json!({ "id": "P0", "type": "incident", "incident_key": key });
        let event = json!({ "id": format!("01-{event}"), "event_type": event,
            "occurred_at": "2026-03-02T03:30:00Z", "agent": { "summary": "Alice" }, "data": data });
        let body = json!({ "event": event }).to_string();
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let post = self.relay.http().post(self.relay.url("/callbacks/pager"));
        let post = post.header("x-pagerduty-signature", format!("v1={hex}"));
        post.body(body).send().await.unwrap().status().as_u16()
    }
}

fn actions(fake: &Fake) -> Vec<String> {
    fake.heard().iter().map(|heard| heard.json()["action"].as_str().unwrap().to_owned()).collect()
}

/// The kinds of things on a time line, in order; what is delivered with where and what.
fn kinds(story: &Value) -> Vec<String> {
    let entry = |entry: &Value| match entry["kind"].as_str().unwrap() {
        "delivered" => format!("{} {}", entry["target"].as_str().unwrap(), entry["text"].as_str().unwrap()),
        kind => kind.to_owned(),
    };
    story["timeline"].as_array().unwrap().iter().map(entry).collect()
}

#[tokio::test]
async fn nobody_acknowledges_so_the_phone_is_called_once_and_hears_of_the_end_whatever_is_killed() {
    let mut stage = Stage::set("", "2s").await;
    tell(&stage.relay, "DiskFull", true).await;
    stage.settled("chat trigger").await;
    stage.relay.kill9();
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.relay.start_again().await;
    let heard = stage.phone.has_heard(1).await;
    let note = heard[0].json()["note"].as_str().unwrap_or_default().to_owned();
    assert!(note.contains("nobody has acknowledged for") && note.contains("incident 1, P1"), "{note}");
    stage.settled("phone trigger").await;
    stage.relay.kill9();
    stage.relay.start_again().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(actions(&stage.phone), ["trigger"], "once");
    let story = stage.until("detected").await;
    let said = story["timeline"].as_array().unwrap().iter().find(|entry| entry["kind"] == "escalated");
    let said = said.unwrap()["text"].as_str().unwrap();
    assert!(said.ends_with("told: mia by phone (on call, managers)"), "{said}");

    assert_eq!(stage.pagerduty_says("incident.acknowledged").await, 200);
    stage.phone.has_heard(2).await;
    assert_eq!(actions(&stage.phone), ["trigger", "acknowledge"]);
    tell(&stage.relay, "DiskFull", false).await;
    stage.phone.has_heard(3).await;
    assert_eq!(actions(&stage.phone), ["trigger", "acknowledge", "resolve"], "its keys are others, and yet");
    let story = stage.until("resolved").await;
    assert_eq!(story["acknowledged_by"], "Alice");
    stage.chat.has_heard(3).await;
    assert_eq!(actions(&stage.chat), ["trigger", "acknowledge", "resolve"]);
    assert_eq!(stage.pager.incidents()[0].state, State::Resolved);
}

#[expect(clippy::too_many_lines, reason = "one story, told from its beginning to its end")]
#[tokio::test]
async fn an_acknowledgement_at_pagerduty_is_one_everywhere_and_nobody_else_is_called() {
    let freeze = "gate: { freeze: [{ name: for good, time_intervals: [always], environments: [prod] }] }
time_intervals: [{ name: always }]";
    let mut stage = Stage::set(freeze, "2s").await;
    let release = json!({ "service": "checkout", "title": "release 4.2.1", "who": "ann", "id": "4.2.1" });
    for (body, status) in [
        (release.clone(), 200),
        (release, 200),
        (json!({ "service": "cart", "kind": "config" }), 200),
        (json!({ "title": "of what?" }), 400),
    ] {
        let (answered, text) = stage.relay.post("/changes/alertmanager", body.to_string()).await.unwrap();
        assert_eq!(answered, status, "{text}");
    }
    assert_eq!(stage.relay.post("/changes/nobody", "{}").await.unwrap().0, 404);
    let listed = stage.get("/api/v1/changes?since=1h").await;
    assert_eq!(listed["changes"].as_array().unwrap().len(), 2);
    tell(&stage.relay, "DiskFull", true).await;
    stage.chat.has_heard(1).await;
    let story = stage.until("detected").await;
    let changes: Vec<(&str, &str)> = story["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (change["title"].as_str().unwrap(), change["who"].as_str().unwrap()))
        .collect();
    assert_eq!(changes, [("release 4.2.1", "ann")], "told twice, kept once");
    assert_eq!(kinds(&story)[0], "change");
    for (name, value) in [
        ("level", "P1"),
        ("service", "checkout"),
        ("source", "alertmanager"),
        ("started_at", "2026-03-02T03:04:05Z"),
        ("title", "磁盘 92% full on db-1"),
    ] {
        assert_eq!(story[name], value, "{name}");
    }
    assert!(story["escalates_at"].is_string(), "{story:#?}");
    for _ in 0..2 {
        assert_eq!(stage.pagerduty_says("incident.acknowledged").await, 200);
    }
    let story = stage.until("acknowledged").await;
    assert!(story["escalates_at"].is_null());
    for (query, answer) in [
        ("service=checkout", "deny"),
        ("service=checkout&environment=staging", "deny"),
        ("service=cart", "deny"),
        ("service=cart&environment=prod", "deny"),
        ("service=cart&environment=staging", "allow"),
    ] {
        let gate = stage.get(&format!("/api/v1/gate?{query}")).await;
        assert_eq!(gate["answer"], answer, "{query}: {gate}");
    }
    let gate = stage.get("/api/v1/gate?service=checkout&environment=staging").await;
    assert_eq!(gate["reasons"][0], "incident 1 (P1) is acknowledged: 磁盘 92% full on db-1");
    stage.relay.kill9();
    stage.relay.start_again().await;
    stage.chat.has_heard(2).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(actions(&stage.phone), Vec::<String>::new(), "nobody had to be called");
    let (status, answer) = stage.act("acknowledge", json!({})).await;
    assert_eq!(
        (status, answer["detail"].as_str()),
        (409, Some("the incident is acknowledged already; nothing was changed"))
    );
    let (status, answer) = stage.act("close", json!({})).await;
    assert_eq!(
        (status, answer["detail"].as_str()),
        (409, Some("the incident is acknowledged: it goes on; resolve it first"))
    );

    tell(&stage.relay, "DiskFull", false).await;
    stage.until("resolved").await;
    stage.chat.has_heard(3).await;
    let (status, answer) = stage.act("close", json!({})).await;
    assert_eq!(status, 409, "{answer}");
    for (act, state) in [("review", "reviewed"), ("close", "closed")] {
        let (status, answer) =
            stage.act(act, json!({ "note": format!("the <pool> was too small: {act}") })).await;
        assert_eq!((status, answer["state"].as_str()), (200, Some(state)), "{answer}");
    }
    let story = stage.until("closed").await;
    let (mut told, expected) =
        (kinds(&story), ["change", "opened", "acknowledged", "resolved", "reviewed", "closed"]);
    let deliveries: Vec<String> = told.extract_if(.., |kind| kind.contains(' ')).collect();
    assert_eq!(told, expected);
    assert_eq!(deliveries.len(), 5, "{deliveries:?}: three at the chat, and PagerDuty knew of the second");
    let report = stage.get("/api/v1/incidents/1/report").await;
    let report = report.as_str().unwrap();
    for part in [
        "# Incident report 1: 磁盘 92% full on db-1\n",
        "- **Level**: P1\n",
        ", Alice\n",
        "## Root cause\n\nthe \\<pool\\> was too small: review\n",
    ] {
        assert!(report.contains(part), "{part}\n---\n{report}");
    }
    let numbers = stage.get("/api/v1/report?since=1h").await;
    let counts = [
        &numbers["incidents"],
        &numbers["open"],
        &numbers["acknowledge"]["count"],
        &numbers["resolve"]["count"],
    ];
    assert_eq!(counts.map(Value::as_u64), [Some(1), Some(0), Some(1), Some(1)], "{numbers:#}");
    assert_eq!(
        (numbers["people"][0]["name"].as_str(), numbers["bottleneck"].as_str()),
        (Some("Alice"), Some("detect"))
    );
    for (format, begins) in [
        ("table", "1 incident from "),
        ("markdown", "# Incidents\n\n1 incident from "),
        ("csv", "by,name,incidents,p0,p1,p2,acknowledged,mtta,"),
    ] {
        let text = stage.get(&format!("/api/v1/report?since=1h&format={format}")).await;
        assert!(text.as_str().unwrap().starts_with(begins), "{format}: {text}");
    }
    let chinese = stage.get("/api/v1/incidents/1/report?language=zh").await;
    assert!(chinese.as_str().unwrap().starts_with("# 事件报告 1: "), "{chinese}");
}

#[tokio::test]
async fn taken_and_resolved_here_it_is_so_at_every_target_and_the_audit_says_by_whom() {
    let stage = Stage::set("", "1h").await;
    tell(&stage.relay, "DiskFull", true).await;
    stage.chat.has_heard(1).await;
    let (status, answer) = stage.act("acknowledge", json!({ "note": "on it" })).await;
    assert_eq!((status, answer["acknowledged_by"].as_str()), (200, Some("local")), "{answer}");
    stage.chat.has_heard(2).await;
    for _ in 0..500 {
        if stage.pager.incidents()[0].state == State::Acknowledged {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(stage.pager.incidents()[0].state, State::Acknowledged);
    assert_eq!(stage.pagerduty_says("incident.acknowledged").await, 200, "its own echo");
    let (status, _) = stage.act("assign", json!({ "owner": "team-db" })).await;
    assert_eq!(status, 200);
    for (act, body) in [
        ("assign", json!({})),
        ("rate", json!({ "level": "P9" })),
        ("note", json!({})),
        ("explode", json!({})),
        ("note", json!({ "wrong": 1 })),
    ] {
        let (status, answer) = stage.act(act, body).await;
        assert_eq!(status, 400, "{act}: {answer}");
    }
    let (status, answer) = stage.act("resolve", json!({ "note": "rolled back" })).await;
    assert_eq!((status, answer["owner"].as_str()), (200, Some("team-db")), "{answer}");
    stage.chat.has_heard(3).await;
    assert_eq!(actions(&stage.chat), ["trigger", "acknowledge", "resolve"]);
    let story = stage.until("resolved").await;
    let people: Vec<&Value> =
        story["timeline"].as_array().unwrap().iter().filter(|entry| entry["who"] != "").collect();
    assert_eq!(people.len(), 3, "the echo is no news: {people:#?}");
    let audit = stage.get("/api/v1/audit").await;
    let first = &audit["audit"][0];
    assert_eq!(
        (&first["what"], &first["about"], &first["detail"]),
        (&json!("resolve_incident"), &json!("incident 1"), &json!("rolled back"))
    );
}

#[tokio::test]
async fn what_shares_a_root_is_one_incident_that_is_over_when_all_of_it_is() {
    let rules = r#"incidents: { merge: [{ equal: [service] }], levels: [{ level: P0, matchers: ['alertname = "SiteDown"'] }] }"#;
    let stage = Stage::set(rules, "1h").await;
    for name in ["DiskFull", "SiteDown"] {
        tell(&stage.relay, name, true).await;
    }
    stage.chat.has_heard(2).await;
    let found = stage.incidents().await;
    assert_eq!(found.len(), 1, "{found:#?}");
    let story = stage.get("/api/v1/incidents/1").await;
    assert_eq!((&story["level"], story["dedup_keys"].as_array().unwrap().len()), (&json!("P0"), 2));
    let (status, _) = stage.act("acknowledge", json!({})).await;
    assert_eq!(status, 200);
    stage.chat.has_heard(4).await;
    tell(&stage.relay, "DiskFull", false).await;
    stage.chat.has_heard(5).await;
    stage.until("acknowledged").await;
    tell(&stage.relay, "SiteDown", false).await;
    stage.until("resolved").await;
}

#[tokio::test]
async fn what_comes_back_soon_is_the_same_incident_and_news_of_it_are_counted() {
    let stage = Stage::set("", "1h").await;
    tell(&stage.relay, "DiskFull", true).await;
    tell_again(&stage.relay, "DiskFull", "worse").await;
    tell(&stage.relay, "DiskFull", false).await;
    stage.until("resolved").await;
    let later = webhook("DiskFull", true).to_string().replace("T03:04:05Z", "T05:04:05Z");
    stage.relay.accepts("/hooks/alertmanager", later).await;
    let story = stage.until("detected").await;
    assert_eq!((&story["reopened"], &story["news"]), (&json!(1), &json!(3)));
    assert_eq!(stage.incidents().await.len(), 1);
    for (query, count) in [
        ("state=open&level=P1&service=checkout", 1),
        ("state=resolved,closed", 0),
        ("level=p0", 0),
        ("since=1h", 1),
        ("until=1h", 0),
        ("owner=nobody", 0),
    ] {
        let found = stage.get(&format!("/api/v1/incidents?{query}")).await;
        assert_eq!(found["incidents"].as_array().unwrap().len(), count, "{query}");
    }
    let on_call = stage.get("/api/v1/on-call").await;
    assert_eq!(on_call["on_call"]["managers"], "mia");
}
