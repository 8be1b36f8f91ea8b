//! The report of one incident, for people who look at it afterwards: what it was, what happened in
//! which order, who did what, and the questions that a review answers. Pure.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::incident::State;
use crate::incident::lasting::in_words;
use crate::store::follows::TicketRecord;
use crate::store::incidents::{Entry, Story};
use crate::template::library::Language;

/// The words of a report.
struct Words {
    title: &'static str,
    facts: &'static str,
    rows: [&'static str; 13],
    alerts: &'static str,
    tickets: &'static str,
    timeline: &'static str,
    people: &'static str,
    cause: &'static str,
    solution: &'static str,
    prevention: &'static str,
    open: &'static str,
    nobody: &'static str,
}

const ENGLISH: Words = Words {
    title: "Incident report",
    facts: "Facts",
    rows: [
        "Incident",
        "Title",
        "Level",
        "State",
        "Service",
        "Environment",
        "Owner",
        "Began",
        "Opened",
        "Somebody was told",
        "Acknowledged",
        "Mitigated",
        "Over",
    ],
    alerts: "How it showed",
    tickets: "Tickets",
    timeline: "Time line",
    people: "What was done",
    cause: "Root cause",
    solution: "What ended it",
    prevention: "So that it does not happen again",
    open: "_to be written_",
    nobody: "_nothing is recorded_",
};

const CHINESE: Words = Words {
    title: "事件报告",
    facts: "基本信息",
    rows: [
        "事件ID",
        "事件标题",
        "级别",
        "状态",
        "影响服务",
        "环境",
        "负责人",
        "故障开始",
        "触发时间",
        "首次通知",
        "响应",
        "缓解",
        "恢复",
    ],
    alerts: "影响范围",
    tickets: "工单",
    timeline: "时间线",
    people: "处理步骤",
    cause: "根本原因分析",
    solution: "解决方案",
    prevention: "预防措施",
    open: "_待填写_",
    nobody: "_无记录_",
};

/// Writes it.
pub fn report(story: &Story, language: Language) -> String {
    let words = if language == Language::Zh { &CHINESE } else { &ENGLISH };
    let incident = &story.incident;
    let life = &incident.life;
    let mut out =
        format!("# {} {}: {}\n\n## {}\n\n", words.title, incident.id, plain(&incident.title), words.facts);
    let since = |time: Option<Timestamp>| time.map(|time| after(life.opened_at, time)).unwrap_or_default();
    let told = |time: Option<Timestamp>, by: &str| match time {
        Some(at) if by.is_empty() => format!("{at}{}", since(time)),
        Some(at) => format!("{at}{}, {}", since(time), plain(by)),
        None => String::new(),
    };
    let flaps = if life.reopened > 0 { format!(" (came back {} x)", life.reopened) } else { String::new() };
    let values = [
        incident.id.to_string(),
        plain(&incident.title),
        life.level.to_string(),
        format!("{}{flaps}", life.state),
        plain(&incident.service),
        plain(&incident.environment),
        plain(&life.owner),
        incident.started_at.map(|at| at.to_string()).unwrap_or_default(),
        life.opened_at.to_string(),
        told(life.notified_at, ""),
        told(life.acknowledged_at, &life.acknowledged_by),
        told(life.mitigated_at, ""),
        told(life.resolved_at, ""),
    ];
    for (name, value) in words.rows.iter().zip(values).filter(|(_, value)| !value.is_empty()) {
        let _written = writeln!(out, "- **{name}**: {value}");
    }
    section(&mut out, words.alerts);
    let _written =
        writeln!(out, "- {}: {} ({})", plain(&incident.source), plain(&incident.title), incident.news);
    for joined in story.timeline.iter().filter(|entry| entry.kind == "joined") {
        let _written = writeln!(out, "- {}", plain(&joined.text));
    }
    if !story.tickets.is_empty() {
        section(&mut out, words.tickets);
        for ticket in &story.tickets {
            let _written = writeln!(out, "- {}", stands(ticket));
        }
    }
    section(&mut out, words.timeline);
    for entry in &story.timeline {
        let _written = writeln!(out, "- {}", line(entry, life.opened_at));
    }
    section(&mut out, words.people);
    let by_people: Vec<&Entry> = story.timeline.iter().filter(|entry| !entry.who.is_empty()).collect();
    for (n, entry) in by_people.iter().enumerate() {
        let _written = writeln!(out, "{}. {}", n + 1, done(entry));
    }
    if by_people.is_empty() {
        let _written = writeln!(out, "{}", words.nobody);
    }
    let noted = |kind: &str| -> String {
        let of_kind = story.timeline.iter().filter(|entry| entry.kind == kind && !entry.text.is_empty());
        let texts: Vec<String> =
            of_kind.filter(|entry| !entry.who.is_empty()).map(|entry| plain(&entry.text)).collect();
        if texts.is_empty() { words.open.to_owned() } else { texts.join("\n\n") }
    };
    for (heading, text) in [
        (words.cause, noted(State::Reviewed.as_str())),
        (words.solution, noted(State::Resolved.as_str())),
        (words.prevention, noted(State::Closed.as_str())),
    ] {
        section(&mut out, heading);
        let _written = writeln!(out, "{text}");
    }
    out
}

fn section(out: &mut String, heading: &str) {
    let _written = write!(out, "\n## {heading}\n\n");
}

/// `[OPS-17](https://…) `jira-ops` **open**: In Progress, ann, since 2026-…`
fn stands(ticket: &TicketRecord) -> String {
    let name = plain(ticket.name());
    // An address that could end the link early is written as text.
    let is_safe = |url: &str| !url.is_empty() && !url.contains(['(', ')', '<', '>', ' ']);
    let link = if is_safe(&ticket.url) { format!("[{name}]({})", ticket.url) } else { name };
    let of = |text: &str| if text.is_empty() { String::new() } else { format!("{}, ", plain(text)) };
    let (state, who) = (of(&ticket.state), of(&ticket.who));
    format!(
        "{link} `{}` **{}**: {state}{who}`{}`",
        plain(&ticket.target),
        ticket.phase.as_str(),
        ticket.since
    )
}

fn line(entry: &Entry, opened: Timestamp) -> String {
    let target = if entry.target.is_empty() { String::new() } else { format!(" `{}`", plain(&entry.target)) };
    let who = if entry.who.is_empty() { String::new() } else { format!(" ({})", plain(&entry.who)) };
    let text = if entry.text.is_empty() { String::new() } else { format!(": {}", plain(&entry.text)) };
    format!("`{}`{} **{}**{target}{who}{text}", entry.at, after(opened, entry.at), entry.kind)
}

fn done(entry: &Entry) -> String {
    let text = if entry.text.is_empty() { String::new() } else { format!(": {}", plain(&entry.text)) };
    format!("{} {}{text}", plain(&entry.who), entry.kind)
}

/// ` +12m 30s`; nothing for the beginning.
fn after(opened: Timestamp, time: Timestamp) -> String {
    let seconds = time.as_second().saturating_sub(opened.as_second());
    match u64::try_from(seconds) {
        Ok(0) | Err(_) => String::new(),
        Ok(seconds) => format!(" +{}", in_words(Duration::from_secs(seconds))),
    }
}

/// What came from outside is text and no Markdown: signs that mean something there are escaped
/// (CommonMark 0.31, 2.4).
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        if matches!(letter, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '!' | '~' | '&') {
            safe.push('\\');
        }
        safe.push(letter);
    }
    safe
}
