//! Who is on call at a given time: people who take turns, layer upon layer, and those who stand in
//! for them. Pure but for the machine's time zone database.
//!
//! Turns are counted in days of the calendar and begin at a time of the clock, so that a hand-over at
//! nine stays at nine when the clocks change. A time of the clock that is skipped is taken when the
//! clocks have jumped, one that comes twice the first time (RFC 5545, 3.3.10).

use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::route::interval::Intervals;

/// Who is on call when.
#[derive(Debug, Clone, PartialEq)]
pub struct Rota {
    /// Where the clock hangs.
    pub zone: TimeZone,
    /// A later one that has somebody counts.
    pub layers: Vec<Layer>,
    /// Whoever stands in; a later one counts.
    pub overrides: Vec<Override>,
}

/// People who take turns.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// In order of their turns; not empty.
    pub people: Vec<Arc<str>>,
    /// When the first turn begins, by the clock of the place.
    pub starts: DateTime,
    /// Days of a turn; 1 or more.
    pub days: i32,
    /// Names of time intervals; empty: always.
    pub during: Vec<String>,
}

/// Somebody who stands in.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// Who.
    pub person: Arc<str>,
    /// From when.
    pub from: Timestamp,
    /// Until when, which is not part of it.
    pub until: Timestamp,
}

impl Rota {
    /// Who is on call; `None`: nobody.
    pub fn at(&self, intervals: &Intervals, now: Timestamp) -> Option<&Arc<str>> {
        let stands_in = self.overrides.iter().rev().find(|one| one.from <= now && now < one.until);
        stands_in
            .map(|one| &one.person)
            .or_else(|| self.layers.iter().rev().find_map(|layer| layer.at(&self.zone, intervals, now)))
    }

    /// Reads a time of the clock of the place, or one with its offset.
    pub fn time(zone: &TimeZone, text: &str) -> Option<Timestamp> {
        let of_clock =
            |text: &str| zone.to_ambiguous_timestamp(text.parse::<DateTime>().ok()?).compatible().ok();
        text.parse().ok().or_else(|| of_clock(text))
    }
}

impl Layer {
    fn at(&self, zone: &TimeZone, intervals: &Intervals, now: Timestamp) -> Option<&Arc<str>> {
        if !self.during.is_empty() && intervals.open(&self.during, &[], now).is_err() {
            return None;
        }
        let turn = self.turn(zone, now)?;
        let place = turn.checked_rem(i32::try_from(self.people.len()).ok()?)?;
        self.people.get(usize::try_from(place).ok()?)
    }

    /// The number of the turn, from 0; `None` before the first.
    fn turn(&self, zone: &TimeZone, now: Timestamp) -> Option<i32> {
        let local = zone.to_datetime(now);
        let days = local.date().since(self.starts.date()).ok()?.get_days();
        let near = days.checked_div_euclid(self.days)?;
        // The clock says the day; which side of the hand-over it is, the time itself does.
        let begun = |turn: &i32| self.begins(zone, *turn).is_some_and(|begins| begins <= now);
        [near.saturating_add(1), near, near.saturating_sub(1)]
            .into_iter()
            .find(begun)
            .filter(|turn| *turn >= 0)
    }

    fn begins(&self, zone: &TimeZone, turn: i32) -> Option<Timestamp> {
        let days = Span::new().try_days(i64::from(turn) * i64::from(self.days)).ok()?;
        zone.to_ambiguous_timestamp(self.starts.checked_add(days).ok()?).compatible().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rota(zone: &str, starts: &str, days: i32, people: &[&str]) -> Rota {
        let layer = Layer {
            people: people.iter().map(|name| Arc::from(*name)).collect(),
            starts: starts.parse().unwrap(),
            days,
            during: Vec::new(),
        };
        Rota { zone: TimeZone::get(zone).unwrap(), layers: vec![layer], overrides: Vec::new() }
    }

    fn who<'r>(rota: &'r Rota, at: &str) -> &'r str {
        rota.at(&Intervals::default(), at.parse().unwrap()).map_or("nobody", AsRef::as_ref)
    }

    #[test]
    fn a_week_passes_from_one_to_the_next_at_the_time_of_the_clock() {
        // Berlin's clocks go forward on 2026-03-29: nine o'clock is 08:00 UTC before and 07:00 after.
        let rota = rota("Europe/Berlin", "2026-03-23T09:00", 7, &["ann", "bob", "cem"]);
        for (at, expected) in [
            ("2026-03-23T07:59:59Z", "nobody"),
            ("2026-03-23T08:00:00Z", "ann"),
            ("2026-03-30T06:59:59Z", "ann"),
            ("2026-03-30T07:00:00Z", "bob"),
            ("2026-04-06T07:00:00Z", "cem"),
            ("2026-04-13T07:00:00Z", "ann"),
        ] {
            assert_eq!(who(&rota, at), expected, "{at}");
        }
    }

    #[test]
    fn an_hour_that_is_skipped_or_comes_twice_hands_over_once() {
        // 02:30 does not exist on 2026-03-29, and comes twice on 2026-10-25 (00:30 and 01:30 UTC).
        let spring = rota("Europe/Berlin", "2026-03-28T02:30", 1, &["ann", "bob"]);
        assert_eq!(who(&spring, "2026-03-29T00:59:59Z"), "ann");
        assert_eq!(who(&spring, "2026-03-29T01:30:00Z"), "bob", "when the clocks have jumped by an hour");
        let autumn = rota("Europe/Berlin", "2026-10-24T02:30", 1, &["ann", "bob"]);
        for (at, expected) in [
            ("2026-10-25T00:29:59Z", "ann"),
            ("2026-10-25T00:30:00Z", "bob"),
            ("2026-10-25T01:10:00Z", "bob"),
            ("2026-10-25T01:30:00Z", "bob"),
        ] {
            assert_eq!(who(&autumn, at), expected, "{at}: nobody goes off duty again");
        }
    }

    #[test]
    fn a_later_layer_and_whoever_stands_in_come_first() {
        let mut two = rota("Asia/Shanghai", "2026-01-05T09:00", 7, &["ann", "bob"]);
        let mut manager = two.layers[0].clone();
        (manager.people, manager.starts) = (vec![Arc::from("mia")], "2026-01-19T09:00".parse().unwrap());
        two.layers.push(manager);
        two.overrides.push(Override {
            person: Arc::from("zoe"),
            from: Rota::time(&two.zone, "2026-01-06T00:00").unwrap(),
            until: Rota::time(&two.zone, "2026-01-07T00:00").unwrap(),
        });
        for (at, expected) in [
            ("2026-01-05T12:00:00+08:00", "ann"),
            ("2026-01-06T00:00:00+08:00", "zoe"),
            ("2026-01-07T00:00:00+08:00", "ann"),
            ("2026-01-12T09:00:00+08:00", "bob"),
            ("2026-01-19T09:00:00+08:00", "mia"),
        ] {
            assert_eq!(who(&two, at), expected, "{at}");
        }
    }

    proptest! {
        #[test]
        fn turns_follow_each_other_without_a_gap(days in 1_i32..40, second in 0_i64..200_000_000, place in 0_usize..4) {
            let zone = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"][place];
            let rota = rota(zone, "2020-01-06T02:15", days, &["a"]);
            let layer = &rota.layers[0];
            let first = layer.begins(&rota.zone, 0).unwrap();
            let now = Timestamp::from_second(first.as_second() + second).unwrap();
            let turn = layer.turn(&rota.zone, now).unwrap();
            prop_assert!(layer.begins(&rota.zone, turn).unwrap() <= now);
            prop_assert!(now < layer.begins(&rota.zone, turn + 1).unwrap());
        }
    }
}
