//! Kind `email`: mails in threads, by a server that checks logins, addresses, heads and lines.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::support::kinds::{config, tell};
use crate::support::relay::Relay;
use crate::support::smtp::{Mta, PASSWORD, Taken, USER, Way};

/// A relay that mails to `to` by this server.
async fn relay(mta: &Mta, scheme: &str, password: &str, more: &str) -> Relay {
    let pem = serde_json::Value::from(mta.pem.as_str());
    let server = format!(r#"smtp: "{scheme}://localhost:{}", ca: {pem}"#, mta.port);
    let login = format!(r#"username: {USER}, password: "{password}""#);
    let who = r#"from: "Relay 中继 <relay@example.com>", "#;
    Relay::start(&config(&format!("email: {{ {server}, {login}, {who} {more} }}"))).await
}

const TO_OPS: &str = "to: [ops@example.com]";

fn header(mail: &Taken, name: &str) -> String {
    let head = mail.data.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
    let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_default().to_owned()
}

/// RFC 2047, as far as it is used: `=?utf-8?b?…?=`; blanks between encoded words go.
fn decoded(header: &str) -> String {
    let mut bytes = Vec::new();
    let mut after_encoded = false;
    for word in header.split(' ') {
        let encoded = word.strip_prefix("=?utf-8?b?").and_then(|word| word.strip_suffix("?="));
        if !(bytes.is_empty() || after_encoded && encoded.is_some()) {
            bytes.push(b' ');
        }
        after_encoded = encoded.is_some();
        match encoded {
            Some(encoded) => bytes.extend(BASE64.decode(encoded).unwrap()),
            None => bytes.extend(word.as_bytes()),
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The parts of the mail as text: quoted-printable and Base64 undone.
fn parts(mail: &Taken) -> Vec<String> {
    let boundary = mail.data.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap();
    let between = format!("--{boundary}");
    let parts = mail.data.split(&between).skip(1).filter(|part| !part.starts_with("--"));
    parts
        .filter_map(|part| part.split_once("\r\n\r\n"))
        .map(|(head, body)| {
            let bytes = if head.contains("base64") {
                BASE64.decode(body.replace("\r\n", "")).unwrap()
            } else {
                unquoted(&body.replace("=\r\n", ""))
            };
            String::from_utf8(bytes).unwrap()
        })
        .collect()
}

fn unquoted(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'=', [high, low, after @ ..]) => {
                let hex = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
                after
            }
            _ => {
                bytes.push(*first);
                after
            }
        };
    }
    bytes
}

async fn thread_over(way: Way, scheme: &str) {
    let mta = Mta::start(way, |_, _| None).await;
    let relay = relay(&mta, scheme, PASSWORD, TO_OPS).await;
    tell(&relay, "DiskFull", true).await;
    let first = &mta.has_taken(1).await[0];
    assert!(first.encrypted);
    assert_eq!(
        (first.from.as_str(), &first.to[..]),
        ("relay@example.com", &["ops@example.com".to_owned()][..])
    );
    assert_eq!(decoded(&header(first, "Subject")), "[CRITICAL] 磁盘 92% full on db-1 - checkout / db-1:9100");
    assert_eq!(decoded(&header(first, "From")), "Relay 中继 <relay@example.com>");
    assert_eq!(header(first, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(first, "Importance"), "high");
    assert!(header(first, "Message-ID").ends_with("@example.com>"));
    let words = parts(first);
    assert_eq!(words.len(), 2, "{}", first.data);
    assert!(words[0].contains("CRITICAL: 磁盘 92% full on db-1"), "{}", words[0]);
    assert!(words[1].contains("<!DOCTYPE html>") && words[1].contains("磁盘 92% full"), "{}", words[1]);

    tell(&relay, "DiskFull", false).await;
    let over = &mta.has_taken(2).await[1];
    assert!(decoded(&header(over, "Subject")).starts_with("[RESOLVED] 磁盘"));
    assert_eq!(header(over, "Importance"), "");
    assert_ne!(header(over, "Message-ID"), header(first, "Message-ID"));
    let thread = header(first, "References");
    assert!(!thread.is_empty() && !thread.contains(' '));
    for name in ["References", "In-Reply-To"] {
        assert_eq!(header(over, name), thread);
    }
}

#[tokio::test]
async fn trigger_and_resolve_stand_in_one_thread_over_starttls() {
    thread_over(Way::StartTls, "smtp").await;
}

#[tokio::test]
async fn trigger_and_resolve_stand_in_one_thread_over_tls() {
    thread_over(Way::Tls, "smtps").await;
}

#[tokio::test]
async fn a_wrong_password_holds_and_is_not_shown() {
    let mta = Mta::start(Way::Tls, |_, _| None).await;
    let relay = relay(&mta, "smtps", "wrong-wrong-wrong", TO_OPS).await;
    tell(&relay, "DiskFull", true).await;
    mta.was_told("AUTH", 1).await;
    until_logged(&relay, "check username and password").await;
    let coded = BASE64.encode(format!("\0{USER}\0wrong-wrong-wrong"));
    let log = relay.log();
    assert!(!log.contains("wrong-wrong-wrong") && !log.contains(&coded), "{log}");
    assert!(!mta.lines().iter().any(|line| line.starts_with("MAIL")));
}

#[tokio::test]
async fn without_starttls_nothing_is_said() {
    let mta = Mta::start(Way::Plain, |_, _| None).await;
    let relay = relay(&mta, "smtp", PASSWORD, TO_OPS).await;
    tell(&relay, "DiskFull", true).await;
    until_logged(&relay, "does not offer STARTTLS").await;
    assert!(!mta.lines().iter().any(|line| line.starts_with("AUTH") || line.starts_with("MAIL")));
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_gets_nothing() {
    let mut strange = Mta::start(Way::Tls, |_, _| None).await;
    strange.pem = Mta::start(Way::Tls, |_, _| None).await.pem;
    let relay = relay(&strange, "smtps", PASSWORD, TO_OPS).await;
    tell(&relay, "DiskFull", true).await;
    until_logged(&relay, "the certificate of the mail server").await;
    assert_eq!(strange.lines(), Vec::<String>::new());
}

/// Busy at the door, busy at the mail, full, then the line is cut before the answer.
#[tokio::test]
async fn what_may_pass_later_is_tried_again_until_it_is_taken() {
    let mta = Mta::start(Way::Plain, |line, nth| match (line, nth) {
        ("DATA", 1) => Some("451 4.3.0 try again later"),
        (".", 1) => Some("452 4.3.1 disk full"),
        (".", 2) => Some("cut"),
        _ if line.starts_with("MAIL") && nth == 1 => Some("421 4.3.2 closing"),
        _ => None,
    })
    .await;
    let relay = relay(&mta, "smtp", PASSWORD, "to: [ops@example.com], starttls: none").await;
    tell(&relay, "DiskFull", true).await;
    mta.has_taken(1).await;
    tell(&relay, "DiskFull", false).await;
    let taken = mta.has_taken(2).await;
    assert_eq!(taken.len(), 2, "one mail each: {:#?}", mta.lines());
    assert_ne!(header(&taken[0], "Message-ID"), header(&taken[1], "Message-ID"));
}

/// One does not exist, one is greylisted: each of the others has the mail once.
#[tokio::test]
async fn one_recipient_does_not_keep_the_mail_from_the_others() {
    let mta = Mta::start(Way::Plain, |line, nth| {
        (line == "RCPT TO:<late@example.com>" && nth < 8).then_some("451 4.7.1 greylisted, try again")
    })
    .await;
    let to = "to: [ops@example.com, gone@elsewhere.example], cc: [late@example.com], starttls: none";
    let relay = relay(&mta, "smtp", PASSWORD, to).await;
    tell(&relay, "DiskFull", true).await;
    let taken = mta.has_taken(2).await;
    assert_eq!([&taken[0].to[..], &taken[1].to[..]].concat(), ["ops@example.com", "late@example.com"]);
    assert_eq!(header(&taken[0], "Message-ID"), header(&taken[1], "Message-ID"));
    until_logged(&relay, "gone@elsewhere.example").await;
}

async fn until_logged(relay: &Relay, text: &str) {
    for _ in 0..1500 {
        if relay.log().contains(text) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no {text:?} in the log:\n{}", relay.log());
}
