//! The outward socket against servers that misbehave: what is a reply, what is an error, who can
//! have the request, and that no text gives the URL or a secret away.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and measures real time"
)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use alert_relay::client::{Client, ClientSettings, TimeLimits};
use alert_relay::domain::exchange::{HeaderText, HttpRequest, Method, Reached, Reply, SendError};
use alert_relay::domain::secret::Secret;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use support::wire::{Step, Wire, closed_port, header_of, read_message, say};

const TOKEN: &str = "T0KEN-8f3a-in-the-url";
const KEY: &str = "k3y-77aa-in-a-header";

fn settings() -> ClientSettings {
    ClientSettings { timeout: Duration::from_millis(400), reply_bytes_max: 1024, ..ClientSettings::default() }
}

fn request(url: &str) -> HttpRequest {
    let mut request = HttpRequest::new(Method::Post, url).json(&serde_json::json!({ "say": "hello" }));
    request.headers.push(("Authorization".into(), HeaderText::Hidden(Secret::new(KEY))));
    request
}

async fn call(settings: ClientSettings, url: &str) -> Result<Reply, SendError> {
    Client::new(settings).unwrap().send(&request(url)).await
}

/// Calls a server that follows the script.
async fn call_scripted(script: Vec<Step>) -> Result<Reply, SendError> {
    let wire = Wire::scripted(script).await;
    call(settings(), &wire.url(&format!("/hook/{TOKEN}"))).await
}

/// The error of a call, after the check that every call must stand.
fn fault(answer: Result<Reply, SendError>) -> SendError {
    let fault = answer.expect_err("this call brings no reply");
    for hidden in [TOKEN, KEY, "://", "127.0.0.1", "localhost", "does-not-exist", "/hook"] {
        let shown = format!("{} {fault:?}", fault.reason);
        assert!(!shown.contains(hidden), "{hidden:?} must not show in {shown:?}");
    }
    fault
}

#[tokio::test]
async fn a_call_goes_out_as_written_and_comes_back_with_lower_case_headers() {
    let wire =
        Wire::scripted(vec![say("HTTP/1.1 202 Accepted\r\nX-Request-ID: 7\r\ncontent-length: 2\r\n\r\nok")])
            .await;
    let reply = call(settings(), &wire.url("/v2/enqueue?x=1")).await.unwrap();
    assert_eq!(reply.status, 202);
    assert_eq!(reply.header("x-request-id"), Some("7"));
    assert_eq!(reply.body, b"ok");
    let heard = wire.heard().remove(0);
    assert!(heard.starts_with("POST /v2/enqueue?x=1 HTTP/1.1\r\n"), "{heard}");
    assert!(heard.ends_with("\r\n\r\n{\"say\":\"hello\"}"), "{heard}");
    assert_eq!(header_of(&heard, "authorization"), Some(KEY));
    assert_eq!(header_of(&heard, "content-type"), Some("application/json"));
    assert_eq!(header_of(&heard, "user-agent"), Some(concat!("alert-relay/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(header_of(&heard, "accept-encoding"), None, "bounded replies are asked for uncompressed");
}

#[tokio::test]
async fn a_refused_port_reaches_nobody() {
    let port = closed_port().await;
    let fault = fault(call(settings(), &format!("http://{port}/hook/{TOKEN}")).await);
    assert_eq!((fault.reached, fault.misconfigured), (Reached::Nobody, false));
    assert_eq!(fault.reason, "no connection: connection refused");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_reaches_nobody() {
    let patient = ClientSettings { timeout: Duration::from_secs(8), ..settings() };
    let fault = fault(call(patient, &format!("http://does-not-exist.invalid/hook/{TOKEN}")).await);
    assert_eq!((fault.reached, fault.misconfigured), (Reached::Nobody, false));
    assert_eq!(fault.reason, "the name of the host could not be resolved");
}

#[tokio::test]
async fn a_silent_server_may_have_the_request() {
    let began = Instant::now();
    let fault = fault(call_scripted(vec![Step::Hang]).await);
    assert_eq!((fault.reached, fault.misconfigured), (Reached::Perhaps, false));
    assert_eq!(fault.reason, "the request was sent and no answer came within 400ms");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn the_first_byte_has_a_limit_of_its_own() {
    let wire = Wire::scripted(vec![Step::Hang]).await;
    let hasty = ClientSettings {
        timeout: Duration::from_secs(60),
        first_byte: Some(Duration::from_millis(150)),
        ..settings()
    };
    let fault = fault(call(hasty, &wire.url(&format!("/hook/{TOKEN}"))).await);
    assert_eq!(fault.reached, Reached::Perhaps);
    assert_eq!(fault.reason, "the request was sent and no answer began within 150ms");
}

#[tokio::test]
async fn a_reset_before_the_answer_may_have_the_request() {
    let fault = fault(call_scripted(vec![Step::Reset]).await);
    assert_eq!((fault.reached, fault.misconfigured), (Reached::Perhaps, false));
    assert_eq!(fault.reason, "the connection broke before an answer came: connection reset");
}

#[tokio::test]
async fn a_close_before_the_answer_may_have_the_request() {
    let fault = fault(call_scripted(vec![]).await);
    assert_eq!(fault.reached, Reached::Perhaps);
    assert_eq!(fault.reason, "the host closed the connection without an answer");
}

#[tokio::test]
async fn an_answer_that_is_not_http_may_have_the_request() {
    let fault = fault(call_scripted(vec![say("220 mail.example.com ESMTP\r\n\r\n")]).await);
    assert_eq!(fault.reached, Reached::Perhaps);
    assert_eq!(fault.reason, "what came back is not an HTTP answer");
}

#[tokio::test]
async fn a_status_counts_even_when_its_body_is_reset() {
    let head = "HTTP/1.1 202 Accepted\r\ncontent-length: 100\r\n\r\n{\"status\":";
    let reply =
        call_scripted(vec![say(head), Step::Wait(Duration::from_millis(50)), Step::Reset]).await.unwrap();
    assert_eq!(reply.status, 202);
    assert_eq!(reply.body, b"{\"status\":");
}

#[tokio::test]
async fn a_status_counts_even_when_its_body_never_ends() {
    let head = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 30\r\ncontent-length: 100\r\n\r\nslow";
    let reply = call_scripted(vec![say(head), Step::Hang]).await.unwrap();
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("30")));
    assert_eq!(reply.body, b"slow");
}

#[tokio::test]
async fn a_huge_body_is_read_up_to_the_limit() {
    let mut bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 8388608\r\n\r\n".to_vec();
    bytes.resize(bytes.len() + 8 * 1024 * 1024, b'x');
    let reply = call_scripted(vec![Step::Say(bytes)]).await.unwrap();
    assert_eq!((reply.status, reply.body.len()), (200, 1024));
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_whole() {
    let bytes = format!("HTTP/1.1 200 OK\r\ncontent-length: 1024\r\n\r\n{}", "y".repeat(1024));
    assert_eq!(call_scripted(vec![say(&bytes)]).await.unwrap().body.len(), 1024);
}

#[tokio::test]
async fn a_redirect_is_a_reply() {
    let elsewhere = Wire::scripted(vec![say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")]).await;
    let location = elsewhere.url("/stolen");
    let reply = call_scripted(vec![say(&format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
    ))])
    .await
    .unwrap();
    assert_eq!((reply.status, reply.header("location")), (307, Some(location.as_str())));
    assert!(elsewhere.heard().is_empty(), "the redirect must not be followed");
}

#[tokio::test]
async fn one_call_is_one_request_whatever_the_status() {
    let wire =
        Wire::scripted(vec![say("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")]).await;
    let reply = call(settings(), &wire.url("/")).await.unwrap();
    assert_eq!((reply.status, wire.heard().len()), (503, 1));
}

#[tokio::test]
async fn a_connection_is_used_again_and_a_closed_one_is_not_missed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        for calls_on_this_connection in [2, 1] {
            let (mut stream, _) = listener.accept().await.unwrap();
            for _ in 0..calls_on_this_connection {
                read_message(&mut stream).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            }
        }
    });
    let client = Client::new(settings()).unwrap();
    for _ in 0..2 {
        assert_eq!(client.send(&request(&url)).await.unwrap().status, 200);
    }
    // The server has closed meanwhile; the pool must have seen it.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(client.send(&request(&url)).await.unwrap().status, 200);
    server.await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_put_on_the_wire_reaches_nobody_and_needs_a_person() {
    let client = Client::new(settings()).unwrap();
    let with_header = |name: &str, value: &str| {
        let mut request = request("http://127.0.0.1:1/");
        request.headers.push((name.to_owned(), HeaderText::Plain(value.to_owned())));
        request
    };
    let cases = [
        (request(&format!("no url {TOKEN}")), "the URL is not valid"),
        (request(&format!("ftp://127.0.0.1/{TOKEN}")), "the URL is neither http nor https"),
        (with_header("X-Team", "a\r\nX-Evil: b"), "the value of the header x-team holds a line break"),
        (with_header("X Team", "a"), "the name of a header holds a character"),
        (with_header("Content-Length", "3"), "the header content-length frames the request"),
    ];
    for (request, want) in cases {
        let fault = fault(client.send(&request).await);
        assert_eq!((fault.reached, fault.misconfigured), (Reached::Nobody, true));
        assert!(fault.reason.starts_with(want), "{} should start with {want}", fault.reason);
    }
}

#[tokio::test]
async fn denied_addresses_are_not_called_by_number_or_by_name() {
    let wire = Wire::scripted(vec![say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")]).await;
    let denied_addresses = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    let guarded = ClientSettings { denied_addresses, timeout: Duration::from_secs(8), ..settings() };
    for host in ["127.0.0.1", "localhost"] {
        let fault = fault(call(guarded.clone(), &format!("http://{host}:{}/", wire.addr.port())).await);
        assert_eq!((fault.reached, fault.misconfigured), (Reached::Nobody, true));
        assert_eq!(fault.reason, "the host is at an address that the configuration forbids to call");
    }
    assert!(wire.heard().is_empty());
}

#[tokio::test]
async fn a_get_without_a_body_announces_none() {
    let wire = Wire::scripted(vec![say("HTTP/1.1 204 No Content\r\n\r\n")]).await;
    let get = HttpRequest { method: Method::Get, url: wire.url("/").into(), headers: vec![], body: vec![] };
    let reply = Client::new(settings()).unwrap().send(&get).await.unwrap();
    assert_eq!(reply.status, 204);
    assert_eq!(header_of(&wire.heard()[0], "content-length"), None);
}

#[tokio::test]
async fn a_port_that_does_not_speak_tls_reaches_nobody() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
    });
    let patient = ClientSettings { timeout: Duration::from_secs(8), ..settings() };
    let fault = fault(call(patient, &format!("https://{}/hook/{TOKEN}", port)).await);
    assert_eq!((fault.reached, fault.misconfigured), (Reached::Nobody, false));
    assert_eq!(fault.reason, "TLS could not be agreed on with the host");
}

#[tokio::test]
async fn certificates_are_checked() {
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let roots = Some(issued.cert.pem());
    let port = serve_tls(issued).await;
    let patient = ClientSettings { timeout: Duration::from_secs(8), ..settings() };
    let trusting = ClientSettings { extra_roots: roots, ..patient.clone() };

    let reply = call(trusting.clone(), &format!("https://localhost:{port}/")).await.unwrap();
    assert_eq!(reply.status, 204);

    let unknown = fault(call(patient, &format!("https://localhost:{port}/")).await);
    assert_eq!((unknown.reached, unknown.misconfigured), (Reached::Nobody, true));
    assert_eq!(
        unknown.reason,
        "the certificate of the host is not signed by an authority that this machine trusts"
    );

    let other_name = fault(call(trusting, &format!("https://127.0.0.1:{port}/")).await);
    assert_eq!((other_name.reached, other_name.misconfigured), (Reached::Nobody, true));
    assert_eq!(other_name.reason, "the certificate of the host is made out to another name");
}

#[tokio::test]
async fn unreadable_extra_roots_are_refused_at_the_start() {
    for pem in ["", "not a certificate"] {
        let broken = ClientSettings { extra_roots: Some(pem.to_owned()), ..settings() };
        let error = Client::new(broken).expect_err("no certificate in it");
        assert!(error.to_string().starts_with("the extra root certificates"), "{error}");
    }
}

#[tokio::test]
async fn a_shorter_time_limit_shortens_connecting_too() {
    let wire = Wire::scripted(vec![Step::Hang]).await;
    let slow = Client::new(ClientSettings::default()).unwrap();
    let limits = TimeLimits::whole(Duration::from_millis(120));
    let fast = slow.with_limits(limits).unwrap();
    let fault = fault(fast.send(&request(&wire.url("/"))).await);
    assert_eq!(fault.reason, "the request was sent and no answer came within 120ms");
}

async fn serve_tls(issued: rcgen::CertifiedKey<rcgen::KeyPair>) -> u16 {
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(issued.signing_key.serialize_der().into());
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![issued.cert.der().clone()], key)
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("[::]:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
                let _ = stream.shutdown().await;
            });
        }
    });
    port
}

/// A new pool for each call means new connections, and reading the root certificates each time.
#[tokio::test]
async fn calls_with_the_same_short_time_limit_share_their_connections() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let connections = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            tokio::spawn(async move {
                while !read_message(&mut stream).await.is_empty() {
                    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
                }
            });
        }
    });
    let client = Client::new(ClientSettings::default()).unwrap();
    for _ in 0..5 {
        let limits = TimeLimits::whole(Duration::from_millis(900));
        let short = client.with_limits(limits).unwrap();
        assert_eq!(short.send(&request(&url)).await.unwrap().status, 204);
    }
    assert_eq!(connections.load(std::sync::atomic::Ordering::Relaxed), 1);
}
