//! The numbers over many incidents: how soon they are noticed, told, taken and over, where the time
//! goes, what makes noise, what runs by itself, and what to do about it. Pure: rows in, numbers out.
//!
//! Times of incidents that are not (yet) taken or over are left out of the respective figures, not
//! counted as zero.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::domain::incident::Level;
use crate::incident::stages::{Spread, Stage, seconds, spread};
use crate::store::incidents::Figure;

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
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// Seconds from opened to taken.
pub fn to_acknowledge(figure: &Figure) -> Option<f64> {
    let life = &figure.incident.life;
    Some(seconds(life.opened_at, life.acknowledged_at?))
}

/// Seconds from opened to over.
pub fn to_resolve(figure: &Figure) -> Option<f64> {
    let life = &figure.incident.life;
    Some(seconds(life.opened_at, life.resolved_at?))
}

/// Computes all of it. Days are those of the calendar in `zone`.
pub fn numbers(figures: &[Figure], since: Timestamp, until: Timestamp, zone: &TimeZone) -> Numbers {
    let stages =
        Stage::ALL.map(|stage| (stage, spread(figures.iter().filter_map(|f| stage.of(f)).collect())));
    let spent = |(_, spread): &&(Stage, Spread)| spread.mean * spread.count as f64;
    let longest = stages.iter().max_by(|a, b| spent(a).total_cmp(&spent(b)));
    let total = part("all".to_owned(), figures.iter());
    Numbers {
        since,
        until,
        open: figures.iter().filter(|figure| figure.incident.life.state.is_open()).count(),
        reopened: figures.iter().filter(|figure| figure.incident.life.reopened > 0).count(),
        bottleneck: longest.filter(|longest| spent(longest) > 0.0).map(|(stage, _)| *stage),
        stages,
        days: days(figures, zone),
        levels: levels(figures),
        services: services(figures),
        people: people(figures),
        noise: noise(figures),
        automation: automation(figures),
        total,
    }
}

fn part<'f>(name: String, figures: impl Iterator<Item = &'f Figure>) -> Part {
    let (mut acknowledge, mut resolve) = (Vec::new(), Vec::new());
    let mut part = Part { name, ..Part::default() };
    for figure in figures {
        part.incidents += 1;
        part.levels[figure.incident.life.level as usize] += 1;
        acknowledge.extend(to_acknowledge(figure));
        resolve.extend(to_resolve(figure));
    }
    Part { acknowledge: spread(acknowledge), resolve: spread(resolve), ..part }
}

fn days(figures: &[Figure], zone: &TimeZone) -> Vec<Part> {
    let mut days: BTreeMap<Date, Vec<&Figure>> = BTreeMap::new();
    for figure in figures {
        days.entry(zone.to_datetime(figure.incident.life.opened_at).date()).or_default().push(figure);
    }
    days.into_iter().map(|(day, of)| part(day.to_string(), of.into_iter())).collect()
}

fn levels(figures: &[Figure]) -> Vec<Part> {
    let of = |level: Level| figures.iter().filter(move |figure| figure.incident.life.level == level);
    let parts = Level::ALL.into_iter().map(|level| part(level.to_string(), of(level)));
    parts.filter(|part| part.incidents > 0).collect()
}

fn services(figures: &[Figure]) -> Vec<Part> {
    let mut services: BTreeMap<&str, Vec<&Figure>> = BTreeMap::new();
    for figure in figures {
        services.entry(&figure.incident.service).or_default().push(figure);
    }
    let mut parts: Vec<Part> =
        services.into_iter().map(|(name, of)| part(name.to_owned(), of.into_iter())).collect();
    parts.sort_by(|a, b| b.incidents.cmp(&a.incidents).then_with(|| a.name.cmp(&b.name)));
    parts.truncate(TOP);
    parts
}

fn people(figures: &[Figure]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let names = figures.iter().map(|figure| figure.incident.life.acknowledged_by.as_str());
    for name in names.filter(|name| !name.is_empty()) {
        *counts.entry(name).or_default() += 1;
    }
    let mut people: Vec<(String, usize)> =
        counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    people.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    people.truncate(TOP);
    people
}

fn noise(figures: &[Figure]) -> Vec<Noise> {
    let mut named: HashMap<(&str, &str), Noise> = HashMap::new();
    for figure in figures {
        let incident = &figure.incident;
        let noise = named.entry((&incident.title, &incident.service)).or_insert_with(|| Noise {
            title: incident.title.clone(),
            service: incident.service.clone(),
            incidents: 0,
            news: 0,
            reopened: 0,
        });
        noise.incidents += 1;
        noise.news += u64::from(incident.news);
        noise.reopened += u64::from(incident.life.reopened);
    }
    let mut noise: Vec<Noise> = named.into_values().collect();
    noise.sort_by(|a, b| {
        let less = b.incidents.cmp(&a.incidents).then(b.news.cmp(&a.news));
        less.then_with(|| (&a.title, &a.service).cmp(&(&b.title, &b.service)))
    });
    noise.truncate(TOP);
    noise
}

fn automation(figures: &[Figure]) -> Automation {
    let of_all = |count: usize| if figures.is_empty() { 0.0 } else { count as f64 / figures.len() as f64 };
    let started: Vec<f64> = figures
        .iter()
        .filter_map(|figure| Some(seconds(figure.incident.life.opened_at, figure.automated_at?)))
        .collect();
    let ended: Vec<bool> = figures.iter().filter_map(|figure| figure.job_ended_well).collect();
    let well = ended.iter().filter(|well| **well).count();
    Automation {
        automated: started.len(),
        success_rate: (!ended.is_empty()).then(|| well as f64 / ended.len() as f64),
        rate: of_all(started.len()),
        ticket_rate: of_all(figures.iter().filter(|figure| figure.has_ticket).count()),
        time: spread(started),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::incident::{Incident, State};
    use crate::incident::advice::advise;
    use crate::store::incidents::IncidentRecord;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Opened at `opened`; then began so long before, and told, taken and over so long after.
    fn figure(opened: i64, level: Level, began: i64, after: [Option<i64>; 3]) -> Figure {
        let [notified, acknowledged, resolved] = after.map(|after| after.map(|after| at(opened + after)));
        let mut life = Incident::open(level, "team".into(), at(opened));
        (life.notified_at, life.acknowledged_at, life.resolved_at) = (notified, acknowledged, resolved);
        if acknowledged.is_some() {
            life.acknowledged_by = "ann".into();
        }
        if resolved.is_some() {
            life.state = State::Resolved;
        }
        let incident = IncidentRecord {
            id: opened,
            key: opened.to_string(),
            life,
            title: "disk full".into(),
            service: "db".into(),
            environment: String::new(),
            source: "am".into(),
            started_at: Some(at(opened - began)),
            touched_at: at(opened),
            news: 2,
            escalate_at: None,
        };
        Figure { incident, automated_at: None, job_ended_well: None, has_ticket: false }
    }

    fn of(figures: &[Figure]) -> Numbers {
        numbers(figures, at(0), at(1_000_000), &TimeZone::UTC)
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
        let there = super::numbers(&figures, at(0), at(1_000_000), &shanghai);
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

    fn any_figure() -> impl Strategy<Value = Figure> {
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
            let times: Vec<f64> = figures.iter().filter_map(to_acknowledge).collect();
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
