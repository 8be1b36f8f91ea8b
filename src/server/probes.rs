//! What those who watch the relay ask: alive, ready, metrics. Takes the state as an argument, gives
//! the answer. `HEAD` is answered alike; the wire leaves the body out.
//!
//! Deliberately not here: how readiness is found out.

use std::time::Duration;

use hyper::StatusCode;

use crate::metrics::{CONTENT_TYPE, Metrics};
use crate::server::answer::{Answer, ProblemDetails, text, with_type};

/// Whether the relay can take alerts in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// Not now, with the reason: one sentence.
    NotReady(String),
}

/// `/-/healthy`: the process runs and answers.
pub fn healthy() -> Answer {
    text(StatusCode::OK, "alert-relay is healthy.\n")
}

/// `/-/ready`: 200, or 503 with the reason.
pub fn ready(readiness: &Readiness) -> Answer {
    match readiness {
        Readiness::Ready => text(StatusCode::OK, "alert-relay is ready.\n"),
        Readiness::NotReady(why) => {
            ProblemDetails::unavailable(why.as_str(), Duration::from_secs(1)).into_answer()
        }
    }
}

/// `/metrics`.
pub fn metrics(metrics: &Metrics) -> Answer {
    with_type(StatusCode::OK, CONTENT_TYPE, metrics.encode())
}
