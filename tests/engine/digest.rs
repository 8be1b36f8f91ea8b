//! Messages that wait for the rate limit go out as one.

use alert_relay::deliver::errand::{DIGEST_ALERTS_MAX, Errand, Reader};
use alert_relay::domain::delivery::State;
use alert_relay::domain::message::{Action, DedupKey, RemoteRef};
use alert_relay::domain::outcome::Outcome;
use alert_relay::pace::bucket::Rate;
use alert_relay::store::schedule::Claimed;

use crate::bench::{Bench, names, pace, rest};

fn bench(rate: Rate) -> Bench {
    let mut bench = Bench::new(rate);
    bench.terms.digest = true;
    bench
}

#[test]
fn what_waited_for_the_same_token_goes_out_together() {
    for rate in [Rate::PerKey(pace(1, 1, 1)), Rate::Whole(pace(1, 1, 1))] {
        let mut bench = bench(rate);
        bench.triggers(&["a/1", "a/2", "a/3"]);
        bench.push("a/4", Action::Resolve, 2);
        assert_eq!(bench.names(), ["a/1"], "nothing waited before");
        bench.now = 1000;
        let errand = bench.sent().remove(0);
        assert_eq!(names(&errand), "a/2+a/3+a/4", "{rate:?}");
        let message = errand.message("chat").unwrap();
        assert_eq!(message.action, Action::Trigger);
        assert_eq!(message.note.as_deref(), Some("Digest: 3 messages waited for the rate limit"));
        let told: Vec<&str> =
            message.group.alerts.iter().map(|alert| alert.labels["alertname"].as_str()).collect();
        assert_eq!(told, ["a/2#0", "a/3#0", "a/4#0", "a/4#1"]);
        let keys: Vec<&str> = message.digest.iter().map(DedupKey::as_str).collect();
        assert_eq!(keys, ["a/2", "a/3", "a/4"], "what comes back is about these");
        let ended = bench.ends(&errand, Outcome::Delivered { remote: Some(RemoteRef("ts".into())) }, 1);
        assert_eq!(ended.resolutions.len(), 3);
        for resolution in &ended.resolutions {
            let settled = &resolution.settlement.settled[0];
            assert_eq!(settled.state, State::Delivered);
            assert_eq!(settled.reason, "in the digest d2, one message for 3 deliveries");
            assert_eq!(settled.attempt.as_ref().unwrap().outcome, "delivered");
        }
        assert!(ended.resolutions[0].settlement.after.seen && !ended.resolutions[2].settlement.after.seen);
        bench.now = 9000;
        assert_eq!(bench.names(), [""; 0]);
    }
}

#[test]
fn a_digest_holds_one_key_only() {
    let mut bench = bench(Rate::Whole(pace(1, 1, 1)));
    bench.triggers(&["a/1", "a/2", "b/1", "a/3", "b/2"]);
    bench.names();
    bench.now = 1000;
    assert_eq!(bench.names(), ["a/2+a/3"]);
    bench.now = 2000;
    assert_eq!(bench.names(), ["b/1+b/2"]);
}

#[test]
fn a_digest_names_all_or_takes_fewer() {
    let mut bench = bench(Rate::PerKey(pace(1, 1, 1)));
    bench.triggers(&["a/0"]);
    for n in 1..=45 {
        bench.push(&format!("a/{n}"), Action::Trigger, 1);
    }
    bench.push("a/many", Action::Trigger, 30);
    bench.names();
    let mut told = 0;
    for second in 1..=4 {
        bench.now = second * 1000;
        for errand in bench.sent() {
            let alerts = errand.message("chat").unwrap().group.alerts.len();
            assert!(alerts <= DIGEST_ALERTS_MAX || !errand.is_digest());
            told += alerts;
        }
    }
    assert_eq!(told, 75, "in four messages");
}

/// Names two, and keeps some apart.
struct Narrow;

impl Reader for Narrow {
    fn key(&self, _: &Claimed) -> Option<String> {
        Some("a".to_owned())
    }

    fn joins(&self, claimed: &Claimed) -> bool {
        claimed.head.as_ref().is_some_and(|head| !head.key.as_str().contains("apart"))
    }

    fn names_all(&self, errand: &Errand) -> bool {
        errand.claims().count() <= 2
    }
}

#[test]
fn a_kind_says_how_many_it_can_name_and_what_goes_by_itself() {
    for rate in [Rate::PerKey(pace(1, 1, 1)), Rate::Whole(pace(1, 1, 1))] {
        let mut bench = bench(rate);
        bench.triggers(&["a/0", "a/1", "a/2", "a/apart", "a/3", "a/4", "a/5"]);
        let mut told = Vec::new();
        for second in 0..8 {
            bench.now = second * 1000;
            told.extend(bench.sent_by(&Narrow).iter().map(names));
        }
        let mut each: Vec<&str> = told.iter().flat_map(|names| names.split('+')).collect();
        each.sort_unstable();
        assert_eq!(each, ["a/0", "a/1", "a/2", "a/3", "a/4", "a/5", "a/apart"], "each once: {told:?}");
        assert!(told.iter().all(|names| names.split('+').count() <= 2), "{told:?}");
        assert!(told.contains(&"a/apart".to_owned()) && told.len() <= 5, "{told:?}");
    }
}

#[test]
fn a_digest_that_fails_is_owed_lane_by_lane_and_may_fold_again() {
    let mut bench = bench(Rate::PerKey(pace(1, 1, 1)));
    bench.triggers(&["a/1", "a/2", "a/3"]);
    bench.names();
    bench.now = 1000;
    let errand = bench.sent().remove(0);
    let ended = bench.ends(&errand, rest(10_000, false), 1);
    let states: Vec<State> = ended.resolutions.iter().map(|one| one.settlement.settled[0].state).collect();
    assert_eq!(states, [State::Waiting; 2]);
    bench.now = 20_000;
    assert_eq!(bench.names(), ["a/2+a/3"]);
}

#[test]
fn one_bad_message_costs_no_other() {
    let mut bench = bench(Rate::PerKey(pace(1, 1, 1)));
    bench.triggers(&["a/1", "a/2", "a/bad", "a/3"]);
    bench.names();
    bench.now = 1000;
    let errand = bench.sent().remove(0);
    let ended = bench.ends(&errand, Outcome::Rejected { reason: "bad".into() }, 1);
    assert!(ended.resolutions.iter().all(|one| one.settlement.settled[0].state == State::Waiting));
    let mut alone = Vec::new();
    for second in 10..20 {
        bench.now = second * 1000;
        alone.extend(bench.names());
    }
    alone.sort();
    assert_eq!(alone, ["a/2", "a/3", "a/bad"], "each by itself");
}

#[test]
fn without_a_wait_nothing_is_folded() {
    let mut bench = bench(Rate::PerKey(pace(10, 1, 10)));
    bench.triggers(&["a/0"]);
    bench.names();
    bench.now = 60_000;
    bench.triggers(&["a/1", "a/2", "a/3"]);
    assert_eq!(bench.names(), ["a/1", "a/2", "a/3"]);
    let errand = {
        bench.now += 60_000;
        bench.triggers(&["a/4"]);
        bench.sent().remove(0)
    };
    let resolutions = bench.delivered(&errand).resolutions;
    assert_eq!(resolutions[0].settlement.settled[0].reason, "", "nothing is to be remarked");
}
