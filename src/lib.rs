//! alert-relay.
#![warn(missing_docs)]

pub mod client;
pub mod config;
pub mod deliver;
pub mod document;
pub mod domain;
pub mod metrics;
pub mod pace;
pub mod route;
pub mod server;
pub mod source;
pub mod store;
pub mod target;
pub mod template;
