//! AWS SNS from its first message on: who is believed, what is called and what never is. The daemon
//! is the real one; in place of AWS stands a TLS server with a certificate for its name, found by
//! that name in the daemon's hosts. The key that signs is made by openssl for each run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fall over")]
#![allow(clippy::disallowed_methods, reason = "tests live in the real world: its clock is theirs")]

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alert_relay::auth::sns::{Certificate, Sns};
use alert_relay::client::ClientSettings;
use alert_relay::daemon;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use support::ports::free_port;
use support::wire::read_message;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

const HOST: &str = "sns.eu-west-1.amazonaws.com";
const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:alarms";
const CERTIFICATE: &str = "/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem";
const CONFIRM: &str =
    "/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-west-1:123456789012:alarms&Token=2336412f37fb";

/// A key and its certificate.
struct Signer {
    folder: tempfile::TempDir,
    pem: String,
}

impl Signer {
    fn made_out_to(name: &str) -> Signer {
        let folder = tempfile::tempdir().unwrap();
        openssl(
            folder.path(),
            &["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "key.pem", "-out"],
            &["certificate.pem", "-subj", &format!("/CN={name}")],
        );
        let pem = std::fs::read_to_string(folder.path().join("certificate.pem")).unwrap();
        Signer { folder, pem }
    }

    /// The message with its signature, over the text that SNS documents.
    fn sign(&self, mut message: Value, version: &str) -> Value {
        let names: &[&str] = if message["Type"] == "Notification" {
            &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
        } else {
            &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        };
        let there = names.iter().filter(|name| message[**name].is_string());
        let text: String =
            there.map(|name| format!("{name}\n{}\n", message[*name].as_str().unwrap())).collect();
        std::fs::write(self.folder.path().join("text"), text).unwrap();
        let digest = if version == "1" { "-sha1" } else { "-sha256" };
        openssl(self.folder.path(), &["dgst", digest, "-sign", "key.pem", "-out", "signature", "text"], &[]);
        let signature = std::fs::read(self.folder.path().join("signature")).unwrap();
        message["SignatureVersion"] = version.into();
        message["Signature"] = BASE64.encode(signature).into();
        message["SigningCertURL"] = format!("https://{HOST}{CERTIFICATE}").into();
        message
    }
}

fn openssl(folder: &Path, words: &[&str], more: &[&str]) {
    let output = Command::new("openssl").args(words).args(more).current_dir(folder).output();
    let output = output.expect("this test needs openssl: ./test installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What answers in place of AWS.
struct Aws {
    settings: ClientSettings,
    heard: Arc<Mutex<Vec<String>>>,
    status: Arc<Mutex<u16>>,
}

impl Aws {
    async fn start(pem: &str) -> Aws {
        let issued = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(issued.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![issued.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = ClientSettings {
            extra_roots: Some(issued.cert.pem()),
            hosts: vec![(HOST.to_owned(), listener.local_addr().unwrap())],
            ..ClientSettings::default()
        };
        let aws = Aws { settings, heard: Arc::default(), status: Arc::new(Mutex::new(200)) };
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
        let (heard, status, pem) = (Arc::clone(&aws.heard), Arc::clone(&aws.status), pem.to_owned());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let request = read_message(&mut stream).await;
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                let known = path == CERTIFICATE || path == CONFIRM;
                let status = if known { *status.lock().unwrap() } else { 404 };
                heard.lock().unwrap().push(path);
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{pem}",
                    pem.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        aws
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    fn answers(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }
}

/// The daemon in this process, with the calls of its client leading to that AWS.
struct Daemon {
    url: String,
    http: reqwest::Client,
    task: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Daemon {
    async fn start(aws: &Aws, auth: &str) -> Daemon {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let store = folder.path().join("store");
        std::fs::create_dir(&store).unwrap();
        let config = folder.path().join("relay.yaml");
        let text = format!(
            "server: {{ listen: 127.0.0.1:{port} }}\nstore: {{ path: {} }}\n\
             sources: [{{ name: aws, kind: sns, auth: {auth} }}]\nroute: {{ receiver: screen }}\n\
             receivers: [{{ name: screen, targets: [screen] }}]\ntargets: [{{ name: screen, console: {{}} }}]\n",
            store.display()
        );
        std::fs::write(&config, text).unwrap();
        let settings = aws.settings.clone();
        let task = tokio::spawn(async move {
            if let Err(failed) = daemon::serve_with(&config, Arc::new(|_| ()), settings).await {
                panic!("{failed}");
            }
        });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://127.0.0.1:{port}");
        while http.get(format!("{url}/-/ready")).send().await.is_err() {
            assert!(!task.is_finished(), "the daemon ended");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Daemon { url, http, task, _folder: folder }
    }

    async fn listing(aws: &Aws) -> Daemon {
        Daemon::start(aws, &format!("{{ sns: {{ topics: [\"{TOPIC}\"] }} }}")).await
    }

    /// Status, and the answer.
    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_text(path, body.to_string()).await
    }

    async fn post_text(&self, path: &str, body: String) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.url)).header("content-type", "text/plain");
        let answer = request.body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn event(&self, id: &Value) -> Value {
        let url = format!("{}/api/v1/events/{}", self.url, id.as_str().unwrap());
        self.http.get(url).send().await.unwrap().json().await.unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn notification() -> Value {
    json!({ "Type": "Notification", "MessageId": "22b80b92", "TopicArn": TOPIC, "Subject": "Диск \"full\"",
        "Message": "line 1\nline 2 \u{1F525}", "Timestamp": Timestamp::now().to_string() })
}

fn subscription() -> Value {
    json!({ "Type": "SubscriptionConfirmation", "MessageId": "165545c9", "Token": "2336412f37fb", "TopicArn": TOPIC,
        "Message": "You have chosen to subscribe", "SubscribeURL": format!("https://{HOST}{CONFIRM}"),
        "Timestamp": Timestamp::now().to_string() })
}

#[tokio::test]
async fn what_sns_has_signed_is_taken_and_its_certificate_is_fetched_once() {
    let signer = Signer::made_out_to("sns.amazonaws.com");
    let aws = Aws::start(&signer.pem).await;
    let daemon = Daemon::listing(&aws).await;
    for version in ["1", "2"] {
        let mut message = signer.sign(notification(), version);
        let (status, answer) = daemon.post("/hooks/aws", &message).await;
        assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "{version}: {answer}");
        message["MessageAttributes"] = json!({ "x": { "Type": "String", "Value": "not signed" } });
        assert_eq!(daemon.post("/hooks/aws", &message).await.0, 200);
    }
    let mut bare = notification();
    bare.as_object_mut().unwrap().remove("Subject");
    assert_eq!(daemon.post("/hooks/aws", &signer.sign(bare, "1")).await.0, 200);
    assert_eq!(aws.heard(), [CERTIFICATE]);
}

#[tokio::test]
async fn a_message_that_was_changed_or_signed_by_another_is_refused() {
    let signer = Signer::made_out_to("sns.amazonaws.com");
    let aws = Aws::start(&signer.pem).await;
    let daemon = Daemon::listing(&aws).await;
    let good = signer.sign(notification(), "2");
    let changes = [
        ("Message", json!("all is well")),
        ("Subject", json!("")),
        ("Subject", Value::Null),
        ("MessageId", json!("2")),
        ("Type", json!("UnsubscribeConfirmation")),
        ("SignatureVersion", json!("1")),
        ("Signature", json!("AAAA")),
        ("Signature", json!("")),
        ("Signature", json!("***")),
    ];
    for (field, value) in changes {
        let mut changed = good.clone();
        changed[field] = value.clone();
        let (status, answer) = daemon.post("/hooks/aws", &changed).await;
        assert_eq!((status, &answer["detail"]), (403, &json!("the signature is wrong")), "{field}: {value}");
    }
    let stranger = Signer::made_out_to("sns.amazonaws.com").sign(notification(), "2");
    assert_eq!(daemon.post("/hooks/aws", &stranger).await.0, 403);
    let twice = good.to_string().replacen('{', "{\"Message\":\"other\",", 1);
    assert_eq!(daemon.post_text("/hooks/aws", twice).await.0, 403);
    assert_eq!(daemon.post("/hooks/aws", &good).await.0, 200);
}

#[tokio::test]
async fn nothing_is_called_for_a_stranger_or_at_another_address() {
    let signer = Signer::made_out_to("sns.amazonaws.com");
    let aws = Aws::start(&signer.pem).await;
    let daemon = Daemon::listing(&aws).await;
    let with = |field: &str, value: &str| {
        let mut message = subscription();
        message[field] = value.into();
        signer.sign(message, "2")
    };
    let elsewhere = |url: &str| {
        let mut message = signer.sign(notification(), "2");
        message["SigningCertURL"] = url.into();
        message
    };
    let old = Timestamp::now() - SignedDuration::from_hours(2);
    for (message, why) in [
        (with("TopicArn", "arn:aws:sns:eu-west-1:123456789012:other"), "not among those listed"),
        (with("SubscribeURL", "https://169.254.169.254/latest/meta-data"), "not at an address of SNS"),
        (
            with("SubscribeURL", "https://sns.eu-west-1.amazonaws.com.evil.example/"),
            "not at an address of SNS",
        ),
        (with("Timestamp", &old.to_string()), "older than SNS keeps trying"),
        (
            elsewhere("https://evil.example/SimpleNotificationService-f3ecfb7224c7233f.pem"),
            "not at an address",
        ),
        (elsewhere(&format!("http://{HOST}{CERTIFICATE}")), "not at an address"),
        (notification(), "no signature of SNS"),
        (json!({ "AlarmName": "raw", "NewStateValue": "ALARM" }), "raw message delivery"),
    ] {
        let (status, answer) = daemon.post("/hooks/aws", &message).await;
        assert!(
            status == 403 && answer["detail"].as_str().unwrap().contains(why),
            "{why}: {status} {answer}"
        );
    }
    assert_eq!(aws.heard(), Vec::<String>::new());
}

#[tokio::test]
async fn a_subscription_of_a_listed_topic_is_confirmed_and_asked_for_again_when_that_fails() {
    let signer = Signer::made_out_to("sns.amazonaws.com");
    let aws = Aws::start(&signer.pem).await;
    let daemon = Daemon::listing(&aws).await;
    assert_eq!(daemon.post("/hooks/aws", &signer.sign(notification(), "1")).await.0, 200);
    let asked = signer.sign(subscription(), "1");
    aws.answers(500);
    let (status, answer) = daemon.post("/hooks/aws", &asked).await;
    assert_eq!(status, 503, "SNS has to come again: {answer}");
    aws.answers(200);
    let (status, answer) = daemon.post("/hooks/aws", &asked).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(aws.heard(), [CERTIFICATE, CONFIRM, CONFIRM]);
    let notes = daemon.event(&answer["id"]).await["notes"].to_string();
    assert!(notes.contains("asks to be confirmed") && notes.contains("\"confirmed\""), "{notes}");
}

#[tokio::test]
async fn without_listed_topics_nothing_is_confirmed_and_the_operator_sees_the_address() {
    let signer = Signer::made_out_to("sns.amazonaws.com");
    let aws = Aws::start(&signer.pem).await;
    let daemon = Daemon::start(&aws, "{ path_token: token-0123456789 }").await;
    let (status, answer) =
        daemon.post("/hooks/aws/token-0123456789", &signer.sign(subscription(), "2")).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(0)));
    let notes = daemon.event(&answer["id"]).await["notes"].to_string();
    assert!(
        notes.contains(&format!("https://{HOST}{CONFIRM}")) && notes.contains("not confirmed"),
        "{notes}"
    );
    let mut evil = subscription();
    evil["SubscribeURL"] = "https://evil.example/?Action=ConfirmSubscription".into();
    let (_, answer) = daemon.post("/hooks/aws/token-0123456789", &evil).await;
    let notes = daemon.event(&answer["id"]).await["notes"].to_string();
    assert!(notes.contains("never open it") && !notes.contains("evil.example"), "{notes}");
    assert_eq!(aws.heard(), Vec::<String>::new());
}

#[tokio::test]
async fn trouble_with_the_certificate_is_ours_and_the_message_is_asked_for_again() {
    let signer = Signer::made_out_to("sns.amazonaws.com");
    let aws = Aws::start(&signer.pem).await;
    let daemon = Daemon::listing(&aws).await;
    let message = signer.sign(notification(), "2");
    aws.answers(500);
    assert_eq!(daemon.post("/hooks/aws", &message).await.0, 503);
    for number in 0..30 {
        let mut other = message.clone();
        other["SigningCertURL"] = format!("https://{HOST}/SimpleNotificationService-{number:032}.pem").into();
        assert_eq!(daemon.post("/hooks/aws", &other).await.0, 503);
    }
    // Half of them may have fallen into the next minute.
    assert!(aws.heard().len() <= 20, "anybody can keep it busy: {} calls", aws.heard().len());
}

#[tokio::test]
async fn a_certificate_of_somebody_else_or_of_another_time_proves_nothing() {
    let evil = Signer::made_out_to("sns.amazonaws.com.evil.example");
    let aws = Aws::start(&evil.pem).await;
    let daemon = Daemon::listing(&aws).await;
    let (status, answer) = daemon.post("/hooks/aws", &evil.sign(notification(), "2")).await;
    assert!(status == 503 && answer["detail"].as_str().unwrap().contains("somebody else"), "{answer}");

    let signer = Signer::made_out_to("sns.amazonaws.com");
    let certificate = Certificate::read(signer.pem.as_bytes()).unwrap();
    let body = signer.sign(notification(), "2").to_string();
    let now = Timestamp::now();
    let signed = Sns { topics: vec![TOPIC.to_owned()] }.signed(body.as_bytes(), now).unwrap();
    assert_eq!(signed.verify(&certificate, now), Ok(()));
    for days in [-3, 3] {
        let then = now + SignedDuration::from_hours(24 * days);
        assert!(signed.verify(&certificate, then).unwrap_err().contains("not valid at this time"));
    }
    for bad in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(Certificate::read(bad.as_bytes()).is_err());
    }
}
