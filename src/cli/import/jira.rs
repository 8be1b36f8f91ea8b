//! Jira.

use crate::cli::import::draft::Draft;
use crate::cli::import::notes::{copied, list_of, text_at, text_of};
use crate::cli::import::sheet::Out;
use crate::document::node::{Node, Value};

/// `jira_configs`
pub fn jira(draft: &mut Draft<'_>) -> Option<()> {
    let line = draft.node.place.line;
    let Some(url) = draft.or_global("api_url", "jira_api_url").and_then(text_of) else {
        draft.leave(line, "names no `api_url`, and global no `jira_api_url`");
        return None;
    };
    let base = url.trim_end_matches('/').split("/rest/api").next().unwrap_or_default();
    draft.set("base_url", Out::text(base));
    credentials(draft, line)?;
    draft.fixed("project", "project");
    if !draft.has("project") {
        draft.leave(line, "names no fixed `project`");
        return None;
    }
    draft.template("issue_type", "issue_type");
    for key in ["summary", "description"] {
        let Some(node) = draft.take(key) else { continue };
        // Since 0.29 a map with `template` and `enable_update`.
        let node = node.get("template").unwrap_or(node);
        if let Some(text) = draft.translated(node, key) {
            draft.set(key, text);
        }
    }
    draft.template("priority", "priority");
    let nodes = draft.take("labels");
    let mut labels = Vec::new();
    for node in list_of(nodes) {
        labels.extend(draft.translated(node, "labels"));
    }
    if !labels.is_empty() {
        draft.set("labels", Out::List(labels));
    }
    draft.fixed("resolve_transition", "resolve_transition");
    draft.fixed("reopen_transition", "reopen_transition");
    draft.fixed("reopen_duration", "reopen");
    fields(draft);
    // Cloud or Data Center: the credentials say it.
    draft.take("api_type");
    Some(())
}

fn credentials(draft: &mut Draft<'_>, line: u32) -> Option<()> {
    let http = draft.take("http_config");
    if let Some(basic) = http.and_then(|http| http.get("basic_auth"))
        && let Some(token) = draft.secret_in(basic, "password", "JIRA_API_TOKEN")
    {
        draft.set("email", Out::text(text_at(basic, "username").unwrap_or_default()));
        draft.set("api_token", token);
        return Some(());
    }
    if let Some(authorization) = http.and_then(|http| http.get("authorization"))
        && let Some(token) = draft.secret_in(authorization, "credentials", "JIRA_TOKEN")
    {
        draft.set("token", token);
        return Some(());
    }
    draft.leave(line, "has no credentials in `http_config` (basic_auth or authorization)");
    None
}

/// Custom fields; templates in them are translated wherever they stand.
fn fields(draft: &mut Draft<'_>) {
    let Some(Node { value: Value::Map(entries), .. }) = draft.take("fields") else { return };
    let mut made = Vec::new();
    for (name, node) in entries {
        if holds_template(node) && text_of(node).is_none() {
            draft.leave(node.place.line, &format!("`fields.{}` holds templates in its parts", name.value));
        } else if text_of(node).is_some_and(|text| text.contains("{{")) {
            let text = draft.translated(node, &format!("fields.{}", name.value));
            made.extend(text.map(|text| (name.value.clone(), text)));
        } else {
            made.push((name.value.clone(), copied(node)));
        }
    }
    if !made.is_empty() {
        draft.set("fields", Out::Map(made));
    }
}

fn holds_template(node: &Node) -> bool {
    match &node.value {
        Value::Text(text) => text.contains("{{"),
        Value::List(list) => list.iter().any(holds_template),
        Value::Map(entries) => entries.iter().any(|(_, node)| holds_template(node)),
        _ => false,
    }
}
