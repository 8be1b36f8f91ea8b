//! Changes in the real binary: told onward to PagerDuty once each, and named in what is said of the
//! alerts that follow them, by every try and after every restart in the same words.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::kinds::{in_state, webhook};
use crate::support::relay::Relay;
use crate::support::vendor::ROUTING_KEY;

/// A relay with a pager that hears of changes in production too, and a chat.
fn config(pager: &Fake, chat: &Fake, fallback: &str) -> String {
    let (pager, chat) = (pager.url(), chat.url());
    format!(
        r#"
server: {{ listen: LISTEN, external_url: "https://relay.example.com", dedup_window: 0s }}
store: {{ path: STORE }}
sources: [{{ name: alertmanager, kind: alertmanager, auth: none }}]
route: {{ receiver: all }}
receivers: [{{ name: all, targets: [pager, chat] }}]
changes:
  forward: [{{ targets: [pager], matchers: ['environment =~ "prod|"'] }}]
targets:
  - name: pager
    pagerduty: {{ base_url: "{pager}", routing_key: "{ROUTING_KEY}" }}
    rate: {{ limit: 1000/s, burst: 1000 }}
    retry: {{ base: 20ms, cap: 50ms }}
{fallback}
    breaker: {{ failures: 1000, open_for: 100ms }}
  - {{ name: chat, webhook: {{ url: "{chat}/in" }}, rate: {{ limit: 1000/s, burst: 1000 }}, retry: {{ base: 20ms, cap: 50ms }} }}
"#
    )
}

fn ago(minutes: i64) -> String {
    Timestamp::now().checked_sub(SignedDuration::from_mins(minutes)).unwrap().to_string()
}

/// An alert of the service that began just now.
fn alert(name: &str) -> Value {
    let mut body = webhook(name, true);
    body["alerts"][0]["startsAt"] = ago(0).into();
    body
}

fn to(heard: &[Heard], path: &str) -> Vec<Value> {
    heard.iter().filter(|heard| heard.path == path).map(Heard::json).collect()
}

#[tokio::test]
async fn a_change_is_told_to_pagerduty_once_through_errors_and_kills_and_opens_nothing() {
    // The first answers are errors: the change is tried again, and nobody is called instead.
    let pager = Fake::start({
        let tries = std::sync::atomic::AtomicUsize::new(0);
        move |_| match tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0..4 => Answer::text(500, "not now"),
            _ => Answer::json(202, &json!({ "status": "success" })),
        }
    });
    let chat = Fake::start(|_| Answer::text(204, ""));
    let mut relay =
        Relay::start(&config(&pager, &chat, "    fallback: { targets: [chat], after: 1s, attempts: 1 }"))
            .await;
    let release = json!({ "id": "4.2.1", "service": "checkout", "environment": "prod", "title": "release 4.2.1",
        "who": "ann", "link": "https://ci.example.com/7", "at": ago(4) });
    relay.accepts("/changes/alertmanager", release.to_string()).await;
    relay.kill9();
    relay.start_again().await;
    relay.accepts("/changes/alertmanager", release.to_string()).await;
    let staging = json!({ "service": "checkout", "environment": "staging", "title": "release 4.3" });
    relay.accepts("/changes/alertmanager", staging.to_string()).await;
    in_state(&relay, "delivered", 1).await;
    relay.kill9();
    relay.start_again().await;
    relay.accepts("/changes/alertmanager", release.to_string()).await;
    // What comes after it is through: so nothing of the change is under way any more.
    relay.accepts("/hooks/alertmanager", alert("Later").to_string()).await;
    in_state(&relay, "delivered", 3).await;

    let heard = pager.heard();
    let told = to(&heard, "/v2/change/enqueue");
    assert_eq!(told.len(), 5, "four errors and one that was taken");
    let event = told.last().unwrap();
    assert_eq!(event["routing_key"], ROUTING_KEY);
    assert_eq!(event["payload"]["summary"], "release 4.2.1");
    assert_eq!(event["payload"]["source"], "checkout");
    assert_eq!(event["payload"]["timestamp"], release["at"]);
    assert_eq!(event["payload"]["custom_details"]["who"], "ann");
    assert_eq!(event["links"][0]["href"], "https://ci.example.com/7");
    assert!(event.get("dedup_key").is_none() && event.get("event_action").is_none(), "{event}");
    assert_eq!(to(&heard, "/v2/enqueue").len(), 1, "the alert alone opens an incident");
    assert_eq!(chat.heard().len(), 1, "nobody is called for a change");
    let get = |path: &str| relay.http().get(relay.url(path)).send();
    let orphans: Value =
        serde_json::from_str(&get("/api/v1/orphans").await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!(orphans["orphans"], json!([]), "{orphans}");
    let incidents = get("/api/v1/incidents").await.unwrap().text().await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&incidents).unwrap()["incidents"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_changed_before_is_named_in_every_try_and_after_a_restart_in_the_same_words() {
    let down = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_down = std::sync::Arc::clone(&down);
    let pager = Fake::start(move |heard| {
        if heard.path == "/v2/enqueue" && is_down.load(std::sync::atomic::Ordering::SeqCst) {
            return Answer::text(500, "not now");
        }
        Answer::json(202, &json!({ "status": "success" }))
    });
    let chat = Fake::start(|_| Answer::text(204, ""));
    let mut relay = Relay::start(&config(&pager, &chat, "")).await;
    for (service, title, minutes) in
        [("checkout", "release 4.2.1", 4), ("checkout", "release 4.2.0", 90), ("cart", "release 7", 1)]
    {
        let change = json!({ "service": service, "title": title, "who": "ann", "at": ago(minutes) });
        relay.accepts("/changes/alertmanager", change.to_string()).await;
    }
    relay.kill9();
    relay.start_again().await;
    let mut body = alert("DiskFull");
    relay.accepts("/hooks/alertmanager", body.to_string()).await;
    for _ in 0..500 {
        if to(&pager.heard(), "/v2/enqueue").len() >= 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    relay.kill9();
    down.store(false, std::sync::atomic::Ordering::SeqCst);
    relay.start_again().await;
    in_state(&relay, "delivered", 5).await;
    let tries = to(&pager.heard(), "/v2/enqueue");
    assert!(tries.len() >= 3, "{}", tries.len());
    for event in &tries {
        let summary = event["payload"]["summary"].as_str().unwrap();
        assert!(summary.contains("; deploy release 4.2.1 by ann, 4 min before"), "{summary}");
        let changes = event["payload"]["custom_details"]["changes"].as_array().unwrap();
        assert_eq!(changes.len(), 1, "{changes:?}");
    }
    let told = chat.has_heard(1).await;
    assert_eq!(told[0].json()["changes"][0]["before"], "4 min");
    // Its end names it too: whoever reads the thread later sees what it was.
    body["alerts"][0]["status"] = "resolved".into();
    body["alerts"][0]["endsAt"] = ago(0).into();
    relay.accepts("/hooks/alertmanager", body.to_string()).await;
    let over = chat.has_heard(2).await;
    assert_eq!(over.last().unwrap().json()["changes"][0]["what"], "release 4.2.1");
}
