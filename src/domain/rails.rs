//! Which job may run for an incident, and whether it may start now: ranking and guard rails. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::change::{Change, Sort};
use crate::domain::incident::Level;

/// From so many runs on the success rate of a rule has its full weight.
const FULL_WEIGHT_RUNS: u32 = 10;
/// The time over which starts are counted.
pub const HOUR: Duration = Duration::from_secs(3600);

/// A rule: when which job is run, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: Arc<str>,
    /// The target that starts it.
    pub target: Arc<str>,
    /// In these environments; empty: in all.
    pub environments: Vec<String>,
    /// For incidents of these levels; empty: of all.
    pub levels: Vec<Level>,
    /// Only where a change of one of these sorts is near; empty: always.
    pub after_change: Vec<Sort>,
    /// A person has to say yes.
    pub approval: bool,
    /// How long the same service has rest from it.
    pub cooldown: Duration,
    /// Its success ends the incident.
    pub resolves: bool,
    /// Who gets the output when it fails.
    pub on_failure: Vec<Arc<str>>,
    /// How long it may run.
    pub timeout: Duration,
    /// The end of the incident calls it back.
    pub stops_when_over: bool,
}

/// What goes for all rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Runs at once.
    pub parallel: u32,
    /// Starts within an hour.
    pub per_hour: u32,
    /// How long a proposal waits for a yes.
    pub approve_within: Duration,
    /// Everything but the start.
    pub dry_run: bool,
}

/// What a rule came to so far.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Record {
    /// Runs whose end is known.
    pub runs: u32,
    /// Of those, that ended well.
    pub good: u32,
    /// How long they took, on average, in seconds.
    pub mean_seconds: f64,
}

impl Record {
    /// Of the runs whose end is known, those that ended well.
    pub fn success_rate(&self) -> f64 {
        if self.runs == 0 { 0.0 } else { f64::from(self.good) / f64::from(self.runs) }
    }

    /// The success rate, weighted by how many runs it rests on.
    pub fn weight(&self) -> f64 {
        let share = f64::from(self.runs.min(FULL_WEIGHT_RUNS)) / f64::from(FULL_WEIGHT_RUNS);
        self.success_rate() * share
    }
}

/// What an incident says about which rules are for it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// How bad.
    pub level: Level,
    /// Where; may be empty.
    pub environment: &'a str,
    /// Changes that were near, the likeliest cause first.
    pub changes: &'a [Change],
}

/// The rules that are for this incident, the most promising first, each with the change that it is
/// about. Of equals the one that stands first in the file.
pub fn candidates<'r, 'c>(
    rules: impl Iterator<Item = &'r Rule>,
    facts: &Facts<'c>,
    records: &BTreeMap<String, Record>,
) -> Vec<(&'r Rule, Option<&'c Change>)> {
    let is_meant = |rule: &&Rule| {
        let here =
            rule.environments.is_empty() || rule.environments.iter().any(|one| one == facts.environment);
        here && (rule.levels.is_empty() || rule.levels.contains(&facts.level))
    };
    let near = |rule: &'r Rule| -> Option<(&'r Rule, Option<&'c Change>)> {
        if rule.after_change.is_empty() {
            return Some((rule, facts.changes.first()));
        }
        let change = facts.changes.iter().find(|change| rule.after_change.contains(&change.sort))?;
        Some((rule, Some(change)))
    };
    let mut found: Vec<_> = rules.filter(is_meant).filter_map(near).collect();
    let weight = |rule: &Rule| records.get(&*rule.name).map_or(0.0, Record::weight);
    found.sort_by(|a, b| weight(b.0).total_cmp(&weight(a.0)));
    found
}

/// What a start is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rails {
    /// How long the same service has rest from this rule.
    pub cooldown: Duration,
    /// What goes for all rules.
    pub limits: Limits,
}

/// What has been started lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Runs that are, or may be, under way.
    pub running: u32,
    /// Starts within the last hour.
    pub this_hour: u32,
    /// When this rule was last started for this service in this environment.
    pub last: Option<Timestamp>,
}

/// Whether a start may be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Now.
    Start,
    /// Everything is to be done but the start.
    Rehearse,
    /// Not for this service, for a while: a sentence.
    Rests(String),
    /// Not at all for the moment: a sentence.
    Full(String),
}

/// Decides about a start that is wanted and, where that is asked for, approved.
pub fn decide(rails: &Rails, usage: &Usage, now: Timestamp) -> Verdict {
    let Limits { parallel, per_hour, dry_run, .. } = rails.limits;
    if let Some(ago) = usage.last.map(|last| now.duration_since(last).unsigned_abs())
        && ago < rails.cooldown
    {
        return Verdict::Rests(format!(
            "it was started for this service {} ago, and rests for {} (cooldown)",
            spoken(ago),
            spoken(rails.cooldown)
        ));
    }
    if usage.running >= parallel {
        let sentence = format!("{} run already, and {parallel} may at once (jobs.parallel)", usage.running);
        return Verdict::Full(sentence);
    }
    if usage.this_hour >= per_hour {
        return Verdict::Full(format!(
            "{} were started within the last hour, and {per_hour} may be (jobs.per_hour)",
            usage.this_hour
        ));
    }
    if dry_run { Verdict::Rehearse } else { Verdict::Start }
}

/// `90 s`, `15 min`, `3 h`
pub fn spoken(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits =
        Limits { parallel: 2, per_hour: 3, approve_within: Duration::from_secs(1800), dry_run: false };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn rule(name: &str) -> Rule {
        Rule {
            name: name.into(),
            target: "repair".into(),
            environments: Vec::new(),
            levels: Vec::new(),
            after_change: Vec::new(),
            approval: true,
            cooldown: Duration::from_secs(900),
            resolves: false,
            on_failure: Vec::new(),
            timeout: Duration::from_secs(300),
            stops_when_over: true,
        }
    }

    fn named(found: &[(&Rule, Option<&Change>)]) -> Vec<String> {
        found
            .iter()
            .map(|(rule, change)| format!("{} {}", rule.name, change.map_or("", |change| &change.title)))
            .collect()
    }

    #[test]
    fn the_most_promising_comes_first_and_ten_runs_count_in_full() {
        let rules = ["new", "old", "lucky", "bad"].map(rule);
        let record = |runs, good| Record { runs, good, mean_seconds: 1.0 };
        let records: BTreeMap<String, Record> = [("old", 20, 16), ("lucky", 3, 3), ("bad", 50, 5)]
            .map(|(name, runs, good)| (name.to_owned(), record(runs, good)))
            .into();
        let facts = Facts { level: Level::P1, environment: "prod", changes: &[] };
        let found = candidates(rules.iter(), &facts, &records);
        // 0.8 in full, three of three count 0.3, a tenth in full 0.1, and nothing is known of the new.
        assert_eq!(named(&found), ["old ", "lucky ", "bad ", "new "]);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(record(5, 4).weight(), 0.4) && near(record(10, 8).weight(), 0.8));
        assert!(near(record(100, 80).weight(), 0.8) && near(Record::default().weight(), 0.0));
    }

    #[test]
    fn environment_level_and_change_choose() {
        let mut rules = ["everywhere", "in prod", "when bad", "after deploy"].map(rule);
        rules[1].environments = vec!["prod".into()];
        rules[2].levels = vec![Level::P0];
        rules[3].after_change = vec![Sort::Deploy];
        let change = |sort, title: &str| Change {
            id: title.into(),
            sort,
            service: "checkout".into(),
            environment: String::new(),
            title: title.into(),
            who: String::new(),
            link: String::new(),
            at: at(0),
        };
        let changes = [change(Sort::Config, "flag"), change(Sort::Deploy, "4.2.1")];
        let found = |level, environment, changes: &[Change]| {
            let facts = Facts { level, environment, changes };
            named(&candidates(rules.iter(), &facts, &BTreeMap::new()))
        };
        assert_eq!(found(Level::P1, "staging", &[]), ["everywhere "]);
        assert_eq!(found(Level::P0, "prod", &[]), ["everywhere ", "in prod ", "when bad "]);
        let after = ["everywhere flag", "in prod flag", "after deploy 4.2.1"];
        assert_eq!(found(Level::P1, "prod", &changes), after);
    }

    #[test]
    fn a_refusal_says_why() {
        let rails = Rails { cooldown: Duration::from_secs(900), limits: LIMITS };
        let decided = |running, this_hour, last: Option<i64>| {
            decide(&rails, &Usage { running, this_hour, last: last.map(at) }, at(1_000))
        };
        assert_eq!(decided(1, 2, Some(100)), Verdict::Start);
        let sentence = "it was started for this service 4 min ago, and rests for 15 min (cooldown)";
        assert_eq!(decided(0, 0, Some(760)), Verdict::Rests(sentence.into()));
        let sentence = "2 run already, and 2 may at once (jobs.parallel)";
        assert_eq!(decided(2, 0, None), Verdict::Full(sentence.into()));
        let sentence = "3 were started within the last hour, and 3 may be (jobs.per_hour)";
        assert_eq!(decided(0, 3, None), Verdict::Full(sentence.into()));
        let dry = Rails { limits: Limits { dry_run: true, ..LIMITS }, ..rails };
        assert_eq!(decide(&dry, &Usage::default(), at(0)), Verdict::Rehearse);
    }

    proptest! {
        /// Whatever is wanted when, and however long runs take: the rails hold at every moment.
        #[test]
        fn the_rails_hold(
            wanted in prop::collection::vec((1i64..900, 0usize..3, 1i64..2000), 0..60),
            (parallel, per_hour, cooldown) in (1u32..4, 1u32..6, 0u64..1200),
        ) {
            let limits = Limits { parallel, per_hour, ..LIMITS };
            let rails = Rails { cooldown: Duration::from_secs(cooldown), limits };
            let mut started: Vec<(i64, usize, i64)> = Vec::new();
            let mut now = 0;
            for (pause, service, length) in wanted {
                now += pause;
                let count = |is: &dyn Fn(&(i64, usize, i64)) -> bool| {
                    u32::try_from(started.iter().filter(|run| is(run)).count()).unwrap()
                };
                let usage = Usage {
                    running: count(&|run| run.0 + run.2 > now),
                    this_hour: count(&|run| run.0 > now - 3600),
                    last: started.iter().filter(|run| run.1 == service).map(|run| at(run.0)).max(),
                };
                if decide(&rails, &usage, at(now)) == Verdict::Start {
                    started.push((now, service, length));
                }
            }
            for (at, service, _) in &started {
                let at_once = started.iter().filter(|run| run.0 <= *at && run.0 + run.2 > *at).count();
                prop_assert!(at_once <= parallel as usize);
                let in_the_hour = started.iter().filter(|run| run.0 <= *at && run.0 > at - 3600).count();
                prop_assert!(in_the_hour <= per_hour as usize);
                let before = started.iter().filter(|run| run.1 == *service && run.0 < *at).map(|run| run.0).max();
                prop_assert!(before.is_none_or(|before| at - before >= cooldown as i64));
            }
        }
    }
}
