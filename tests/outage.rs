//! A long outage in simulated time: one target takes nothing for 9.5 hours while alerts come and go
//! all the time. Nothing is lost, no lane holds more than two deliveries, the fallback is told
//! within its limit, and afterwards nobody is paged for what is over.
//!
//! `OUTAGE_RATE` sets alerts per second (1000 is the full size, for a release build and an hour),
//! `OUTAGE_LANES` how many problems they are about.
#![expect(clippy::disallowed_methods, reason = "tests read the environment")]
#![allow(clippy::unwrap_used, clippy::panic, dead_code, reason = "a test may fall over")]

#[path = "simulation/dice.rs"]
mod dice;
#[path = "store/ground.rs"]
mod ground;
#[path = "outage/world.rs"]
mod world;

use world::World;

/// Problems where the environment does not say otherwise.
const LANES: usize = 100;
const MINUTE: i64 = 60_000;
const OUTAGE: i64 = 570 * MINUTE;

fn number(name: &str) -> Option<i64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn after_an_outage_of_nine_and_a_half_hours_everybody_knows_what_is_and_nobody_what_was() {
    // Without a rate, one alert every five seconds.
    let rate = number("OUTAGE_RATE").unwrap_or(0);
    let lanes = number("OUTAGE_LANES").map_or(LANES, |lanes| usize::try_from(lanes).unwrap());
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let mut world = World::new(folder.path(), lanes);

    world.runs_until(5 * MINUTE, rate);
    assert!(world.vendor_knows_what_is(), "all is well before");
    world.is_down = true;
    world.runs_until(5 * MINUTE + OUTAGE, rate);
    let (waiting, most) = world.waiting();
    assert!(waiting > 0 && most <= 2, "{waiting} wait, in one lane {most}: {:?}", world.fullest());
    assert!(world.held() <= 2 * lanes, "{} in memory", world.held());
    let (told, latest) = world.fallbacks();
    assert!(told > 0 && latest <= world::FALL_AFTER + 2000, "{told} told, the last one after {latest} ms");
    assert_eq!(world.untold_fallbacks(), 0);

    world.is_down = false;
    let before = world.sent.len();
    world.calms_down(30 * MINUTE);
    assert_eq!(world.waiting().0, 0, "nothing is owed any more");
    assert!(world.vendor_knows_what_is(), "nothing is lost");
    assert!(world.sent[before..].iter().all(|sent| sent.was_true), "nobody hears what is over");
    let most = world.most_sent_of_a_lane_since(before);
    assert!(most <= 2, "{most} messages about one problem after the outage");
}
