//! Kind `slack`: one message, changed in place, told in its thread, by a Slack that checks what the
//! real one checks and answers 200 to everything it understands.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::kinds::{config, in_state, tell, tell_again, webhook};
use crate::support::relay::Relay;
use crate::support::vendor::ledger::State;
use crate::support::vendor::{PagerDuty, ROUTING_KEY};

const TOKEN: &str = "xoxb-0000000000-flow";
const SIGNING_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const TS: &str = "1772420700.000240";

fn no(word: &str) -> Answer {
    Answer::json(200, &json!({ "ok": false, "error": word }))
}

/// The checks of `chat.postMessage` and `chat.update`.
fn slack(heard: &Heard) -> Answer {
    let body = heard.json();
    let is_json = heard.header("content-type").starts_with("application/json");
    match () {
        () if heard.method != "POST" || !is_json => no("invalid_post_type"),
        () if heard.header("authorization") != format!("Bearer {TOKEN}") => no("invalid_auth"),
        () if body["text"].as_str().is_none_or(str::is_empty) => no("no_text"),
        () if !well_formed(&body) => no("invalid_blocks"),
        () => done(heard, &body),
    }
}

fn done(heard: &Heard, body: &Value) -> Answer {
    match (heard.path.as_str(), body["channel"].as_str(), body["ts"].as_str()) {
        ("/api/chat.postMessage", Some("#ops"), _) => said(TS),
        ("/api/chat.postMessage", Some("C024BE91L"), _) if body["thread_ts"] == TS => {
            said("1772420701.000100")
        }
        ("/api/chat.update", Some("C024BE91L"), Some(TS)) => said(TS),
        ("/api/chat.update", Some("C024BE91L"), _) => no("message_not_found"),
        ("/api/chat.postMessage" | "/api/chat.update", ..) => no("channel_not_found"),
        _ => no("unknown_method"),
    }
}

fn said(ts: &str) -> Answer {
    Answer::json(200, &json!({ "ok": true, "channel": "C024BE91L", "ts": ts }))
}

fn well_formed(body: &Value) -> bool {
    let attached = body["attachments"].as_array().into_iter().flatten().map(|one| &one["blocks"]);
    let lists = std::iter::once(&body["blocks"]).chain(attached);
    let blocks: Vec<&Value> = lists.filter_map(Value::as_array).flatten().collect();
    let fits = |text: &Value, max: usize| {
        let chars = text["text"].as_str().map_or(0, |text| text.chars().count());
        (1..=max).contains(&chars)
    };
    let each = |list: &Value, fits: &dyn Fn(&Value) -> bool| {
        list.as_array().is_none_or(|list| !list.is_empty() && list.iter().all(fits))
    };
    blocks.len() <= 50
        && blocks.iter().all(|block| match block["type"].as_str() {
            Some("header") => fits(&block["text"], 150),
            Some("section") if block["text"].is_object() => fits(&block["text"], 3000),
            Some("section") => each(&block["fields"], &|field| fits(field, 2000)),
            Some("context") => each(&block["elements"], &|text| fits(text, 3000)),
            Some("actions") => each(&block["elements"], &|button| fits(&button["text"], 75)),
            _ => false,
        })
}

async fn relay(fake: &Fake) -> Relay {
    let url = fake.url();
    let more = r##"channel: "#ops", signing_secret: "8f742231b10e8888abcd99yyyzzz85a5""##;
    Relay::start(&config(&format!(r#"slack: {{ base_url: "{url}/api", bot_token: "{TOKEN}", {more} }}"#)))
        .await
}

fn calls(heard: &[Heard]) -> Vec<String> {
    let name = |heard: &Heard| heard.path.trim_start_matches("/api/").to_owned();
    let thread = |heard: &Heard| if heard.json()["thread_ts"] == TS { " in the thread" } else { "" };
    heard.iter().map(|heard| name(heard) + thread(heard)).collect()
}

#[tokio::test]
async fn a_message_is_posted_changed_and_closed_with_its_thread() {
    let fake = Fake::start(slack);
    let relay = relay(&fake).await;
    tell(&relay, "DiskFull", true).await;
    let first = fake.has_heard(1).await[0].json();
    assert_eq!(first["blocks"][0]["text"]["text"], "🔴 磁盘 92% full on db-1");
    assert!(first["attachments"].to_string().contains("alert_relay.acknowledge"), "{first}");

    // A second alert joins the group.
    let mut worse = webhook("DiskFull", true);
    let mut second = worse["alerts"][0].clone();
    second["labels"]["instance"] = "db-2:9100".into();
    second["fingerprint"] = "b0d1c2e3f4a59688".into();
    worse["alerts"].as_array_mut().unwrap().push(second);
    let (status, answer) = relay.post("/hooks/alertmanager", worse.to_string()).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    fake.has_heard(3).await;

    tell(&relay, "DiskFull", false).await;
    let heard = fake.has_heard(4).await;
    assert_eq!(
        calls(&heard)[..3],
        ["chat.postMessage", "chat.update", "chat.postMessage in the thread"],
        "{}",
        heard[2].text()
    );
    assert!(heard[2].text().contains("2 firing"), "{}", heard[2].text());
}

#[tokio::test]
async fn over_is_shown_in_the_message_itself() {
    let fake = Fake::start(slack);
    let relay = relay(&fake).await;
    tell(&relay, "DiskFull", true).await;
    fake.has_heard(1).await;
    tell(&relay, "DiskFull", false).await;
    let heard = fake.has_heard(3).await;
    assert_eq!(calls(&heard), ["chat.postMessage", "chat.update", "chat.postMessage in the thread"]);
    assert_eq!(heard[1].json()["ts"], TS);
    assert!(heard[1].text().contains("✅ Resolved"), "{}", heard[1].text());
    assert!(!heard[1].text().contains("alert_relay.resolve"), "a button for what is over");
    assert!(heard[2].text().contains("✅ Resolved after"), "{}", heard[2].text());
}

fn signature(time: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SIGNING_SECRET.as_bytes()).unwrap();
    mac.update(format!("v0:{time}:{body}").as_bytes());
    mac.finalize().into_bytes().iter().fold("v0=".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// Posts a click on a button as Slack does; gives the status of the answer.
#[expect(clippy::disallowed_methods, reason = "Slack has a clock of its own")]
async fn click(relay: &Relay, button: &Value, user: &str) -> u16 {
    let now = jiff::Timestamp::now();
    let payload = json!({
        "type": "block_actions", "user": { "id": "U024BE7LH", "username": user },
        "container": { "message_ts": TS, "channel_id": "C024BE91L" },
        "actions": [{
            "type": "button", "action_id": button["action_id"], "value": button["value"],
            "action_ts": format!("{}.000000", now.as_second()),
        }],
    });
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    let body = form.append_pair("payload", &payload.to_string()).finish();
    let time = now.as_second().to_string();
    let request = relay.http().post(relay.url("/callbacks/it"));
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-slack-signature", signature(&time, &body))
        .header("x-slack-request-timestamp", time);
    request.body(body).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_click_shows_in_the_message_and_the_next_one_closes_it() {
    let fake = Fake::start(slack);
    let relay = relay(&fake).await;
    tell(&relay, "DiskFull", true).await;
    let button = |heard: &Heard, name: &str| {
        let body = heard.json();
        let blocks = body["attachments"][0]["blocks"].as_array().unwrap().clone();
        let all: Vec<Value> =
            blocks.iter().filter_map(|block| block["elements"].as_array()).flatten().cloned().collect();
        all.into_iter().find(|one| one["action_id"] == name)
    };
    let posted = fake.has_heard(1).await[0].clone();
    let acknowledge = button(&posted, "alert_relay.acknowledge").unwrap();
    assert_eq!(click(&relay, &acknowledge, "alice").await, 200);
    let heard = fake.has_heard(3).await;
    assert_eq!(calls(&heard)[1..], ["chat.update", "chat.postMessage in the thread"]);
    assert!(heard[1].text().contains("Acknowledged by alice"), "{}", heard[1].text());
    assert_eq!(button(&heard[1], "alert_relay.acknowledge"), None, "it is taken");

    let resolve = button(&heard[1], "alert_relay.resolve").unwrap();
    assert_eq!(click(&relay, &resolve, "bob").await, 200);
    let heard = fake.has_heard(5).await;
    assert_eq!(calls(&heard)[3..], ["chat.update", "chat.postMessage in the thread"]);
    assert!(heard[3].text().contains("✅ Resolved"), "{}", heard[3].text());
    assert!(heard[3].text().contains("bob"), "{}", heard[3].text());
}

#[tokio::test]
async fn a_click_in_slack_acknowledges_the_incident_at_pagerduty() {
    let fake = Fake::start(slack);
    let pager = PagerDuty::start().await;
    let pager_url = pager.url();
    let both = config(&format!(
        r##"slack: {{ base_url: "{}/api", bot_token: "{TOKEN}", channel: "#ops", signing_secret: "8f742231b10e8888abcd99yyyzzz85a5" }}
  - name: pager
    pagerduty: {{ base_url: "{pager_url}", routing_key: "{ROUTING_KEY}" }}"##,
        fake.url()
    ));
    let relay = Relay::start(&both.replace("targets: [it]", "targets: [it, pager]")).await;
    tell(&relay, "DiskFull", true).await;
    let posted = fake.has_heard(1).await[0].clone();
    let blocks = posted.json()["attachments"][0]["blocks"].as_array().unwrap().clone();
    let mut elements = blocks.iter().filter_map(|block| block["elements"].as_array()).flatten();
    let button = elements.find(|one| one["action_id"] == "alert_relay.acknowledge").unwrap();
    pager_reaches(&pager, State::Open).await;
    assert_eq!(click(&relay, button, "alice").await, 200);
    pager_reaches(&pager, State::Acknowledged).await;
}

async fn pager_reaches(pager: &PagerDuty, state: State) {
    for _ in 0..1000 {
        if pager.incidents().first().is_some_and(|incident| incident.state == state) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("never {state:?}: {:?}", pager.incidents());
}

/// Slack says no in a 200, then asks for rest, then cuts the line behind a change of the message.
#[tokio::test]
async fn a_bad_day_ends_with_one_message() {
    let nth = std::sync::atomic::AtomicUsize::new(0);
    let fake = Fake::start(move |heard| match nth.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => no("internal_error"),
        1 => Answer::text(429, "").with("retry-after", "1"),
        3 => Answer::cut(),
        _ => slack(heard),
    });
    let relay = relay(&fake).await;
    tell(&relay, "DiskFull", true).await;
    fake.has_heard(3).await;
    tell(&relay, "DiskFull", false).await;
    let heard = fake.has_heard(6).await;
    assert_eq!(
        calls(&heard),
        [
            "chat.postMessage",
            "chat.postMessage",
            "chat.postMessage",
            "chat.update",
            "chat.update",
            "chat.postMessage in the thread"
        ]
    );
}

#[tokio::test]
async fn what_is_far_too_long_passes_at_the_first_try() {
    let fake = Fake::start(slack);
    let relay = relay(&fake).await;
    let mut huge = webhook("DiskFull", true);
    let mut alert = huge["alerts"][0].clone();
    alert["annotations"] =
        json!({ "summary": "磁<&>".repeat(2000), "description": "a <line> & more\n".repeat(900) });
    let alerts = (0..60).map(|n| {
        let mut one = alert.clone();
        one["labels"]["instance"] = format!("db-{n}").into();
        one["fingerprint"] = format!("{n:016x}").into();
        one
    });
    huge["alerts"] = alerts.collect();
    let (status, answer) = relay.post("/hooks/alertmanager", huge.to_string()).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    fake.has_heard(1).await;
    tell(&relay, "DiskFull", false).await;
    let said = ["chat.postMessage", "chat.update", "chat.postMessage in the thread"];
    assert_eq!(calls(&fake.has_heard(3).await), said);
}

/// An incoming webhook knows no update, no thread and no token: its address is the secret.
#[tokio::test]
async fn an_incoming_webhook_is_posted_to_and_nothing_is_changed_in_place() {
    let fake = Fake::start(|heard| {
        let body = heard.json();
        let text = |status: u16, text: &str| Answer::text(status, text).with("content-type", "text/html");
        match () {
            () if heard.path != "/services/T0/B0/secret-of-the-hook" => text(404, "no_service"),
            () if heard.method != "POST" || !heard.is_json() || !well_formed(&body) => {
                text(400, "invalid_payload")
            }
            () if body["text"].as_str().is_none_or(str::is_empty) => text(400, "no_text"),
            () if ["channel", "ts", "thread_ts"].iter().any(|name| body.get(name).is_some()) => {
                text(400, "invalid_payload")
            }
            () => text(200, "ok"),
        }
    });
    let url = format!("{}/services/T0/B0/secret-of-the-hook", fake.url());
    let relay = Relay::start(&config(&format!(r#"slack: {{ webhook_url: "{url}" }}"#))).await;
    tell(&relay, "DiskFull", true).await;
    fake.has_heard(1).await;
    tell(&relay, "DiskFull", false).await;
    let heard = fake.has_heard(2).await;
    in_state(&relay, "delivered", 2).await;
    assert!(heard[0].text().contains("🔴 磁盘 92% full on db-1"), "{}", heard[0].text());
    assert!(heard[1].text().contains("✅ Resolved"), "{}", heard[1].text());
    assert_eq!(fake.heard().len(), 2);
    assert!(!relay.log().contains("secret-of-the-hook"), "{}", relay.log());
}

/// A click on it would be about a key that no problem has; so it only tells.
#[tokio::test]
async fn several_in_one_message_are_named_without_buttons_and_end_each_by_itself() {
    let fake = Fake::start(slack);
    let more = r##"channel: "#ops", signing_secret: "8f742231b10e8888abcd99yyyzzz85a5""##;
    let target = format!(r#"slack: {{ base_url: "{}/api", bot_token: "{TOKEN}", {more} }}"#, fake.url());
    let config = config(&format!("{target}\n    digest: true"));
    let relay = Relay::start(&config.replace("limit: 1000/s, burst: 1000", "limit: 1/s")).await;
    let names = ["a", "b", "c", "d"];
    for name in names {
        tell_again(&relay, name, &format!("disk {name} is full")).await;
    }
    in_state(&relay, "delivered", names.len()).await;
    let told = |heard: &Heard| -> Vec<&str> {
        names.into_iter().filter(|name| heard.text().contains(&format!("disk {name} is full"))).collect()
    };
    let heard = fake.heard();
    let digest = heard.iter().find(|heard| told(heard).len() > 1).unwrap();
    assert!(!digest.text().contains("alert_relay.acknowledge"), "{}", digest.text());
    assert!(!digest.text().contains("alert_relay.resolve"), "{}", digest.text());
    let before = heard.len();
    tell(&relay, told(digest)[0], false).await;
    let last = fake.has_heard(before + 1).await.pop().unwrap();
    assert_eq!(last.path, "/api/chat.postMessage", "what was posted for several is not changed for one");
    assert!(last.text().contains("✅ Resolved"), "{}", last.text());
}
