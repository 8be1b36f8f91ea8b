//! How many calls that cost money may be made in a day or an hour. Pure: now comes in.
//!
//! Days and hours are those of UTC: the same on every machine, and none of them is longer than
//! another. Who counts, and where, is the store's business.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

/// So many calls in a span of time, for each number (or whatever the kind counts by).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many; at least 1.
    pub calls: u32,
    /// A day or an hour.
    pub per: Span,
}

/// What a quota is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// From minute 0 to minute 0.
    Hour,
    /// From midnight to midnight.
    Day,
}

impl Span {
    const fn length(self) -> Duration {
        Duration::from_secs(match self {
            Span::Hour => 3600,
            Span::Day => 24 * 3600,
        })
    }

    /// When the span that `now` lies in began.
    pub fn began(self, now: Timestamp) -> Timestamp {
        let length = self.length().as_secs().cast_signed();
        let second = now.as_second().div_euclid(length) * length;
        Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// When the next one begins.
    pub fn ends(self, now: Timestamp) -> Timestamp {
        self.began(now).saturating_add(self.length()).unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per {
            Span::Hour => "h",
            Span::Day => "day",
        };
        write!(f, "{}/{per}", self.calls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_begins_at_midnight_and_an_hour_at_minute_zero() {
        let now = at("2026-03-02T23:59:59.9Z");
        assert_eq!(Span::Day.began(now), at("2026-03-02T00:00:00Z"));
        assert_eq!(Span::Day.ends(now), at("2026-03-03T00:00:00Z"));
        assert_eq!(Span::Hour.began(now), at("2026-03-02T23:00:00Z"));
        let midnight = at("2026-03-03T00:00:00Z");
        assert_eq!(
            (Span::Day.began(midnight), Span::Day.ends(midnight)),
            (midnight, at("2026-03-04T00:00:00Z"))
        );
    }
}
