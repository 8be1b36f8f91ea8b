//! Kinds `dingtalk`, `feishu` and `wecom`: robots that answer 200 to everything and say inside what
//! became of it. Their signatures are computed here by the vendors' recipes.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::kinds::{config, tell};
use crate::support::relay::Relay;

fn hmac(key: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    BASE64.encode(mac.finalize().into_bytes())
}

/// A time as the vendor wants it, not an hour from now.
#[expect(clippy::disallowed_methods, reason = "the vendor has a clock of its own")]
fn is_fresh(text: &str, per_second: i64) -> bool {
    let at: i64 = text.parse().unwrap_or(0);
    (at / per_second - jiff::Timestamp::now().as_second()).abs() < 3600
}

fn code(key: &str, code: i64, text_key: &str, text: &str) -> Answer {
    Answer::json(200, &json!({ key: code, text_key: text }))
}

fn errcode(number: i64, text: &str) -> Answer {
    code("errcode", number, "errmsg", text)
}

async fn relay(target: &str) -> Relay {
    Relay::start(&config(target)).await
}

/// Fires, resolves, and gives what was heard.
async fn fired_and_resolved(fake: &Fake, target: &str, first: usize, all: usize) -> Vec<Heard> {
    let relay = relay(target).await;
    tell(&relay, "DiskFull", true).await;
    fake.has_heard(first).await;
    tell(&relay, "DiskFull", false).await;
    fake.has_heard(all).await
}

fn dingtalk(heard: &Heard) -> Answer {
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(heard.query.as_bytes()).into_owned().collect();
    let of = |name: &str| query.iter().find(|(have, _)| have == name).map_or("", |(_, value)| value.as_str());
    let body = heard.json();
    let signed = format!("{}\nSEC0123456789", of("timestamp"));
    match () {
        () if heard.method != "POST" => errcode(43002, "需要POST请求"),
        () if !heard.is_json() => errcode(43004, "content-type is not application/json"),
        () if of("access_token") != "0123456789abcdef" => errcode(300_005, "token is not exist"),
        () if !is_fresh(of("timestamp"), 1000) => errcode(310_000, "invalid timestamp"),
        () if of("sign") != hmac("SEC0123456789", &signed) => errcode(310_000, "sign not match"),
        () if heard.body.len() > 20_000 => errcode(460_101, "message too long, exceed 20000 bytes"),
        () if body["msgtype"] != "markdown" || !is_text(&body["markdown"]["title"]) => {
            errcode(40035, "title")
        }
        () if !is_text(&body["markdown"]["text"]) => errcode(40035, "text"),
        () => errcode(0, "ok"),
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

#[tokio::test]
async fn dingtalk_takes_signed_markdown() {
    let fake = Fake::start(dingtalk);
    let url = fake.url();
    let target = format!(
        r#"dingtalk: {{ base_url: "{url}", access_token: "0123456789abcdef", secret: SEC0123456789, at_all: true }}"#
    );
    let heard = fired_and_resolved(&fake, &target, 1, 2).await;
    let titles: Vec<Value> = heard.iter().map(|heard| heard.json()["markdown"]["title"].clone()).collect();
    assert_eq!(titles, ["🔴 磁盘 92% full on db-1", "✅ Resolved: 磁盘 92% full on db-1"]);
    assert_eq!(heard[0].json()["at"]["isAtAll"], true);
}

#[tokio::test]
async fn feishu_takes_a_signed_card_and_text_where_it_does_not() {
    let nth = AtomicUsize::new(0);
    let fake = Fake::start(move |heard| {
        let body = heard.json();
        let time = body["timestamp"].as_str().unwrap_or_default();
        let no = |number, text| code("code", number, "msg", text);
        match () {
            () if !heard.is_json() => no(9499, "Bad Request"),
            () if heard.path != "/open-apis/bot/v2/hook/0123-4567" => no(19001, "param invalid"),
            () if !is_fresh(time, 1) => no(19021, "sign match fail or timestamp is not within one hour"),
            () if body["sign"] != hmac(&format!("{time}\nsecret-of-feishu"), "") => {
                no(19021, "sign match fail")
            }
            () if heard.body.len() > 20_480 => no(9499, "Bad Request"),
            () if body["msg_type"] == "text" && is_text(&body["content"]["text"]) => no(0, "success"),
            () if !is_text(&body["card"]["header"]["title"]["content"]) => no(9499, "Bad Request"),
            // The card of the resolve does not please.
            () if nth.fetch_add(1, Ordering::SeqCst) == 1 => no(11246, "Failed to create card content"),
            () => no(0, "success"),
        }
    });
    let url = fake.url();
    let target = format!(r#"feishu: {{ base_url: "{url}", token: 0123-4567, secret: secret-of-feishu }}"#);
    let heard = fired_and_resolved(&fake, &target, 1, 3).await;
    let kinds: Vec<Value> = heard.iter().map(|heard| heard.json()["msg_type"].clone()).collect();
    assert_eq!(kinds, ["interactive", "interactive", "text"]);
    assert_eq!(heard[0].json()["card"]["header"]["template"], "red");
    assert!(heard[2].text().contains("✅ Resolved"), "{}", heard[2].text());
}

/// The line breaks behind the message: it is not posted again, only the people are called.
#[tokio::test]
async fn wecom_posts_once_and_then_calls_people() {
    let nth = AtomicUsize::new(0);
    let fake = Fake::start(move |heard| {
        let body = heard.json();
        let content = |kind: &str| body[kind]["content"].as_str().unwrap_or_default().to_owned();
        match (body["msgtype"].as_str(), nth.fetch_add(1, Ordering::SeqCst)) {
            _ if heard.path != "/cgi-bin/webhook/send" || heard.query != "key=0123-4567" => {
                errcode(93000, "invalid webhook url")
            }
            _ if !heard.is_json() => errcode(44004, "empty content"),
            (Some("text"), 1) => errcode(-1, "system busy"),
            (Some("markdown"), _) if (1..=4096).contains(&content("markdown").len()) => errcode(0, "ok"),
            (Some("text"), _) if (1..=2048).contains(&content("text").len()) => errcode(0, "ok"),
            _ => errcode(40058, "content exceed max length"),
        }
    });
    let url = fake.url();
    let target = format!(r#"wecom: {{ base_url: "{url}", key: 0123-4567, mentioned_list: [wangqing] }}"#);
    let heard = fired_and_resolved(&fake, &target, 3, 4).await;
    let kinds: Vec<Value> = heard.iter().map(|heard| heard.json()["msgtype"].clone()).collect();
    assert_eq!(kinds, ["markdown", "text", "text", "markdown"]);
    assert_eq!(heard[2].json()["text"]["mentioned_list"], json!(["wangqing"]));
    assert!(heard[3].text().contains("✅ Resolved"), "{}", heard[3].text());
}

/// 200, and not taken: the robot says that it was told too much.
#[tokio::test]
async fn a_robot_that_is_told_too_much_is_told_again_later() {
    let nth = AtomicUsize::new(0);
    let fake = Fake::start(move |heard| match nth.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::json(200, &json!({ "status": 1111, "wait": 1, "source": "x5", "punish": "deny" })),
        1 => Answer::cut(),
        _ => dingtalk(heard),
    });
    let url = fake.url();
    let target = format!(
        r#"dingtalk: {{ base_url: "{url}", access_token: "0123456789abcdef", secret: SEC0123456789 }}"#
    );
    let heard = fired_and_resolved(&fake, &target, 3, 4).await;
    assert!(heard[3].text().contains("✅ Resolved"), "{}", heard[3].text());
}
