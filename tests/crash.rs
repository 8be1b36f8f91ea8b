//! Kill -9 at random points under load, again and again: everything that was accepted arrives,
//! under one key, in order, in the right state at the end, with few repeats. `CRASH_KILLS` and
//! `CRASH_SEED` make longer or other runs; the seed of a run is printed. Power loss is not tested
//! here: a killed process keeps the page cache.
#![expect(clippy::unwrap_used, reason = "a test may fall over")]
#![expect(clippy::disallowed_methods, reason = "tests live in the real world: clock and environment")]
#![expect(clippy::disallowed_macros, reason = "what a run did is worth a line, shown when it fails")]

#[path = "crash/audit.rs"]
mod audit;
#[path = "crash/load.rs"]
mod load;
mod support;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use audit::audit;
use load::{Load, Word};
use support::relay::{self, Relay};
use support::vendor::dice::Dice;
use support::vendor::ledger::Ledger;
use support::vendor::rules::Action;
use support::vendor::script::Fault;
use support::vendor::{PagerDuty, ROUTING_KEY};

/// How long the relay may take to deliver what is left after the last kill.
const DRAIN: Duration = Duration::from_secs(90);
/// Alerts that were accepted and have not arrived, beyond which the senders rest.
const OWED_MAX: usize = 500;
/// How long a kill waits for a request in flight.
const AIM: Duration = Duration::from_millis(100);
/// Kills after which a long run says how far it is.
const TOLD_EVERY: u64 = 500;
/// Requests that one kill may repeat: what is in flight (the config's concurrency), twice over.
const REPEATS_A_KILL: usize = 16;

/// What the kills met.
#[derive(Debug, Default)]
struct Met {
    kills: u64,
    /// Kills while a request was at PagerDuty and unanswered.
    in_flight: u64,
    /// Kills while PagerDuty was refusing everything, so that a queue stood.
    queued: u64,
    /// Kills before the relay was ready again.
    starting: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_accepted_arrives_in_order_over_many_kills() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (kills, seed) = (number("CRASH_KILLS", 25), number("CRASH_SEED", 20_260_101));
    println!("CRASH_KILLS={kills} CRASH_SEED={seed}");
    let pd = PagerDuty::start().await;
    pd.latency(Duration::from_millis(5));
    let config = relay::config(&pd, r#"summary: "{{commonAnnotations.summary}}","#);
    let mut relay = Relay::start(&config).await;
    let load = Load::start(&relay, seed);
    let met = kill_again_and_again((&pd, &load), &mut relay, kills, seed).await;
    load.rests(false);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let book = load.finish().await;
    let words = book.words.lock().unwrap().clone();

    let drained = Instant::now();
    let mut found = audit(&pd.ledger(), &words);
    while !found.problems.is_empty() && drained.elapsed() < DRAIN {
        tokio::time::sleep(Duration::from_millis(200)).await;
        found = audit(&pd.ledger(), &words);
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    let found = audit(&pd.ledger(), &words);

    let accepted = book.accepted.load(Ordering::Relaxed);
    let (unanswered, deferred) =
        (book.unanswered.load(Ordering::Relaxed), book.deferred.load(Ordering::Relaxed));
    let (triggers, resolves) = (pd.processed(Action::Trigger), pd.processed(Action::Resolve));
    let repeats = found.repeats;
    let run = format!(
        "{met:?}, {accepted} accepted on {} alerts, {unanswered} unanswered, {deferred} deferred; \
         {triggers} triggers and {resolves} resolves arrived, {repeats} of them repeats; drained in {:?}",
        words.len(),
        drained.elapsed(),
    );
    println!("{run}");
    let shown = &found.problems[..found.problems.len().min(20)];
    assert!(shown.is_empty(), "{} broken promises: {shown:#?}\n{run}", found.problems.len());
    assert!(repeats <= REPEATS_A_KILL * met.kills as usize, "too many repeats: {run}");
    // A run that met nothing proves nothing.
    assert!(met.kills >= kills && accepted > 10 * kills, "hardly any load: {run}");
    assert!(met.in_flight >= kills / 3, "hardly any kill met a request in flight: {run}");
    assert!(met.queued >= kills / 6, "hardly any kill met a queue: {run}");
    assert!(resolves > 0 && triggers > resolves, "one-sided: {run}");
}

async fn kill_again_and_again(
    (pd, load): (&PagerDuty, &Load),
    relay: &mut Relay,
    kills: u64,
    seed: u64,
) -> Met {
    let mut dice = Dice::new(seed);
    let mut met = Met::default();
    let began = Instant::now();
    let mut told = 0;
    while met.kills < kills {
        if met.kills >= told + TOLD_EVERY {
            told = met.kills;
            println!("{told} of {kills} kills after {} s", began.elapsed().as_secs());
        }
        tokio::time::sleep(Duration::from_millis(dice.between(50, 600))).await;
        let refusing = dice.between(0, 3) == 0;
        if refusing {
            pd.always(Fault::status(503));
            tokio::time::sleep(Duration::from_millis(dice.between(50, 250))).await;
        }
        let waits = dice.between(0, 3) > 0;
        // Most kills wait for a request in flight; the others fall where they fall.
        let aimed = Instant::now();
        while waits && pd.ledger().in_progress == 0 && aimed.elapsed() < AIM {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        met.in_flight += u64::from(pd.ledger().in_progress > 0);
        met.queued += u64::from(refusing);
        met.kills += 1;
        relay.kill9();
        relay.spawn();
        if dice.between(0, 5) == 0 {
            tokio::time::sleep(Duration::from_millis(dice.between(0, 30))).await;
            met.kills += 1;
            met.starting += 1;
            relay.kill9();
            relay.spawn();
        }
        relay.wait_until_ready().await;
        pd.calm();
        let arrived = pd.ledger().incidents.len();
        load.rests(load.book.words.lock().unwrap().len() > arrived + OWED_MAX);
    }
    met
}

/// Action, dedup key, summary.
type Said<'a> = (&'a str, &'a str, &'a str);
/// What arrived, the last accepted word on the alert `a`, the problem to be found, the repeats.
type Case<'a> = (&'a [Said<'a>], Word, &'a str, usize);

/// The ledger after these events.
fn after(events: &[Said<'_>]) -> Ledger {
    let body = |(action, key, summary): &Said<'_>| {
        serde_json::json!({
            "routing_key": ROUTING_KEY, "event_action": action, "dedup_key": key,
            "payload": { "summary": summary, "source": "test", "severity": "info" },
        })
    };
    let mut ledger = Ledger::default();
    for event in events {
        ledger.record(&body(event).to_string(), ROUTING_KEY);
    }
    ledger
}

#[test]
fn the_auditor_passes_what_is_right_and_names_what_is_wrong() {
    let firing = |round| Word { round, firing: true };
    let over = |round| Word { round, firing: false };
    let [t1, t2, r] = [("trigger", "k", "a round 1"), ("trigger", "k", "a round 2"), ("resolve", "k", "")];
    let other = ("trigger", "other", "a round 1");
    let (stray, alarm) = (("trigger", "x", "b round 1"), ("trigger", "y", "target pagerduty-core is sick"));
    let cases: &[Case<'_>] = &[
        (&[t1], firing(1), "", 0),
        (&[t1, r], over(1), "", 0),
        (&[t1, r, t2], firing(2), "", 0),
        (&[t1, t2], firing(2), "", 0),
        (&[], over(1), "", 0),
        (&[t1, t1, r, r], over(1), "", 2),
        (&[], firing(1), "never arrived", 0),
        (&[t1], firing(2), "round 2 was accepted, 1 is the last", 0),
        (&[t1], over(1), "is open", 0),
        (&[t1, r], firing(1), "is closed", 1),
        (&[t1, r, t1], firing(1), "triggered after its resolve", 1),
        (&[t2, t1], firing(2), "round 1 arrived after round 2", 0),
        (&[t1, other], firing(1), "under 2 keys", 0),
        (&[t1, stray], firing(1), "never accepted", 0),
        (&[t1, alarm], firing(1), "", 0),
    ];
    for (events, word, problem, repeats) in cases {
        let found = audit(&after(events), &BTreeMap::from([("a".to_owned(), *word)]));
        let right = match *problem {
            "" => found.problems.is_empty(),
            problem => found.problems.len() == 1 && found.problems[0].contains(problem),
        };
        assert!(
            right && found.repeats == *repeats,
            "{events:?} {word:?}: wanted {problem:?}, found {found:?}"
        );
    }
}
