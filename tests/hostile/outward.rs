//! Calls out: addresses that are never called however they are written, the proxy that is used and
//! the hosts it is not used for, authorities of one's own.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::alert;
use crate::support::fake::{Answer, Fake};
use crate::support::kinds;
use crate::support::relay::Relay;
use crate::support::smtp::{Mta, PASSWORD, USER, Way};

const PATIENCE: Duration = Duration::from_secs(20);

/// A relay with one target and these settings for calls out.
async fn stage(outbound: &str, target: &str) -> Relay {
    let config = kinds::config(target);
    Relay::start(&format!("{config}\noutbound: {{ {outbound} }}\n")).await
}

/// The first delivery, once it has been tried.
async fn tried(relay: &Relay) -> Value {
    relay.accepts("/hooks/alertmanager", alert("outward")).await;
    let until = Instant::now() + PATIENCE;
    loop {
        let list = relay.http().get(relay.url("/api/v1/deliveries")).send().await.unwrap();
        let list: Value = serde_json::from_str(&list.text().await.unwrap()).unwrap();
        let first = &list["deliveries"][0];
        if first["attempts"].as_array().is_some_and(|attempts| !attempts.is_empty()) {
            return first.clone();
        }
        assert!(Instant::now() < until, "never tried: {list}\n{}", relay.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denied_addresses_are_not_called_in_any_spelling() {
    let inside = Fake::start(|_| Answer::text(200, "credentials"));
    let port = inside.url().rsplit(':').next().unwrap().to_owned();
    let hosts = ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"];
    for host in hosts {
        let target = format!("webhook: {{ url: \"http://{host}:{port}/latest\" }}");
        let relay = stage("deny_private: true", &target).await;
        let delivery = tried(&relay).await;
        assert_eq!(delivery["attempts"][0]["outcome"], "hold", "{host}: {delivery}");
        let why = "the host is at an address that the configuration forbids to call";
        assert!(delivery.to_string().contains(why), "{host}: {delivery}");
    }
    // Those that give credentials away are denied by themselves.
    for host in [
        "169.254.169.254",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "[::ffff:100.100.100.200]",
    ] {
        let relay = stage("", &format!("webhook: {{ url: \"http://{host}/latest\" }}")).await;
        assert!(tried(&relay).await.to_string().contains("forbids to call"), "{host}");
    }
    let mta = Mta::start(Way::Plain, |_, _| None).await;
    let relay = stage("deny_private: true", &mail("smtp", mta.port)).await;
    assert!(tried(&relay).await.to_string().contains("forbids to call"));
    assert_eq!(mta.lines(), Vec::<String>::new());
    assert!(inside.heard().is_empty(), "{:?}", inside.heard());
}

fn mail(scheme: &str, port: u16) -> String {
    format!(
        "email: {{ smtp: \"{scheme}://localhost:{port}\", username: {USER}, password: \"{PASSWORD}\", from: a@example.com, to: [b@example.com] }}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_of_ones_own_is_trusted_where_it_is_named() {
    let mta = Mta::start(Way::Tls, |_, _| None).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("company.pem");
    std::fs::write(&file, &mta.pem).unwrap();
    let smtps = mail("smtps", mta.port);
    let trusted = format!("ca_file: {}", file.display());
    assert_eq!(tried(&stage(&trusted, &smtps).await).await["attempts"][0]["outcome"], "delivered");
    assert_ne!(tried(&stage("", &smtps).await).await["attempts"][0]["outcome"], "delivered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_allowed_is_called_and_no_redirect_is_followed() {
    let inside = Fake::start(|_| Answer::text(200, "credentials"));
    let elsewhere = inside.url();
    let target = Fake::start(move |_| Answer::text(307, "").with("location", &elsewhere));
    let webhook = format!("webhook: {{ url: \"{}/in\" }}", target.url());
    for outbound in ["deny_private: true, allow: [127.0.0.1]", ""] {
        let delivery = tried(&stage(outbound, &webhook).await).await;
        assert_eq!(delivery["attempts"][0]["status"], 307, "{delivery}");
    }
    assert!(inside.heard().is_empty(), "a redirect was followed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_through_the_proxy_but_to_hosts_that_are_excepted() {
    let proxy = Fake::start(|_| Answer::json(200, &serde_json::json!({})));
    let login = proxy.url().replace("http://", "http://relay:QxProxyPassword@");
    let outbound = |more: &str| format!("deny_private: true, proxy: \"{login}\"{more}");
    let webhook = "webhook: { url: \"http://hooks.example.com/in\" }";
    let relay = stage(&outbound(""), webhook).await;
    assert_eq!(tried(&relay).await["attempts"][0]["outcome"], "delivered");
    let heard = proxy.has_heard(1).await;
    assert_eq!((heard[0].path.as_str(), heard[0].header("host")), ("/in", "hooks.example.com"));
    assert!(heard[0].header("proxy-authorization").starts_with("Basic "), "{:?}", heard[0]);
    // What can be seen to be denied is not asked of the proxy.
    let relay = stage(&outbound(""), "webhook: { url: \"http://192.168.0.1/in\" }").await;
    assert!(tried(&relay).await.to_string().contains("forbids to call"));
    let direct = Fake::start(|_| Answer::text(200, "ok"));
    let webhook = format!("webhook: {{ url: \"{}/in\" }}", direct.url());
    let except = outbound(", no_proxy: [127.0.0.0/8], allow: [127.0.0.1]");
    assert_eq!(tried(&stage(&except, &webhook).await).await["attempts"][0]["outcome"], "delivered");
    assert_eq!((direct.heard().len(), proxy.heard().len()), (1, 1));
    let log = String::from_utf8_lossy(&relay.whole_log()).into_owned();
    assert!(!log.contains("QxProxyPassword"), "{log}");
}
