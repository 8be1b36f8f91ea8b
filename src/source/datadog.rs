//! Datadog: what a monitor posts through the webhooks integration, as JSON or as a form.
//!
//! The body is written by its user; `docs/sources/datadog.md` has one to paste, and Datadog's stock
//! body is understood as well. Names are read in any spelling, and a variable that Datadog did not
//! fill in (`$ALERT_SCOPE`) counts as absent. Identity: `$ALERT_CYCLE_KEY`, which lasts from trigger
//! to recovery, else `$AGGREG_KEY`, else monitor and scope, else the title. `$ID` is new each time.
//! Labels: the tags, and [`LABELS`]; a tag of one of these names becomes `tag_<name>`.

use serde_json::{Map, Value};

use crate::domain::alert::Status;
use crate::source::contract::{Arrival, Reading, Source, Unreadable};
use crate::source::event::{
    Single, add_tags, by_plain_name, first, is_variable, labels_in, names, tags, taken, time, word,
};
use crate::source::notes::{At, Notes};
use crate::source::{body, webhook};

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct Datadog;

/// Label, and the fields it is taken from; those without any are worked out.
pub const LABELS: &[(&str, &[&str])] = &[
    ("alertname", &[]),
    ("event_type", &["eventtype"]),
    ("metric", &["alertmetric", "metric"]),
    ("monitor_id", &["alertid", "monitorid"]),
    ("org_id", &["orgid"]),
    ("org_name", &["orgname"]),
    ("priority", &["alertpriority"]),
    ("scope", &["alertscope", "scope"]),
    // `warning` for the warning threshold, else the priority of the monitor, else the type of the alert.
    ("severity", &[]),
    // triggered, warn, no data, renotify, recovered …
    ("state", &[]),
];

const ANNOTATIONS: &[(&str, &[&str])] = &[
    ("description", &["textonlymsg", "eventmsg", "body", "message", "text"]),
    ("query", &["alertquery", "query"]),
    ("snapshot", &["snapshot"]),
    ("value", &["alertstatus"]),
];

const TITLE: &[&str] = &["alerttitle", "eventtitle", "title"];
const RE: &[&str] = &["re-", "re "];
const FIRES: &[&str] = &["triggered", "alert", "warn", "warning", "no data", "renotify", "notify"];
const OVER: &[&str] = &["recovered", "ok", "resolved", "closed"];

impl Source for Datadog {
    fn read(&self, arrival: &Arrival<'_>) -> Result<Reading, Unreadable> {
        let mut notes = Notes::default();
        let event = body::fields(arrival.body, &mut notes)?;
        let fields = flat(&event);
        let title = Title::of(&first(&fields, TITLE));
        let Some(group_key) = identity(&fields, &title, &mut notes) else {
            let why = "missing, and there is neither aggreg_key nor alert_id nor a title; \
                       paste the payload of docs/sources/datadog.md into the webhook at Datadog";
            return Err(body::refused(At::Key(&At::Body, "alert_cycle_key"), why));
        };
        let (status, state) = standing(&fields, &title, &mut notes);
        let (scope, _) = tags(fields.get("alertscope").or(fields.get("scope")));
        let (tagged, bare) = tags(fields.get("tags"));
        let mut labels = taken(&fields, LABELS);
        labels.insert("alertname".to_owned(), title.name.clone());
        // No word of ours: a tag of this name says the same, and for each group of a monitor.
        labels.insert("host".to_owned(), first(&fields, &["hostname", "host"]));
        labels.insert("severity".to_owned(), severity(&fields, status, &state));
        labels.insert("state".to_owned(), state);
        let ours = names(LABELS);
        for tags in [&scope, &tagged, &labels_in(fields.get("labels"))] {
            add_tags(&mut labels, &ours, tags);
        }
        let mut annotations = taken(&fields, ANNOTATIONS);
        annotations.insert("summary".to_owned(), title.name);
        annotations.insert("tags".to_owned(), bare.join(","));
        let at = time(&fields, &["date", "lastupdated"], &mut notes);
        let single = Single {
            group_key,
            status,
            labels,
            annotations,
            group_labels: scope,
            starts_at: at,
            ends_at: at,
            url: first(&fields, &["link", "url"]),
            event: Value::Object(event),
        };
        let groups = vec![single.group(arrival.source)];
        Ok(Reading { groups, notes: notes.into_lines(), ..Reading::default() })
    }
}

/// The fields under plain names; those of `org` (the stock body) beside the others.
fn flat(event: &Map<String, Value>) -> Map<String, Value> {
    let mut fields = by_plain_name(event, is_unfilled);
    if let Some(Value::Object(org)) = event.get("org") {
        for (name, value) in by_plain_name(org, is_unfilled) {
            fields.entry(format!("org{name}")).or_insert(value);
        }
    }
    fields
}

/// `$NAME`, as it stands where Datadog knows no such variable; `Null` is its word for no transition.
fn is_unfilled(text: &str) -> bool {
    is_variable(text) || ["null", "none"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// `None` when there is nothing to know it by.
fn identity(fields: &Map<String, Value>, title: &Title, notes: &mut Notes) -> Option<String> {
    let key = first(fields, &["alertcyclekey", "cyclekey", "aggregkey", "aggregationkey"]);
    if !key.is_empty() {
        return Some(key);
    }
    let (org, monitor) = (first(fields, &["orgid"]), first(fields, &["alertid", "monitorid"]));
    if !monitor.is_empty() {
        let (scope, _) = tags(fields.get("alertscope").or(fields.get("scope")));
        return Some(format!("{org}:{monitor}:{}", webhook::written(&scope)));
    }
    if title.name.is_empty() {
        return None;
    }
    notes.say(
        "neither alert_cycle_key nor aggreg_key nor alert_id: known by its title; add them to the payload",
    );
    Some(format!("{org}:{}:{}", title.name, title.scope))
}

/// Whether it fires, and the word for its state. What nobody knows fires: better one page too many.
fn standing(fields: &Map<String, Value>, title: &Title, notes: &mut Notes) -> (Status, String) {
    let told = word(fields, &["alerttransition", "transition"]);
    let from_title = told.is_empty() && !title.state.is_empty();
    let said = if from_title { title.state.clone() } else { told };
    if let Some(known) = transition(&said) {
        return known;
    }
    if !said.is_empty() {
        notes.add(
            At::Key(&At::Body, "alert_transition"),
            "not a transition that Datadog has, taken for triggered",
        );
        return (Status::Firing, said);
    }
    match word(fields, &["alerttype"]).as_str() {
        "success" => (Status::Resolved, "recovered".to_owned()),
        "" => {
            notes.say("no alert_transition: taken for triggered; it will not be seen to recover");
            (Status::Firing, String::new())
        }
        _ => (Status::Firing, String::new()),
    }
}

/// Reads a word such as `Re-Triggered`, `Recovered` or `No Data->OK`.
fn transition(word: &str) -> Option<(Status, String)> {
    let word = word.trim().to_lowercase();
    let plain = RE.iter().find_map(|re| word.strip_prefix(re)).unwrap_or(&word);
    let over = OVER.contains(&plain)
        || plain.contains("recover")
        || ["->ok", "-> ok", "→ok", " to ok"].iter().any(|end| plain.ends_with(end));
    if over {
        return Some((Status::Resolved, "recovered".to_owned()));
    }
    FIRES.contains(&plain).then(|| (Status::Firing, plain.to_owned()))
}

fn severity(fields: &Map<String, Value>, status: Status, state: &str) -> String {
    match (status, state) {
        (Status::Firing, "warn" | "warning") => "warning".to_owned(),
        _ => match first(fields, &["alertpriority"]) {
            none if none.is_empty() && status == Status::Firing => first(fields, &["alerttype"]),
            priority => priority,
        },
    }
}

/// A title such as `[P1] [Triggered on {host:web-1}] CPU is high`, in its parts.
struct Title {
    /// Without the brackets that say priority and state.
    name: String,
    /// The word for its state; empty when there is none.
    state: String,
    /// What stands in braces.
    scope: String,
}

impl Title {
    fn of(text: &str) -> Title {
        let mut title = Title { name: String::new(), state: String::new(), scope: String::new() };
        let mut rest = text.trim();
        while let Some((inside, after)) = rest.strip_prefix('[').and_then(|open| open.split_once(']')) {
            let (state, scope) = inside.split_once(" on ").unwrap_or((inside, ""));
            let is_priority = inside.len() == 2 && inside.starts_with(['P', 'p']);
            if transition(state).is_some() {
                title.state = state.trim().to_lowercase();
                title.scope = scope.trim().trim_start_matches('{').trim_end_matches('}').to_owned();
            } else if !is_priority {
                break;
            }
            rest = after.trim_start();
        }
        rest.clone_into(&mut title.name);
        title
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::Labels;

    #[test]
    fn a_title_is_taken_apart_and_a_bracket_of_the_user_stays() {
        for (text, name, state, scope) in [
            ("[P1] [Triggered on {host:web-1}] CPU is high", "CPU is high", "triggered", "host:web-1"),
            ("[Recovered] [Memory Alert]", "[Memory Alert]", "recovered", ""),
            ("[Re-No Data on {env:prod,host:a}] disk", "disk", "re-no data", "env:prod,host:a"),
            ("[prod] [Triggered] x", "[prod] [Triggered] x", "", ""),
            ("[Triggered", "[Triggered", "", ""),
            ("", "", "", ""),
        ] {
            let title = Title::of(text);
            assert_eq!((&*title.name, &*title.state, &*title.scope), (name, state, scope), "{text}");
        }
    }

    #[test]
    fn every_transition_of_datadog_is_known() {
        for (word, status, state) in [
            ("Triggered", Status::Firing, "triggered"),
            ("Re-Triggered", Status::Firing, "triggered"),
            ("Warn", Status::Firing, "warn"),
            ("Re-Warn", Status::Firing, "warn"),
            ("No Data", Status::Firing, "no data"),
            ("Re-No Data", Status::Firing, "no data"),
            ("Renotify", Status::Firing, "renotify"),
            ("Recovered", Status::Resolved, "recovered"),
            ("No Data Recovered", Status::Resolved, "recovered"),
            ("No Data->OK", Status::Resolved, "recovered"),
        ] {
            assert_eq!(transition(word), Some((status, state.to_owned())), "{word}");
        }
        assert_eq!(transition("Snoozed"), None);
    }

    #[test]
    fn only_a_whole_variable_is_unfilled() {
        assert!(is_unfilled("$ALERT_SCOPE") && is_unfilled("Null"));
        assert!(!is_unfilled("$5 off") && !is_unfilled("$") && !is_unfilled("costs $USD"));
    }

    #[test]
    fn tags_become_labels() {
        let (labels, bare) = tags(Some(&Value::from("env:prod, host:a,monitor,host:b,url:http://x,:y")));
        let pairs = [("env", "prod"), ("host", "a,b"), ("url", "http://x")];
        assert_eq!(labels, Labels::from(pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))));
        assert_eq!(bare, ["monitor", ":y"]);
    }
}
