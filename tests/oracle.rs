//! The conservation oracle: three targets in bad weather of different kinds, a relay that is
//! killed, stopped and let go on, a disk that fills up; then a judge. Nothing accepted is lost,
//! order holds in every lane, repeats are few and under the same key, and a minute after the faults
//! stop nothing is owed. A run that met no repeat, no coalescing, no backlog, no kill in flight or
//! no full disk fails too. `ORACLE_SECONDS`, `ORACLE_KILLS` and `ORACLE_SEED` make longer or other
//! runs; the seed is printed.
#![expect(clippy::unwrap_used, reason = "a test may fall over")]
#![expect(clippy::disallowed_methods, reason = "tests live in the real world: clock and environment")]
#![expect(clippy::disallowed_macros, reason = "what a run did is worth a line, shown when it fails")]

#[path = "crash/audit.rs"]
mod audit;
#[path = "crash/load.rs"]
mod load;
#[path = "oracle/mod.rs"]
mod oracle;
mod support;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use load::{Book, Load, Word};
use oracle::disk::Disk;
use oracle::judge::{Verdict, judge};
use support::relay::Relay;
use support::vendor::dice::Dice;
use support::vendor::ledger::Ledger;
use support::vendor::script::{Chaos, Fault};
use support::vendor::{PagerDuty, ROUTING_KEY};

/// How long the relay may take to deliver what is left when the faults have stopped.
const DRAIN: Duration = Duration::from_secs(60);

/// The targets, by name; all three keep the books of a PagerDuty, the last is spoken to as a webhook.
const TARGETS: [&str; 3] = ["steady", "stormy", "hook"];

/// What the run met.
#[derive(Debug, Default)]
struct Met {
    kills: usize,
    /// Requests at a target and unanswered when the relay was killed.
    in_flight: usize,
    /// Kills on a full disk.
    on_full_disk: usize,
    /// Times the relay was stopped and let go on.
    stops: usize,
    /// Times the disk was full.
    full: usize,
    /// Times a target could not be reached or refused everything.
    outages: usize,
    /// The most alerts of which a target had seen nothing at the end of its outage.
    backlog: usize,
}

fn config(vendors: &[PagerDuty], store: &str) -> String {
    let common = "rate: { limit: 100000/s, burst: 100000 }, retry: { base: 50ms, cap: 500ms }, \
                  breaker: { failures: 1000, open_for: 100ms }, timeout: 1s, concurrency: 8";
    let [steady, stormy, hook] = [0, 1, 2].map(|number: usize| vendors[number].url());
    let summary = r#""{{commonAnnotations.summary}}""#;
    let body = format!(
        r#"{{"routing_key": "{ROUTING_KEY}", "event_action": {{{{json action}}}}, "dedup_key": {{{{json dedupKey}}}}, "payload": {{"summary": {{{{json commonAnnotations.summary}}}}, "source": "relay", "severity": "error"}}}}"#
    );
    format!(
        r#"
server: {{ listen: LISTEN }}
store: {{ path: {store} }}
sources:
  - {{ name: alertmanager, kind: alertmanager, auth: none }}
route: {{ receiver: all }}
receivers:
  - {{ name: all, targets: [steady, stormy, hook] }}
targets:
  - {{ name: steady, {common}, pagerduty: {{ base_url: "{steady}", routing_key: "{ROUTING_KEY}", summary: {summary} }} }}
  - {{ name: stormy, {common}, pagerduty: {{ base_url: "{stormy}", routing_key: "{ROUTING_KEY}", summary: {summary} }} }}
  - {{ name: hook, {common}, webhook: {{ url: "{hook}/v2/enqueue", body: '{body}' }} }}
"#
    )
}

/// Each target's own bad weather, in parts of a thousand requests.
fn weather(vendors: &[PagerDuty], seed: u64) {
    let spoiled = [(4, Fault::ReplyAfter { status: 500 }), (4, Fault::ResetAfter), (2, Fault::Truncate)];
    let steady = vec![(20, Fault::Delay(Duration::from_millis(100))), (5, Fault::status(500))];
    let stormy = [
        (40, Fault::status(500)),
        (20, Fault::Reset),
        (10, Fault::status(400)),
        (5, Fault::status(408)),
        (3, Fault::Hang),
        (2, Fault::Stall),
        (1, Fault::retry_after(1)),
        (40, Fault::Delay(Duration::from_millis(60))),
    ];
    let hook = [
        (30, Fault::status(502)),
        (10, Fault::status(400)),
        (10, Fault::Reset),
        (5, Fault::ReplyAfter { status: 503 }),
    ];
    let all = [
        steady,
        stormy.into_iter().chain(spoiled.clone()).collect(),
        hook.into_iter().chain(spoiled).collect(),
    ];
    for ((vendor, faults), number) in vendors.iter().zip(all).zip(0..) {
        vendor.calm();
        vendor.chaos(Chaos::new(seed ^ number, faults));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_and_order_holds_through_kills_full_disks_and_bad_weather() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (seconds, kills) = (number("ORACLE_SECONDS", 25), number("ORACLE_KILLS", 12) as usize);
    let seed = number("ORACLE_SEED", 20_260_104);
    println!("ORACLE_SECONDS={seconds} ORACLE_KILLS={kills} ORACLE_SEED={seed}");
    let disk = Disk::mount(160 + 4 * seconds);
    let vendors = [PagerDuty::start().await, PagerDuty::start().await, PagerDuty::start().await];
    weather(&vendors, seed);
    let mut relay = Relay::start(&config(&vendors, disk.store().to_str().unwrap())).await;
    let load = Load::start(&relay, seed);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut met = Met::default();
    let mut dice = Dice::new(seed);
    while Instant::now() < until || met.kills < kills {
        trouble(&vendors, &mut relay, &disk, &load.book, &mut met, &mut dice).await;
    }
    let book = load.finish().await;
    vendors.iter().for_each(PagerDuty::calm);
    let words = book.words.lock().unwrap().clone();

    let drained = Instant::now();
    let found = || -> Vec<Verdict> {
        vendors.iter().map(|vendor| judge(&vendor.ledger(), &words, met.kills)).collect()
    };
    while found().iter().any(|verdict| !verdict.problems.is_empty()) && drained.elapsed() < DRAIN {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let took = drained.elapsed();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let found = found();
    let accepted = book.accepted.load(Ordering::Relaxed);
    let deferred = book.deferred.load(Ordering::Relaxed);
    let sums: Vec<String> = TARGETS
        .iter()
        .zip(&found)
        .map(|(name, one)| {
            format!(
                "{name}: {} repeats for {} spoiled answers, {} coalesced",
                one.repeats, one.spoiled, one.coalesced
            )
        })
        .collect();
    let run = format!(
        "{met:?}, {accepted} accepted, {deferred} answered 5xx; {}; drained in {took:?}",
        sums.join("; ")
    );
    println!("{run}");
    for ((name, verdict), vendor) in TARGETS.iter().zip(&found).zip(&vendors) {
        if let Some(problem) = verdict.problems.first() {
            println!("{name}: the lane of «{problem}»:\n{}", lane_of(problem, &vendor.ledger()));
        }
        let shown = &verdict.problems[..verdict.problems.len().min(20)];
        assert!(shown.is_empty(), "{name}: {} broken promises: {shown:#?}\n{run}", verdict.problems.len());
    }
    // A run that met nothing proves nothing.
    assert!(accepted > 30 * seconds, "hardly any load: {run}");
    assert!(met.kills >= kills && met.in_flight > 0 && met.stops > 0 && met.outages > 0, "too calm: {run}");
    assert!(met.full > 0 && met.on_full_disk > 0 && deferred > 0, "the disk was never full: {run}");
    assert!(met.backlog > 100, "no backlog: {run}");
    assert!(found.iter().all(|one| one.coalesced > 0), "nothing was coalesced: {run}");
    assert!(found.iter().any(|one| one.repeats > 0), "nothing was repeated: {run}");
}

/// Every call under the key of the alert that a problem begins with.
fn lane_of(problem: &str, ledger: &Ledger) -> String {
    let name = format!("{} round", problem.split([' ', ':']).next().unwrap_or_default());
    let event = ledger
        .calls
        .iter()
        .filter_map(|call| call.event.as_ref())
        .find(|event| event.summary.starts_with(&name));
    let Some(event) = event else { return "nothing".to_owned() };
    let of_lane = ledger
        .calls
        .iter()
        .filter(|call| call.event.as_ref().is_some_and(|one| one.dedup_key == event.dedup_key));
    let mut lines = vec![format!("  key {}", event.dedup_key)];
    lines.extend(of_lane.map(|call| {
        let said = call.event.as_ref().map(|one| (one.action, one.summary.as_str()));
        format!(
            "  {:>8.3}s {said:?} processed={} -> {:?} {}",
            call.at.as_secs_f64(),
            call.processed,
            call.answered,
            call.note
        )
    }));
    lines.join("\n")
}

/// One misfortune.
async fn trouble(
    vendors: &[PagerDuty],
    relay: &mut Relay,
    disk: &Disk,
    book: &Book,
    met: &mut Met,
    dice: &mut Dice,
) {
    tokio::time::sleep(Duration::from_millis(dice.between(50, 500))).await;
    let vendor = &vendors[dice.between(0, 3) as usize];
    let while_it_lasts = Duration::from_millis(dice.between(200, 1000));
    match dice.between(0, 10) {
        0..=3 => {
            let full = dice.between(0, 3) == 0;
            if full {
                disk.fill();
                tokio::time::sleep(Duration::from_millis(dice.between(20, 200))).await;
                met.full += 1;
                met.on_full_disk += 1;
            }
            met.in_flight += vendors.iter().map(|vendor| vendor.ledger().in_progress).sum::<usize>();
            met.kills += 1;
            println!("killed at {:.3}s, disk full: {full}", vendors[0].age().as_secs_f64());
            relay.kill9();
            disk.empty();
            relay.start_again().await;
        }
        4 | 5 => {
            relay.signal("STOP");
            tokio::time::sleep(while_it_lasts).await;
            relay.signal("CONT");
            met.stops += 1;
        }
        6 | 7 => {
            disk.fill();
            tokio::time::sleep(while_it_lasts).await;
            disk.empty();
            met.full += 1;
        }
        8 => {
            vendor.go_down();
            tokio::time::sleep(while_it_lasts).await;
            met.backlog = met.backlog.max(backlog(book, vendor));
            vendor.come_back();
            met.outages += 1;
        }
        _ => {
            vendor.always(Fault::status(500));
            tokio::time::sleep(while_it_lasts * 2).await;
            met.backlog = met.backlog.max(backlog(book, vendor));
            weather(vendors, dice.throw());
            met.outages += 1;
        }
    }
}

/// Alerts that were accepted and of which the target has seen nothing yet.
fn backlog(book: &Book, vendor: &PagerDuty) -> usize {
    book.words.lock().unwrap().len().saturating_sub(vendor.ledger().incidents.len())
}

/// What the vendor saw, in order: action, summary, whether it took effect, status.
type Seen<'a> = (&'a str, &'a str, bool, Option<u16>);

fn ledger(seen: &[Seen<'_>]) -> Ledger {
    let mut ledger = Ledger::default();
    for (action, summary, processed, answered) in seen {
        let body = serde_json::json!({
            "routing_key": ROUTING_KEY, "event_action": action, "dedup_key": "k",
            "payload": { "summary": summary, "source": "test", "severity": "info" },
        });
        let mut one = Ledger::default();
        one.record(&body.to_string(), ROUTING_KEY);
        if *processed {
            ledger.record(&body.to_string(), ROUTING_KEY);
        } else {
            ledger.calls.append(&mut one.calls);
        }
        let call = ledger.calls.last_mut().unwrap();
        (call.processed, call.answered) = (*processed, *answered);
    }
    ledger
}

#[test]
fn the_judge_passes_what_is_right_and_names_what_is_wrong() {
    let (t, r) = (("trigger", "a round 1", true, Some(202)), ("resolve", "", true, Some(202)));
    let (t_no, r_no) = (("trigger", "a round 1", false, Some(400)), ("resolve", "", false, Some(400)));
    let (t_lost, t2) = (("trigger", "a round 1", true, None), ("trigger", "a round 2", true, Some(202)));
    let busy = ("trigger", "a round 1", false, Some(500));
    let (firing, over) = (|round| Word { round, firing: true }, |round| Word { round, firing: false });
    let cases: &[(&[Seen<'_>], Word, usize, &str)] = &[
        (&[t], firing(1), 0, ""),
        (&[t, r], over(1), 0, ""),
        (&[t_no], firing(1), 0, ""),
        (&[t, r_no], over(1), 0, ""),
        (&[t_lost, t], firing(1), 0, ""),
        (&[t, t], firing(1), 1, ""),
        (&[busy, t], firing(1), 0, ""),
        (&[t, t], firing(1), 0, "1 repeats for 0 spoiled"),
        (&[t_lost, t, t, t], firing(1), 1, "3 repeats for 1 spoiled"),
        (&[t_no], firing(2), 0, "never arrived"),
        (&[busy], firing(1), 9, "never arrived"),
        (&[t, t_no], over(1), 0, "is open"),
        (&[t2, t], firing(2), 0, "round 1 arrived after round 2"),
    ];
    for (seen, word, crashes, problem) in cases {
        let found = judge(&ledger(seen), &BTreeMap::from([("a".to_owned(), *word)]), *crashes);
        let right = match *problem {
            "" => found.problems.is_empty(),
            problem => found.problems.len() == 1 && found.problems[0].contains(problem),
        };
        assert!(right, "{seen:?} {word:?}: wanted {problem:?}, found {found:?}");
    }
}
