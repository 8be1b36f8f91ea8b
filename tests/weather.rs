//! What the network and the vendor do on a bad day, and what they do on a good one: everything
//! accepted arrives in order through errors, resets and half answers; on a clear day nothing is
//! sent twice; `Retry-After` is obeyed; a message that can never pass holds nobody up.
#![expect(clippy::unwrap_used, reason = "a test may fall over")]
#![expect(clippy::disallowed_methods, reason = "tests live in the real world: its clock is theirs")]

#[path = "crash/audit.rs"]
mod audit;
#[path = "crash/load.rs"]
mod load;
mod support;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use audit::{Finding, audit};
use load::Load;
use support::relay::{self, Relay};
use support::vendor::PagerDuty;
use support::vendor::ledger::{Call, Ledger};
use support::vendor::script::{Chaos, Fault};

const SEED: u64 = 20_260_102;
const LOADED: Duration = Duration::from_secs(4);
const DRAIN: Duration = Duration::from_secs(60);

async fn stage() -> (PagerDuty, Relay) {
    let pd = PagerDuty::start().await;
    let config = relay::config(&pd, r#"summary: "{{commonAnnotations.summary}}","#);
    let relay = Relay::start(&config).await;
    (pd, relay)
}

/// Loads the relay, lets it drain and audits; how many alerts were accepted comes along.
async fn loaded(pd: &PagerDuty, relay: &Relay) -> (Finding, u64) {
    let load = Load::start(relay, SEED);
    tokio::time::sleep(LOADED).await;
    let book = load.finish().await;
    pd.calm();
    let words = book.words.lock().unwrap().clone();
    let until = Instant::now() + DRAIN;
    while !audit(&pd.ledger(), &words).problems.is_empty() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    let accepted = book.accepted.load(Ordering::Relaxed);
    assert!(accepted > 200, "hardly any load: {accepted}");
    (audit(&pd.ledger(), &words), accepted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_clear_day_everything_arrives_and_nothing_twice() {
    let (pd, relay) = stage().await;
    let (found, accepted) = loaded(&pd, &relay).await;
    assert!(found.problems.is_empty(), "{:#?}", &found.problems[..found.problems.len().min(20)]);
    assert_eq!(found.repeats, 0, "of {accepted} accepted\n{}", pd.ledger());
    let processed = pd.ledger().events().count();
    assert_eq!(pd.calls().len(), processed, "every request was a good one\n{}", pd.ledger());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_errors_resets_and_half_answers_everything_arrives_in_order() {
    let (pd, relay) = stage().await;
    let seen_and_spoiled = [(30, Fault::ResetAfter), (20, Fault::ReplyAfter { status: 500 })];
    let unseen = [(100, Fault::status(500)), (50, Fault::status(503)), (30, Fault::Reset)];
    pd.chaos(Chaos::new(SEED, unseen.into_iter().chain(seen_and_spoiled).collect()));
    let (found, accepted) = loaded(&pd, &relay).await;
    assert!(found.problems.is_empty(), "{:#?}", &found.problems[..found.problems.len().min(20)]);
    let calls = pd.calls();
    let spoiled = calls.iter().filter(|call| call.processed && call.answered != Some(202)).count();
    let failed = calls.iter().filter(|call| !call.processed).count();
    assert!(spoiled > 5 && failed > 20, "the weather was too good: {spoiled} spoiled, {failed} failed");
    let repeats = found.repeats;
    assert!(repeats <= spoiled, "{repeats} repeats for {spoiled} spoiled answers of {accepted} accepted");
}

#[tokio::test]
async fn what_a_500_may_have_opened_is_closed_although_it_was_over_before_the_next_try() {
    let pd = PagerDuty::start().await;
    let patient = relay::config(&pd, "").replace("base: 50ms, cap: 500ms", "base: 20s");
    let relay = Relay::start(&patient).await;
    pd.next(Fault::ReplyAfter { status: 500 });
    relay.accepts("/hooks/alertmanager", alert("short")).await;
    pd.wait_for("the first try", |seen| seen.calls.len() == 1, Duration::from_secs(5)).await;
    let over = load::webhook("short", load::Word { round: 1, firing: false });
    relay.accepts("/hooks/alertmanager", over).await;
    let closed = |seen: &Ledger| seen.calls.len() > 1 && seen.open() == 0;
    pd.wait_for("the end of it", closed, Duration::from_secs(40)).await;
}

/// A firing alert of its own group.
fn alert(name: &str) -> String {
    load::webhook(name, load::Word { round: 1, firing: true })
}

#[tokio::test]
async fn retry_after_is_obeyed_in_full() {
    let (pd, relay) = stage().await;
    pd.next(Fault::retry_after(2));
    relay.accepts("/hooks/alertmanager", alert("slow")).await;
    pd.wait_for("the second try", |seen| seen.open() == 1, Duration::from_secs(10)).await;
    let calls = pd.calls();
    let pause = calls[1].at - calls[0].at;
    assert_eq!(calls.len(), 2, "{}", pd.ledger());
    assert!(pause >= Duration::from_millis(1950), "came back after {pause:?}, was asked for 2 s");
    assert!(pause < Duration::from_secs(6), "came back after {pause:?} only, was asked for 2 s");
}

#[tokio::test]
async fn a_message_that_can_never_pass_is_not_repeated_and_holds_nobody_up() {
    let (pd, relay) = stage().await;
    let refusal = r#"{"status":"invalid event","message":"Event object is invalid","errors":["no"]}"#;
    pd.next(Fault::Reply { status: 400, headers: Vec::new(), body: refusal.to_owned() });
    relay.accepts("/hooks/alertmanager", alert("poison")).await;
    pd.wait_for("the refused one", |seen| seen.calls.len() == 1, Duration::from_secs(5)).await;
    relay.accepts("/hooks/alertmanager", alert("next")).await;
    let arrived = |seen: &Ledger| seen.incidents.values().any(|one| one.summary.contains("next round 1"));
    pd.wait_for("the next one", arrived, Duration::from_secs(5)).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let key_of = |call: &Call| call.event.as_ref().map(|event| event.dedup_key.clone());
    let calls = pd.calls();
    let same = calls.iter().filter(|call| key_of(call) == key_of(&calls[0])).count();
    assert_eq!(same, 1, "the refused one was sent again\n{}", pd.ledger());
}
