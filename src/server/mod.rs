//! The side that faces senders: connections, paths, who may, bodies, answers, probes.
//!
//! The walk: `accept` gives a request, `paths` finds its endpoint, `auth` lets it pass, `body` reads
//! it, an endpoint decides, `answer` words the reply.

pub mod accept;
pub mod answer;
pub mod body;
pub mod paths;
pub mod probes;
