//! The route tree, time intervals and inhibition: grammars read, names followed, what cannot be
//! reached told.

use crate::assemble::{Names, is_broken, parted, refer};
use crate::config::file::File;
use crate::config::routes::{RouteFile, SpanFile, TimeIntervalFile};
use crate::document::node::At;
use crate::domain::problem::{Place, Problem};
use crate::route::inhibit::InhibitRule;
use crate::route::interval::{IntervalSpec, Intervals, TimeInterval};
use crate::route::matcher::{Matcher, parse_matchers};
use crate::route::tree::{RouteSpec, Tree};
use crate::route::written::Op;
use crate::rulebook::Heartbeat;

pub(super) struct Routing {
    /// `None` when the root is unsound.
    pub tree: Option<Tree>,
    pub intervals: Intervals,
    pub inhibit: Vec<InhibitRule>,
    pub heartbeats: Vec<Heartbeat>,
}

pub(super) fn routing(file: &File, problems: &mut Vec<Problem>) -> Routing {
    let intervals = intervals(&file.time_intervals, problems);
    let receivers: Vec<&str> = file.receivers.iter().map(|receiver| receiver.name.value.as_str()).collect();
    let interval_names: Vec<&str> =
        file.time_intervals.iter().map(|interval| interval.name.value.as_str()).collect();
    let known = Known { receivers: &receivers, intervals: &interval_names };
    let inhibit = inhibition(file, problems);
    let heartbeats = heartbeats(file, &receivers, problems);
    // A route that was not there has been told.
    if file.route.place.line == 0 {
        return Routing { tree: None, intervals, inhibit, heartbeats };
    }
    let spec = route(&file.route, "route", &known, problems);
    let tree = match Tree::new(spec) {
        Ok(tree) => Some(tree),
        Err(found) => {
            problems.extend(found);
            None
        }
    };
    if let Some(tree) = tree.as_ref().filter(|_| !is_broken("route", problems)) {
        for (id, why) in tree.unreachable() {
            let route = tree.route(id);
            let what = format!("no alert can get here: {why}");
            let cure = "move it up, add `continue: true` to the one before, or remove it";
            problems.push(Problem::warning(&route.path, route.place, what, cure));
        }
        unused_receivers(file, tree, problems);
    }
    Routing { tree, intervals, inhibit, heartbeats }
}

struct Known<'a> {
    receivers: &'a [&'a str],
    intervals: &'a [&'a str],
}

fn route(file: &At<RouteFile>, path: &str, known: &Known<'_>, problems: &mut Vec<Problem>) -> RouteSpec {
    let At { value, place } = file;
    if let Some(receiver) = &value.receiver {
        refer("receiver", receiver, &format!("{path}.receiver"), known.receivers, problems);
    }
    let mut named = |list: &[At<String>], key: &str| -> Vec<String> {
        for (index, name) in list.iter().enumerate() {
            refer("time interval", name, &format!("{path}.{key}[{index}]"), known.intervals, problems);
        }
        list.iter().map(|name| name.value.clone()).collect()
    };
    let active_intervals = named(&value.active_time_intervals, "active_time_intervals");
    let mute_intervals = named(&value.mute_time_intervals, "mute_time_intervals");
    let mut matchers = matchers(&value.matchers, &format!("{path}.matchers"), problems);
    for (op, key, pairs) in [(Op::Equal, "match", &value.r#match), (Op::Matches, "match_re", &value.match_re)]
    {
        for (name, wanted) in pairs {
            match Matcher::new(name.clone(), op, wanted.value.clone()) {
                Ok(matcher) => matchers.push(matcher),
                Err(sentence) => {
                    let (what, cure) = (sentence, "write it as Go's regexp reads it, without lookaround");
                    problems.push(Problem::error(format!("{path}.{key}.{name}"), wanted.place, what, cure));
                }
            }
        }
    }
    let child = |(index, child): (usize, &At<RouteFile>)| (format!("{path}.routes[{index}]"), child.clone());
    let children: Vec<(String, At<RouteFile>)> = value.routes.iter().enumerate().map(child).collect();
    RouteSpec {
        receiver: value.receiver.as_ref().map(|receiver| receiver.value.clone()),
        matchers,
        continue_: value.r#continue,
        active_intervals,
        mute_intervals,
        routes: children.iter().map(|(path, child)| route(child, path, known, problems)).collect(),
        place: *place,
        path: path.to_owned(),
    }
}

/// Reads a list of matchers; what cannot be read is told and left out.
pub(super) fn matchers(texts: &[At<String>], path: &str, problems: &mut Vec<Problem>) -> Vec<Matcher> {
    let mut matchers = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let path = format!("{path}[{index}]");
        match parse_matchers(&text.value) {
            Ok(parsed) => {
                if let Some(warning) = parsed.warning {
                    let (what, cure) = parted(&warning);
                    problems.push(Problem::warning(&path, text.place, what, cure));
                }
                matchers.extend(parsed.matchers);
            }
            Err(error) => {
                let what = format!("`{}`: {}", text.value, error.what);
                problems.push(Problem::error(&path, inside(text, error.column), what, error.cure));
            }
        }
    }
    matchers
}

/// The place of a character of a text. Where YAML's escapes or lines stand between, the whole text.
fn inside(text: &At<String>, character: usize) -> Place {
    let At { value, place } = text;
    let quote = match (place.length as usize).checked_sub(value.chars().count()) {
        Some(0) => 0,
        Some(2) => 1,
        _ => return *place,
    };
    let ahead = u32::try_from(character).unwrap_or_default() + quote;
    Place { column: place.column + ahead, length: 1, ..*place }
}

fn unused_receivers(file: &File, tree: &Tree, problems: &mut Vec<Problem>) {
    for (index, receiver) in file.receivers.iter().enumerate() {
        let name = &receiver.name.value;
        let in_routes = tree.routes().any(|(_, route)| *route.receiver == **name);
        let in_heartbeats = file.heartbeats.iter().any(|heartbeat| heartbeat.receiver.value == *name);
        if !in_routes && !in_heartbeats && !name.is_empty() {
            let what = format!("no route leads to the receiver `{name}`");
            let path = format!("receivers[{index}]");
            problems.push(Problem::warning(
                path,
                receiver.name.place,
                what,
                "name it in a route, or remove it",
            ));
        }
    }
}

fn intervals(files: &[TimeIntervalFile], problems: &mut Vec<Problem>) -> Intervals {
    let mut intervals = Intervals::default();
    let mut names = Names::new("time interval");
    for (index, file) in files.iter().enumerate() {
        let path = format!("time_intervals[{index}]");
        names.add(&file.name, &format!("{path}.name"), problems);
        for span in file.spans() {
            match TimeInterval::parse(&spec(&span)) {
                Ok(interval) => intervals.add(&file.name.value, interval),
                Err(faults) => {
                    for (field, sentence) in faults {
                        let place = place_in(&span, &field).unwrap_or(file.name.place);
                        let (what, cure) = parted(&sentence);
                        problems.push(Problem::error(format!("{path}.{field}"), place, what, cure));
                    }
                }
            }
        }
    }
    intervals
}

fn spec(span: &SpanFile) -> IntervalSpec {
    let texts = |list: &[At<String>]| list.iter().map(|text| text.value.clone()).collect();
    IntervalSpec {
        times: span.times.iter().map(|t| (t.start_time.value.clone(), t.end_time.value.clone())).collect(),
        weekdays: texts(&span.weekdays),
        days_of_month: texts(&span.days_of_month),
        months: texts(&span.months),
        years: texts(&span.years),
        location: span.location.as_ref().map(|location| location.value.clone()),
    }
}

/// Where a field such as `times[0].end_time` or `weekdays[1]` of a span stands.
fn place_in(span: &SpanFile, field: &str) -> Option<Place> {
    let (list, rest) = field.split_once('[').unwrap_or((field, ""));
    let (index, key) = rest.split_once(']').unwrap_or(("0", ""));
    let index: usize = index.parse().ok()?;
    let at = |list: &[At<String>]| list.get(index).map(|text| text.place);
    match list {
        "weekdays" => at(&span.weekdays),
        "days_of_month" => at(&span.days_of_month),
        "months" => at(&span.months),
        "years" => at(&span.years),
        "location" => span.location.as_ref().map(|location| location.place),
        "times" => {
            let times = span.times.get(index)?;
            Some(if key == ".end_time" { times.end_time.place } else { times.start_time.place })
        }
        _ => None,
    }
}

fn inhibition(file: &File, problems: &mut Vec<Problem>) -> Vec<InhibitRule> {
    let rule = |(index, file): (usize, &crate::config::routes::InhibitFile)| {
        let path = format!("inhibit_rules[{index}]");
        InhibitRule {
            source: matchers(&file.source_matchers, &format!("{path}.source_matchers"), problems),
            target: matchers(&file.target_matchers, &format!("{path}.target_matchers"), problems),
            equal: file.equal.iter().map(|label| label.value.clone()).collect(),
        }
    };
    file.inhibit_rules.iter().enumerate().map(rule).collect()
}

fn heartbeats(file: &File, receivers: &[&str], problems: &mut Vec<Problem>) -> Vec<Heartbeat> {
    let mut names = Names::new("heartbeat");
    let mut heartbeats = Vec::new();
    for (index, beat) in file.heartbeats.iter().enumerate() {
        let path = format!("heartbeats[{index}]");
        names.add(&beat.name, &format!("{path}.name"), problems);
        refer("receiver", &beat.receiver, &format!("{path}.receiver"), receivers, problems);
        let matchers = matchers(&beat.matchers, &format!("{path}.matchers"), problems);
        if matchers.is_empty() {
            let what = "takes every alert for a beat";
            let cure = "say which: matchers: ['alertname = \"Watchdog\"']";
            problems.push(Problem::error(format!("{path}.matchers"), beat.name.place, what, cure));
        }
        heartbeats.push(Heartbeat {
            name: beat.name.value.clone(),
            matchers,
            every: beat.every.value.0,
            receiver: beat.receiver.value.clone(),
        });
    }
    heartbeats
}
