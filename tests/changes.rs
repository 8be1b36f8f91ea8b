//! Changes: what pipelines post and what is read of it; how they come to be told elsewhere and shown
//! with incidents; when the gate lets a pipeline through.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fall over")]
#![expect(
    clippy::disallowed_methods,
    reason = "the relay has the real clock; UPDATE_GOLDEN is read from the environment"
)]

mod support;

#[path = "changes/gating.rs"]
mod gating;
#[path = "changes/reading.rs"]
mod reading;
#[path = "changes/told.rs"]
mod told;
