//! Routes, time intervals and inhibition: the same words mean the same in both, so most is copied.

use crate::cli::import::notes::{Notes, copied, keys_of, list_of, text_of};
use crate::cli::import::sheet::Out;
use crate::config::routes::GROUPING_KEYS;
use crate::document::node::{Node, Value};

/// Keys of a route that are carried over, in the order they are written.
const ROUTE_KEYS: [&str; 7] =
    ["matchers", "match", "match_re", "receiver", "continue", "mute_time_intervals", "active_time_intervals"];

/// A route and all below it.
pub fn route(node: &Node, notes: &mut Notes) -> Out {
    let mut entries = Vec::new();
    for key in ROUTE_KEYS {
        let Some(value) = node.get(key).filter(|value| !is_empty(value)) else { continue };
        entries.push((key.to_owned(), as_texts(value)));
    }
    let below: Vec<Out> = list_of(node.get("routes")).iter().map(|below| route(below, notes)).collect();
    if !below.is_empty() {
        entries.push(("routes".to_owned(), Out::List(below)));
    }
    for (key, line) in keys_of(node) {
        if !ROUTE_KEYS.contains(&key) && !GROUPING_KEYS.contains(&key) && key != "routes" {
            notes.leave(line, format!("`{key}` of a route has no counterpart"));
        }
    }
    Out::Map(entries)
}

fn is_empty(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.is_empty(),
        _ => false,
    }
}

/// Copied; matchers and names are texts, however they look.
fn as_texts(node: &Node) -> Out {
    match &node.value {
        Value::Bool(value) => Out::Bare(value.to_string()),
        Value::Map(entries) => {
            let text = |node: &Node| Out::text(text_of(node).unwrap_or_default());
            Out::Map(entries.iter().map(|(key, node)| (key.value.clone(), text(node))).collect())
        }
        Value::List(list) => {
            Out::List(list.iter().map(|node| Out::text(text_of(node).unwrap_or_default())).collect())
        }
        _ => Out::text(text_of(node).unwrap_or_default()),
    }
}

/// What routes, and only they, say of grouping: it stays where it is.
pub fn grouping(node: &Node) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    for (key, line) in keys_of(node) {
        if let (true, Some(value)) = (GROUPING_KEYS.contains(&key), node.get(key)) {
            let value = match &value.value {
                Value::List(list) => {
                    let names: Vec<String> = list.iter().filter_map(text_of).collect();
                    format!("[{}]", names.join(", "))
                }
                _ => text_of(value).unwrap_or_default(),
            };
            found.push((format!("{key}: {value}"), line));
        }
    }
    found.extend(list_of(node.get("routes")).iter().flat_map(grouping));
    found
}

/// `time_intervals`, and what older versions called `mute_time_intervals`.
pub fn intervals(root: &Node) -> Vec<Out> {
    let of = |key| list_of(root.get(key)).iter().map(copied);
    of("time_intervals").chain(of("mute_time_intervals")).collect()
}

/// `inhibit_rules`. One that says something unknown is left out as a whole: without it, it would
/// silence more than it did.
pub fn inhibition(root: &Node, notes: &mut Notes) -> Vec<Out> {
    const KNOWN: [&str; 8] = [
        "name",
        "source_match",
        "source_match_re",
        "source_matchers",
        "target_match",
        "target_match_re",
        "target_matchers",
        "equal",
    ];
    let mut rules = Vec::new();
    for rule in list_of(root.get("inhibit_rules")) {
        if let Some((key, line)) = keys_of(rule).into_iter().find(|(key, _)| !KNOWN.contains(key)) {
            notes.leave(
                line,
                format!("an inhibition rule with `{key}` has no counterpart; alerts it silenced are told"),
            );
            continue;
        }
        let mut entries = Vec::new();
        entries.extend(rule.get("name").map(|name| ("name".to_owned(), copied(name))));
        for side in ["source", "target"] {
            let texts = list_of(rule.get(&format!("{side}_matchers"))).iter().filter_map(text_of);
            let matchers = texts
                .chain(pairs(rule.get(&format!("{side}_match")), "="))
                .chain(pairs(rule.get(&format!("{side}_match_re")), "=~"));
            let matchers: Vec<Out> = matchers.map(Out::Text).collect();
            entries.push((format!("{side}_matchers"), Out::List(matchers)));
        }
        if let Some(equal) = rule.get("equal").filter(|equal| !is_empty(equal)) {
            entries.push(("equal".to_owned(), as_texts(equal)));
        }
        rules.push(Out::Map(entries));
    }
    rules
}

/// The older form as matchers: `name="value"`.
fn pairs(node: Option<&Node>, op: &str) -> Vec<String> {
    let Some(Value::Map(entries)) = node.map(|node| &node.value) else { return Vec::new() };
    let quoted = |text: String| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    entries
        .iter()
        .map(|(name, value)| {
            format!("{} {op} \"{}\"", name.value, quoted(text_of(value).unwrap_or_default()))
        })
        .collect()
}
