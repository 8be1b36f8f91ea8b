//! The way out: one loop per target that claims, paces, attempts and settles.
//!
//! `engine.rs` decides, purely: `gate.rs` knows rests and tokens, `vitals.rs` how the target is,
//! `errand.rs` what a call carries, `resolution.rs` what is written of it. `target_loop.rs` waits and
//! carries out, `report.rs` says it aloud; `attempt.rs` is one try, `purse.rs` pays for it;
//! `keeping.rs` writes what must not be forgotten. `inquiry.rs` asks how things stand, as often as
//! `patience.rs` allows; `tickets.rs` does so for open tickets.

pub mod attempt;
pub mod engine;
pub mod errand;
pub mod fleet;
pub mod gate;
pub mod inquiry;
pub mod keeping;
pub mod patience;
pub mod purse;
mod report;
pub mod rescue;
pub mod resolution;
pub mod target_loop;
pub mod tickets;
mod traced;
pub mod vitals;
