//! Shape of the keys of a target that say how fast, when again and for how long: `rate`, `retry`,
//! `breaker`, `timeout`, `reminders`.

use std::fmt;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::config::units::{Duration, Rate, written};
use crate::document::node::At;
use crate::domain::problem::Place;

/// Longest time for a call, answer read.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// Failures in a row that open the breaker.
pub const BREAKER_FAILURES: u32 = 5;
/// How long an open breaker lets nothing through before it probes.
pub const BREAKER_OPEN_FOR: Duration = Duration::from_secs(30);
/// First pause between attempts, doubled each time.
pub const RETRY_BASE: Duration = Duration::from_secs(1);
/// By what the pause grows.
pub const RETRY_FACTOR: f64 = 2.0;

/// `rate`
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateFile {
    /// Calls in a time, as in `120/min`.
    pub limit: Rate,
    /// Calls that may follow each other at once after a pause. Left out: 1.
    #[serde(default)]
    pub burst: Option<At<u32>>,
}

/// `retry`: pauses grow from `base` by `factor` up to `cap`, each drawn anew between 0 and that.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryFile {
    /// First pause.
    pub base: At<Duration>,
    /// By what it grows.
    pub factor: At<f64>,
    /// Longest pause. Left out: that of the kind.
    pub cap: Option<At<Duration>>,
    /// Age at which a delivery becomes a dead letter. Left out: that of the kind.
    pub give_up_after: Option<At<Duration>>,
}

impl Default for RetryFile {
    fn default() -> RetryFile {
        RetryFile { base: nowhere(RETRY_BASE), factor: nowhere(RETRY_FACTOR), cap: None, give_up_after: None }
    }
}

/// `breaker`
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerFile {
    /// Failures in a row that open it.
    pub failures: At<u32>,
    /// How long it lets nothing through before it probes.
    pub open_for: At<Duration>,
}

impl Default for BreakerFile {
    fn default() -> BreakerFile {
        BreakerFile { failures: nowhere(BREAKER_FAILURES), open_for: nowhere(BREAKER_OPEN_FOR) }
    }
}

/// `timeout`: one duration for the whole call, or a map of limits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TimeoutFile {
    /// Until the connection stands. Left out: 5 s, or less where the others are short.
    pub connect: Option<At<Duration>>,
    /// Until the answer begins.
    pub first_byte: Option<At<Duration>>,
    /// Until the answer is read. Left out: 10 s, or longer where the others are.
    pub whole: Option<At<Duration>>,
}

/// The map of [`TimeoutFile`].
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Phases {
    #[serde(default)]
    connect: Option<At<Duration>>,
    #[serde(default)]
    first_byte: Option<At<Duration>>,
    #[serde(default)]
    whole: Option<At<Duration>>,
}

impl<'de> Deserialize<'de> for TimeoutFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TimeoutFile, D::Error> {
        deserializer.deserialize_any(TimeoutVisitor)
    }
}

struct TimeoutVisitor;

impl<'de> Visitor<'de> for TimeoutVisitor {
    type Value = TimeoutFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as 10s, or { connect: 3s, first_byte: 10s, whole: 30s }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<TimeoutFile, E> {
        let whole = text.trim().parse().map_err(E::custom)?;
        Ok(TimeoutFile { whole: Some(nowhere(whole)), ..TimeoutFile::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<TimeoutFile, A::Error> {
        let Phases { connect, first_byte, whole } = Phases::deserialize(MapAccessDeserializer::new(access))?;
        Ok(TimeoutFile { connect, first_byte, whole })
    }
}

/// `reminders`: what is told of what goes on unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemindersFile {
    /// `every`
    Every,
    /// `never`
    Never,
    /// Once in this time.
    Once(Duration),
}

impl FromStr for RemindersFile {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<RemindersFile, &'static str> {
        const EXAMPLE: &str = "is not a rule for reminders; write every, never, or a time such as 4h";
        match text {
            "every" => Ok(RemindersFile::Every),
            "never" => Ok(RemindersFile::Never),
            time => time.parse().map(RemindersFile::Once).map_err(|_| EXAMPLE),
        }
    }
}

impl<'de> Deserialize<'de> for RemindersFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RemindersFile, D::Error> {
        written(deserializer, "every, never, or a time such as 4h")
    }
}

/// A default: it stands nowhere.
pub(super) fn nowhere<T>(value: T) -> At<T> {
    At { value, place: Place::default() }
}
