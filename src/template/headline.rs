//! What a group of alerts comes down to: how bad it is, since when, what about, where, and which page
//! to open.
//!
//! Takes the group, gives words; the views of messages and the titles of incidents say the same.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::domain::alert::{Alert, AlertGroup, Labels, Status};
use crate::template::severity::Severity;

/// Labels that say where it hurts, from the wide to the narrow.
const PLACES: [&str; 8] = ["cluster", "region", "namespace", "service", "host", "instance", "pod", "device"];

/// At most this many of [`PLACES`] are named.
const PLACES_MAX: usize = 3;

/// Labels that may say how bad it is.
const SEVERITY_LABELS: [&str; 3] = ["severity", "level", "priority"];

/// The alerts that matter now: the firing ones, or all when it is over.
fn relevant(group: &AlertGroup) -> impl Iterator<Item = &Alert> {
    let any = group.alerts.iter().any(|alert| alert.status == Status::Firing);
    group.alerts.iter().filter(move |alert| !any || alert.status == Status::Firing)
}

/// The worst severity, and the word for it that the sender used; the first word of all when none is
/// understood.
pub fn worst(group: &AlertGroup) -> (Severity, &str) {
    let mut first = "";
    let mut worst: Option<(Severity, &str)> = None;
    for word in relevant(group).filter_map(severity_word) {
        if first.is_empty() {
            first = word;
        }
        match Severity::parse(word) {
            Some(severity) if worst.is_none_or(|(known, _)| severity > known) => {
                worst = Some((severity, word))
            }
            _ => {}
        }
    }
    worst.unwrap_or((Severity::ASSUMED, first))
}

fn severity_word(alert: &Alert) -> Option<&String> {
    SEVERITY_LABELS.iter().find_map(|name| alert.labels.get(*name))
}

/// When the first of them began, if the sender said so.
pub fn started(group: &AlertGroup) -> Option<Timestamp> {
    relevant(group).filter_map(|alert| alert.starts_at).min()
}

/// One line that says what it is about: the summary of the worst alert, else its name and what the
/// group shares; with `(+2)` when two more are in the same state.
pub fn title(group: &AlertGroup) -> Cow<'_, str> {
    let rank = |alert: &Alert| {
        severity_word(alert).and_then(|word| Severity::parse(word)).unwrap_or(Severity::ASSUMED)
    };
    // `max_by_key` would give the last of equals; the sender's order is kept instead.
    let worst = relevant(group).reduce(|worst, alert| if rank(alert) > rank(worst) { alert } else { worst });
    let of_worst = || worst.and_then(|alert| summary(&alert.annotations));
    let text = summary(&group.common_annotations).or_else(of_worst).unwrap_or_else(|| {
        let name = worst
            .and_then(|alert| alert.labels.get("alertname"))
            .or_else(|| group.group_labels.get("alertname"));
        let others = group.group_labels.iter().filter(|(label, _)| *label != "alertname");
        let mut words: Vec<String> = name.into_iter().cloned().collect();
        words.extend(others.map(|(label, value)| format!("{label}={value}")));
        let none = || format!("{} {}", group.source, group.group_key);
        Cow::Owned(if words.is_empty() { none() } else { words.join(" ") })
    });
    match relevant(group).count() {
        0 | 1 => text,
        more => format!("{text} (+{})", more - 1).into(),
    }
}

fn summary(annotations: &Labels) -> Option<Cow<'_, str>> {
    const NAMES: [&str; 4] = ["summary", "title", "message", "description"];
    let texts = NAMES.iter().filter_map(|name| annotations.get(*name));
    texts.into_iter().find(|text| !text.trim().is_empty()).map(|text| in_one_line(text))
}

/// The words of a text with one blank between them.
pub fn in_one_line(text: &str) -> Cow<'_, str> {
    let mut words = text.split(' ');
    if words.all(|word| !word.is_empty() && !word.contains(char::is_whitespace)) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    Cow::Owned(line)
}

/// Where: values of the narrowest well-known labels that all alerts share.
pub fn place(group: &AlertGroup) -> Cow<'_, str> {
    let values = PLACES.iter().filter_map(|name| group.common_labels.get(*name));
    let mut values: Vec<&str> = values.map(String::as_str).filter(|value| !value.is_empty()).collect();
    values.dedup();
    values.drain(..values.len().saturating_sub(PLACES_MAX));
    match values.as_slice() {
        [one] => Cow::Borrowed(one),
        several => Cow::Owned(several.join(" / ")),
    }
}

/// The page to open first: what produced the alert, else the sender's, else `otherwise`. What produced
/// one of a digest is not the page of the others.
pub fn link<'a>(group: &'a AlertGroup, is_digest: bool, otherwise: &'a str) -> &'a str {
    let produced = relevant(group).filter(|_| !is_digest).map(|alert| alert.generator_url.as_str());
    let mut all = produced.chain([group.external_url.as_str(), otherwise]);
    all.find(|url| is_web(url)).unwrap_or_default()
}

/// An absolute address that a browser may open; anything else must not become a link.
pub fn is_web(url: &str) -> bool {
    let has = |scheme: &str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    (has("https://") || has("http://")) && !url.contains(|c: char| c.is_control() || c.is_whitespace())
}
