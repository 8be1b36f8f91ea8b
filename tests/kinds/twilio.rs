//! Kind `twilio`: an account that checks what Twilio checks, keeps calls and text messages, and
//! signs what it posts back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{KeyInit as _, Mac as _};
use serde_json::{Value, json};

use crate::support::fake::{Answer, Fake, Heard};
use crate::support::kinds::{config, in_state, tell, tell_again};
use crate::support::relay::Relay;

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const TOKEN: &str = "9f8e7d6c5b4a39281706f5e4d3c2b1a0";
const A: &str = "+8613800138000";
const B: &str = "+15550102";

/// What was done: `(to, status)`, and the fields it was asked for with.
type Made = Vec<(String, String, Vec<(String, String)>)>;

fn refused(status: u16, code: u32, message: &str) -> Answer {
    Answer::json(status, &json!({ "code": code, "message": message, "status": status }))
}

fn play(made: &mut Made, heard: &Heard) -> Answer {
    if heard.header("authorization") != format!("Basic {}", BASE64.encode(format!("{ACCOUNT}:{TOKEN}"))) {
        return refused(401, 20003, "Authenticate");
    }
    let Some(path) = heard.path.strip_prefix(&format!("/2010-04-01/Accounts/{ACCOUNT}")) else {
        return refused(404, 20404, "The requested resource was not found");
    };
    let one = path.trim_start_matches("/Calls/").trim_start_matches("/Messages/").trim_end_matches(".json");
    let index = one.get(2..).and_then(|number| number.parse::<usize>().ok());
    match (heard.method.as_str(), path, index) {
        ("POST", "/Calls.json" | "/Messages.json", _) => create(made, heard, path == "/Calls.json"),
        ("GET", _, Some(index)) => Answer::json(200, &json!({ "sid": one, "status": made[index].1 })),
        ("POST", _, Some(index)) if heard.field("Status") == "canceled" => {
            made[index].1 = "canceled".into();
            Answer::json(200, &json!({ "sid": one, "status": "canceled" }))
        }
        _ => refused(404, 20404, "The requested resource was not found"),
    }
}

fn create(made: &mut Made, heard: &Heard, is_call: bool) -> Answer {
    let is_number = |text: &str| text.starts_with('+') && text[1..].bytes().all(|byte| byte.is_ascii_digit());
    let twiml = heard.field("Twiml");
    if heard.header("content-type") != "application/x-www-form-urlencoded" || !is_number(&heard.field("To")) {
        return refused(400, 21211, "The 'To' number is not a valid phone number.");
    }
    if is_call && !(twiml.starts_with("<Response>") && twiml.chars().count() <= 4000) {
        return refused(400, 32018, "Twiml parameter");
    }
    if !is_call && !(1..=1600).contains(&heard.field("Body").chars().count()) {
        return refused(400, 21617, "The concatenated message body exceeds the 1600 character limit.");
    }
    made.push((heard.field("To"), "ringing".into(), heard.form()));
    let sid = format!("{}{:032}", if is_call { "CA" } else { "SM" }, made.len() - 1);
    Answer::json(201, &json!({ "sid": sid, "status": "queued" }))
}

/// Posts to the relay what Twilio would post to its public address, which is in the request.
async fn call_back(relay: &Relay, url: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let signed: String = sorted.iter().flat_map(|(name, value)| [*name, *value]).collect();
    let mut mac = hmac::Hmac::<sha1::Sha1>::new_from_slice(TOKEN.as_bytes()).unwrap();
    mac.update(format!("{url}{signed}").as_bytes());
    let path = url.strip_prefix("https://relay.example.com").unwrap();
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let post = relay.http().post(relay.url(path)).header("content-type", "application/x-www-form-urlencoded");
    let post = post.header("x-twilio-signature", BASE64.encode(mac.finalize().into_bytes()));
    let answer = post.body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn until(made: &Mutex<Made>, what: impl Fn(&Made) -> bool) -> Made {
    let mut waits = 0;
    while !what(&made.lock().unwrap()) {
        waits += 1;
        assert!(waits < 1000, "{:?}", made.lock().unwrap());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    made.lock().unwrap().clone()
}

fn target(fake: &Fake, mode: &str, to: &[&str]) -> String {
    let url = fake.url();
    config(&format!(
        r#"twilio: {{ base_url: "{url}", mode: {mode}, account_sid: {ACCOUNT}, auth_token: "{TOKEN}", from: "+15550100", to: {to:?} }}"#
    ))
}

fn account() -> (Fake, Arc<Mutex<Made>>) {
    let made = Arc::new(Mutex::new(Made::new()));
    let part = Arc::clone(&made);
    (Fake::start(move |heard| play(&mut part.lock().unwrap(), heard)), made)
}

fn field<'a>(made: &'a Made, index: usize, name: &str) -> &'a str {
    made[index].2.iter().find(|(have, _)| have == name).map_or("", |(_, value)| value)
}

async fn rows(relay: &Relay, path: &str, name: &str) -> Vec<Value> {
    let answer = relay.http().get(relay.url(path)).send().await.unwrap();
    answer.json::<Value>().await.unwrap()[name].as_array().unwrap().clone()
}

#[tokio::test]
async fn calls_one_after_the_other_until_somebody_presses_the_key() {
    let (fake, made) = account();
    let relay = Relay::start(&target(&fake, "call", &[A, B])).await;
    tell(&relay, "DiskFull", true).await;
    let first = until(&made, |made| made.len() == 1).await;
    assert_eq!(first[0].0, A);
    assert!(field(&first, 0, "Twiml").contains("磁盘 92% full on db-1"), "{first:?}");
    // Nobody picks up.
    made.lock().unwrap()[0].1 = "no-answer".into();
    let back = field(&first, 0, "StatusCallback").to_owned();
    let sid = format!("CA{:032}", 0);
    let fields = [("CallSid", sid.as_str()), ("CallStatus", "no-answer"), ("To", A)];
    let forged =
        relay.post(back.strip_prefix("https://relay.example.com").unwrap(), "CallSid=CA1").await.unwrap();
    assert_eq!(forged.0, 401, "{}", forged.1);
    for _ in 0..2 {
        assert_eq!(call_back(&relay, &back, &fields).await.0, 200);
    }
    let second = until(&made, |made| made.len() == 2).await;
    assert_eq!(second[1].0, B, "the next is called");
    assert!(field(&second, 1, "Twiml").contains("+86…8 0 0 0 was not reached"), "{second:?}");
    // A key, and not the right one; then the right one.
    let sid = format!("CA{:032}", 1);
    for (digits, said) in [("9", "That was not 1."), ("1", "Acknowledged. Goodbye.")] {
        let fields =
            [("CallSid", sid.as_str()), ("CallStatus", "in-progress"), ("To", B), ("Digits", digits)];
        let (status, answer) = call_back(&relay, &back, &fields).await;
        assert!(status == 200 && answer.starts_with("<Response>") && answer.contains(said), "{answer}");
    }
    let signals = rows(&relay, "/api/v1/signals", "signals").await;
    let events: Vec<&str> = signals.iter().filter_map(|signal| signal["event"].as_str()).collect();
    assert_eq!(events, ["acknowledged", "missed"]);
    // It is over while the phone may still ring.
    tell(&relay, "DiskFull", false).await;
    until(&made, |made| made[1].1 == "canceled").await;
    assert_eq!(made.lock().unwrap().len(), 2, "nobody is called because it is over");
}

#[tokio::test]
async fn when_nobody_picks_up_it_says_so_and_stops_ringing() {
    let (fake, made) = account();
    let relay = Relay::start(&target(&fake, "call", &[A])).await;
    tell(&relay, "DiskFull", true).await;
    let first = until(&made, |made| made.len() == 1).await;
    made.lock().unwrap()[0].1 = "busy".into();
    let sid = format!("CA{:032}", 0);
    let fields = [("CallSid", sid.as_str()), ("CallStatus", "busy"), ("To", A)];
    call_back(&relay, field(&first, 0, "StatusCallback"), &fields).await;
    let mut dead = Vec::new();
    for _ in 0..500 {
        dead = rows(&relay, "/api/v1/deliveries?state=dead", "deliveries").await;
        if !dead.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(dead.first().is_some_and(|row| row.to_string().contains("nobody picked up")), "{dead:?}");
    assert_eq!(made.lock().unwrap().len(), 1);
}

/// The second of two fails at first: the first must not get it twice.
#[tokio::test]
async fn a_text_message_goes_to_each_once_even_when_the_service_breaks_off() {
    let state = Arc::new(Mutex::new((Made::new(), 0)));
    let part = Arc::clone(&state);
    let fake = Fake::start(move |heard| {
        let (made, calls) = &mut *part.lock().unwrap();
        *calls += 1;
        match *calls {
            2 => refused(429, 20429, "Too Many Requests").with("retry-after", "1"),
            3 => Answer::text(503, ""),
            _ => play(made, heard),
        }
    });
    let relay = Relay::start(&target(&fake, "sms", &[A, B])).await;
    tell(&relay, "DiskFull", true).await;
    fake.has_heard(4).await;
    tell(&relay, "DiskFull", false).await;
    fake.has_heard(6).await;
    let made = &state.lock().unwrap().0;
    let told: Vec<(&str, &str)> =
        made.iter().map(|(to, _, fields)| (to.as_str(), fields[2].1.split(':').next().unwrap())).collect();
    assert_eq!(told, [(A, "CRITICAL"), (B, "CRITICAL"), (A, "RESOLVED"), (B, "RESOLVED")]);
}

/// Four alerts in a storm, one text a second: each is named, and when the text that named several does
/// not arrive, each of them goes to the fallback.
#[tokio::test]
async fn a_text_of_several_names_each_and_is_missed_by_each() {
    let made = Arc::new(Mutex::new(Made::new()));
    let part = Arc::clone(&made);
    let fake = Fake::start(move |heard| match heard.path.as_str() {
        "/other" => Answer::text(200, ""),
        _ => play(&mut part.lock().unwrap(), heard),
    });
    let config = target(&fake, "sms", &[A]).replace("limit: 1000/s, burst: 1000", "limit: 1/s");
    let other = format!(
        "    fallback: {{ targets: [other] }}\n  - name: other\n    webhook: {{ url: \"{}/other\" }}\n",
        fake.url()
    );
    let relay = Relay::start(&format!("{config}{other}")).await;
    for name in ["a", "b", "c", "d"] {
        tell_again(&relay, name, &format!("disk {name} is full")).await;
    }
    let all = |made: &Made| -> String { (0..made.len()).map(|n| field(made, n, "Body")).collect() };
    let names_all = |made: &Made| {
        ["a", "b", "c", "d"].iter().all(|name| all(made).contains(&format!("disk {name} is full")))
    };
    let texts = until(&made, names_all).await;
    assert!(texts.len() < 4, "some went together: {texts:?}");
    let last = texts.len() - 1;
    let told: Vec<&str> = ["a", "b", "c", "d"]
        .into_iter()
        .filter(|name| field(&texts, last, "Body").contains(&format!("disk {name} is full")))
        .collect();
    assert!(told.len() > 1, "{texts:?}");
    made.lock().unwrap()[last].1 = "undelivered".into();
    let sid = format!("SM{last:032}");
    let fields = [("MessageSid", sid.as_str()), ("MessageStatus", "undelivered"), ("To", A)];
    assert_eq!(call_back(&relay, field(&texts, last, "StatusCallback"), &fields).await.0, 200);
    let dead = in_state(&relay, "dead", told.len()).await;
    assert!(dead.iter().all(|row| row.to_string().contains("did not arrive")), "{dead:?}");
    let told_instead = |name: &str| {
        let summary = format!("disk {name} is full");
        fake.heard().iter().any(|heard| heard.path == "/other" && heard.text().contains(&summary))
    };
    let mut waits = 0;
    while !told.iter().all(|name| told_instead(name)) {
        waits += 1;
        assert!(waits < 1000, "the fallback was not told of {told:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
