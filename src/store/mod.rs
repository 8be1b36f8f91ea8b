//! What must survive: events, lanes, deliveries, attempts.
//!
//! `boundary.rs` and `reader.rs` are what the rest of the house sees; an engine behind it keeps the rows
//! (`sqlite.rs`; PostgreSQL has its place beside it). `writer.rs` is the one thread that commits:
//! it takes what waits, commits once, then answers all. `schedule.rs` holds what is due in memory,
//! lane by lane, with a cap; the rows are the truth and refill it.

pub mod boundary;
pub mod charge;
pub mod disk;
pub mod event;
pub mod follows;
pub mod handle;
pub mod hearing;
pub mod incidents;
pub mod jobs;
pub mod orders;
mod pressure;
pub mod queues;
pub mod reader;
pub mod records;
mod reserved;
pub mod retention;
pub mod rows;
pub mod schedule;
pub mod sqlite;
mod sqlite_accept;
mod sqlite_acts;
mod sqlite_casebook;
mod sqlite_changes;
mod sqlite_chat;
mod sqlite_docket;
mod sqlite_figures;
mod sqlite_follows;
mod sqlite_freezes;
mod sqlite_incidents;
mod sqlite_job_list;
mod sqlite_jobs;
mod sqlite_keys;
mod sqlite_orders;
mod sqlite_prune;
mod sqlite_quota;
pub mod sqlite_read;
mod sqlite_runs;
mod sqlite_search;
mod sqlite_settle;
mod sqlite_signals;
mod sqlite_telling;
mod sqlite_tickets;
mod sqlite_work;
pub mod sqlite_write;
pub mod writer;
