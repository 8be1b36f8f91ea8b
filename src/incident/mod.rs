//! The life of an incident beyond the moment: who is told when nobody acknowledges, what a report of
//! it says, and the numbers over many. Pure cores; `escalation` and `reminding` have a runner each.
//!
//! What alerts, people and services do to an incident is decided in `domain/life` and kept by the
//! store in the very transaction that keeps what they said.

pub mod advice;
pub mod budget;
pub mod escalation;
pub mod forms;
pub mod gate;
pub mod jobs;
pub mod lasting;
pub mod markdown;
pub mod numbers;
pub mod reminding;
pub mod stages;
pub mod tally;
pub mod telling;
pub mod watch;
