//! The senders that the relay understands, one file each.
//!
//! A source is one pure function: bytes and headers in, alert groups or a readable refusal out.
//! No clock, no socket: the time of arrival comes in with the bytes. Sources without settings
//! stand in a table; `json` takes the paths its user gives and is built apart.

pub mod alertmanager;
pub mod body;
pub mod contract;
pub mod event;
pub mod fields;
pub mod grafana;
pub mod guance;
pub mod json;
pub mod notes;
pub mod path;
pub mod push;
pub mod times;
pub mod webhook;

use crate::source::alertmanager::Alertmanager;
use crate::source::contract::Source;
use crate::source::grafana::Grafana;
use crate::source::guance::Guance;
use crate::source::push::Push;

/// A row of the table: one dialect that needs no settings.
#[derive(Debug)]
pub struct SourceKind {
    /// The word in relay.yaml: `kind: alertmanager`.
    pub name: &'static str,
    /// One line for lists and the schema.
    pub about: &'static str,
    /// Makes the reader.
    pub build: fn() -> Box<dyn Source>,
}

/// All kinds but `json`, in order of name.
pub const SOURCES: &[SourceKind] = &[
    SourceKind {
        name: "alertmanager",
        about: "Prometheus Alertmanager, webhook_configs (version 4)",
        build: || Box::new(Alertmanager),
    },
    SourceKind {
        name: "grafana",
        about: "Grafana contact point of type webhook, and the channels of Grafana before 9",
        build: || Box::new(Grafana),
    },
    SourceKind {
        name: "guance",
        about: "Guance (观测云), custom webhook, straight or through DataFlux Func",
        build: || Box::new(Guance),
    },
    SourceKind {
        name: "prometheus",
        about: "Prometheus, vmalert and amtool, by Alertmanager's push API",
        build: || Box::new(Push::default()),
    },
];

/// The row of that name.
pub fn find(name: &str) -> Option<&'static SourceKind> {
    SOURCES.iter().find(|kind| kind.name == name)
}
