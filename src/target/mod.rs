//! Where messages can go: one file or folder a kind, and the table of them.
//!
//! A kind is pure: a message in, a request out; a reply in, an outcome out. To add one: its file, a
//! row in [`KINDS`], a folder under `templates/`, a folder of cases under `tests/targets/`. What
//! ticket systems have in common is in `desk`.

pub mod address;
pub mod awx;
pub mod bench;
pub mod bk_job;
pub mod console;
pub mod contract;
pub mod desk;
pub mod dingtalk;
pub mod email;
pub mod feishu;
pub mod jenkins;
pub mod jira;
pub mod job;
pub mod opsgenie;
pub mod pagerduty;
pub mod pagerduty_rest;
pub mod robot;
pub mod run;
pub mod rundeck;
pub mod servicenow;
pub mod slack;
pub mod ticket;
pub mod twilio;
pub mod verdict;
pub mod webhook;
pub mod wecom;
pub mod zendesk;

use crate::target::contract::Kind;

/// Every kind, in the order of the documentation.
pub static KINDS: &[&Kind] = &[
    &pagerduty::KIND,
    &pagerduty_rest::KIND,
    &opsgenie::KIND,
    &slack::KIND,
    &twilio::KIND,
    &email::KIND,
    &jira::KIND,
    &zendesk::KIND,
    &servicenow::KIND,
    &ticket::KIND,
    &job::KIND,
    &bk_job::KIND,
    &rundeck::KIND,
    &awx::KIND,
    &jenkins::KIND,
    &dingtalk::KIND,
    &feishu::KIND,
    &wecom::KIND,
    &webhook::KIND,
    &console::KIND,
];

/// Kinds that start jobs.
pub const JOB_KINDS: [&str; 5] =
    [job::KIND.name, bk_job::KIND.name, rundeck::KIND.name, awx::KIND.name, jenkins::KIND.name];

/// The kind that a key inside a target names.
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}
