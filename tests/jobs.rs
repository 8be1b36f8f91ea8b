//! Jobs of incidents in the real binary: proposed, approved, started once whatever is killed, followed
//! to their end, and what follows from that.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fall over")]
#![expect(clippy::disallowed_methods, reason = "services have clocks of their own")]

mod support;

#[path = "jobs/stage.rs"]
mod stage;

use std::time::Duration;

use serde_json::json;
use stage::{CALLBACK_TOKEN, Stage, buttons};
use support::fake::Heard;
use support::kinds::{in_state, retry, tell};

const RESTART: &str =
    "{ name: restart, target: by-restart, matchers: ['alertname = \"DiskFull\"'], on_failure: [desk] }";
const CLEAN: &str = "{ name: clean, target: by-cleaning }";

fn rules(rules: &[&str], more: &str) -> String {
    format!("{{ rules: [{}]{more} }}", rules.join(", "))
}

#[tokio::test]
async fn a_click_starts_it_once_its_failure_lands_in_the_ticket_and_the_next_one_is_proposed() {
    let stage = Stage::set(&rules(&[RESTART, CLEAN], "")).await;
    tell(&stage.relay, "DiskFull", true).await;
    let approve = stage.button("alert_relay.approve", "1 ").await;
    let proposed = stage.slack.heard().iter().map(Heard::text).collect::<String>();
    assert!(proposed.contains("alert-relay incident approve 1 --job 1"), "{proposed}");
    let asks = |heard: &Heard| heard.text().contains("alert-relay incident approve 1 --job 1");
    stage.until(|stage| stage.robot.heard().iter().any(asks)).await;
    assert_eq!(stage.started(), Vec::<String>::new(), "nobody has said yes");
    // Slack tells of the same click twice, and of a second one.
    for nth in [1, 1, 2] {
        assert_eq!(stage.click(&approve, nth).await, 200);
    }
    stage.has_started(1).await;
    let start = stage.shelf().runs[0].start.clone();
    assert_eq!((&start["script"], &start["parameters"]["service"]), (&json!("restart"), &json!("checkout")));
    let story = stage.until_jobs(1, &["restart running"]).await;
    assert_eq!(story["jobs"][0]["decided_by"], "alice");
    stage
        .until(|stage| stage.slack.heard().iter().any(|heard| heard.text().contains("Approved by alice")))
        .await;
    let update = stage.slack.heard().iter().rfind(|heard| heard.path == "/api/chat.update").cloned();
    assert!(buttons(&update.unwrap()).iter().all(|button| button["action_id"] != "alert_relay.approve"));

    stage.ends(0, "failed", "stopping checkout\nrestart: permission denied, key-of-the-platform-0123");
    let has_output = |heard: &Heard| heard.text().contains("restart: permission denied");
    stage.until(|stage| stage.desk.heard().iter().any(has_output)).await;
    assert_eq!(stage.desk.heard().iter().filter(|heard| has_output(heard)).count(), 1);
    let desk: Vec<String> =
        stage.desk.heard().iter().map(|heard| format!("{} {}", heard.method, heard.path)).collect();
    assert_eq!(desk.iter().filter(|call| *call == "POST /api/tickets").count(), 1, "{desk:?}: in the ticket");
    assert!(!stage.desk.heard().iter().any(|heard| heard.text().contains("key-of-the-platform")));

    stage.button("alert_relay.decline", "2 ").await;
    let story = stage.until_jobs(1, &["restart failed", "clean proposed"]).await;
    assert_eq!(story["jobs"][0]["output"], "stopping checkout\nrestart: permission denied, ***");
    assert_eq!(stage.word("decline", json!({})).await.0, 200);
    stage.until_jobs(1, &["restart failed", "clean declined"]).await;
    for (word, job, sentence) in [
        ("approve", 1, "job 1 is failed already; nothing was changed"),
        ("approve", 2, "job 2 is declined already; nothing was changed"),
        ("decline", 9, "there is no job 9 of incident 1"),
    ] {
        let (status, detail) = stage.word(word, json!({ "job": job })).await;
        assert_eq!((status, detail.as_str()), (409, sentence));
    }
    assert_eq!(stage.started(), ["restart"]);
    let kinds: Vec<String> = story["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["kind"].as_str().unwrap().to_owned())
        .filter(|kind| kind.starts_with("job_"))
        .collect();
    let expected =
        ["job_proposed", "job_approved", "job_started", "job_running", "job_failed", "job_proposed"];
    assert_eq!(kinds, expected);
    let listed = stage.get("/api/v1/jobs").await;
    let restart = &listed["rules"][0];
    assert_eq!((&restart["runs"], &restart["success_rate"]), (&json!(1), &json!(0.0)), "{listed:#}");
    let audit = stage.get("/api/v1/audit").await;
    assert_eq!(audit["audit"][0]["what"], "decline");
    let numbers = stage.get("/api/v1/report?since=1h").await;
    assert_eq!(numbers["automation"]["automated"], 1, "{numbers:#}");
    assert_eq!(numbers["automation"]["success_rate"], 0.0, "{numbers:#}");
    let metrics = stage.relay.metrics().await;
    assert!(metrics.contains(r#"alert_relay_jobs_total{rule="restart",end="failed"} 1"#), "{metrics}");
}

/// Killed at whatever moment after somebody said yes: at most one start is made, and where it is in
/// doubt a person is told.
#[tokio::test]
async fn killed_at_any_moment_it_is_not_started_twice() {
    for moment in [0, 150, 300, 450, 600, 900] {
        let rule = "{ name: restart, target: by-restart, on_success: resolve }";
        let mut stage = Stage::set(&rules(&[rule], "")).await;
        stage.shelf().slow = Duration::from_millis(200);
        tell(&stage.relay, "DiskFull", true).await;
        let approve = stage.button("alert_relay.approve", "1 ").await;
        assert_eq!(stage.click(&approve, 1).await, 200);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        stage.relay.kill9();
        stage.relay.start_again().await;
        assert_eq!(stage.click(&approve, 2).await, 200, "late, and harmless");
        stage.has_started(1).await;
        // Either it is followed, or a person must look.
        let mut jobs = Vec::new();
        for _ in 0..500 {
            jobs = stage.jobs(1).await;
            if jobs == ["restart running"] || jobs == ["restart unknown"] {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if jobs == ["restart running"] {
            stage.relay.kill9();
            stage.ends(0, "completed", "done");
            stage.relay.start_again().await;
            let story = stage.until_state(1, "resolved").await;
            assert_eq!(story["jobs"][0]["state"], "succeeded", "{story:#}");
            let last =
                story["timeline"].as_array().unwrap().iter().rfind(|entry| entry["kind"] == "resolved");
            assert_eq!(last.unwrap()["who"], "job restart");
        } else {
            assert_eq!(jobs, ["restart unknown"], "after {moment} ms: {}", stage.relay.log());
        }
        assert_eq!(stage.started(), ["restart"], "after {moment} ms");
    }
}

#[tokio::test]
async fn a_rollback_after_a_deploy_ends_the_incident() {
    let rollback = "{ name: rollback, target: by-rollback, after_change: [deploy], approval: false, on_success: resolve }";
    let other = "{ name: elsewhere, target: by-cleaning, environments: [staging], approval: false }";
    let stage = Stage::set(&rules(&[other, rollback], "")).await;
    let change = json!({ "service": "checkout", "title": "release 4.2.1", "who": "ann", "id": "4.2.1" });
    assert_eq!(stage.relay.post("/changes/alertmanager", change.to_string()).await.unwrap().0, 200);
    tell(&stage.relay, "DiskFull", true).await;
    stage.has_started(1).await;
    assert_eq!(stage.shelf().runs[0].start["parameters"]["bad"], "4.2.1");
    stage.ends(0, "completed", "back at 4.2.0");
    let story = stage.until_state(1, "resolved").await;
    assert_eq!(story["jobs"][0]["output"], "back at 4.2.0");
    assert_eq!(stage.started(), ["rollback"]);
    let resolved = |heard: &Heard| heard.text().contains("Resolved by job rollback");
    stage.until(|stage| stage.slack.heard().iter().any(resolved)).await;
}

#[tokio::test]
async fn a_run_that_tells_of_its_end_by_itself_is_believed() {
    let by_itself = "{ name: clean, target: by-cleaning, approval: false, on_failure: [desk] }";
    let stage = Stage::set(&rules(&[by_itself], "")).await;
    tell(&stage.relay, "DiskFull", true).await;
    stage.until_jobs(1, &["clean running"]).await;
    stage.shelf().runs[0].output = "no space left".to_owned();
    let body = json!({ "job": { "id": 1, "status": "failed" } }).to_string();
    let post = stage.relay.http().post(stage.relay.url("/callbacks/by-cleaning")).body(body);
    for (token, status) in [("not-the-token-of-it-0123", 401), (CALLBACK_TOKEN, 200), (CALLBACK_TOKEN, 200)] {
        let post = post.try_clone().unwrap().header("authorization", format!("Bearer {token}"));
        assert_eq!(post.send().await.unwrap().status().as_u16(), status);
    }
    let story = stage.until_jobs(1, &["clean failed"]).await;
    let ends = story["timeline"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "job_failed");
    assert_eq!(ends.count(), 1, "told twice, and once on the time line: {story:#}");
    let told = |heard: &&Heard| heard.text().contains("Job 1 (clean, by by-cleaning) failed: failed");
    stage.until(|stage| stage.desk.heard().iter().any(|heard| told(&heard))).await;
    assert_eq!(stage.desk.heard().iter().filter(told).count(), 1);
}

#[tokio::test]
async fn the_guard_rails_refuse_with_a_sentence() {
    let by_itself = "{ name: restart, target: by-restart, approval: false }";
    let stage = Stage::set(&rules(&[by_itself, CLEAN], ", parallel: 1, per_hour: 2")).await;
    tell(&stage.relay, "DiskFull", true).await;
    stage.has_started(1).await;
    // Another problem of the same service: it rests from the one, and one runs already.
    tell(&stage.relay, "CpuHot", true).await;
    let story = stage.until_jobs(2, &["restart refused", "clean proposed"]).await;
    let reason = story["jobs"][0]["reason"].as_str().unwrap();
    assert!(reason.ends_with("ago, and rests for 15 min (cooldown)"), "{reason}");
    assert_eq!(stage.relay.post("/api/v1/incidents/2/approve", "{}").await.unwrap().0, 200);
    let story = stage.until_jobs(2, &["restart refused", "clean refused"]).await;
    assert_eq!(story["jobs"][1]["reason"], "1 run already, and 1 may at once (jobs.parallel)");
    assert_eq!(stage.started(), ["restart"]);
    // It may be approved again when there is room.
    stage.ends(0, "completed", "");
    stage.until_jobs(1, &["restart succeeded"]).await;
    let again = json!({ "job": 3 }).to_string();
    assert_eq!(stage.relay.post("/api/v1/incidents/2/approve", again).await.unwrap().0, 200);
    stage.has_started(2).await;
    stage.until_jobs(2, &["restart refused", "clean running"]).await;
}

#[tokio::test]
async fn no_more_are_started_within_an_hour_than_may_be() {
    let by_itself = "{ name: restart, target: by-restart, approval: false, cooldown: 0s }";
    let stage = Stage::set(&rules(&[by_itself, CLEAN], ", per_hour: 1")).await;
    tell(&stage.relay, "DiskFull", true).await;
    stage.has_started(1).await;
    tell(&stage.relay, "CpuHot", true).await;
    let story = stage.until_jobs(2, &["restart refused"]).await;
    assert_eq!(
        story["jobs"][0]["reason"],
        "1 were started within the last hour, and 1 may be (jobs.per_hour)"
    );
    assert_eq!(stage.started(), ["restart"], "and nothing else is tried");
}

#[tokio::test]
async fn what_takes_too_long_is_cancelled_and_has_failed() {
    let rule = "{ name: restart, target: by-restart, approval: false, timeout: 1s, on_failure: [desk] }";
    let stage = Stage::set(&rules(&[rule], "")).await;
    tell(&stage.relay, "DiskFull", true).await;
    let story = stage.until_jobs(1, &["restart failed"]).await;
    assert_eq!(story["jobs"][0]["reason"], "it took too long and was cancelled (cancelled)");
    assert_eq!(stage.shelf().runs[0].cancelled, 1);
    let told = |heard: &Heard| heard.text().contains("it took too long and was cancelled");
    stage.until(|stage| stage.desk.heard().iter().any(told)).await;
}

#[tokio::test]
async fn the_end_of_the_incident_calls_its_jobs_back() {
    let by_itself = "{ name: restart, target: by-restart, approval: false }";
    let left = "{ name: clean, target: by-cleaning, approval: false, on_resolve: leave }";
    for (rule, expected) in [(by_itself, "restart cancelled"), (left, "clean succeeded")] {
        let stage = Stage::set(&rules(&[rule], "")).await;
        tell(&stage.relay, "DiskFull", true).await;
        stage.has_started(1).await;
        let running = expected.replace("cancelled", "running").replace("succeeded", "running");
        stage.until_jobs(1, &[&running]).await;
        tell(&stage.relay, "DiskFull", false).await;
        stage.until_state(1, "resolved").await;
        if rule == left {
            stage.ends(0, "completed", "");
        }
        stage.until_jobs(1, &[expected]).await;
        assert_eq!(stage.shelf().runs[0].cancelled, usize::from(rule == by_itself));
    }
    let stage = Stage::set(&rules(&[RESTART], "")).await;
    tell(&stage.relay, "DiskFull", true).await;
    let approve = stage.button("alert_relay.approve", "1 ").await;
    tell(&stage.relay, "DiskFull", false).await;
    stage.until_jobs(1, &["restart expired"]).await;
    assert_eq!(stage.click(&approve, 1).await, 200, "late, and harmless");
    assert_eq!(stage.word("approve", json!({ "job": 1 })).await.0, 409);
    assert_eq!(stage.started(), Vec::<String>::new());
}

#[tokio::test]
async fn a_proposal_expires_and_a_dry_run_starts_nothing() {
    let stage = Stage::set(&rules(&[RESTART], ", approve_within: 1s")).await;
    tell(&stage.relay, "DiskFull", true).await;
    let story = stage.until_jobs(1, &["restart expired"]).await;
    assert_eq!(story["jobs"][0]["reason"], "nobody said yes in time");

    let stage = Stage::set(&rules(&[RESTART], ", dry_run: true")).await;
    tell(&stage.relay, "DiskFull", true).await;
    stage.button("alert_relay.approve", "1 ").await;
    assert_eq!(stage.word("approve", json!({ "note": "let us see" })).await.0, 200);
    let story = stage.until_jobs(1, &["restart rehearsed"]).await;
    assert_eq!(story["jobs"][0]["reason"], "jobs.dry_run: it would have been started now");
    assert_eq!(stage.platform.heard().len(), 0);
}

#[tokio::test]
async fn a_start_that_is_in_doubt_is_not_repeated_until_a_person_has_looked() {
    let stage = Stage::set(&rules(&[RESTART, CLEAN], "")).await;
    stage.shelf().loses = true;
    tell(&stage.relay, "DiskFull", true).await;
    stage.button("alert_relay.approve", "1 ").await;
    assert_eq!(stage.word("approve", json!({})).await.0, 200);
    let story = stage.until_jobs(1, &["restart unknown"]).await;
    let reason = story["jobs"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("alert-relay queue list --target by-restart"), "{reason}");
    assert!(reason.contains("alert-relay incident decline 1 --job 1"), "{reason}");
    assert_eq!(stage.started(), ["restart"], "and nothing else is tried meanwhile");
    // The person has looked: it had not been started.
    stage.shelf().loses = false;
    let dead = in_state(&stage.relay, "dead", 1).await;
    retry(&stage.relay, &dead[0]).await;
    stage.until_jobs(1, &["restart running"]).await;
    stage.ends(1, "failed", "no");
    stage.until_jobs(1, &["restart failed", "clean proposed"]).await;
    assert_eq!(stage.started(), ["restart", "restart"]);
}
