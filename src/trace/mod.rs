//! Traces: what became of an accepted event, as spans for OpenTelemetry. Off unless configured.
//!
//! Nothing of a trace is stored. Its id is that of the event, and every span's id follows from what
//! it is about (`ids`), so that a delivery made after a restart still stands below the intake that
//! promised it. Spans go through a bounded queue that nobody waits for (`span`); they are written as
//! OTLP's JSON (`otlp`) and sent by `daemon/traces`. What cannot be sent is counted and forgotten:
//! traces never hold a delivery up.

pub mod ids;
pub mod otlp;
pub mod span;
