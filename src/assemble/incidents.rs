//! Incidents, rotas and people: words read, names followed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::assemble::routing::matchers;
use crate::assemble::{Names, refer};
use crate::config::file::File;
use crate::config::incidents::{LayerFile, OnClosed, OverrideFile, RotaFile};
use crate::document::node::At;
use crate::domain::incident::{Level, Policy, Step};
use crate::domain::problem::Problem;
use crate::route::rota::{Layer, Override, Rota};
use crate::rulebook::{IncidentRules, Merge, Quiet, TicketRules};

/// Lanes, by which what comes back is known again, are kept so long after their end.
const REOPEN_MAX: Duration = Duration::from_secs(24 * 3600);
const DAY: u64 = 24 * 3600;
/// Shortest times of `incidents.tickets`.
const TICKETS_EVERY_MIN: Duration = Duration::from_secs(1);
const REMIND_MIN: Duration = Duration::from_secs(1);

/// The rules of `incidents`; `None`: none are kept.
pub(super) fn rules(file: &File, problems: &mut Vec<Problem>) -> Option<IncidentRules> {
    let incidents = &file.incidents;
    let mut levels = Vec::new();
    for (index, rule) in incidents.levels.iter().enumerate() {
        let path = format!("incidents.levels[{index}]");
        let matchers = matchers(&rule.matchers, &format!("{path}.matchers"), problems);
        levels.extend(level(&rule.level, &format!("{path}.level"), problems).map(|level| (matchers, level)));
    }
    let mut merge = Vec::new();
    for (index, At { value: rule, place }) in incidents.merge.iter().enumerate() {
        let path = format!("incidents.merge[{index}]");
        if rule.equal.is_empty() {
            let what = "names no label: everything would be one incident";
            let cure = "say what they share: equal: [service, env]";
            problems.push(Problem::error(format!("{path}.equal"), *place, what, cure));
        }
        merge.push(Merge {
            matchers: matchers(&rule.matchers, &format!("{path}.matchers"), problems),
            equal: rule.equal.iter().map(|label| label.value.clone()).collect(),
            within: rule.within.0,
        });
    }
    let intervals = interval_names(file);
    let mut quiet = Vec::new();
    for (index, rule) in incidents.quiet.iter().enumerate() {
        let path = format!("incidents.quiet[{index}]");
        let words = rule.levels.iter().enumerate();
        quiet.push(Quiet {
            levels: words
                .filter_map(|(place, word)| level(word, &format!("{path}.levels[{place}]"), problems))
                .collect(),
            during: named(&rule.time_intervals, &format!("{path}.time_intervals"), &intervals, problems),
        });
    }
    let tickets = tickets(file, problems);
    let window = &incidents.reopen_within;
    if window.value.0 > REOPEN_MAX {
        let what = "is longer than a day, and what is over is known no longer than that";
        problems.push(Problem::error("incidents.reopen_within", window.place, what, "write 24h or less"));
    }
    incidents.enabled.then(|| IncidentRules {
        levels,
        owner: incidents.owner.clone(),
        service: incidents.service.clone(),
        environment: incidents.environment.clone(),
        merge,
        changes_within: incidents.changes_within.0,
        tickets,
        quiet,
        policy: Policy { reopen_within: window.value.0, flapping_from: incidents.flapping_from },
    })
}

/// How tickets are followed.
fn tickets(file: &File, problems: &mut Vec<Problem>) -> TicketRules {
    let rules = &file.incidents.tickets;
    let short =
        [("every", &rules.every, TICKETS_EVERY_MIN), ("remind_after", &rules.remind_after, REMIND_MIN)];
    for (name, time, least) in short {
        if !time.value.0.is_zero() && time.value.0 < least {
            let what = format!("is less than {} s, which serves nobody", least.as_secs());
            let cure = "write a longer time, or 0 for never";
            problems.push(Problem::error(format!("incidents.tickets.{name}"), time.place, what, cure));
        }
    }
    let targets: Vec<&str> = file.targets.iter().map(|target| target.common.name.value.as_str()).collect();
    for (place, target) in rules.remind.iter().enumerate() {
        refer("target", target, &format!("incidents.tickets.remind[{place}]"), &targets, problems);
    }
    TicketRules {
        every: rules.every.value.0,
        ends: rules.on_closed == OnClosed::Resolve,
        remind_after: rules.remind_after.value.0,
        remind: rules.remind.iter().map(|target| Arc::from(target.value.as_str())).collect(),
    }
}

pub(super) fn level(word: &At<String>, path: &str, problems: &mut Vec<Problem>) -> Option<Level> {
    let level = Level::parse(&word.value);
    if level.is_none() {
        let what = format!("there is no level `{}`", word.value);
        problems.push(Problem::error(path, word.place, what, "write P0, P1 or P2"));
    }
    level
}

pub(super) fn interval_names(file: &File) -> Vec<&str> {
    file.time_intervals.iter().map(|interval| interval.name.value.as_str()).collect()
}

pub(super) fn named(
    list: &[At<String>],
    path: &str,
    known: &[&str],
    problems: &mut Vec<Problem>,
) -> Vec<String> {
    for (index, name) in list.iter().enumerate() {
        refer("time interval", name, &format!("{path}[{index}]"), known, problems);
    }
    list.iter().map(|name| name.value.clone()).collect()
}

/// Where each person is reached.
pub(super) fn people(file: &File, problems: &mut Vec<Problem>) -> BTreeMap<Arc<str>, Vec<Arc<str>>> {
    let targets: Vec<&str> = file.targets.iter().map(|target| target.common.name.value.as_str()).collect();
    let mut names = Names::new("person");
    let mut people = BTreeMap::new();
    for (index, person) in file.people.iter().enumerate() {
        let path = format!("people[{index}]");
        names.add(&person.name, &format!("{path}.name"), problems);
        for (place, target) in person.targets.iter().enumerate() {
            refer("target", target, &format!("{path}.targets[{place}]"), &targets, problems);
        }
        let reached = person.targets.iter().map(|target| Arc::from(target.value.as_str())).collect();
        people.insert(Arc::from(person.name.value.as_str()), reached);
    }
    people
}

/// Who is on call when.
pub(super) fn rotas(file: &File, problems: &mut Vec<Problem>) -> BTreeMap<Arc<str>, Rota> {
    let mut names = Names::new("rota");
    let mut rotas = BTreeMap::new();
    for (index, rota) in file.rotas.iter().enumerate() {
        let path = format!("rotas[{index}]");
        names.add(&rota.name, &format!("{path}.name"), problems);
        if let Some(made) = one(file, rota, &path, problems) {
            rotas.insert(Arc::from(rota.name.value.as_str()), made);
        }
    }
    rotas
}

fn one(file: &File, rota: &RotaFile, path: &str, problems: &mut Vec<Problem>) -> Option<Rota> {
    let zone = match &rota.location {
        None => TimeZone::UTC,
        Some(name) => match TimeZone::get(&name.value) {
            Ok(zone) => zone,
            Err(_) => {
                let what = format!("there is no time zone `{}`", name.value);
                let cure = "write a name of the IANA time zone database, as in Asia/Shanghai";
                problems.push(Problem::error(format!("{path}.location"), name.place, what, cure));
                return None;
            }
        },
    };
    if rota.layers.is_empty() {
        let what = "has no layer: nobody is ever on call";
        let cure = "add one: layers: [{ people: [ann, bob], starts: 2026-01-05T09:00 }]";
        problems.push(Problem::error(format!("{path}.layers"), rota.name.place, what, cure));
    }
    let mut layers = Vec::new();
    for (index, layer_file) in rota.layers.iter().enumerate() {
        layers.extend(layer(file, layer_file, &format!("{path}.layers[{index}]"), problems));
    }
    let mut overrides = Vec::new();
    for (index, one) in rota.overrides.iter().enumerate() {
        overrides.extend(stand_in(file, one, &zone, &format!("{path}.overrides[{index}]"), problems));
    }
    Some(Rota { zone, layers, overrides })
}

fn layer(file: &File, layer: &LayerFile, path: &str, problems: &mut Vec<Problem>) -> Option<Layer> {
    let before = problems.len();
    let people: Vec<Arc<str>> = layer.people.iter().map(|name| Arc::from(name.value.as_str())).collect();
    for (index, name) in layer.people.iter().enumerate() {
        person(file, name, &format!("{path}.people[{index}]"), problems);
    }
    if people.is_empty() {
        let what = "names nobody";
        problems.push(Problem::error(format!("{path}.people"), layer.starts.place, what, "add somebody"));
    }
    let starts: Option<DateTime> = layer.starts.value.parse().ok();
    if starts.is_none() {
        let what = format!("`{}` is not a time of a day", layer.starts.value);
        let cure = "write it by the clock of the place, as in 2026-01-05T09:00";
        problems.push(Problem::error(format!("{path}.starts"), layer.starts.place, what, cure));
    }
    let seconds = layer.every.value.0.as_secs();
    if seconds == 0 || !seconds.is_multiple_of(DAY) {
        let what = "is not a number of whole days";
        let cure = "write 1d, 7d or 14d; for a part of the day use time_intervals";
        problems.push(Problem::error(format!("{path}.every"), layer.every.place, what, cure));
    }
    let during =
        named(&layer.time_intervals, &format!("{path}.time_intervals"), &interval_names(file), problems);
    let days = i32::try_from(seconds / DAY).ok()?;
    let starts = starts.filter(|_| problems.len() == before)?;
    Some(Layer { people, starts, days, during })
}

fn stand_in(
    file: &File,
    one: &OverrideFile,
    zone: &TimeZone,
    path: &str,
    problems: &mut Vec<Problem>,
) -> Option<Override> {
    person(file, &one.person, &format!("{path}.person"), problems);
    let mut time = |key: &str, text: &At<String>| {
        let time = Rota::time(zone, &text.value);
        if time.is_none() {
            let what = format!("`{}` is not a time", text.value);
            let cure = "write it by the clock of the place, as in 2026-02-17T09:00, or with its offset";
            problems.push(Problem::error(format!("{path}.{key}"), text.place, what, cure));
        }
        time
    };
    let (from, until) = (time("from", &one.from), time("until", &one.until));
    let (from, until) = (from?, until?);
    if until <= from {
        let what = "ends before it begins";
        problems.push(Problem::error(format!("{path}.until"), one.until.place, what, "put it after `from`"));
    }
    Some(Override { person: Arc::from(one.person.value.as_str()), from, until })
}

fn person(file: &File, name: &At<String>, path: &str, problems: &mut Vec<Problem>) {
    let known: Vec<&str> = file.people.iter().map(|person| person.name.value.as_str()).collect();
    if name.value.is_empty() || known.contains(&name.value.as_str()) {
        return;
    }
    let what = format!("there is nobody named `{}`", name.value);
    let cure = "add them: people: [{ name: ann, targets: [phone-ann] }]";
    problems.push(Problem::error(path, name.place, what, cure));
}

/// The steps of each receiver, by time.
pub(super) fn escalations(file: &File, problems: &mut Vec<Problem>) -> HashMap<String, Vec<Step>> {
    let rotas: Vec<&str> = file.rotas.iter().map(|rota| rota.name.value.as_str()).collect();
    let mut escalations = HashMap::new();
    for (index, receiver) in file.receivers.iter().enumerate() {
        let mut steps = Vec::new();
        for (place, step) in receiver.escalate.iter().enumerate() {
            let path = format!("receivers[{index}].escalate[{place}]");
            if let Some(rota) = &step.rota {
                refer("rota", rota, &format!("{path}.rota"), &rotas, problems);
            }
            if step.targets.is_empty() && step.rota.is_none() {
                let what = "tells nobody";
                let cure = "name targets, or a rota: { after: 10m, rota: db }";
                problems.push(Problem::error(format!("{path}.targets"), step.after.place, what, cure));
            }
            steps.push(Step {
                after: step.after.value.0,
                targets: step.targets.iter().map(|target| Arc::from(target.value.as_str())).collect(),
                rota: step.rota.as_ref().map(|rota| Arc::from(rota.value.as_str())),
            });
        }
        if let Some(step) = receiver.escalate.first().filter(|_| !file.incidents.enabled) {
            let what = "is not acted on while `incidents.enabled` is false";
            let path = format!("receivers[{index}].escalate");
            problems.push(Problem::warning(path, step.after.place, what, "remove `enabled: false`"));
        }
        steps.sort_by_key(|step| step.after);
        if !steps.is_empty() {
            escalations.insert(receiver.name.value.clone(), steps);
        }
    }
    escalations
}
