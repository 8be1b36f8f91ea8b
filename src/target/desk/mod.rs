//! What ticket systems have in common, so that each kind says only how its own API spells it.
//!
//! `course` holds the course of events (found or made, commented, closed, opened again) and `talk`
//! the calls that it takes; `asking` is how a ticket stands. `form` is what goes into a ticket: a `choice` of words, custom fields in
//! any `shape`, texts in the small Markdown of `prose`, which `spelling` turns into what a service
//! takes. `rules` are the operator's, `memory` is what the relay remembers of a ticket, `ear` proves
//! who calls back, `stamp` reads times and ids. No kind is known here.

pub mod asking;
pub mod choice;
pub mod course;
pub mod ear;
pub mod form;
pub mod memory;
pub mod prose;
pub mod rules;
pub mod shape;
pub mod spelling;
pub mod stamp;
pub mod talk;
