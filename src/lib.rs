//! alert-relay takes alerts in, keeps them, routes and words them, and delivers them: durably, in
//! order, politely. This page is the map of the house; README.md is the way in for its users.
//!
//! # Floors
//!
//! A floor imports lower floors only, rooms of one floor do not know each other, and everything is
//! imported from the file that defines it. `tests/floors.rs` reads the imports and keeps it so.
//!
//! | floor | rooms |
//! |---|---|
//! | 8 | `main`: words in, exit code out |
//! | 7 | `daemon`: open, wire, run, watch, reload, drain, tell systemd · `cli`: one file a command |
//! | 6 | `server`: accept, intake, admin, queue, probes, callbacks, changes, gate, incidents, the console (a page for people), shadow, OpenAPI |
//! | 5 | `assemble`: file to rulebook, or every problem at once · `plan`: group to deliveries, and what two configurations make of one event, pure · `deliver`: one loop a target, and questions how tickets and runs stand · `incident`: escalation, jobs, reminders, reports, numbers |
//! | 4 | `rulebook`: everything checked, compiled, frozen, behind one swap pointer |
//! | 3 | `target`: what a kind can say: a contract, a table, one file a kind |
//! | 2 | `source`: one file a sender · `route`: matchers, tree, intervals, inhibition, enrichment · `template`: wording that cannot fail · `config`: shapes and secrets · `store`: boundary, schedule, engines · `client`: the only outward socket · `auth`: who may call · `metrics` · `trace`: spans for OpenTelemetry |
//! | 1 | `document`: YAML that knows its places · `pace`: how fast and when again |
//! | 0 | `domain`: the words that all rooms speak |
//!
//! # The walk of one webhook
//!
//! **In.** `server/accept` takes the socket under a permit; `server/intake` checks the proof and
//! reads a bounded body; a `source` turns bytes into alert groups; `plan` enriches, routes each
//! alert on its own labels and makes the parts for each lane; `store/writer` admits every part to
//! its lane (news, repeat or stale: `domain/lane`) and commits event, lanes and deliveries
//! together with its neighbours; then, and only then, the sender is answered. From here the relay
//! owes it.
//!
//! **Out.** The commit rang the bell of the target; its loop (`deliver/target_loop`) asks the
//! engine (`deliver/engine`, pure), which claims the head of a due lane from `store/schedule` and
//! passes the gate (`deliver/gate`: rests and tokens, of the target and of the channel or number);
//! `deliver/attempt` lets the `target` word the request, pays for it where it costs money
//! (`deliver/purse`), `client` sends it, the target judges the reply; the engine says what becomes of
//! the delivery (`domain/delivery`), one settlement writes attempt, state and lane, and the lane is
//! released.
//!
//! The two walks meet only at the store.
//!
//! # Invariants
//!
//! 1. **Saved, then answered.** No 2xx leaves before the commit that holds the event is on disk.
//! 2. **Never a 4xx for our own trouble.** What cannot be kept is answered with 503 and a time.
//! 3. **One in flight a lane.** A lane is busy from its claim until its settlement is on disk.
//! 4. **Nobody is paged for history.** What is unsent and over is folded, on the record; what a
//!    target may have seen gets its resolve, whatever routing says by then.
//! 5. **Waiting costs nothing.** A missing token, a spent quota or a resting target never spends an
//!    attempt; a key that must wait holds no other key up.
//! 6. **Kinds are pure.** From a kind of target no clock, socket, log or retry count is reachable.
//! 7. **Wording cannot fail.** A template that fails is replaced by the built-in one, and told.
//! 8. **Secrets have a type** that prints stars; whatever is shown or stored is cleaned of them.
//! 9. **The world comes in as an argument.** `clippy.toml` bans clock, dice, environment and
//!    printing; the few rooms that own them carry a reason.
//! 10. **Announced, then started.** What must never happen twice is on disk as begun before it is
//!     sent; what was begun and never heard of is looked up, or left to a person.
//! 11. **Everything is bounded**: bodies, headers, connections, queues in memory, replies, waits.
#![warn(missing_docs)]

pub mod assemble;
pub mod auth;
pub mod cli;
pub mod client;
pub mod config;
pub mod daemon;
pub mod deliver;
pub mod document;
pub mod domain;
pub mod incident;
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
pub mod trace;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
