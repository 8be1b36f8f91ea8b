//! The way out: one loop per target that claims, paces, attempts and settles.
//!
//! `engine.rs` decides, purely, in the words of `resolution.rs`; `target_loop.rs` waits and carries out; `attempt.rs` is one try.

pub mod attempt;
pub mod engine;
pub mod fleet;
pub mod rescue;
pub mod resolution;
pub mod target_loop;
