//! Work on the queue, as people do it: the real binary at both ends, a scripted PagerDuty behind.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may fall over")]
#![allow(clippy::disallowed_methods, reason = "tests live in the real world")]

#[path = "queue/bulk.rs"]
mod bulk;
mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::relay::{Relay, config};
use support::vendor::PagerDuty;
use support::vendor::ledger::State;
use support::vendor::rules::Action;

const PATIENCE: Duration = Duration::from_secs(20);
const HOOK: &str = "/hooks/alertmanager";

/// What a command said.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

/// Runs `alert-relay queue …` against the relay; `stdin` answers questions.
async fn ask(relay: &Relay, words: &[&str], stdin: &str) -> Said {
    command(&[words, &["--url", &relay.url("")]].concat(), stdin).await
}

async fn command(words: &[&str], stdin: &str) -> Said {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let stdin = stdin.to_owned();
    let run = move || {
        let mut child = Command::new(env!("CARGO_BIN_EXE_alert-relay"))
            .arg("queue")
            .args(words)
            .env_clear()
            .env("USER", "alice")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _unread = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The deliveries that `queue list` finds.
async fn list(relay: &Relay, filters: &[&str]) -> Vec<Value> {
    let said = ask(relay, &[&["list", "--json"], filters].concat(), "").await;
    assert_eq!(said.code, 0, "{said:?}");
    let found: Value = serde_json::from_str(&said.out).unwrap();
    found["deliveries"].as_array().unwrap().clone()
}

/// Waits until the filters find one delivery, and gives its number.
async fn one(relay: &Relay, filters: &[&str]) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let found = list(relay, filters).await;
        if let [only] = found.as_slice() {
            return only["id"].to_string();
        }
        assert!(Instant::now() < until, "{filters:?} finds {found:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What Alertmanager posts of one alert; with an end it is resolved.
fn news(name: &str, ended: bool) -> String {
    static BEGAN: std::sync::LazyLock<jiff::Timestamp> = std::sync::LazyLock::new(jiff::Timestamp::now);
    let ends = if ended { BEGAN.to_string() } else { "0001-01-01T00:00:00Z".to_owned() };
    let starts = (*BEGAN - jiff::SignedDuration::from_mins(5)).to_string();
    let status = if ended { "resolved" } else { "firing" };
    let labels = json!({ "alertname": name });
    json!({
        "version": "4", "groupKey": format!("{{}}:{{alertname=\"{name}\"}}"), "truncatedAlerts": 0, "status": status,
        "receiver": "relay", "groupLabels": labels, "commonLabels": labels, "commonAnnotations": {},
        "externalURL": "http://am.example",
        "alerts": [{ "status": status, "labels": labels, "annotations": { "summary": "unwell" },
            "startsAt": starts, "endsAt": ends, "generatorURL": "" }],
    })
    .to_string()
}

async fn stage() -> (PagerDuty, Relay) {
    let pagerduty = PagerDuty::start().await;
    let relay = Relay::start(&config(&pagerduty, "")).await;
    (pagerduty, relay)
}

#[tokio::test]
async fn a_dead_letter_is_found_shown_with_its_attempts_and_sent_again() {
    let (pagerduty, relay) = stage().await;
    pagerduty.fail_next(503);
    pagerduty.fail_next(400);
    relay.accepts(HOOK, news("Disk", false)).await;
    let id = one(&relay, &["--state", "dead", "--target", "pagerduty-core", "--since", "1h"]).await;
    let shown = ask(&relay, &["show", &id], "").await;
    let tries: Vec<&str> = shown.out.lines().skip_while(|line| !line.starts_with("TRY")).skip(1).collect();
    assert_eq!(tries.len(), 2, "{}", shown.out);
    assert!(tries[0].contains("503") && tries[0].contains("retry"), "{}", shown.out);
    assert!(tries[1].contains("400") && tries[1].contains("rejected"), "{}", shown.out);
    assert!(shown.out.contains("state        dead: "), "{}", shown.out);

    let retried = ask(&relay, &["retry", &id], "").await;
    assert_eq!((retried.code, retried.err.as_str()), (0, ""), "{retried:?}");
    pagerduty.wait_for("the trigger", |seen| seen.open() == 1, PATIENCE).await;
    let again = one(&relay, &["--state", "delivered"]).await;
    assert_eq!(retried.out, format!("delivery {id} is sent again as delivery {again}\n"));

    let twice = ask(&relay, &["retry", &id, &again, "99999"], "").await;
    assert_eq!((twice.code, twice.out.as_str()), (1, ""), "{twice:?}");
    assert!(twice.err.contains(&format!("later news of the same problem followed as delivery {again}")));
    assert!(twice.err.contains("it is delivered, there is nothing to try again"), "{twice:?}");
    assert!(twice.err.contains("99999: there is no delivery 99999"), "{twice:?}");

    let audit = ask(&relay, &["audit"], "").await;
    let rows: Vec<&str> = audit.out.lines().skip(1).collect();
    assert_eq!(rows.len(), 1, "what was refused changed nothing: {}", audit.out);
    let row = format!("alice (local)  retry  delivery {id}  sent again as delivery {again}");
    assert!(rows[0].ends_with(&row), "{}", audit.out);
    relay.accepts(HOOK, news("Disk", true)).await;
    pagerduty.wait_for("the resolve", |seen| seen.open() == 0, PATIENCE).await;
}

#[tokio::test]
async fn nobody_is_paged_by_a_retry_for_what_is_over() {
    let (pagerduty, relay) = stage().await;
    pagerduty.fail_next(400);
    relay.accepts(HOOK, news("Disk", false)).await;
    let id = one(&relay, &["--state", "dead"]).await;
    relay.accepts(HOOK, news("Disk", true)).await;
    let retried = ask(&relay, &["retry", &id], "").await;
    assert_eq!(
        retried.err,
        format!("error: {id}: all its alerts are over by now; nobody is paged for what is over\n")
    );
    assert!(pagerduty.incidents().is_empty());
}

#[tokio::test]
async fn what_is_dropped_while_the_target_is_down_is_never_sent() {
    let (pagerduty, relay) = stage().await;
    pagerduty.go_down();
    relay.accepts(HOOK, news("Disk", false)).await;
    relay.accepts(HOOK, news("Cpu", false)).await;
    let found = list(&relay, &["--state", "waiting"]).await;
    assert_eq!(found.len(), 2, "{found:?}");
    let id = found[1]["id"].to_string();
    let asked = ask(&relay, &["drop", &id], "").await;
    assert_eq!((asked.code, list(&relay, &["--state", "waiting"]).await.len()), (1, 2), "{asked:?}");
    assert!(asked.err.contains("Go on? [y/N]") && asked.err.contains("nothing was changed"), "{asked:?}");
    // A try may be under way at any moment: then it is to be asked again.
    let until = Instant::now() + PATIENCE;
    loop {
        let said = ask(&relay, &["drop", &id, "--reason", "planned work"], "yes\n").await;
        if said.code == 0 {
            break;
        }
        assert!(said.err.contains("it is being sent just now") && Instant::now() < until, "{said:?}");
    }
    pagerduty.come_back();
    pagerduty.wait_for("the other one", |seen| seen.open() == 1, PATIENCE).await;
    pagerduty.stays_quiet(Duration::from_millis(700)).await;
    assert_eq!(pagerduty.processed(Action::Trigger), 1);
    let dropped = ask(&relay, &["show", &id], "").await;
    assert!(dropped.out.contains("expired: dropped by alice (local): planned work"), "{}", dropped.out);
    let audit = ask(&relay, &["audit", "--json"], "").await;
    let audit: Value = serde_json::from_str(&audit.out).unwrap();
    assert_eq!(
        (&audit["audit"][0]["what"], &audit["audit"][0]["detail"]),
        (&json!("drop"), &json!("planned work"))
    );
}

#[tokio::test]
async fn a_replay_is_rehearsed_then_done_and_opens_nothing_twice() {
    let (pagerduty, relay) = stage().await;
    pagerduty.fail_next(400);
    relay.accepts(HOOK, news("Disk", false)).await;
    one(&relay, &["--state", "dead"]).await;
    relay.accepts(HOOK, news("Cpu", false)).await;
    pagerduty.wait_for("Cpu to come", |seen| seen.open() == 1, PATIENCE).await;
    relay.accepts(HOOK, news("Cpu", true)).await;
    pagerduty
        .wait_for(
            "Cpu to come and go",
            |seen| seen.incidents.values().any(|one| one.state == State::Resolved),
            PATIENCE,
        )
        .await;
    let calls = pagerduty.calls().len();
    let rehearsed =
        ask(&relay, &["replay", "--since", "1h", "--source", "alertmanager", "--dry-run"], "").await;
    assert!(rehearsed.out.ends_with("3 events: at most 2 deliveries; nothing was sent\n"), "{rehearsed:?}");
    assert!(rehearsed.out.contains("trigger Disk at pagerduty-core"), "{rehearsed:?}");
    assert!(rehearsed.out.contains("resolve Cpu at pagerduty-core"), "{rehearsed:?}");
    assert_eq!((pagerduty.calls().len(), list(&relay, &[]).await.len()), (calls, 3));

    let refused = ask(&relay, &["replay", "--since", "1h"], "n\n").await;
    assert_eq!((refused.code, list(&relay, &[]).await.len()), (1, 3), "{refused:?}");
    let done = ask(&relay, &["replay", "--since", "1h", "--rate", "100", "--yes"], "").await;
    assert!(done.out.contains("3 events replayed"), "{done:?}");
    let again = ask(&relay, &["replay", "--since", "1h", "--dry-run"], "").await;
    assert!(again.out.contains("3 events: "), "replays are not replayed: {again:?}");
    pagerduty.stays_quiet(Duration::from_millis(300)).await;
    let cpu = pagerduty.incidents().into_iter().find(|one| one.state == State::Resolved).unwrap();
    assert_eq!(cpu.opened, 1, "{:?}", pagerduty.incidents());
    let audit = ask(&relay, &["audit"], "").await;
    assert!(audit.out.contains("alice (local)  replay  events  3 events from "), "{}", audit.out);
}

/// The targets that the lanes know nothing of are told what goes on, and only that.
#[tokio::test]
async fn a_replay_pages_nobody_for_what_was_over_by_its_end() {
    let (pagerduty, relay) = stage().await;
    let other = PagerDuty::start().await;
    for (name, over) in [("Cpu", false), ("Net", false), ("Disk", false), ("Cpu", true)] {
        relay.accepts(HOOK, news(name, over)).await;
    }
    pagerduty.wait_for("all", |seen| seen.open() == 2, PATIENCE).await;
    // One more target: nothing of this has been told to it.
    let file = relay.folder().join("relay.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let more = format!(
        "  - {{ name: other, pagerduty: {{ base_url: \"{}\", routing_key: \"{}\" }} }}\n",
        other.url(),
        support::vendor::ROUTING_KEY
    );
    std::fs::write(
        &file,
        text.replace("targets: [pagerduty-core]", "targets: [pagerduty-core, other]") + &more,
    )
    .unwrap();
    assert_eq!(relay.http().post(relay.url("/-/reload")).send().await.unwrap().status(), 200);

    let rehearsed = ask(&relay, &["replay", "--since", "1h", "--dry-run"], "").await;
    assert!(!rehearsed.out.contains("trigger Cpu"), "{rehearsed:?}");
    // Two events in a piece: the trigger of Cpu goes with another one than its resolve.
    let done = ask(&relay, &["replay", "--since", "1h", "--rate", "1", "--yes"], "").await;
    assert!(done.out.contains("4 events replayed"), "{done:?}");
    other.wait_for("what goes on", |seen| seen.open() == 2, PATIENCE).await;
    other.stays_quiet(Duration::from_millis(300)).await;
    let told: Vec<String> = other.incidents().into_iter().map(|one| one.summary).collect();
    assert!(told.iter().all(|summary| !summary.contains("Cpu")), "{told:?}");
    assert_eq!(other.processed(Action::Trigger), other.calls().len(), "{}", other.ledger());
}

#[tokio::test]
async fn an_orphan_of_a_changed_key_is_found_and_closed() {
    let pagerduty = PagerDuty::start().await;
    let mut relay = Relay::start(&config(&pagerduty, "")).await;
    relay.accepts(HOOK, news("Disk", false)).await;
    pagerduty.wait_for("the trigger", |seen| seen.open() == 1, PATIENCE).await;
    assert_eq!(ask(&relay, &["orphans"], "").await.out, "no orphans\n");
    relay.stop().await;
    let file = relay.folder().join("relay.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace(
        "    concurrency: 8",
        "    concurrency: 8\n    dedup_key: \"new-{{groupLabels.alertname}}\"",
    );
    std::fs::write(&file, text).unwrap();
    relay.start_again().await;
    relay.accepts(HOOK, news("Disk", true)).await;
    pagerduty.stays_quiet(Duration::from_millis(300)).await;
    assert_eq!(pagerduty.ledger().open(), 1, "its resolve goes by another key");

    let said = ask(&relay, &["orphans", "--silent-for", "1ms", "--json"], "").await;
    let found: Value = serde_json::from_str(&said.out).unwrap();
    let orphan = &found["orphans"][0];
    assert_eq!((&orphan["why"], &orphan["target"]), (&json!("silent"), &json!("pagerduty-core")), "{said:?}");
    let lane = orphan["lane"].to_string();
    let resolved = ask(&relay, &["resolve", &lane], "").await;
    assert_eq!(resolved.code, 0, "{resolved:?}");
    pagerduty.wait_for("the resolve", |seen| seen.open() == 0, PATIENCE).await;
    one(&relay, &["--state", "delivered", "--since", "1h", "--limit", "1"]).await;
    let twice = ask(&relay, &["resolve", &lane, "777"], "").await;
    assert_eq!(
        twice.err,
        format!(
            "error: {lane}: nothing is open there\nerror: 777: there is no lane 777; it may be past its retention\n"
        )
    );
}

#[tokio::test]
async fn filters_find_what_they_say_and_a_wrong_word_is_told_the_right_ones() {
    let (pagerduty, relay) = stage().await;
    for name in ["Disk", "Cpu", "Net"] {
        relay.accepts(HOOK, news(name, false)).await;
    }
    pagerduty.wait_for("all", |seen| seen.open() == 3, PATIENCE).await;
    one(&relay, &["--limit", "1"]).await;
    let all = list(&relay, &[]).await;
    let (key, event) = (all[1]["dedup_key"].as_str().unwrap(), all[2]["event"].as_str().unwrap());
    assert!(all[0]["id"].as_i64() > all[1]["id"].as_i64(), "newest first");
    for (filters, found) in [
        (vec!["--key", key], vec![1]),
        (vec!["--key", &key[..12]], vec![1]),
        (vec!["--event", event], vec![2]),
        (vec!["--until", "1h"], vec![]),
        (vec!["--since", "1h", "--limit", "2"], vec![0, 1]),
        (vec!["--state", "dead,expired"], vec![]),
    ] {
        let expected: Vec<&Value> = found.iter().map(|place: &usize| &all[*place]["id"]).collect();
        let listed = list(&relay, &filters).await;
        let ids: Vec<&Value> = listed.iter().map(|row| &row["id"]).collect();
        assert_eq!(ids, expected, "{filters:?}");
    }
    let table = ask(&relay, &["list", "--limit", "1"], "").await;
    assert!(table.out.ends_with("there may be more: narrow it down, or raise --limit\n"), "{table:?}");
    for (words, told) in [
        (vec!["--target", "pager"], "there is no such target; the known ones are: pagerduty-core"),
        (
            vec!["--since", "yesterday"],
            "since: write a time, as in 2026-08-01T03:00:00Z, or how long ago it was, as in 24h",
        ),
        (vec!["--limit", "0"], "limit: write a number from 1 to 1000"),
    ] {
        let said = ask(&relay, &[vec!["list"], words.clone()].concat(), "").await;
        assert_eq!((said.code, said.err), (1, format!("error: {told}\n")), "{words:?}");
    }
}

#[tokio::test]
async fn a_relay_that_is_not_there_or_wants_a_token_is_told_with_the_cure() {
    let nobody = command(&["list", "--url", "http://127.0.0.1:1"], "").await;
    assert_eq!(nobody.code, 1);
    assert!(
        nobody.err.starts_with("error: the relay at http://127.0.0.1:1 cannot be reached: "),
        "{nobody:?}"
    );
    assert!(nobody.err.ends_with("is it running? say where it listens with --url\n"), "{nobody:?}");

    let pagerduty = PagerDuty::start().await;
    let text = config(&pagerduty, "")
        .replace("listen: LISTEN", "listen: LISTEN, admin: { tokens: [\"an-admin-token-0123\"] }");
    let relay = Relay::start(&text).await;
    let without = ask(&relay, &["list"], "").await;
    assert!(
        without.err.contains("give one of server.admin.tokens with --token or in ALERT_RELAY_TOKEN"),
        "{without:?}"
    );
    pagerduty.fail_next(400);
    relay.accepts(HOOK, news("Disk", false)).await;
    pagerduty.wait_for("a refusal", |seen| !seen.calls.is_empty(), PATIENCE).await;
    let until = Instant::now() + PATIENCE;
    while ask(&relay, &["retry", "1", "--token", "an-admin-token-0123"], "").await.code != 0 {
        assert!(Instant::now() < until);
    }
    let audit = ask(&relay, &["audit", "--token", "an-admin-token-0123"], "").await;
    assert!(audit.out.contains("alice (token ") && !audit.out.contains("an-admin"), "{audit:?}");

    let below = format!("{}/relay", relay.url(""));
    let path = command(&["list", "--url", &below, "--token", "an-admin-token-0123"], "").await;
    assert!(path.err.contains("has nothing below /relay; leave that out of --url"), "{path:?}");
    let json = command(&["list", "--url", "http://127.0.0.1:1", "--json"], "").await;
    let said: Value = serde_json::from_str(&json.out).unwrap();
    assert!(
        said["error"].as_str().unwrap().starts_with("the relay at http://127.0.0.1:1 cannot"),
        "{json:?}"
    );
    assert_eq!((json.code, json.err.as_str()), (1, ""));

    let other = command(&["list", "--url", &pagerduty.url()], "").await;
    assert!(other.err.contains("what answered there (405) is no alert-relay"), "{other:?}");
}
