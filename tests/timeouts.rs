//! Every part of a call has its limit: sockets that stall in each of them, and an error that says in
//! which, and whether the target can have the request.
#![expect(clippy::unwrap_used, reason = "a test may fall over")]
#![expect(clippy::disallowed_methods, reason = "tests live in the real world: its clock is theirs")]

mod support;

use std::time::{Duration, Instant};

use alert_relay::client::{Client, ClientSettings, TimeLimits};
use alert_relay::domain::exchange::{HttpRequest, Method, Reached, Reply, SendError};
use support::wire::{Step, Wire, say};

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(20);

fn limits(connect: Duration, first_byte: Duration, whole: Duration) -> TimeLimits {
    TimeLimits { whole, connect: Some(connect), first_byte: Some(first_byte) }
}

async fn call(url: &str, limits: TimeLimits) -> Result<Reply, SendError> {
    let began = Instant::now();
    let client = Client::new(ClientSettings::default()).unwrap().with_limits(limits).unwrap();
    let answered = client.send(&HttpRequest::new(Method::Post, url).json(&serde_json::json!({}))).await;
    assert!(began.elapsed() < Duration::from_secs(5), "the short limit was the one that counted");
    answered
}

#[tokio::test]
async fn a_connection_that_never_stands_reaches_nobody() {
    // It accepts, and never says a word of TLS.
    let wire = Wire::scripted(vec![Step::Hang]).await;
    let error = call(&wire.url("/").replace("http:", "https:"), limits(SHORT, LONG, LONG)).await.unwrap_err();
    assert_eq!((error.reached, error.misconfigured), (Reached::Nobody, false));
    assert_eq!(error.reason, "no connection within 200ms");
}

#[tokio::test]
async fn an_answer_that_never_begins_may_have_been_heard() {
    let wire = Wire::scripted(vec![Step::Hang]).await;
    let error = call(&wire.url("/"), limits(SHORT / 2, SHORT, LONG)).await.unwrap_err();
    assert_eq!(error.reached, Reached::Perhaps);
    assert_eq!(error.reason, "the request was sent and no answer began within 200ms");
}

#[tokio::test]
async fn an_answer_that_begins_and_never_gets_to_its_status_may_have_been_heard() {
    let wire = Wire::scripted(vec![say("HTTP/1.1 202 Accep"), Step::Hang]).await;
    let whole = TimeLimits::whole(SHORT);
    let error = call(&wire.url("/"), whole).await.unwrap_err();
    assert_eq!(error.reached, Reached::Perhaps);
    assert_eq!(error.reason, "the request was sent and no answer came within 200ms");
}

#[tokio::test]
async fn a_status_whose_body_stalls_counts() {
    let wire =
        Wire::scripted(vec![say("HTTP/1.1 202 Accepted\r\ncontent-length: 9\r\n\r\nok"), Step::Hang]).await;
    let reply = call(&wire.url("/"), limits(SHORT / 4, SHORT / 2, SHORT)).await.unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (202, &b"ok"[..]));
}

#[tokio::test]
async fn an_answer_within_all_limits_is_not_hurried() {
    let wire = Wire::scripted(vec![
        Step::Wait(SHORT),
        say("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nok"),
        Step::Wait(SHORT),
        say("ok"),
    ])
    .await;
    let reply = call(&wire.url("/"), limits(SHORT, SHORT * 5, SHORT * 10)).await.unwrap();
    assert_eq!(reply.body, b"okok");
}
