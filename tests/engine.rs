//! What a target's loop does next, on simulated time: who waits for a token or a rest and who goes
//! on, what goes out as a digest, and what becomes of what failed. No store, no socket: the lanes
//! are pushed by hand.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fall over")]

#[path = "engine/bench.rs"]
mod bench;
#[path = "engine/digest.rs"]
mod digest;
#[path = "store/ground.rs"]
mod ground;
#[path = "engine/keys.rs"]
mod keys;
#[path = "engine/outage.rs"]
mod outage;
