//! The senders that the relay understands, one file each.
//!
//! A source is one pure function: bytes and headers in, alert groups or a readable refusal out.
//! No clock, no socket: the time of arrival comes in with the bytes. Sources without settings
//! stand in a table; `json` takes the paths its user gives and is built apart.

pub mod alertmanager;
pub mod alibaba;
pub mod body;
pub mod change;
pub mod cloudevents;
pub mod contract;
pub mod datadog;
pub mod event;
pub mod fields;
pub mod grafana;
pub mod guance;
pub mod json;
pub mod newrelic;
pub mod notes;
pub mod path;
pub mod push;
pub mod quick;
pub mod said;
pub mod sns;
pub mod tencent;
pub mod times;
pub mod webhook;
pub mod zabbix;

use crate::source::alertmanager::Alertmanager;
use crate::source::alibaba::Alibaba;
use crate::source::cloudevents::CloudEvents;
use crate::source::contract::Source;
use crate::source::datadog::Datadog;
use crate::source::grafana::Grafana;
use crate::source::guance::Guance;
use crate::source::newrelic::NewRelic;
use crate::source::push::Push;
use crate::source::sns::Sns;
use crate::source::tencent::Tencent;
use crate::source::zabbix::Zabbix;

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
        name: "alibaba",
        about: "Alibaba Cloud (阿里云) CloudMonitor, callbacks of metrics and system events",
        build: || Box::new(Alibaba),
    },
    SourceKind {
        name: "cloudevents",
        about: "anything that posts CloudEvents 1.0, structured, batched or binary",
        build: || Box::new(CloudEvents),
    },
    SourceKind {
        name: "datadog",
        about: "Datadog monitors, by the webhooks integration",
        build: || Box::new(Datadog),
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
        name: "newrelic",
        about: "New Relic workflows, by a webhook destination, and the channels before them",
        build: || Box::new(NewRelic),
    },
    SourceKind {
        name: "prometheus",
        about: "Prometheus, vmalert and amtool, by Alertmanager's push API",
        build: || Box::new(Push::default()),
    },
    SourceKind {
        name: "sns",
        about: "AWS SNS: CloudWatch alarms and plain notifications",
        build: || Box::new(Sns),
    },
    SourceKind {
        name: "tencent",
        about: "Tencent Cloud (腾讯云) Monitor, alarm callbacks",
        build: || Box::new(Tencent),
    },
    SourceKind {
        name: "zabbix",
        about: "Zabbix, by a media type of type webhook",
        build: || Box::new(Zabbix),
    },
];

/// The row of that name.
pub fn find(name: &str) -> Option<&'static SourceKind> {
    SOURCES.iter().find(|kind| kind.name == name)
}
