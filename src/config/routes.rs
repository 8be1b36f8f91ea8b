//! Shapes of `route`, `receivers`, `time_intervals`, `inhibit_rules` and `heartbeats`. Keys and
//! meaning are Alertmanager's, so that a tree can be carried over by copying.
//!
//! Matchers, names and times stay text with their places: `route/` reads their grammar, and
//! `assemble.rs` asks whether what they name exists.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::config::units::Duration;
use crate::document::node::At;

/// `route` and each of its `routes`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteFile {
    /// Who is told; inherited from the parent when left out.
    pub receiver: Option<At<String>>,
    /// All must match, as in `severity = "critical"`. None at the root.
    pub matchers: Vec<At<String>>,
    /// Alertmanager's older form of `name = "value"`.
    pub r#match: BTreeMap<String, At<String>>,
    /// Alertmanager's older form of `name =~ "value"`.
    pub match_re: BTreeMap<String, At<String>>,
    /// Whether later siblings are tried although this one matched.
    pub r#continue: bool,
    /// Children, tried in order; the first that matches ends the search.
    pub routes: Vec<At<RouteFile>>,
    /// Intervals outside of which nobody is told.
    pub active_time_intervals: Vec<At<String>>,
    /// Intervals inside of which nobody is told.
    pub mute_time_intervals: Vec<At<String>>,
}

/// Alertmanager's keys of a route that group. The relay takes groups as they come.
pub const GROUPING_KEYS: [&str; 4] = ["group_by", "group_wait", "group_interval", "repeat_interval"];

/// An element of `receivers`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverFile {
    /// Its name in routes.
    pub name: At<String>,
    /// Targets that are told, all at once.
    pub targets: Vec<At<String>>,
    /// Who is told as well when nobody acknowledges.
    #[serde(default)]
    pub escalate: Vec<EscalateFile>,
}

/// An element of `escalate`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EscalateFile {
    /// How long after the first message, unless acknowledged or resolved before.
    pub after: At<Duration>,
    /// Targets that are told then.
    #[serde(default)]
    pub targets: Vec<At<String>>,
    /// And whoever is on call then, by this rota.
    #[serde(default)]
    pub rota: Option<At<String>>,
}

/// An element of `time_intervals`. Spans stand beside `name`, or as in Alertmanager in a list
/// under `time_intervals`; an interval holds a moment when any of its spans does.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeIntervalFile {
    /// Its name in routes.
    pub name: At<String>,
    /// Times of the day; all day when left out.
    #[serde(default)]
    pub times: Vec<TimesFile>,
    /// Days of the week, as in `monday:friday`.
    #[serde(default)]
    pub weekdays: Vec<At<String>>,
    /// Days of the month, negative from its end, as in `1:7` or `-1`.
    #[serde(default)]
    pub days_of_month: Vec<At<String>>,
    /// Months by name or number, as in `june:august`.
    #[serde(default)]
    pub months: Vec<At<String>>,
    /// Years, as in `2026:2027`.
    #[serde(default)]
    pub years: Vec<At<String>>,
    /// Time zone by its IANA name, as in `Asia/Shanghai`; UTC when left out.
    #[serde(default)]
    pub location: Option<At<String>>,
    /// Alertmanager's form: several spans under one name.
    #[serde(default)]
    pub time_intervals: Vec<SpanFile>,
}

impl TimeIntervalFile {
    /// All spans, whichever way they were written. An interval without any is always.
    pub fn spans(&self) -> Vec<SpanFile> {
        let own = SpanFile {
            times: self.times.clone(),
            weekdays: self.weekdays.clone(),
            days_of_month: self.days_of_month.clone(),
            months: self.months.clone(),
            years: self.years.clone(),
            location: self.location.clone(),
        };
        let is_written_beside_name = own != SpanFile::default() || self.time_intervals.is_empty();
        is_written_beside_name.then_some(own).into_iter().chain(self.time_intervals.iter().cloned()).collect()
    }
}

/// A span of time: a moment must satisfy every key that is given.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpanFile {
    /// Times of the day; all day when left out.
    pub times: Vec<TimesFile>,
    /// Days of the week, as in `monday:friday`.
    pub weekdays: Vec<At<String>>,
    /// Days of the month, negative from its end, as in `1:7` or `-1`.
    pub days_of_month: Vec<At<String>>,
    /// Months by name or number, as in `june:august`.
    pub months: Vec<At<String>>,
    /// Years, as in `2026:2027`.
    pub years: Vec<At<String>>,
    /// Time zone by its IANA name, as in `Asia/Shanghai`; UTC when left out.
    pub location: Option<At<String>>,
}

/// An element of `times`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimesFile {
    /// First minute, as in `09:00`.
    pub start_time: At<String>,
    /// The minute after the last, as in `18:00` or `24:00`.
    pub end_time: At<String>,
}

/// An element of `inhibit_rules`: while a source alert fires, target alerts are not told.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InhibitFile {
    /// Its name in records; its number when left out.
    pub name: Option<At<String>>,
    /// What must fire.
    pub source_matchers: Vec<At<String>>,
    /// What is silenced then.
    pub target_matchers: Vec<At<String>>,
    /// Labels that both must have alike.
    pub equal: Vec<At<String>>,
}

/// An element of `heartbeats`: an alert that must keep coming; when it does not, that is an alert.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatFile {
    /// Its name in the alert that is made of its absence.
    pub name: At<String>,
    /// What counts as a beat.
    pub matchers: Vec<At<String>>,
    /// Longest time between two beats.
    pub every: At<Duration>,
    /// Who is told.
    pub receiver: At<String>,
}
