//! A whole target at a time, and the wrong door.

use serde_json::{Value, json};

use crate::support::relay::{Relay, config};
use crate::support::vendor::PagerDuty;
use crate::{HOOK, PATIENCE, ask, news, one};

#[tokio::test]
async fn all_that_a_target_is_owed_is_tried_again_at_once() {
    let pagerduty = PagerDuty::start().await;
    // Without a retry by hand nothing would come for an hour.
    let text = config(&pagerduty, "").replace("base: 50ms, cap: 500ms", "base: 1h, cap: 1h");
    let relay = Relay::start(&text).await;
    pagerduty.fail_next(503);
    pagerduty.fail_next(503);
    for name in ["Disk", "Cpu"] {
        relay.accepts(HOOK, news(name, false)).await;
    }
    pagerduty.wait_for("two refusals", |seen| seen.calls.len() == 2, PATIENCE).await;
    let nothing = ask(&relay, &["retry", "--target", "pagerduty-core", "--state", "dead"], "").await;
    assert_eq!(
        (nothing.code, nothing.err.as_str()),
        (1, "error: target pagerduty-core has no delivery that is dead\n")
    );
    let wrong = ask(&relay, &["retry", "--target", "pager"], "").await;
    assert!(wrong.err.contains("there is no such target"), "{wrong:?}");
    let retried = ask(&relay, &["retry", "--target", "pagerduty-core"], "").await;
    assert_eq!((retried.code, retried.err.as_str()), (0, ""), "{retried:?}");
    assert!(retried.out.ends_with("2 deliveries: 2 tried again\n"), "{retried:?}");
    pagerduty.wait_for("both", |seen| seen.open() == 2, PATIENCE).await;

    pagerduty.fail_next(400);
    relay.accepts(HOOK, news("Net", false)).await;
    one(&relay, &["--state", "dead"]).await;
    let dead = ask(&relay, &["retry", "--target", "pagerduty-core", "--state", "dead", "--json"], "").await;
    let said: Value = serde_json::from_str(&dead.out).unwrap();
    assert_eq!((said.as_array().unwrap().len(), &said[0]["done"]), (1, &json!("retry")), "{dead:?}");
    pagerduty.wait_for("the third", |seen| seen.open() == 3, PATIENCE).await;
}

#[tokio::test]
async fn a_command_at_the_door_of_the_senders_is_told_of_the_other_one() {
    let pagerduty = PagerDuty::start().await;
    let doors = "listen: LISTEN, admin: { listen: \"127.0.0.1:0\", tokens: [\"an-admin-token-0123\"] }";
    let relay = Relay::start(&config(&pagerduty, "").replace("listen: LISTEN", doors)).await;
    let said = ask(&relay, &["list"], "").await;
    assert!(said.err.ends_with("; say server.admin.listen with --url or in ALERT_RELAY_URL\n"), "{said:?}");
}

#[tokio::test]
async fn a_person_sees_how_far_it_is_and_nothing_of_that_stays() {
    let pagerduty = PagerDuty::start().await;
    let relay = Relay::start(&config(&pagerduty, "")).await;
    for name in ["Disk", "Cpu"] {
        relay.accepts(HOOK, news(name, false)).await;
    }
    pagerduty.wait_for("both", |seen| seen.open() == 2, PATIENCE).await;
    let words = format!(
        "{} queue replay --since 1h --dry-run --url {}",
        env!("CARGO_BIN_EXE_alert-relay"),
        relay.url("")
    );
    let played = move || std::process::Command::new("script").args(["-qec", &words, "/dev/null"]).output();
    let Ok(played) = tokio::task::spawn_blocking(played).await.unwrap() else { return };
    let seen = String::from_utf8(played.stdout).unwrap();
    let (progress, answer) = seen.rsplit_once("        \r").unwrap();
    assert!(progress.starts_with("\r2 events") && answer.contains("2 events: at most"), "{seen:?}");
    let quiet = ask(&relay, &["replay", "--since", "1h", "--dry-run"], "").await;
    assert_eq!(quiet.err, "", "no terminal, no progress");
}
