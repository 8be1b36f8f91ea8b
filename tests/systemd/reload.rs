//! Reading the configuration again: nothing that is owed is lost or silently ignored, and a resolve goes
//! where its trigger went.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::fake::{Answer, Fake};
use crate::support::kinds::webhook;
use crate::support::relay::Relay;

/// Two targets of which one is used: `old` as configured first, `new` later.
fn config(old: &Fake, new: &Fake, server: &str) -> String {
    format!(
        r#"
server: {{ listen: LISTEN, {server} }}
store: {{ path: STORE }}
sources: [{{ name: alertmanager, kind: alertmanager, auth: none }}]
route: {{ receiver: all }}
receivers: [{{ name: all, targets: [old] }}]
targets:
  - name: old
    webhook: {{ url: "{}/in", headers: {{ X-Key: key-of-old }} }}
    retry: {{ base: 50ms, cap: 100ms }}
#  - {{ name: new, webhook: {{ url: "{}/in", headers: {{ X-Key: key-of-new }} }} }}
"#,
        old.url(),
        new.url()
    )
}

const HOOK: &str = "/hooks/alertmanager";

/// Writes the configuration with one piece replaced.
fn rewrite(relay: &Relay, changes: &[(&str, &str)]) {
    let path = relay.folder().join("relay.yaml");
    let mut text = std::fs::read_to_string(&path).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from} is not in\n{text}");
        text = text.replace(from, to);
    }
    std::fs::write(path, text).unwrap();
}

/// Takes `old` out and puts `new` in.
fn change_target(relay: &Relay) {
    rewrite(
        relay,
        &[
            ("targets: [old]", "targets: [new]"),
            ("  - name: old\n", "  - name: old#\n"),
            ("\n#  - {", "\n  - {"),
        ],
    );
    let path = relay.folder().join("relay.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("  - name: old#\n").unwrap();
    let (gone, after) = rest.split_once("  - {").unwrap();
    std::fs::write(relay.folder().join("gone.yaml"), format!("  - name: old\n{gone}")).unwrap();
    std::fs::write(path, format!("{before}  - {{{after}")).unwrap();
}

/// Puts `old` back beside `new`.
fn put_back(relay: &Relay) {
    let gone = std::fs::read_to_string(relay.folder().join("gone.yaml")).unwrap();
    rewrite(
        relay,
        &[("targets:\n", &format!("targets:\n{gone}")), ("targets: [new]", "targets: [new, old]")],
    );
}

async fn reload(relay: &Relay) -> String {
    let (status, told) = relay.post("/-/reload", "").await.unwrap();
    assert_eq!(status, 200, "{told}");
    told
}

async fn get(relay: &Relay, path: &str) -> Value {
    relay.http().get(relay.url(path)).send().await.unwrap().json().await.unwrap()
}

/// What a fake heard: status of the alert, its name, and the key it came with.
fn told(fake: &Fake) -> Vec<(String, String, String)> {
    let one = |heard: crate::support::fake::Heard| {
        let body = heard.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&body["action"]), text(&body["commonLabels"]["alertname"]), heard.header("x-key").to_owned())
    };
    fake.heard().into_iter().map(one).collect()
}

fn says(action: &str, name: &str, key: &str) -> (String, String, String) {
    (action.to_owned(), name.to_owned(), key.to_owned())
}

/// Waits until something holds.
async fn until(what: &str, relay: &Relay, holds: impl AsyncFn() -> bool) {
    let end = Instant::now() + Duration::from_secs(15);
    while !holds().await {
        assert!(Instant::now() < end, "never: {what}; log:\n{}", relay.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn fine() -> Fake {
    Fake::start(|_| Answer::text(204, ""))
}

#[tokio::test]
async fn what_a_removed_target_is_owed_waits_over_a_restart_until_it_is_back() {
    let (old, new) = (fine(), fine());
    let mut relay = Relay::start(&config(&old, &new, "")).await;
    for name in ["One", "Two"] {
        relay.accepts(HOOK, webhook(name, true).to_string()).await;
    }
    old.has_heard(2).await;
    change_target(&relay);
    let warned = reload(&relay).await;
    assert!(
        warned.contains("target old is no longer configured, and 2 incidents may be open there"),
        "{warned}"
    );
    relay.accepts(HOOK, webhook("One", false).to_string()).await;
    // How its keys were made is forgotten with the process, and still found.
    relay.stop().await;
    relay.start_again().await;
    until("the start tells what it found", &relay, async || {
        String::from_utf8_lossy(&relay.whole_log()).contains("and 1 delivery waits for it, 2 incidents")
    })
    .await;
    relay.accepts(HOOK, webhook("Two", false).to_string()).await;
    relay.accepts(HOOK, webhook("Three", true).to_string()).await;
    new.has_heard(1).await;
    let metrics = relay.metrics().await;
    assert!(metrics.contains("alert_relay_parked_deliveries{target=\"old\"} 2"), "{metrics}");
    let parked = get(&relay, "/api/v1/deliveries?state=parked").await;
    let parked: Vec<&str> =
        parked["deliveries"].as_array().unwrap().iter().map(|row| row["target"].as_str().unwrap()).collect();
    assert_eq!(parked, ["old", "old"]);
    assert_eq!(told(&new), [says("trigger", "Three", "key-of-new")], "it has not heard of the others");
    put_back(&relay);
    reload(&relay).await;
    old.has_heard(4).await;
    let mut late = told(&old).split_off(2);
    late.sort();
    assert_eq!(late, [says("resolve", "One", "key-of-old"), says("resolve", "Two", "key-of-old")]);
    assert!(!relay.metrics().await.contains("alert_relay_parked_deliveries{"));
}

#[tokio::test]
async fn a_removed_target_is_drained_where_the_configuration_says_so() {
    let (old, new) = (fine(), fine());
    let relay = Relay::start(&config(&old, &new, "removed_targets: drain")).await;
    relay.accepts(HOOK, webhook("One", true).to_string()).await;
    old.has_heard(1).await;
    change_target(&relay);
    let warned = reload(&relay).await;
    assert!(warned.contains("its old settings go on working until this process ends"), "{warned}");
    relay.accepts(HOOK, webhook("Two", true).to_string()).await;
    relay.accepts(HOOK, webhook("One", false).to_string()).await;
    old.has_heard(2).await;
    new.has_heard(1).await;
    assert_eq!(told(&old), [says("trigger", "One", "key-of-old"), says("resolve", "One", "key-of-old")]);
    assert_eq!(told(&new), [says("trigger", "Two", "key-of-new")]);
    assert!(!relay.metrics().await.contains("alert_relay_parked_deliveries{"));
}

#[tokio::test]
async fn a_resolve_goes_where_its_trigger_went_when_the_routes_have_changed() {
    let (old, new) = (fine(), fine());
    let relay = Relay::start(&config(&old, &new, "")).await;
    relay.accepts(HOOK, webhook("One", true).to_string()).await;
    old.has_heard(1).await;
    rewrite(&relay, &[("targets: [old]", "targets: [new]"), ("\n#  - {", "\n  - {")]);
    reload(&relay).await;
    relay.accepts(HOOK, webhook("One", false).to_string()).await;
    relay.accepts(HOOK, webhook("Two", true).to_string()).await;
    new.has_heard(1).await;
    old.has_heard(2).await;
    assert_eq!(told(&old), [says("trigger", "One", "key-of-old"), says("resolve", "One", "key-of-old")]);
    assert_eq!(told(&new), [says("trigger", "Two", "key-of-new")]);
}

#[tokio::test]
async fn a_call_under_way_to_a_removed_target_is_made_once() {
    let old = Fake::start(|_| Answer::text(204, "").after(Duration::from_millis(800)));
    let new = fine();
    let mut relay = Relay::start(&config(&old, &new, "")).await;
    relay.accepts(HOOK, webhook("One", true).to_string()).await;
    old.has_heard(1).await;
    change_target(&relay);
    reload(&relay).await;
    let delivered = async || {
        let all = get(&relay, "/api/v1/deliveries?state=delivered").await;
        all["deliveries"].as_array().unwrap().len() == 1
    };
    until("its end is written down", &relay, delivered).await;
    put_back(&relay);
    relay.stop().await;
    relay.start_again().await;
    relay.accepts(HOOK, webhook("Two", true).to_string()).await;
    old.has_heard(2).await;
    let names: Vec<String> = told(&old).into_iter().map(|(_, name, _)| name).collect();
    assert_eq!(names, ["One", "Two"]);
}

#[tokio::test]
async fn what_waits_for_a_removed_target_can_be_dropped() {
    let old = Fake::start(|_| Answer::text(503, "not now"));
    let new = fine();
    let relay = Relay::start(&config(&old, &new, "")).await;
    relay.accepts(HOOK, webhook("One", true).to_string()).await;
    old.has_heard(1).await;
    change_target(&relay);
    reload(&relay).await;
    let drop_all = || {
        let queue = ["queue", "drop", "--yes", "--target", "old", "--reason", "gone", "--url"];
        Command::new(env!("CARGO_BIN_EXE_alert-relay")).args(queue).arg(relay.url("")).output().unwrap()
    };
    let done = drop_all();
    let out = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success() && out.contains("is dropped"), "{out}{:?}", done.stderr);
    let again = drop_all();
    assert_eq!(String::from_utf8(again.stderr).unwrap(), "error: nothing waits for target old\n");
}

#[tokio::test]
async fn what_a_reload_cannot_change_is_told() {
    let (old, new) = (fine(), fine());
    let relay = Relay::start(&config(&old, &new, "drain: 20s")).await;
    assert_eq!(reload(&relay).await, "the configuration has been read again.\n");
    rewrite(&relay, &[("drain: 20s", "drain: 5s, connections: 7"), ("/store", "/other")]);
    let warned = reload(&relay).await;
    let keys: Vec<&str> =
        warned.lines().filter_map(|line| line.strip_prefix("warning: ")?.split(':').next()).collect();
    assert_eq!(keys, ["store.path", "server.connections", "server.drain"], "{warned}");
    assert!(warned.contains("restart the relay to put it into effect"), "{warned}");
    rewrite(&relay, &[("key-of-old", "another-key")]);
    let (status, refused) = relay.post("/-/reload", "").await.unwrap();
    assert_eq!((status, refused.contains("credentials")), (200, false), "nothing is open there: {refused}");
    relay.accepts(HOOK, webhook("One", true).to_string()).await;
    old.has_heard(1).await;
    rewrite(&relay, &[("another-key", "a-third-key")]);
    let warned = reload(&relay).await;
    assert!(warned.contains("target old has other credentials than before"), "{warned}");
    assert!(!warned.contains("a-third-key"), "{warned}");
}

#[tokio::test]
async fn files_that_change_are_read_again_and_a_bad_one_changes_nothing() {
    let (old, new) = (fine(), fine());
    let text = config(&old, &new, "watch: true");
    let text = format!("{text}enrich: [{{ lookup: {{ file: table/services.csv, key: service }} }}]\n");
    let relay = {
        // The table must be there before the start: it comes as Kubernetes brings it.
        let plain = text.split("enrich:").next().unwrap();
        let relay = Relay::start(plain).await;
        for (folder, team) in [("first", "alpha"), ("second", "beta")] {
            std::fs::create_dir(relay.folder().join(folder)).unwrap();
            std::fs::write(
                relay.folder().join(folder).join("services.csv"),
                format!("service,team\ncheckout,{team}\n"),
            )
            .unwrap();
        }
        std::os::unix::fs::symlink("first", relay.folder().join("table")).unwrap();
        relay
    };
    let enriched = format!(
        "{}enrich:{}",
        std::fs::read_to_string(relay.folder().join("relay.yaml")).unwrap(),
        text.split("enrich:").nth(1).unwrap()
    );
    std::fs::write(relay.folder().join("relay.yaml"), enriched).unwrap();
    let log = || String::from_utf8_lossy(&relay.whole_log()).into_owned();
    until("the new configuration is in force", &relay, async || log().contains("relay.yaml has changed"))
        .await;
    relay.accepts(HOOK, webhook("One", true).to_string()).await;
    let team = |heard: &crate::support::fake::Heard| heard.json()["commonLabels"]["team"].clone();
    assert_eq!(team(&old.has_heard(1).await[0]), "alpha");

    std::os::unix::fs::symlink("second", relay.folder().join("next")).unwrap();
    std::fs::rename(relay.folder().join("next"), relay.folder().join("table")).unwrap();
    until("the other table is in force", &relay, async || log().contains("services.csv has changed")).await;
    relay.accepts(HOOK, webhook("Two", true).to_string()).await;
    assert_eq!(team(&old.has_heard(2).await[1]), "beta");

    std::fs::write(relay.folder().join("second/services.csv"), "no such column\nx\n").unwrap();
    until("it is refused", &relay, async || {
        relay.metrics().await.contains("alert_relay_config_last_reload_successful 0")
    })
    .await;
    relay.accepts(HOOK, webhook("Three", true).to_string()).await;
    assert_eq!(team(&old.has_heard(3).await[2]), "beta", "the old one goes on");
}
