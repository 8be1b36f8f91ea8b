//! Thresholds of the numbers, and what to do about what is beyond them. Pure.

use crate::incident::numbers::Numbers;
use crate::incident::stages::Stage;

/// Something that is beyond its threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// One word, for programs.
    pub issue: &'static str,
    /// `high` or `medium`.
    pub severity: &'static str,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub advice: &'static str,
}

/// Incidents of which fewer are no base for a judgement of what people do.
const FEW: usize = 5;
/// Of all incidents, so many should be worked on by a job.
const AUTOMATED: f64 = 0.6;
/// Of all jobs, so many should end well.
const WELL: f64 = 0.8;
/// Seconds until a job starts.
const STARTED: f64 = 300.0;
/// Seconds in which nine of ten are taken.
const TAKEN: f64 = 900.0;
/// Of all incidents, so many may come back.
const BACK: f64 = 0.2;
/// Of all incidents, so many may be called the same.
const SAME: f64 = 0.3;

type Say<'a> = &'a mut dyn FnMut(&'static str, &'static str, String, &'static str);

/// Judges. What runs by itself is judged where anything does.
pub fn advise(numbers: &Numbers) -> Vec<Advice> {
    let mut found = Vec::new();
    let mut say = |issue, severity, what: String, advice| {
        found.push(Advice { issue, severity, found: what, advice });
    };
    of_automation(numbers, &mut say);
    if numbers.total.incidents >= FEW {
        of_people(numbers, &mut say);
        of_alerts(numbers, &mut say);
    }
    found
}

fn of_automation(numbers: &Numbers, say: Say<'_>) {
    let automation = &numbers.automation;
    if automation.automated > 0 && automation.rate < AUTOMATED {
        let what = format!(
            "{} of the incidents have a repair job, wanted are {}",
            percent(automation.rate),
            percent(AUTOMATED)
        );
        say(
            "low_automation_rate",
            "high",
            what,
            "write repair jobs for what makes most noise, and widen the labels that choose them",
        );
    }
    if let Some(rate) = automation.success_rate.filter(|rate| *rate < WELL) {
        let what = format!("{} of the repair jobs ended well, wanted are {}", percent(rate), percent(WELL));
        say(
            "low_success_rate",
            "high",
            what,
            "look through the jobs that failed, and mend their checks and error handling",
        );
    }
    if automation.time.mean > STARTED {
        let what = format!(
            "a repair job starts {:.0} s after its incident opens, wanted are {STARTED:.0} s",
            automation.time.mean
        );
        say("slow_response", "medium", what, "look at the job platform: its queue, its workers, its limits");
    }
}

fn of_people(numbers: &Numbers, say: Say<'_>) {
    let share = |count: usize| count as f64 / numbers.total.incidents as f64;
    let taken = &numbers.total.acknowledge;
    if taken.count > 0 && taken.p90 > TAKEN {
        let what = format!("one in ten is taken only after {:.0} min", taken.p90 / 60.0);
        say(
            "slow_acknowledgement",
            "medium",
            what,
            "let others be told sooner (receivers[].escalate), by a call rather than by chat",
        );
    }
    if share(taken.count) < 0.5 {
        let what =
            format!("only {} of the incidents were ever taken by somebody", percent(share(taken.count)));
        say(
            "nobody_takes_them",
            "medium",
            what,
            "route what nobody needs to act on to a receiver without pager, or drop its alert",
        );
    }
}

fn of_alerts(numbers: &Numbers, say: Say<'_>) {
    let share = |count: usize| count as f64 / numbers.total.incidents as f64;
    if share(numbers.reopened) > BACK {
        let what = format!("{} of the incidents came back", percent(share(numbers.reopened)));
        say(
            "flapping",
            "medium",
            what,
            "give the alerts a longer `for` or a `keep_firing_for`, or widen incidents.reopen_within",
        );
    }
    if let Some(noise) = numbers.noise.first().filter(|noise| share(noise.incidents) > SAME) {
        let what = format!("{} of the incidents are `{}`", percent(share(noise.incidents)), noise.title);
        say(
            "one_noisy_alert",
            "medium",
            what,
            "mend its cause, raise its threshold, or merge it (incidents.merge)",
        );
    }
    if numbers.bottleneck == Some(Stage::Detect) {
        let what = "most of the time goes before the relay knows".to_owned();
        say(
            "late_detection",
            "medium",
            what,
            "shorten `for`, `group_wait` and the scrape interval of the alerts that matter",
        );
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
