//! Tokens and rests by natural key.

use alert_relay::deliver::engine::Step;
use alert_relay::deliver::gate::KEYS_MAX;
use alert_relay::domain::message::Action;
use alert_relay::domain::outcome::Outcome;
use alert_relay::pace::bucket::Rate;

use crate::bench::{Bench, pace, rest};

#[test]
fn a_key_without_a_token_waits_and_the_others_go_on() {
    let mut bench = Bench::new(Rate::PerKey(pace(1, 1, 1)));
    bench.triggers(&["a/1", "a/2", "a/3", "b/1", "b/2", "c/1"]);
    assert_eq!(bench.names(), ["a/1", "b/1", "c/1"]);
    assert_eq!(bench.wakes(), Some(1000));
    bench.now = 999;
    bench.triggers(&["a/4", "d/1"]);
    assert_eq!(bench.names(), ["d/1"], "a new lane does not overtake those that wait");
    bench.now = 1000;
    assert_eq!(bench.names(), ["a/2", "b/2"], "one token each, the oldest first");
    bench.now = 2000;
    assert_eq!(bench.names(), ["a/3"]);
    bench.now = 3000;
    assert_eq!(bench.names(), ["a/4"]);
    assert_eq!(bench.schedule.parked(), 0);
}

#[test]
fn what_has_no_key_shares_one_bucket() {
    let mut bench = Bench::new(Rate::PerKey(pace(1, 1, 1)));
    bench.triggers(&["x", "y", "a/1"]);
    assert_eq!(bench.names(), ["x", "a/1"]);
    bench.now = 1000;
    assert_eq!(bench.names(), ["y"]);
}

#[test]
fn the_rate_of_the_operator_holds_for_all_keys_together() {
    let mut bench = Bench::new(Rate::Whole(pace(1, 1, 1)));
    bench.triggers(&["a/1", "b/1"]);
    assert_eq!(bench.names(), ["a/1"]);
    assert_eq!(bench.wakes(), Some(1000));
    bench.now = 1000;
    assert_eq!(bench.names(), ["b/1"]);
}

#[test]
fn the_rest_of_a_key_is_obeyed_to_the_millisecond_and_by_nobody_else() {
    for rate in [Rate::Unlimited, Rate::PerKey(pace(100, 1, 100)), Rate::Whole(pace(1000, 1, 1000))] {
        let mut bench = Bench::new(rate);
        bench.triggers(&["a/1"]);
        let errand = bench.sent().remove(0);
        bench.now = 50;
        let ended = bench.ends(&errand, rest(30_250, false), 1);
        let due =
            ended.resolutions[0].settlement.due.as_millisecond() - crate::ground::at(0).as_millisecond();
        assert!((30_300..=30_400).contains(&due), "the refused one is due at {due}");
        bench.triggers(&["a/2", "b/1"]);
        assert_eq!(bench.names(), ["b/1"], "{rate:?}");
        bench.now = 30_299;
        assert_eq!(bench.names(), [""; 0], "{rate:?}");
        bench.now = 30_300;
        assert!(bench.names().contains(&"a/2".to_owned()), "{rate:?}");
        bench.now = due;
        bench.now += 100;
        bench.names();
        assert_eq!(bench.schedule.parked(), 0, "{rate:?}: all of it went within 100 ms");
    }
}

#[test]
fn the_rest_of_the_whole_target_is_obeyed_by_all_keys() {
    let mut bench = Bench::new(Rate::PerKey(pace(100, 1, 100)));
    bench.triggers(&["a/1"]);
    let errand = bench.sent().remove(0);
    bench.ends(&errand, rest(5000, true), 1);
    bench.triggers(&["b/1"]);
    assert!(matches!(bench.step(), Step::Defer { why: "rest", .. }));
    assert_eq!(bench.wakes(), Some(5000));
}

#[test]
fn waiting_for_a_key_spends_no_attempt() {
    let mut bench = Bench::new(Rate::PerKey(pace(1, 60, 1)));
    bench.triggers(&["a/1", "a/2"]);
    assert_eq!(bench.names(), ["a/1"]);
    bench.now = 60_000;
    let errand = bench.sent().remove(0);
    assert_eq!(errand.first.head.as_ref().unwrap().attempts, 0);
}

#[test]
fn requests_beyond_the_first_are_paid_afterwards() {
    let mut bench = Bench::new(Rate::PerKey(pace(1, 1, 5)));
    bench.triggers(&["a/1"]);
    let errand = bench.sent().remove(0);
    bench.ends(&errand, Outcome::delivered(), 4);
    bench.triggers(&["a/2", "b/1"]);
    assert_eq!(bench.names(), ["b/1"]);
    assert_eq!(bench.wakes(), Some(4000), "three that are owed, and one to take");
}

#[test]
fn a_key_whose_lanes_are_over_by_then_holds_nobody_up() {
    let mut bench = Bench::new(Rate::PerKey(pace(1, 1, 1)));
    bench.triggers(&["a/1", "a/2", "a/3"]);
    assert_eq!(bench.names(), ["a/1"]);
    bench.push("a/2", Action::Resolve, 1);
    bench.now = 1000;
    let Step::Settle(over) = bench.step() else { panic!("a trigger and its resolve fold") };
    let settlement = &over.settlement;
    bench.schedule.release(settlement.lane, &over.done, None, settlement.due, settlement.after.clone());
    bench.now = 2000;
    assert_eq!(bench.names(), ["a/3"]);
}

#[test]
fn a_probe_that_is_told_to_slow_down_is_followed_by_another() {
    let mut bench = Bench::new(Rate::Unlimited);
    bench.triggers(&["a/1", "a/2", "a/3"]);
    let down = || Outcome::Retry { reason: "no connection".into(), after: None, whole_target: false };
    for errand in bench.sent() {
        let tried = alert_relay::deliver::resolution::Tried {
            outcome: down(),
            ..alert_relay::deliver::resolution::Tried::nothing(crate::ground::at(bench.now))
        };
        let ended = bench.engine.tried(&errand, tried, &bench.terms, crate::ground::at(bench.now));
        for resolution in ended.resolutions {
            let settlement = resolution.settlement;
            bench.schedule.release(settlement.lane, &[], resolution.tried, settlement.due, settlement.after);
        }
    }
    bench.now = 30_000;
    let probe = bench.sent().remove(0);
    bench.ends(&probe, rest(1000, true), 1);
    bench.now = 31_000;
    assert_eq!(bench.sent().len(), 1, "the next probe");
}

#[test]
fn the_number_of_keys_is_bounded_and_none_is_forgotten_in_a_burst() {
    let mut bench = Bench::new(Rate::PerKey(pace(1, 1, 1)));
    bench.terms.concurrency = usize::MAX;
    for n in 0..=KEYS_MAX {
        bench.triggers(&[&format!("k{n}/1")]);
    }
    assert_eq!(bench.sent().len(), KEYS_MAX, "the last one finds no room yet");
    bench.now = 1000;
    assert_eq!(bench.names(), [format!("k{KEYS_MAX}/1")], "keys that are not used give way");
}
