//! The side that faces senders: connections, paths, who may, bodies, answers, probes.
//!
//! The walk: `accept` gives a request, `app` finds its endpoint by `paths`, `auth/` lets it pass,
//! `body` reads it, `intake`, `callbacks`, `admin` or `queue` decides, `answer` words the reply.

pub mod accept;
pub mod admin;
pub mod answer;
pub mod app;
pub mod beats;
pub mod body;
pub mod budget;
mod callbacks;
mod changes;
pub mod expiry;
pub mod history;
mod incidents;
pub mod intake;
mod numbers;
mod ordering;
pub mod own;
pub mod paths;
pub mod probes;
mod query;
mod queue;
mod replay;
pub mod sns;
pub mod state;
