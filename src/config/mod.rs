//! relay.yaml: its shape, its defaults, its secrets, and the print of what is wrong with it.
//!
//! `load` takes the text of the file and gives a [`file::File`] with every problem of form. What
//! needs other rooms (does that receiver exist, does that template compile) is asked in
//! `assemble.rs`; what the settings of a kind mean is asked in `target/`.

pub mod admin;
pub mod file;
pub mod incidents;
pub mod jobs;
pub mod load;
pub mod network;
pub mod noting;
pub mod pacing;
pub mod routes;
pub mod secrets;
pub mod server;
pub mod show;
pub mod sources;
mod star;
pub mod targets;
pub mod traces;
pub mod units;
