//! The words of the relay as plain values: no socket, no clock, no file, no wire format.
//!
//! Domain types are not serialisable on purpose. Each edge owns its own form (`source/*` reads
//! bodies, `template/view.rs` shows values to templates, `store/rows.rs` writes rows), so a
//! renamed field here can never break a stored row or a template of an operator.

pub mod alert;
pub mod announcement;
pub mod aws;
pub mod change;
pub mod delivery;
pub mod exchange;
pub mod fold;
pub mod freeze;
pub mod incident;
pub mod job;
pub mod lane;
pub mod life;
pub mod mail;
pub mod message;
pub mod outcome;
pub mod own_alerts;
pub mod problem;
pub mod rails;
pub mod reminders;
pub mod response;
pub mod secret;
pub mod signal;
pub mod ticket;
