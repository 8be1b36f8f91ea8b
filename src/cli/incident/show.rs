//! What the relay answered of incidents, for people: JSON in, tables out.

use serde_json::Value;

use crate::cli::queue::show::{cut, list, table, text, time};

/// Lines of an output that are shown: its last ones.
const OUTPUT_LINES: usize = 20;
/// Characters of a title in a table.
const TITLE_CHARS: usize = 60;

/// `list`
pub fn incidents(answer: &Value) -> String {
    let rows: Vec<_> = list(answer, "incidents")
        .iter()
        .map(|row| {
            vec![
                text(row, "id"),
                text(row, "level"),
                text(row, "state"),
                time(row, "opened_at"),
                text(row, "service"),
                text(row, "owner"),
                text(row, "acknowledged_by"),
                cut(&text(row, "title"), TITLE_CHARS),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "no incident is like that\n".to_owned();
    }
    let mut shown = table(&["ID", "LEVEL", "STATE", "OPENED", "SERVICE", "OWNER", "TAKEN BY", "TITLE"], rows);
    if !answer["next"].is_null() {
        shown.push_str("there may be more: narrow it down, or raise --limit\n");
    }
    shown
}

/// What one stands at, in a line.
pub fn line(row: &Value) -> String {
    let of = |name: &str| text(row, name);
    let owner = if of("owner").is_empty() { String::new() } else { format!(", of {}", of("owner")) };
    format!("incident {} ({}{owner}) is {}: {}\n", of("id"), of("level"), of("state"), of("title"))
}

/// `show`
pub fn incident(row: &Value) -> String {
    let mut shown = line(row);
    let facts = [
        ("service", text(row, "service")),
        ("environment", text(row, "environment")),
        ("source", text(row, "source")),
        ("taken by", text(row, "acknowledged_by")),
        ("began", time(row, "started_at")),
        ("opened", time(row, "opened_at")),
        ("told", time(row, "notified_at")),
        ("taken", time(row, "acknowledged_at")),
        ("mitigated", time(row, "mitigated_at")),
        ("over", time(row, "resolved_at")),
        ("escalates", time(row, "escalates_at")),
        ("came back", text(row, "reopened")),
        ("dedup key", text(row, "dedup_key")),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty() && value != "0") {
        shown.push_str(&format!("  {name:<12} {value}\n"));
    }
    let tickets: Vec<_> = list(row, "tickets").iter().map(ticket).collect();
    if !tickets.is_empty() {
        shown.push('\n');
        shown.push_str(&table(&["TICKET", "AT", "STATE", "ASSIGNEE", "SINCE", "PAGE"], tickets));
    }
    shown.push_str(&jobs(row));
    let rows = list(row, "timeline").iter().map(|entry| {
        vec![
            time(entry, "at"),
            text(entry, "kind"),
            text(entry, "target"),
            text(entry, "who"),
            text(entry, "text"),
        ]
    });
    shown.push('\n');
    shown + &table(&["AT", "WHAT", "WHERE", "WHO", "TEXT"], rows.collect())
}

/// What was run against it; nothing where nothing was.
pub fn jobs(row: &Value) -> String {
    let jobs = list(row, "jobs");
    if jobs.is_empty() {
        return String::new();
    }
    let rows = jobs.iter().map(|job| {
        vec![
            text(job, "id"),
            text(job, "rule"),
            text(job, "target"),
            text(job, "state"),
            text(job, "run"),
            text(job, "decided_by"),
            time(job, "started_at"),
            time(job, "ended_at"),
        ]
    });
    let head = ["JOB", "RULE", "TARGET", "STATE", "RUN", "WORD OF", "STARTED", "ENDED"];
    let mut shown = format!("\n{}", table(&head, rows.collect()));
    // What a person has to do about it must not be cut.
    let reasons = jobs.iter().filter(|job| !text(job, "reason").is_empty());
    for job in reasons {
        shown.push_str(&format!("  job {}: {}\n", text(job, "id"), text(job, "reason")));
    }
    for job in jobs {
        let output = job["output"].as_str().unwrap_or_default().trim_end();
        let lines: Vec<&str> = output.lines().collect();
        if let Some(first) = lines.len().checked_sub(OUTPUT_LINES) {
            shown.push_str(&format!("  job {} wrote, before this, {first} lines more\n", text(job, "id")));
        }
        for line in &lines[lines.len().saturating_sub(OUTPUT_LINES)..] {
            shown.push_str(&format!("    {}\n", line.replace(char::is_control, " ")));
        }
    }
    shown
}

fn ticket(row: &Value) -> Vec<String> {
    let (phase, state) = (text(row, "phase"), text(row, "state"));
    let stands = if state.is_empty() { phase } else { format!("{phase} ({state})") };
    vec![
        text(row, "name"),
        text(row, "target"),
        stands,
        text(row, "assignee"),
        time(row, "since"),
        text(row, "url"),
    ]
}

/// `on-call`
pub fn on_call(answer: &Value) -> String {
    let none = serde_json::Map::new();
    let rotas = answer["on_call"].as_object().unwrap_or(&none);
    if rotas.is_empty() {
        return "no rota is configured\n".to_owned();
    }
    let person = |person: &Value| person.as_str().unwrap_or("nobody").to_owned();
    let rows = rotas.iter().map(|(rota, name)| vec![rota.clone(), person(name)]);
    table(&["ROTA", "ON CALL"], rows.collect())
}
