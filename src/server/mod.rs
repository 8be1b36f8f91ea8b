//! The side that faces senders: connections, paths, who may, bodies, answers, probes.
//!
//! The walk: `accept` gives a request (out of `tls` where the listener has it), `app` finds its endpoint
//! by `paths` and lets admins pass, `intake` lets senders pass, `body` reads it, `intake`, `callbacks`, `admin` or `queue` decides, `answer` words the reply.

pub mod accept;
pub mod admin;
pub mod answer;
pub mod app;
pub mod beats;
pub mod body;
pub mod budget;
mod callbacks;
mod changes;
mod console;
pub mod expiry;
mod gate;
pub mod history;
mod http2;
mod incidents;
pub mod intake;
mod jobs;
mod numbers;
pub mod openapi;
mod ordering;
pub mod own;
pub mod paths;
pub mod probes;
mod query;
mod queue;
mod recorded;
mod replay;
pub mod shadow;
pub mod sns;
pub mod state;
pub mod tls;
mod traced;
