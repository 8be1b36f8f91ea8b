//! alert-relay: takes alerts in, keeps them, routes and words them, and delivers them in order.
//!
//! # The house
//! A floor imports lower floors only, rooms of one floor do not know each other, and everything is
//! imported from the file that defines it. `tests/floors.rs` reads the imports and keeps it so.
//!
//! | floor | rooms |
//! |---|---|
//! | 8 | `main`: words in, exit code out |
//! | 7 | `daemon`: open, wire, run, drain · `cli`: one file a command |
//! | 6 | `server`: accept, hooks, callbacks, admin, auth |
//! | 5 | `assemble`: file to rulebook · `plan`: group to deliveries · `deliver`: one loop a target · `incident`: the life of an incident |
//! | 4 | `rulebook`: everything checked, compiled, frozen |
//! | 3 | `target`: what a kind of target can say, one file a kind |
//! | 2 | `source`: one file a sender · `route` · `template` · `config` · `store` · `client`: the only outward socket · `auth`: who may call · `metrics` |
//! | 1 | `document`: YAML that knows its places · `pace`: how fast and when again |
//! | 0 | `domain`: the words that all rooms speak |
#![warn(missing_docs)]

pub mod assemble;
pub mod auth;
pub mod client;
pub mod config;
pub mod daemon;
pub mod deliver;
pub mod document;
pub mod domain;
pub mod metrics;
pub mod pace;
pub mod plan;
pub mod route;
pub mod rulebook;
pub mod server;
pub mod source;
pub mod store;
pub mod target;
pub mod template;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
