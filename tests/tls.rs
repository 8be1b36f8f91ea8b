//! TLS on the real binary: who may come in by which certificate, what is shown after the files have
//! changed, what becomes of clients that speak something else, are slow or ask nothing; and what
//! `check` says of files that are no good.
#![expect(clippy::unwrap_used, reason = "a test may fall over")]
#![expect(clippy::disallowed_methods, reason = "tests live in the real world: its clock is theirs")]

#[path = "tls/authority.rs"]
mod authority;
#[path = "crash/load.rs"]
mod load;
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use authority::{Authority, Made, Stage};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use load::{Word, webhook};
use reqwest::Version;
use reqwest::tls;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use support::alertmanager::{self, Alertmanager, firing, resolved};
use support::wire;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const HOOK: &str = "/hooks/alertmanager";
const PATIENCE: Duration = Duration::from_secs(20);

fn alert(name: &str) -> String {
    webhook(name, Word { round: 1, firing: true })
}

async fn status(client: &reqwest::Client, url: String, name: &str) -> Result<u16, String> {
    let sent = client.post(url).body(alert(name)).send().await;
    sent.map(|answer| answer.status().as_u16()).map_err(|error| format!("{error:?}"))
}

#[tokio::test]
async fn alerts_come_in_by_both_versions_of_tls_and_of_http() {
    let authority = Authority::new("house");
    let stage = Stage::open(&authority.host("relay"), "", "").await;
    let clients = [
        (authority.trusting(), Version::HTTP_2),
        (authority.trusting().http1_only(), Version::HTTP_11),
        (authority.trusting().tls_version_max(tls::Version::TLS_1_2), Version::HTTP_2),
        (authority.trusting().tls_version_min(tls::Version::TLS_1_3).http1_only(), Version::HTTP_11),
    ];
    for (number, (client, version)) in clients.into_iter().enumerate() {
        let client = client.build().unwrap();
        for round in 0..3 {
            let body = alert(&format!("tls-{number}-{round}"));
            let answer = client.post(stage.url(HOOK)).body(body).send().await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.version()), (200, version), "client {number}");
        }
        let ready = client.get(stage.url("/-/ready")).send().await.unwrap();
        assert_eq!(ready.status().as_u16(), 200);
        // The admin interface has its own listener, whatever HTTP calls the host.
        let elsewhere = client.get(stage.url("/api/v1/deliveries")).send().await.unwrap();
        assert_eq!(elsewhere.status().as_u16(), 404);
    }
    stage.pagerduty.wait_for("all alerts", |seen| seen.open() == 12, PATIENCE).await;
    let stranger = Authority::new("somewhere else").trusting().build().unwrap();
    assert!(status(&stranger, stage.url(HOOK), "stranger").await.unwrap_err().contains("UnknownIssuer"));
}

#[tokio::test]
async fn a_command_is_told_which_option_names_the_authority() {
    let authority = Authority::new("house");
    let stage = Stage::open(&authority.host("relay"), "", "").await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    let url = stage.url("");
    let list = |more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_alert-relay"));
        let ended = command.args(["queue", "list", "--url", &url]).args(more).output().unwrap();
        String::from_utf8(ended.stderr).unwrap()
    };
    let unknown = list(&[]);
    assert!(unknown.contains("name the authority that signed it with --ca-file"), "{unknown}");
    let known = list(&["--ca-file", file.path().to_str().unwrap()]);
    assert!(known.contains("say server.admin.listen with --url"), "{known}");
}

#[tokio::test]
async fn a_real_alertmanager_tells_a_relay_over_tls_with_a_certificate_of_its_own() {
    let (authority, senders) = (Authority::new("house"), Authority::new("senders"));
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name).display().to_string();
    for (name, text) in [("house.pem", authority.pem()), ("senders.pem", senders.pem())] {
        std::fs::write(path(name), text).unwrap();
    }
    senders.client("am-1").write(files.path(), "am-1");
    let source = "  - { name: named, kind: alertmanager, auth: { client_cert: [am-1.example.com] } }";
    let tls = format!(", client_ca: {}", path("senders.pem"));
    let stage = Stage::open(&authority.host("relay"), &tls, source).await;
    let by_tls = format!(
        "send_resolved: true\n        http_config: {{ tls_config: {{ ca_file: {}, cert_file: {}, key_file: {} }} }}",
        path("house.pem"),
        path("am-1.pem"),
        path("am-1.key")
    );
    let config = alertmanager::config(&stage.url("/hooks/named")).replace("send_resolved: true", &by_tls);
    let am = Alertmanager::start(&config, &[]).await;
    let since = jiff::Timestamp::now();
    am.post(&[firing("DiskFull", "db1", since)]).await;
    stage.pagerduty.wait_for("the trigger", |seen| seen.open() == 1, PATIENCE).await;
    am.post(&[resolved("DiskFull", "db1", since, jiff::Timestamp::now())]).await;
    stage.pagerduty.wait_for("the resolve", |seen| seen.open() == 0, PATIENCE).await;
}

#[tokio::test]
async fn a_client_certificate_opens_the_sources_that_name_it() {
    let (authority, senders) = (Authority::new("house"), Authority::new("senders"));
    let other = Authority::new("strangers");
    let files = tempfile::tempdir().unwrap();
    let ca = files.path().join("senders.pem");
    std::fs::write(&ca, senders.pem()).unwrap();
    let sources = "  - { name: named, kind: alertmanager, auth: { client_cert: [am-1.example.com, robot] } }";
    for (required, nobody) in [("required", None), ("optional", Some((200, 403)))] {
        let tls = format!(", client_ca: {}, client_auth: {required}", ca.display());
        let stage = Stage::open(&authority.host("relay"), &tls, sources).await;
        let named = || stage.url("/hooks/named");
        for (client, expected) in [("am-1", 200), ("robot", 200), ("am-2", 403)] {
            let identity = senders.client(client).identity();
            let client = authority.trusting().identity(identity).build().unwrap();
            assert_eq!(status(&client, named(), "known").await, Ok(expected));
            assert_eq!(status(&client, stage.url(HOOK), "known-anyway").await, Ok(200));
        }
        let without = authority.trusting().build().unwrap();
        let told = (status(&without, stage.url(HOOK), "x").await, status(&without, named(), "x").await);
        assert_eq!((told.0.ok(), told.1.ok()), (nobody.map(|both| both.0), nobody.map(|both| both.1)));
        // Made out to the right name, by somebody else.
        let forged = authority.trusting().identity(other.client("am-1").identity()).build().unwrap();
        assert!(status(&forged, named(), "forged").await.is_err(), "{required}");
        let failed = "alert_relay_tls_handshakes_failed_total";
        assert!(count(&stage.relay.metrics().await, failed) >= 1.0);
    }
}

/// The value of a metric without labels or with these.
fn count(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    line.and_then(|line| line.rsplit(' ').next()).and_then(|value| value.parse().ok()).unwrap_or_default()
}

/// The name on the certificate that is shown now.
async fn shown(stage: &Stage, authority: &Authority) -> String {
    let stream = handshake(stage, authority, &[]).await;
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    let (_, leaf) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
    let name = leaf.subject().iter_common_name().next().unwrap().as_str().unwrap();
    name.to_owned()
}

async fn handshake(
    stage: &Stage,
    authority: &Authority,
    alpn: &[&str],
) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(("127.0.0.1", stage.port)).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

/// Waits until the log says so.
async fn logged(stage: &Stage, words: &str) {
    let until = Instant::now() + PATIENCE;
    while !String::from_utf8_lossy(&stage.relay.whole_log()).contains(words) {
        assert!(Instant::now() < until, "the log never says {words:?}:\n{}", stage.relay.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart_and_a_bad_one_is_not() {
    const EXPIRES: &str = "alert_relay_tls_certificate_expires_timestamp_seconds{listener=\"senders\"}";
    let authority = Authority::new("house");
    let stage = Stage::open(&authority.host("first"), "", "").await;
    assert_eq!(shown(&stage, &authority).await, "first");
    let first = count(&stage.relay.metrics().await, EXPIRES);
    assert!(first > 3e9, "{first}");
    // A connection that is open stays as it is.
    let client = authority.trusting().build().unwrap();
    assert_eq!(status(&client, stage.url(HOOK), "before").await, Ok(200));

    authority.makes("second", "127.0.0.1", (2020, 2060)).write(stage.files.path(), "relay");
    assert_eq!(stage.relay.post("/-/reload", "").await.unwrap().0, 200);
    assert_eq!(shown(&stage, &authority).await, "second");
    let second = count(&stage.relay.metrics().await, EXPIRES);
    assert!(second < first && second > 2.8e9, "{second}");
    assert_eq!(status(&client, stage.url(HOOK), "after").await, Ok(200));

    // The key of another one: refused by a reload, and by the look at the files.
    std::fs::write(stage.file("relay.key"), authority.host("third").key).unwrap();
    let (code, told) = stage.relay.post("/-/reload", "").await.unwrap();
    assert!(code == 500 && told.contains("does not belong to the certificate"), "{told}");
    logged(&stage, "the new certificate is not used, the old one stays: key does not belong").await;
    assert_eq!(shown(&stage, &authority).await, "second");
    std::fs::remove_file(stage.file("relay.key")).unwrap();
    logged(&stage, "relay.key`, which does not exist").await;
    assert_eq!(shown(&stage, &authority).await, "second");

    // Whole again, and nobody says so.
    authority.host("fourth").write(stage.files.path(), "relay");
    let until = Instant::now() + PATIENCE;
    while shown(&stage, &authority).await != "fourth" {
        assert!(Instant::now() < until, "the files are not looked at:\n{}", stage.relay.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let log = String::from_utf8_lossy(&stage.relay.whole_log()).into_owned();
    assert!(!log.contains("PRIVATE KEY"), "{log}");
}

#[tokio::test]
async fn who_speaks_no_tls_is_told_so_and_nobody_holds_a_handshake() {
    let authority = Authority::new("house");
    let stage = Stage::open(&authority.host("relay"), "", "").await;
    let mut plain = TcpStream::connect(("127.0.0.1", stage.port)).await.unwrap();
    let body = alert("plain").repeat(50);
    let length = body.len();
    let request = format!("POST {HOOK} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
    plain.write_all(request.as_bytes()).await.unwrap();
    let answer = tokio::time::timeout(PATIENCE, wire::read_message(&mut plain)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.ends_with("write https:// instead of http:// in the address.\n"), "{answer}");
    assert_eq!(plain.read(&mut [0; 16]).await.unwrap(), 0, "the connection stays open");

    for begun in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", &[0x16; 400]] {
        let mut slow = TcpStream::connect(("127.0.0.1", stage.port)).await.unwrap();
        slow.write_all(begun).await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, slow.read_to_end(&mut rest)).await;
        // With a TLS alert, or without a word.
        assert!(ended.is_ok() && rest.len() < 20, "{begun:?} may stay: {rest:?}");
    }
    let client = authority.trusting().build().unwrap();
    assert_eq!(status(&client, stage.url(HOOK), "well").await, Ok(200));
}

#[tokio::test]
async fn who_asks_nothing_over_http_2_is_sent_away() {
    let authority = Authority::new("house");
    let stage = Stage::open(&authority.host("relay"), "", "").await;
    let stream = handshake(&stage, &authority, &["h2"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let ready = hyper::Request::get(stage.url("/-/ready")).body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(sender.send_request(ready).await.unwrap().status().as_u16(), 200);
    // The connection answers pings all the while, and is idle.
    let ended = tokio::time::timeout(PATIENCE, connection).await.expect("it may stay for ever");
    drop((ended, sender));

    // One that has only shaken hands, and says nothing at all after that.
    for alpn in [&["h2"][..], &["http/1.1"], &[]] {
        let mut mute = handshake(&stage, &authority, alpn).await;
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, mute.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "{alpn:?} may stay for ever");
    }
}

/// `alert-relay check` on a relay with this certificate: what it writes, and its code.
fn checked(made: &Made) -> (String, i32) {
    let folder = tempfile::tempdir().unwrap();
    made.write(folder.path(), "relay");
    let config = "server:\n  tls:\n    cert: relay.pem\n    key: relay.key\n\
                  sources: [{ name: am, kind: alertmanager, auth: none }]\n\
                  route: { receiver: r }\nreceivers: [{ name: r, targets: [t] }]\n\
                  targets: [{ name: t, console: {} }]\n";
    std::fs::write(folder.path().join("relay.yaml"), config).unwrap();
    let program = env!("CARGO_BIN_EXE_alert-relay");
    let mut command = std::process::Command::new(program);
    command.args(["check", "--config"]).arg(folder.path().join("relay.yaml"));
    let ended = command.env_remove("CREDENTIALS_DIRECTORY").output().unwrap();
    (String::from_utf8_lossy(&ended.stdout).into_owned(), ended.status.code().unwrap())
}

#[test]
fn check_tells_what_is_wrong_with_a_certificate_and_where() {
    let authority = Authority::new("house");
    let good = authority.host("relay");
    let far = |years| authority.makes("relay", "127.0.0.1", years);
    let other_key = Made { key: authority.host("other").key, ..good.clone() };
    let chain = Made { cert: format!("{}{}", good.cert, authority.pem()), ..good.clone() };
    let turned = Made { cert: format!("{}{}", authority.pem(), good.cert), ..good.clone() };
    let torn = Made { cert: good.cert.replace("-----END", "----"), ..good.clone() };
    let swapped = Made { cert: good.key.clone(), key: good.cert.clone() };
    for (made, code, said, line) in [
        (good, 0, "is good", ""),
        (chain, 0, "is good", ""),
        (turned, 1, "server.tls.key: does not belong to the certificate under `cert`", ":4:10"),
        (other_key, 1, "server.tls.key: does not belong to the certificate under `cert`", ":4:10"),
        (torn, 1, "server.tls.cert: holds no certificate in PEM that can be read", ":3:11"),
        (swapped, 1, "server.tls.cert: holds no certificate in PEM that can be read", ":3:11"),
        (
            far((2020, 2021)),
            0,
            "warning: server.tls.cert: holds a certificate that has expired on 2021-01-01",
            ":3:11",
        ),
        (
            far((2085, 2090)),
            0,
            "warning: server.tls.cert: holds a certificate that is not valid before 2085-01-01",
            ":3:11",
        ),
    ] {
        let (text, ended) = checked(&made);
        assert_eq!(ended, code, "{text}");
        assert!(text.contains(said) && text.contains(line), "{said}: {text}");
        assert!(!text.contains(&made.key[30..80]), "{text}");
    }
}
