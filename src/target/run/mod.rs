//! What all job platforms have in common: a run is started once for a problem, with parameters that
//! are checked, and is never started twice.
//!
//! `platform.rs` says what a platform must know and decides what becomes of a message; `parameters.rs`
//! guards what alert text brings into a script; `settings.rs` reads what the kinds share;
//! `callback.rs` hears how runs end; `reply.rs` judges what is the same everywhere. No service is
//! spoken to here: that is the business of each kind.

pub mod callback;
pub mod parameters;
pub mod platform;
pub mod reply;
pub mod settings;
