//! alert-relay.
#![warn(missing_docs)]

pub mod config;
pub mod document;
pub mod domain;
pub mod pace;
pub mod route;
pub mod source;
pub mod store;
pub mod target;
pub mod template;
