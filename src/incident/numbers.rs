//! The numbers over many incidents: how soon they are noticed, told, taken and over, where the time
//! goes, what makes noise, and what runs by itself. `tally` counts them, `advice` says what to do about
//! them.
//!
//! Times of incidents that are not (yet) taken or over are left out of the respective figures, not
//! counted as zero.

use jiff::Timestamp;

use crate::incident::stages::{Spread, Stage};

/// Rows of "what is noisy" and of "by service" and "by person".
pub const TOP: usize = 10;

/// Incidents of one day, level or service.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Part {
    /// Which.
    pub name: String,
    /// How many.
    pub incidents: usize,
    /// By level, the worst first.
    pub levels: [usize; 3],
    /// From opened to taken.
    pub acknowledge: Spread,
    /// From opened to over.
    pub resolve: Spread,
}

/// Incidents that are called the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Noise {
    /// What they are called.
    pub title: String,
    /// What they are about.
    pub service: String,
    /// How many.
    pub incidents: usize,
    /// News that came of them.
    pub news: u64,
    /// How often they came back.
    pub reopened: u64,
}

/// What ran by itself.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Automation {
    /// Incidents for which a job was started.
    pub automated: usize,
    /// Jobs that ended well, of those whose end is known; `None`: of none.
    pub success_rate: Option<f64>,
    /// Of all incidents, those with a job.
    pub rate: f64,
    /// Of all incidents, those with a ticket.
    pub ticket_rate: f64,
    /// From opened to the start of the job.
    pub time: Spread,
}

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers {
    /// Opened at this time or later.
    pub since: Timestamp,
    /// Opened before this time.
    pub until: Timestamp,
    /// All together.
    pub total: Part,
    /// Of those, that go on.
    pub open: usize,
    /// Of those, that came back.
    pub reopened: usize,
    /// How long the stages took.
    pub stages: [(Stage, Spread); 4],
    /// The stage in which most of the time went.
    pub bottleneck: Option<Stage>,
    /// By day of opening, without days on which nothing happened.
    pub days: Vec<Part>,
    /// By level, the worst first.
    pub levels: Vec<Part>,
    /// By service, the one with most of them first.
    pub services: Vec<Part>,
    /// Who took how many.
    pub people: Vec<(String, usize)>,
    /// What makes most noise.
    pub noise: Vec<Noise>,
    /// What ran by itself.
    pub automation: Automation,
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::incident::{Level, State};
    use crate::incident::advice::advise;
    use crate::incident::tally::Tally;
    use crate::store::incidents::Figure;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Opened at `opened`; then began so long before, and told, taken and over so long after.
    fn figure(opened: i64, level: Level, began: i64, after: [Option<i64>; 3]) -> Figure<'static> {
        let [notified_at, acknowledged_at, resolved_at] =
            after.map(|after| after.map(|after| at(opened + after)));
        Figure {
            title: "disk full",
            service: "db",
            acknowledged_by: if acknowledged_at.is_some() { "ann" } else { "" },
            state: if resolved_at.is_some() { State::Resolved } else { State::Detected },
            level,
            started_at: Some(at(opened - began)),
            opened_at: at(opened),
            notified_at,
            acknowledged_at,
            resolved_at,
            news: 2,
            reopened: 0,
            automated_at: None,
            job_ended_well: None,
            has_ticket: false,
        }
    }

    fn of_days_in(zone: TimeZone, figures: &[Figure<'static>]) -> Numbers {
        let mut tally = Tally::of_days_in(zone);
        figures.iter().for_each(|figure| tally.take(figure));
        tally.numbers(at(0), at(1_000_000))
    }

    fn of(figures: &[Figure<'static>]) -> Numbers {
        of_days_in(TimeZone::UTC, figures)
    }

    #[test]
    fn computed_by_hand() {
        // 82800 s is 23:00 of the first day in UTC, and the next morning in Shanghai.
        let figures = [
            figure(1_000, Level::P0, 30, [Some(10), Some(70), Some(670)]),
            figure(2_000, Level::P1, 90, [Some(20), Some(320), None]),
            figure(82_800, Level::P1, 0, [None, None, Some(60)]),
        ];
        let numbers = of(&figures);
        let spread = |count, mean, p50, p90, max| Spread { count, mean, p50, p90, p99: max, max };
        assert_eq!(numbers.total.acknowledge, spread(2, 195.0, 70.0, 320.0, 320.0));
        assert_eq!(numbers.total.resolve, spread(2, 365.0, 60.0, 670.0, 670.0));
        assert_eq!(numbers.total.levels, [1, 2, 0]);
        let stages = numbers.stages.map(|(stage, spread)| (stage.as_str(), spread.count, spread.mean));
        assert_eq!(
            stages,
            [("detect", 3, 40.0), ("notify", 2, 15.0), ("respond", 2, 180.0), ("resolve", 1, 600.0)]
        );
        assert_eq!(numbers.bottleneck, Some(Stage::Resolve));
        assert_eq!((numbers.open, numbers.reopened), (1, 0));
        let days = |numbers: &Numbers| -> Vec<(String, usize)> {
            numbers.days.iter().map(|day| (day.name.clone(), day.incidents)).collect()
        };
        assert_eq!(days(&numbers), [("1970-01-01".to_owned(), 3)]);
        let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
        let there = of_days_in(shanghai, &figures);
        assert_eq!(days(&there), [("1970-01-01".to_owned(), 2), ("1970-01-02".to_owned(), 1)]);
        assert_eq!(numbers.people, [("ann".to_owned(), 2)]);
        let noise = &numbers.noise[0];
        assert_eq!((noise.title.as_str(), noise.incidents, noise.news), ("disk full", 3, 6));
    }

    #[test]
    fn of_nothing_there_are_no_numbers_and_no_advice() {
        let numbers = of(&[]);
        assert_eq!((numbers.total.incidents, numbers.bottleneck), (0, None));
        assert_eq!(numbers.automation, Automation::default());
        assert_eq!(advise(&numbers), []);
    }

    #[test]
    fn what_is_beyond_its_threshold_is_named() {
        let mut figures: Vec<Figure> =
            (0..10).map(|n| figure(n * 1_000, Level::P1, 10, [Some(1), Some(1_000), Some(2_000)])).collect();
        for (place, well) in [(0, true), (1, false)] {
            figures[place].automated_at = Some(at(place as i64 * 1_000 + 400));
            figures[place].job_ended_well = Some(well);
        }
        figures[3].has_ticket = true;
        let numbers = of(&figures);
        let automation = numbers.automation;
        assert_eq!((automation.rate, automation.success_rate, automation.ticket_rate), (0.2, Some(0.5), 0.1));
        assert_eq!(automation.time.mean, 400.0);
        let issues: Vec<&str> = advise(&numbers).iter().map(|advice| advice.issue).collect();
        assert_eq!(
            issues,
            [
                "low_automation_rate",
                "low_success_rate",
                "slow_response",
                "slow_acknowledgement",
                "one_noisy_alert"
            ]
        );
    }

    fn any_figure() -> impl Strategy<Value = Figure<'static>> {
        let after = || prop::option::of(0_i64..5_000);
        let level = prop::sample::select(Level::ALL.to_vec());
        (0_i64..500_000, level, 0_i64..100, after(), after(), after())
            .prop_map(|(opened, level, began, a, b, c)| figure(opened, level, began, [a, b, c]))
    }

    proptest! {
        /// The same by counting: a percentile is the smallest value that so many do not exceed, parts
        /// add up to the whole.
        #[test]
        fn as_a_naive_computation_says(figures in prop::collection::vec(any_figure(), 0..60)) {
            let numbers = of(&figures);
            let times: Vec<f64> = figures.iter().filter_map(|figure| Some((figure.acknowledged_at? - figure.opened_at).get_seconds() as f64)).collect();
            let spread = numbers.total.acknowledge;
            prop_assert_eq!(spread.count, times.len());
            for (percent, found) in [(50, spread.p50), (90, spread.p90), (99, spread.p99)] {
                let reaches = |value: f64| times.iter().filter(|time| **time <= value).count() * 100 >= times.len() * percent;
                if !times.is_empty() {
                    prop_assert!(reaches(found), "{percent}: {found}");
                    prop_assert!(times.iter().all(|time| *time >= found || !reaches(*time)), "{percent}: {found}");
                }
            }
            for parts in [&numbers.days, &numbers.levels, &numbers.services] {
                prop_assert_eq!(parts.iter().map(|part| part.incidents).sum::<usize>(), figures.len());
                prop_assert_eq!(parts.iter().map(|part| part.acknowledge.count).sum::<usize>(), times.len());
                let sum: f64 = parts.iter().map(|part| part.acknowledge.mean * part.acknowledge.count as f64).sum();
                prop_assert!((sum - times.iter().sum::<f64>()).abs() < 1e-3);
            }
        }
    }
}
