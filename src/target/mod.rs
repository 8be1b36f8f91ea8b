//! Where messages can go: one file or folder a kind, and the table of them.
//!
//! A kind is pure: a message in, a request out; a reply in, an outcome out. To add one: its file, a
//! row in [`KINDS`], a folder under `templates/`, a folder of cases under `tests/targets/`.

pub mod address;
pub mod bench;
pub mod console;
pub mod contract;
pub mod pagerduty;
pub mod slack;
pub mod verdict;
pub mod webhook;

use crate::target::contract::Kind;

/// Every kind, in the order of the documentation.
pub static KINDS: &[&Kind] = &[&pagerduty::KIND, &slack::KIND, &webhook::KIND, &console::KIND];

/// The kind that a key inside a target names.
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}
