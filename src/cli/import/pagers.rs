//! PagerDuty and Opsgenie.

use crate::cli::import::draft::Draft;
use crate::cli::import::notes::{keys_of, list_of, text_at, text_of};
use crate::cli::import::sheet::Out;
use crate::document::node::{Node, Value};

/// `pagerduty_configs`
pub fn pagerduty(draft: &mut Draft<'_>) -> Option<()> {
    let line = draft.node.place.line;
    let name = "PAGERDUTY_ROUTING_KEY";
    let key = draft.secret("routing_key", "", name).or_else(|| {
        let key = draft.secret("service_key", "", name)?;
        let what = "`service_key` is one of the Events API v1; make an integration of the Events API v2 and \
                    take its key";
        draft.leave(line, what);
        Some(key)
    });
    let Some(key) = key else {
        draft.leave(line, "has no routing key");
        return None;
    };
    draft.take("service_key");
    draft.take("service_key_file");
    draft.set("routing_key", key);
    if let Some(node) = draft.or_global("url", "pagerduty_url")
        && let Some(url) = draft.fixed_text(node, "url")
    {
        let base = url.trim_end_matches('/').trim_end_matches("/v2/enqueue");
        let base = base.trim_end_matches("/generic/2010-04-15/create_event.json");
        if base != "https://events.pagerduty.com" {
            draft.set("base_url", Out::text(base));
        }
    }
    draft.template("description", "summary");
    for key in ["severity", "source", "component", "group", "class", "client", "client_url"] {
        draft.template(key, key);
    }
    let details = templates_of(draft, "details", &["firing", "resolved", "num_firing", "num_resolved"]);
    if !details.is_empty() {
        draft.set("custom_details", Out::Map(details));
    }
    for (list, keys) in [("links", &["href", "text"][..]), ("images", &["src", "href", "alt"][..])] {
        let nodes = draft.take(list);
        let mut made = Vec::new();
        for node in list_of(nodes) {
            let of = |key: &&str| Some(((*key).to_owned(), draft.translated(node.get(key)?, list)?));
            let entries: Vec<(String, Out)> = keys.iter().filter_map(of).collect();
            // The first is the one that must be there.
            if entries.first().is_some_and(|(key, _)| key == keys[0]) {
                made.push(Out::Map(entries));
            }
        }
        if !made.is_empty() {
            draft.set(list, Out::List(made));
        }
    }
    draft.timeout();
    draft.no_http_config();
    Some(())
}

/// A map of templates. `usual` are names that are always there here.
fn templates_of(draft: &mut Draft<'_>, key: &str, usual: &[&str]) -> Vec<(String, Out)> {
    let Some(node) = draft.take(key) else { return Vec::new() };
    let Value::Map(entries) = &node.value else { return Vec::new() };
    let mut made = Vec::new();
    for (name, value) in entries {
        if matches!(value.value, Value::Map(_) | Value::List(_)) {
            draft.leave(value.place.line, &format!("`{key}.{}` is no text", name.value));
        } else if let Some(text) = draft.translated(value, &format!("{key}.{}", name.value)) {
            let says_the_usual = usual.contains(&name.value.as_str());
            if !says_the_usual {
                made.push((name.value.clone(), text));
            }
        }
    }
    made
}

/// `opsgenie_configs`
pub fn opsgenie(draft: &mut Draft<'_>) -> Option<()> {
    let Some(key) = draft.secret("api_key", "opsgenie_api_key", "OPSGENIE_API_KEY") else {
        draft.leave(draft.node.place.line, "has no API key");
        return None;
    };
    draft.set("api_key", key);
    if let Some(node) = draft.or_global("api_url", "opsgenie_api_url")
        && let Some(url) = draft.fixed_text(node, "api_url")
    {
        let base = url.trim_end_matches('/');
        if base != "https://api.opsgenie.com" {
            draft.set("base_url", Out::text(base));
        }
    }
    for key in ["message", "description", "source", "note", "priority", "entity"] {
        draft.template(key, key);
    }
    let details = templates_of(draft, "details", &[]);
    if !details.is_empty() {
        draft.set("details", Out::Map(details));
    }
    for key in ["tags", "actions"] {
        let Some(node) = draft.take(key) else { continue };
        let whole = text_of(node).unwrap_or_default();
        let mut parts = Vec::new();
        for part in outside_of_braces(&whole) {
            let part = Node { place: node.place, value: Value::Text(part.trim().to_owned()) };
            parts.extend(draft.translated(&part, key));
        }
        if !parts.is_empty() {
            draft.set(key, Out::List(parts));
        }
    }
    responders(draft);
    if draft.take("update_alerts").and_then(text_of).is_none_or(|text| text != "true") {
        draft.set("update_alerts", Out::Bare("false".to_owned()));
    }
    draft.no_http_config();
    Some(())
}

fn responders(draft: &mut Draft<'_>) {
    let nodes = draft.take("responders");
    let mut made = Vec::new();
    for node in list_of(nodes) {
        let sort = text_at(node, "type").unwrap_or_default();
        if !["team", "user", "escalation", "schedule"].contains(&sort.as_str()) {
            draft.leave(
                node.place.line,
                "`responders` of a type other than team, user, escalation or schedule",
            );
            continue;
        }
        let mut entries = vec![("type".to_owned(), Out::text(sort))];
        for (key, _) in keys_of(node) {
            if ["id", "name", "username"].contains(&key)
                && let Some(text) = node.get(key).and_then(|value| draft.translated(value, "responders"))
            {
                entries.push((key.to_owned(), text));
            }
        }
        made.push(Out::Map(entries));
    }
    if !made.is_empty() {
        draft.set("responders", Out::List(made));
    }
}

/// A list with commas, of which some may stand inside of templates.
pub fn outside_of_braces(text: &str) -> Vec<String> {
    let (mut parts, mut part, mut depth) = (Vec::new(), String::new(), 0_usize);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('{', Some('{')) => depth += 1,
            ('}', Some('}')) => depth = depth.saturating_sub(1),
            (',', _) if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    parts.push(part);
    parts.retain(|part| !part.trim().is_empty());
    parts
}
