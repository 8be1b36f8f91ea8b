//! The numbers in the forms in which they are asked for: JSON, table, Markdown, CSV. Pure.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::incident::advice::advise;
use crate::incident::lasting::in_words;
use crate::incident::numbers::{Numbers, Part};
use crate::incident::stages::{Spread, Stage};

/// For programs.
pub fn json(numbers: &Numbers) -> Value {
    let stage = |(stage, spread): &(Stage, Spread)| json!({ "stage": stage.as_str(), "seconds": spread_json(spread) });
    let automation = &numbers.automation;
    json!({
        "since": numbers.since.to_string(),
        "until": numbers.until.to_string(),
        "incidents": numbers.total.incidents,
        "open": numbers.open,
        "reopened": numbers.reopened,
        "acknowledge": spread_json(&numbers.total.acknowledge),
        "resolve": spread_json(&numbers.total.resolve),
        "stages": numbers.stages.iter().map(stage).collect::<Vec<_>>(),
        "bottleneck": numbers.bottleneck.map(|stage| stage.as_str()),
        "days": numbers.days.iter().map(part_json).collect::<Vec<_>>(),
        "levels": numbers.levels.iter().map(part_json).collect::<Vec<_>>(),
        "services": numbers.services.iter().map(part_json).collect::<Vec<_>>(),
        "people": numbers.people.iter().map(|(name, count)| json!({ "name": name, "taken": count })).collect::<Vec<_>>(),
        "noise": numbers.noise.iter().map(|noise| json!({
            "title": noise.title, "service": noise.service, "incidents": noise.incidents,
            "news": noise.news, "reopened": noise.reopened,
        })).collect::<Vec<_>>(),
        "automation": {
            "automated": automation.automated,
            "rate": automation.rate,
            "success_rate": automation.success_rate,
            "ticket_rate": automation.ticket_rate,
            "seconds": spread_json(&automation.time),
        },
        "advice": advise(numbers).iter().map(|advice| json!({
            "issue": advice.issue, "severity": advice.severity, "found": advice.found, "advice": advice.advice,
        })).collect::<Vec<_>>(),
    })
}

fn spread_json(spread: &Spread) -> Value {
    if spread.count == 0 {
        return json!({ "count": 0 });
    }
    json!({
        "count": spread.count, "mean": spread.mean, "p50": spread.p50, "p90": spread.p90, "p99": spread.p99,
        "max": spread.max,
    })
}

fn part_json(part: &Part) -> Value {
    let [p0, p1, p2] = part.levels;
    json!({
        "name": part.name, "incidents": part.incidents, "P0": p0, "P1": p1, "P2": p2,
        "acknowledge": spread_json(&part.acknowledge), "resolve": spread_json(&part.resolve),
    })
}

/// One table of a report.
struct Table {
    title: &'static str,
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

const SPREADS: [&str; 6] = ["count", "mean", "p50", "p90", "p99", "max"];
const PARTS: [&str; 8] = ["incidents", "P0", "P1", "P2", "MTTA", "MTTA p90", "MTTR", "MTTR p90"];

fn tables(numbers: &Numbers) -> Vec<Table> {
    let total = &numbers.total;
    let named = |name: &'static str| -> Vec<&'static str> { std::iter::once(name).chain(SPREADS).collect() };
    let mut times = vec![
        spread_row("opened to taken (MTTA)", &total.acknowledge),
        spread_row("opened to over (MTTR)", &total.resolve),
    ];
    times.extend(numbers.stages.iter().map(|(stage, spread)| {
        let mark = if numbers.bottleneck == Some(*stage) { " (bottleneck)" } else { "" };
        spread_row(&format!("{}{mark}", stage.as_str()), spread)
    }));
    let parts = |title, name: &'static str, parts: &[Part]| Table {
        title,
        head: std::iter::once(name).chain(PARTS).collect(),
        rows: parts.iter().map(part_row).collect(),
    };
    let automation = &numbers.automation;
    let rate = |rate: f64| format!("{:.0} %", rate * 100.0);
    let tables = [
        Table { title: "Time", head: named("stage"), rows: times },
        parts("By level", "level", &numbers.levels),
        parts("By service", "service", &numbers.services),
        parts("By day", "day", &numbers.days),
        Table {
            title: "Noise",
            head: vec!["what", "service", "incidents", "news", "came back"],
            rows: numbers
                .noise
                .iter()
                .map(|noise| {
                    let counts =
                        [noise.incidents.to_string(), noise.news.to_string(), noise.reopened.to_string()];
                    [noise.title.clone(), noise.service.clone()].into_iter().chain(counts).collect()
                })
                .collect(),
        },
        Table {
            title: "Who took them",
            head: vec!["who", "incidents"],
            rows: numbers.people.iter().map(|(name, count)| vec![name.clone(), count.to_string()]).collect(),
        },
        Table {
            title: "Automation",
            head: vec!["with a job", "ended well", "mean time to job", "with a ticket"],
            rows: if automation.automated == 0 && automation.ticket_rate == 0.0 {
                Vec::new()
            } else {
                vec![vec![
                    rate(automation.rate),
                    automation.success_rate.map_or_else(|| "-".to_owned(), rate),
                    length(&automation.time, automation.time.mean),
                    rate(automation.ticket_rate),
                ]]
            },
        },
        Table {
            title: "Advice",
            head: vec!["severity", "found", "what to do"],
            rows: advise(numbers)
                .iter()
                .map(|advice| {
                    vec![advice.severity.to_owned(), advice.found.clone(), advice.advice.to_owned()]
                })
                .collect(),
        },
    ];
    tables.into_iter().filter(|table| !table.rows.is_empty()).collect()
}

fn spread_row(name: &str, spread: &Spread) -> Vec<String> {
    let times = [spread.mean, spread.p50, spread.p90, spread.p99, spread.max];
    let times = times.into_iter().map(|seconds| length(spread, seconds));
    [name.to_owned(), spread.count.to_string()].into_iter().chain(times).collect()
}

fn part_row(part: &Part) -> Vec<String> {
    let counts =
        [part.incidents, part.levels[0], part.levels[1], part.levels[2]].map(|count| count.to_string());
    let (taken, over) = (&part.acknowledge, &part.resolve);
    let times = [
        length(taken, taken.mean),
        length(taken, taken.p90),
        length(over, over.mean),
        length(over, over.p90),
    ];
    std::iter::once(if part.name.is_empty() { "-".to_owned() } else { part.name.clone() })
        .chain(counts)
        .chain(times)
        .collect()
}

/// `12m 30s`; a dash where there is nothing.
fn length(of: &Spread, seconds: f64) -> String {
    if of.count == 0 {
        return "-".to_owned();
    }
    in_words(std::time::Duration::try_from_secs_f64(seconds.round()).unwrap_or_default())
}

fn headline(numbers: &Numbers) -> String {
    format!(
        "{} {} from {:.0} to {:.0}: {} open, {} came back",
        numbers.total.incidents,
        if numbers.total.incidents == 1 { "incident" } else { "incidents" },
        numbers.since,
        numbers.until,
        numbers.open,
        numbers.reopened
    )
}

/// For people at a terminal.
pub fn text(numbers: &Numbers) -> String {
    let mut out = format!("{}\n", headline(numbers));
    for table in tables(numbers) {
        let head: Vec<String> = table.head.iter().map(|name| name.to_uppercase()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&head).chain(&table.rows).collect();
        let width = |column: usize| {
            lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or(0)).collect();
        let _written = writeln!(out, "\n{}", table.title);
        for line in lines {
            let cells: Vec<String> = line
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{:<width$}", cell.replace(char::is_control, " ")))
                .collect();
            let _written = writeln!(out, "  {}", cells.join("  ").trim_end());
        }
    }
    out
}

/// For a page.
pub fn markdown(numbers: &Numbers) -> String {
    let safe = |cell: &String| {
        cell.replace(['\n', '\r'], " ").replace('\\', "\\\\").replace('|', "\\|").replace('<', "\\<")
    };
    let mut out = format!("# Incidents\n\n{}\n", headline(numbers));
    for table in tables(numbers) {
        let dashes = vec!["---"; table.head.len()].join(" | ");
        let _written = write!(out, "\n## {}\n\n| {} |\n| {dashes} |\n", table.title, table.head.join(" | "));
        for row in &table.rows {
            let cells: Vec<String> = row.iter().map(safe).collect();
            let _written = writeln!(out, "| {} |", cells.join(" | "));
        }
    }
    out
}

/// For a spreadsheet (RFC 4180): one line for all, then one a level, service and day; times in
/// seconds. A cell that a spreadsheet would take for a formula begins with an apostrophe.
pub fn csv(numbers: &Numbers) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = [
        "by",
        "name",
        "incidents",
        "p0",
        "p1",
        "p2",
        "acknowledged",
        "mtta",
        "mtta_p50",
        "mtta_p90",
        "resolved",
        "mttr",
        "mttr_p50",
        "mttr_p90",
    ];
    let _written = writer.write_record(head);
    let groups = [
        ("all", std::slice::from_ref(&numbers.total)),
        ("level", numbers.levels.as_slice()),
        ("service", numbers.services.as_slice()),
        ("day", numbers.days.as_slice()),
    ];
    for (by, parts) in groups {
        for part in parts {
            let formula = part.name.starts_with(['=', '+', '-', '@', '\t', '\r']);
            let name = if formula { format!("'{}", part.name) } else { part.name.clone() };
            let mut row = vec![by.to_owned(), name, part.incidents.to_string()];
            row.extend(part.levels.iter().map(ToString::to_string));
            for spread in [&part.acknowledge, &part.resolve] {
                row.push(spread.count.to_string());
                let times = [spread.mean, spread.p50, spread.p90];
                row.extend(
                    times.map(|time| if spread.count == 0 { String::new() } else { format!("{time:.3}") }),
                );
            }
            let _written = writer.write_record(row);
        }
    }
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}
