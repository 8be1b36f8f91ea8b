//! The side that faces senders, over raw TCP: limits in time, size and number, keep-alive,
//! stopping, and what a refusal looks like.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and measures real time"
)]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alert_relay::auth::check::Auth;
use alert_relay::metrics::Metrics;
use alert_relay::server::accept::{Limits, Peer, serve};
use alert_relay::server::answer::{Answer, ProblemDetails, json};
use alert_relay::server::body::{Bounds, Encoding, read_within};
use alert_relay::server::budget::Budget;
use alert_relay::server::paths::{ENDPOINTS, Endpoint, Paths};
use alert_relay::server::probes::{self, Readiness};
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use support::wire::{header_of, read_message, read_to_end};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const BODY_LIMIT: usize = 1000;
const BODY_TIME: Duration = Duration::from_millis(300);
const TOKEN: &str = "t0ken-of-guance";

/// A relay of which only the side to the senders is real: the hook says how many bytes it read, and
/// takes its time for the source `slow`.
struct Relay {
    addr: SocketAddr,
    stop: CancellationToken,
    ended: JoinHandle<()>,
    metrics: Metrics,
}

impl Relay {
    async fn with(limits: Limits) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let metrics = Metrics::new("test");
        let paths = Arc::new(Paths::new(ENDPOINTS).unwrap());
        let counted = metrics.clone();
        let service = move |peer: Peer, request: Request<Incoming>| {
            answer(Arc::clone(&paths), counted.clone(), peer, request)
        };
        let ended = tokio::spawn(serve(listener, None, service, limits, metrics.clone(), stop.clone()));
        Relay { addr, stop, ended, metrics }
    }

    async fn start() -> Relay {
        Relay::with(limits()).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    /// One request on a connection of its own; all that comes back.
    async fn ask(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        // The relay may answer and close before it has read all: the answer counts.
        let _ = stream.write_all(request.as_bytes()).await;
        read_to_end(&mut stream).await
    }
}

fn limits() -> Limits {
    Limits {
        header_time: Duration::from_millis(300),
        header_bytes: 2048,
        buffer_bytes: 8192,
        connections: 8,
        drain_time: Duration::from_millis(500),
    }
}

async fn answer(
    paths: Arc<Paths<Endpoint>>,
    metrics: Metrics,
    peer: Peer,
    request: Request<Incoming>,
) -> Answer {
    let (head, body) = request.into_parts();
    let found = match paths.find(&head.method, head.uri.path()) {
        Ok(found) => found,
        Err(missing) => return ProblemDetails::from(missing).into_answer(),
    };
    match found.endpoint {
        Endpoint::Healthy => probes::healthy(),
        Endpoint::Ready => probes::ready(&Readiness::NotReady("the disk is full".into())),
        Endpoint::Metrics => probes::metrics(&metrics),
        Endpoint::HookWithToken => {
            let auth = Auth { path_token: Some(TOKEN.into()), ..Auth::default() };
            match auth.check_head(peer.addr.ip(), &head.headers, Some(found.param("token"))) {
                Ok(()) => json(StatusCode::ACCEPTED, &serde_json::json!({ "accepted": 0 })),
                Err(refused) => ProblemDetails::from(refused).into_answer(),
            }
        }
        _ => {
            let read = match Encoding::of(&head.headers) {
                Ok(encoding) => {
                    let bounds = Bounds { bytes: BODY_LIMIT, time: BODY_TIME };
                    read_within(body, encoding, bounds, &mut Budget::new(1 << 20).held()).await
                }
                Err(error) => Err(error),
            };
            if found.param("source") == "slow" {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            match read {
                Ok(bytes) => json(StatusCode::OK, &serde_json::json!({ "bytes": bytes.len() })),
                Err(error) => error.problem().into_answer(),
            }
        }
    }
}

fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: relay\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// The same, after which the server is to close.
fn last_post(path: &str, body: &str) -> String {
    post(path, body).replacen("host: relay", "host: relay\r\nconnection: close", 1)
}

fn status_of(message: &str) -> &str {
    message.split(' ').nth(1).unwrap_or("no answer")
}

/// The body of a problem answer, after the checks that every such answer must stand.
fn problem_of(message: &str) -> serde_json::Value {
    assert_eq!(header_of(message, "content-type"), Some("application/problem+json"), "{message}");
    let body: serde_json::Value = serde_json::from_str(message.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["type"], "about:blank");
    assert_eq!(body["status"].to_string(), status_of(message));
    assert!(!body["title"].as_str().unwrap().is_empty());
    assert!(!body["detail"].as_str().unwrap().is_empty());
    body
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let relay = Relay::start().await;
    let mut stream = relay.connect().await;
    for body in ["{}", "{\"a\":1}"] {
        stream.write_all(post("/hooks/prod", body).as_bytes()).await.unwrap();
        let heard = read_message(&mut stream).await;
        assert_eq!(status_of(&heard), "200");
        assert!(heard.ends_with(&format!("{{\"bytes\":{}}}", body.len())), "{heard}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let relay = Relay::start().await;
    let all = [post("/hooks/slow", "1"), post("/hooks/prod", "22"), last_post("/hooks/prod", "333")].concat();
    let heard = relay.ask(&all).await;
    let at = |needle: &str| heard.find(needle).unwrap_or_else(|| panic!("no {needle} in {heard}"));
    assert!(at("{\"bytes\":1}") < at("{\"bytes\":2}") && at("{\"bytes\":2}") < at("{\"bytes\":3}"));
}

#[tokio::test]
async fn a_client_that_is_slow_with_its_headers_is_cut() {
    let relay = Relay::start().await;
    for beginning in ["", "POST /hooks/prod HTTP/1.1\r\nhost: rel"] {
        let began = Instant::now();
        let heard = relay.ask(beginning).await;
        assert_eq!(heard, "", "after {beginning:?}");
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(250) && took < Duration::from_secs(5), "{took:?}");
    }
}

#[tokio::test]
async fn a_client_that_drips_its_headers_gains_no_time() {
    let relay = Relay::start().await;
    let mut stream = relay.connect().await;
    stream.write_all(b"POST /hooks/prod HTTP/1.1\r\n").await.unwrap();
    let mut drops = 0;
    while drops < 90 && stream.write_all(b"x-y: z\r\n").await.is_ok() {
        drops += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!((3..60).contains(&drops), "cut after {drops} headers");
    assert_eq!(read_to_end(&mut stream).await, "", "cut for its slowness, not answered");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_a_413_that_says_the_limit() {
    let relay = Relay::start().await;
    for length in [BODY_LIMIT + 1, BODY_LIMIT * 100] {
        let heard = relay.ask(&last_post("/hooks/prod", &"x".repeat(length))).await;
        assert_eq!(status_of(&heard), "413", "{heard}");
        assert_eq!(problem_of(&heard)["limit"], BODY_LIMIT);
    }
    let chunked = format!(
        "POST /hooks/prod HTTP/1.1\r\nhost: relay\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        BODY_LIMIT + 1,
        "x".repeat(BODY_LIMIT + 1)
    );
    assert_eq!(status_of(&relay.ask(&chunked).await), "413");
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_to_be_sent_again() {
    let relay = Relay::start().await;
    let heard = relay.ask("POST /hooks/prod HTTP/1.1\r\nhost: relay\r\ncontent-length: 9\r\n\r\nabc").await;
    assert_eq!(status_of(&heard), "503", "{heard}");
    assert_eq!(header_of(&heard, "retry-after"), Some("1"));
    assert_eq!(problem_of(&heard)["detail"], "the body did not arrive in time: its sender had 300ms");
}

#[tokio::test]
async fn an_encoding_that_is_not_understood_is_a_415() {
    let relay = Relay::start().await;
    let request = last_post("/hooks/prod", "{}").replacen("host:", "content-encoding: br\r\nhost:", 1);
    let heard = relay.ask(&request).await;
    assert_eq!(status_of(&heard), "415");
    assert!(problem_of(&heard)["detail"].as_str().unwrap().contains("gzip"));
}

#[tokio::test]
async fn too_many_bytes_or_lines_of_headers_are_a_431() {
    let relay = Relay::start().await;
    let long = format!("GET /-/healthy HTTP/1.1\r\nhost: relay\r\nx: {}\r\n\r\n", "y".repeat(4000));
    let many = format!("GET /-/healthy HTTP/1.1\r\nhost: relay\r\n{}\r\n", "a: b\r\n".repeat(150));
    for bomb in [long, many] {
        let heard = relay.ask(&bomb).await;
        assert_eq!(status_of(&heard), "431", "{heard:?} to {} bytes", bomb.len());
    }
}

#[tokio::test]
async fn http2_in_clear_text_is_not_spoken() {
    let relay = Relay::start().await;
    let heard = relay.ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 4"), "{heard}");
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one() {
    let relay = Relay::start().await;
    let heard = relay.ask("GET /hooks/prod HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n").await;
    assert_eq!((status_of(&heard), header_of(&heard, "allow")), ("405", Some("POST")));
    assert_eq!(problem_of(&heard)["detail"], "/hooks/{source} is for POST only");
}

#[tokio::test]
async fn a_wrong_path_is_told_the_nearest_and_never_repeats_the_token_in_it() {
    let relay = Relay::start().await;
    let heard = relay.ask(&last_post(&format!("/hook/guance/{TOKEN}"), "{}")).await;
    assert_eq!(status_of(&heard), "404");
    assert_eq!(problem_of(&heard)["nearest"], "/hooks/{source}/{token}");
    assert!(!heard.contains(TOKEN), "{heard}");
}

#[tokio::test]
async fn a_token_in_the_path_lets_in_and_a_wrong_one_is_not_repeated() {
    let relay = Relay::start().await;
    let heard = relay.ask(&last_post(&format!("/hooks/guance/{TOKEN}"), "{}")).await;
    assert_eq!(status_of(&heard), "202");
    let heard = relay.ask(&last_post("/hooks/guance/t0ken-of-guanc", "{}")).await;
    assert_eq!(status_of(&heard), "401");
    assert_eq!(problem_of(&heard)["detail"], "the credential is missing or wrong");
    assert!(!heard.contains("t0ken"), "{heard}");
}

#[tokio::test]
async fn probes_answer_get_and_head() {
    let relay = Relay::start().await;
    let ask = async |method: &str, path: &str| {
        relay.ask(&format!("{method} {path} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n")).await
    };
    let get = ask("GET", "/-/healthy").await;
    assert_eq!(status_of(&get), "200");
    assert!(get.ends_with("alert-relay is healthy.\n"));
    let head = ask("HEAD", "/-/healthy").await;
    assert_eq!((status_of(&head), header_of(&head, "content-length")), ("200", Some("24")));
    assert!(head.ends_with("\r\n\r\n"), "a HEAD has no body: {head}");
    let ready = ask("GET", "/-/ready").await;
    assert_eq!((status_of(&ready), header_of(&ready, "retry-after")), ("503", Some("1")));
    assert_eq!(problem_of(&ready)["detail"], "the disk is full");
    let metrics = ask("GET", "/metrics").await;
    assert!(header_of(&metrics, "content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(metrics.contains("alert_relay_http_connections 1\n") && metrics.ends_with("# EOF\n"));
}

#[tokio::test]
async fn over_the_cap_connections_wait_and_are_served_when_one_leaves() {
    let relay =
        Relay::with(Limits { connections: 1, header_time: Duration::from_secs(20), ..limits() }).await;
    let mut first = relay.connect().await;
    first.write_all(post("/hooks/prod", "1").as_bytes()).await.unwrap();
    assert_eq!(status_of(&read_message(&mut first).await), "200");

    let mut second = relay.connect().await;
    second.write_all(post("/hooks/prod", "22").as_bytes()).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(150), read_message(&mut second)).await;
    assert!(early.is_err(), "the second is served beside the first: {early:?}");
    assert!(relay.metrics.encode().contains("alert_relay_http_connections 1\n"));

    drop(first);
    let heard = tokio::time::timeout(Duration::from_secs(5), read_message(&mut second)).await.unwrap();
    assert!(heard.ends_with("{\"bytes\":2}"), "{heard}");
}

#[tokio::test]
async fn stopping_finishes_what_is_in_flight_and_takes_nothing_new() {
    // Both limits are far away, so that only the order to stop can close a connection.
    let far = Duration::from_secs(60);
    let relay = Relay::with(Limits { header_time: far, drain_time: far, ..limits() }).await;
    let mut idle = relay.connect().await;
    idle.write_all(post("/hooks/prod", "1").as_bytes()).await.unwrap();
    assert_eq!(status_of(&read_message(&mut idle).await), "200");
    let mut busy = relay.connect().await;
    busy.write_all(post("/hooks/slow", "22").as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;

    let began = Instant::now();
    relay.stop.cancel();
    assert_eq!(read_to_end(&mut idle).await, "", "an idle connection is closed");
    let heard = read_to_end(&mut busy).await;
    assert!(heard.ends_with("{\"bytes\":2}"), "{heard}");
    relay.ended.await.unwrap();
    assert!(began.elapsed() < far / 2, "stopping took {:?}", began.elapsed());
    assert!(TcpStream::connect(relay.addr).await.is_err(), "the port must be closed");
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let relay = Relay::with(Limits { header_time: Duration::from_secs(20), ..limits() }).await;
    let mut half = relay.connect().await;
    half.write_all(b"POST /hooks/prod HTTP/1.1\r\nhost: re").await.unwrap();
    let mut silent = relay.connect().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    relay.stop.cancel();
    relay.ended.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(read_to_end(&mut half).await + &read_to_end(&mut silent).await, "");
}
