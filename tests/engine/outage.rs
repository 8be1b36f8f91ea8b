//! What piles up while a target takes nothing.

use alert_relay::deliver::engine::Step;
use alert_relay::deliver::resolution::Tried;
use alert_relay::domain::message::Action;
use alert_relay::domain::outcome::Outcome;
use alert_relay::pace::bucket::Rate;

use crate::bench::Bench;
use crate::ground::at;

/// All that is settled just now without a call, as deliveries.
fn folded(bench: &mut Bench) -> Vec<i64> {
    let mut folded = Vec::new();
    while let Step::Settle(over) = bench.step() {
        let settlement = &over.settlement;
        folded.extend(&over.done);
        bench.schedule.release(settlement.lane, &over.done, None, settlement.due, settlement.after.clone());
    }
    folded
}

#[test]
fn a_lane_behind_an_open_breaker_is_folded_and_keeps_its_time() {
    let mut bench = Bench::new(Rate::Unlimited);
    bench.triggers(&["1", "2", "3"]);
    for errand in bench.sent() {
        let outcome = Outcome::Unknown { reason: "no answer".into() };
        let tried = Tried { outcome, ..Tried::nothing(at(0)) };
        let ended = bench.engine.tried(&errand, tried, &bench.terms, at(0));
        for one in ended.resolutions {
            let (due, after) = (one.settlement.due, one.settlement.after);
            bench.schedule.release(one.settlement.lane, &one.done, one.tried, due, after);
        }
    }
    assert!(matches!(bench.step(), Step::Wait(_) | Step::Defer { why: "breaker", .. }));
    let told: Vec<i64> = [Action::Resolve, Action::Trigger, Action::Resolve, Action::Trigger]
        .map(|action| bench.push("1", action, 1))
        .to_vec();
    assert_eq!(folded(&mut bench), [1, told[1], told[2]], "left are the first resolve and the last trigger");
    bench.push("1", Action::Trigger, 1);
    assert_eq!(folded(&mut bench), [told[3]]);
    assert_eq!(bench.schedule.held(), 4, "two of this lane, one of each other");
}
