//! Delivery as a whole on simulated time: schedule, engine, bucket and the real store on disk
//! against a vendor with moods, a pair of senders out of step, and ends of the process at any
//! moment. Hundreds of seeds; `SIM_SEEDS` runs more, `SIM_SEED` replays one that failed.
#![expect(clippy::disallowed_methods, reason = "tests read the environment")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_precision_loss,
    dead_code,
    reason = "a test may fall over"
)]

#[path = "simulation/dice.rs"]
mod dice;
#[path = "store/ground.rs"]
mod ground;
#[path = "simulation/judge.rs"]
mod judge;
#[path = "simulation/story.rs"]
mod story;
#[path = "simulation/vendor.rs"]
mod vendor;
#[path = "simulation/world.rs"]
mod world;

use std::path::Path;

use world::World;

/// Seeds where the environment does not say otherwise.
const SEEDS: u64 = 300;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Memory where there is some: a simulated disk need not be a slow one.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))))
        .unwrap()
}

fn run(seed: u64) -> Result<(), String> {
    let folder = folder();
    let mut world = World::new(seed, folder.path());
    world.run().and_then(|()| judge::judge(&world)).map_err(|what| {
        let calls: String = world.vendor.calls.iter().map(|call| format!("{call:?}\n")).collect();
        format!(
            "seed {seed} (replay: SIM_SEED={seed}): {what}\nends: {:?}\n{:#?}\n{calls}",
            world.ends, world.terms
        )
    })
}

#[test]
fn whatever_happens_every_alert_arrives_in_order_once_and_politely() {
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        run(seed).unwrap_or_else(|what| panic!("{what}"));
    }
}

#[test]
fn a_seed_replays_exactly() {
    let calls = || {
        let folder = folder();
        let mut world = World::new(17, folder.path());
        world.run().unwrap();
        world.vendor.calls.iter().map(|call| format!("{call:?}")).collect::<Vec<_>>()
    };
    let once = calls();
    assert!(!once.is_empty(), "a run in which nothing is sent proves nothing");
    assert_eq!(once, calls());
}
