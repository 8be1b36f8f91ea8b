//! A candidate configuration beside the one in force: it is shown what comes in, or what came, and
//! nothing is sent for it.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::fake::{Answer, Fake};
use crate::support::kinds::webhook;
use crate::support::relay::Relay;

const HOOK: &str = "/hooks/alertmanager";

/// Two targets; `route` says who is told.
fn config(chat: &Fake, pager: &Fake, route: &str) -> String {
    format!(
        r#"
server: {{ listen: LISTEN }}
store: {{ path: STORE }}
sources: [{{ name: alertmanager, kind: alertmanager, auth: none }}]
route: {route}
receivers: [{{ name: chat, targets: [chat] }}, {{ name: oncall, targets: [pager] }}]
targets:
  - {{ name: chat, webhook: {{ url: "{}/in" }} }}
  - {{ name: pager, webhook: {{ url: "{}/in" }} }}
"#,
        chat.url(),
        pager.url()
    )
}

const NOW: &str = "{ receiver: chat, routes: [{ matchers: ['alertname = \"Nothing\"'], receiver: oncall }] }";
const THEN: &str =
    "{ receiver: chat, routes: [{ matchers: ['alertname = \"DiskFull\"'], receiver: oncall }] }";

/// A relay whose candidate is a file beside its configuration, which is not there yet.
async fn start(text: &str) -> Relay {
    Relay::start_under(&["sh", "-c", "exec \"$@\" --shadow candidate.yaml", "sh"], text).await
}

fn offer(relay: &Relay, text: &str) {
    let text = text.replace("LISTEN", "127.0.0.1:1").replace("STORE", "elsewhere");
    std::fs::write(relay.folder().join("candidate.yaml"), text).unwrap();
}

async fn shadow(relay: &Relay) -> Value {
    relay.http().get(relay.url("/api/v1/shadow")).send().await.unwrap().json().await.unwrap()
}

async fn when_shown(relay: &Relay, events: u64) -> Value {
    let end = Instant::now() + Duration::from_secs(15);
    loop {
        let seen = shadow(relay).await;
        if seen["events"].as_u64() == Some(events) {
            return seen;
        }
        assert!(Instant::now() < end, "{seen:#}\nlog:\n{}", relay.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn fine() -> Fake {
    Fake::start(|_| Answer::text(204, ""))
}

#[tokio::test]
async fn a_candidate_is_shown_every_event_and_sends_nothing() {
    let (chat, pager) = (fine(), fine());
    let relay = start(&config(&chat, &pager, NOW)).await;
    let seen = shadow(&relay).await;
    assert_eq!(seen["sound"], false);
    assert!(seen["problems"][0].as_str().unwrap().contains("candidate.yaml cannot be read"), "{seen:#}");
    relay.accepts(HOOK, webhook("Before", true).to_string()).await;

    offer(&relay, &config(&chat, &pager, THEN));
    relay.accepts("/-/reload", "").await;
    let (_, answered) = relay.post(HOOK, webhook("DiskFull", true).to_string()).await.unwrap();
    relay.accepts(HOOK, webhook("Other", true).to_string()).await;
    // Said twice, it is no event of its own.
    relay.accepts(HOOK, webhook("Other", true).to_string()).await;
    let seen = when_shown(&relay, 2).await;
    assert_eq!((&seen["sound"], &seen["different"], &seen["skipped"]), (&true.into(), &1.into(), &0.into()));
    let changes: Vec<String> = seen["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            format!("{} {} {} {}", line["what"], line["name"], line["turn"], line["alerts"]).replace('"', "")
        })
        .collect();
    let expected = [
        "target chat lost 1",
        "target pager gained 1",
        "receiver chat lost 1",
        "receiver oncall gained 1",
        "route {} lost 1",
        "route {}/{alertname=\\DiskFull\\} gained 1",
    ];
    assert_eq!(changes, expected);
    assert_eq!(seen["latest"][0]["alert"], "DiskFull");
    let answered: Value = serde_json::from_str(&answered).unwrap();
    let named = seen["latest"][0]["event"].as_str().unwrap();
    assert_eq!(answered["id"], named, "the event that its sender was told of");
    let found = relay.http().get(relay.url(&format!("/api/v1/events/{named}"))).send().await.unwrap();
    assert_eq!(found.status(), 200, "{named}");
    let metrics = relay.metrics().await;
    for series in [
        "shadow_events_total{result=\"same\"} 1",
        "shadow_events_total{result=\"different\"} 1",
        "shadow_config_sound 1",
    ] {
        assert!(metrics.contains(&format!("alert_relay_{series}")), "{series} in\n{metrics}");
    }
    assert_eq!(chat.has_heard(3).await.len(), 3);
    assert!(pager.heard().is_empty(), "the candidate has told somebody");

    // What is refused takes nothing away; the candidate goes on as it was.
    let file = relay.folder().join("relay.yaml");
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, "route: {").unwrap();
    let (status, _) = relay.post("/-/reload", "").await.unwrap();
    let still = shadow(&relay).await;
    assert_eq!((status, &still["events"], &still["since"]), (500, &2.into(), &seen["since"]), "{still:#}");

    // Unless its own file is another one.
    offer(&relay, "route: {");
    let (status, _) = relay.post("/-/reload", "").await.unwrap();
    let seen = shadow(&relay).await;
    assert_eq!((status, &seen["sound"], &seen["events"]), (500, &false.into(), &0.into()), "{seen:#}");
    std::fs::write(&file, good).unwrap();
    relay.accepts("/-/reload", "").await;
    relay.accepts(HOOK, webhook("After", true).to_string()).await;
    chat.has_heard(4).await;
    let seen = shadow(&relay).await;
    assert_eq!((&seen["sound"], &seen["events"]), (&false.into(), &0.into()), "{seen:#}");
}

#[tokio::test]
async fn recorded_events_show_what_another_configuration_would_change() {
    let (chat, pager) = (fine(), fine());
    let relay = Relay::start(&config(&chat, &pager, NOW)).await;
    assert_eq!(relay.http().get(relay.url("/api/v1/shadow")).send().await.unwrap().status(), 404);
    for name in ["DiskFull", "Other"] {
        relay.accepts(HOOK, webhook(name, true).to_string()).await;
    }
    let diff = |candidate: &str, more: &[&str]| -> (Option<i32>, String) {
        offer(&relay, candidate);
        let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_alert-relay"))
            .args([
                "replay-diff",
                "--config",
                "candidate.yaml",
                "--against",
                "relay.yaml",
                "--since",
                "1h",
                "--url",
            ])
            .arg(relay.url(""))
            .args(more)
            .current_dir(relay.folder())
            .output()
            .unwrap();
        (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
    };
    let (code, said) = diff(&config(&chat, &pager, THEN), &[]);
    assert_eq!(code, Some(3), "{said}");
    let lines: Vec<String> =
        said.lines().map(|line| line.split_whitespace().take(5).collect::<Vec<_>>().join(" ")).collect();
    assert!(
        lines[0].starts_with("2 events since 20") && said.contains(": 1 would be dealt with differently"),
        "{said}"
    );
    for line in ["- target chat 1 DiskFull", "+ target pager 1 DiskFull", "- receiver chat 1 DiskFull"] {
        assert!(lines.iter().any(|have| have == line), "{line} in\n{said}");
    }
    let (code, said) = diff(&config(&chat, &pager, THEN), &["--json"]);
    let json: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &json["events"], &json["different"]), (Some(3), &2.into(), &1.into()));
    let (code, said) = diff(&config(&chat, &pager, NOW), &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with("nothing would change\n"), "{said}");
    let (code, said) = diff("route: {}", &[]);
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = diff(&config(&chat, &pager, NOW), &["--source", "nobody"]);
    assert_eq!((code, said.starts_with("0 events")), (Some(0), true), "{said}");
    chat.has_heard(2).await;
    assert!(pager.heard().is_empty());
}
