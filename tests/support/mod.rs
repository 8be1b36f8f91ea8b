//! What the end-to-end tests stand on: a scripted PagerDuty, the real relay, Debian's real
//! Alertmanager, seeded dice. Everything listens on 127.0.0.1 and cleans up after itself.
#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fall over")]
#![allow(clippy::disallowed_methods, reason = "tests live in the real world: its clock is theirs")]

pub mod alertmanager;
pub mod browser;
pub mod fake;
pub mod kinds;
pub mod ports;
pub mod relay;
pub mod smtp;
pub mod vendor;
pub mod wire;
