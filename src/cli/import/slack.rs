//! Slack.

use crate::cli::import::draft::Draft;
use crate::cli::import::notes::{list_of, text_at, text_of};
use crate::cli::import::sheet::Out;
use crate::document::node::{Node, Value};

/// What posts with a bot token, and not by an incoming webhook.
const BOT_URL: &str = "https://slack.com/api/chat.postMessage";

/// `slack_configs`
pub fn slack(draft: &mut Draft<'_>) -> Option<()> {
    let line = draft.node.place.line;
    let is_bot = way(draft, line)?;
    let channel = draft.take("channel");
    match (is_bot, channel) {
        (true, Some(node)) => {
            let text = text_of(node).unwrap_or_default();
            if text.contains("{{") {
                draft.leave(
                    node.place.line,
                    "`channel` is a template and needs a `default_channel` here: #general is put in",
                );
            }
            if let Some(text) = draft.translated(node, "channel") {
                let is_template = matches!(&text, Out::Text(text) if text.contains("{{"));
                draft.set("channel", text);
                if is_template {
                    draft.set("default_channel", Out::text("#general"));
                }
            } else {
                draft.set("channel", Out::text("#general"));
            }
        }
        (true, None) => {
            draft.leave(line, "names no channel: #general is put in");
            draft.set("channel", Out::text("#general"));
        }
        (false, Some(node)) => {
            draft.leave(
                node.place.line,
                "`channel`: an incoming webhook posts to the channel it was made for",
            );
        }
        (false, None) => {}
    }
    for key in ["username", "icon_emoji", "icon_url"] {
        if is_bot {
            draft.fixed(key, key);
        } else if let Some(node) = draft.take(key) {
            draft.leave(node.place.line, &format!("`{key}`: webhooks of an app keep its name and picture"));
        }
    }
    draft.template("title", "header");
    draft.template("text", "text");
    draft.template("footer", "footer");
    color(draft);
    fields(draft);
    for (key, why) in [
        ("fallback", "is not carried over: the text of the notification is made of header and text here"),
        ("title_link", "is not carried over: the message has a button that opens the alert"),
        ("callback_id", "is not carried over: buttons have ids of the relay's own"),
    ] {
        draft.drop_text(key, why);
    }
    draft.drop_setting("link_names", "false", "is not carried over: no label may mention people or channels");
    // How Slack lays out what it shows, which messages of blocks say themselves.
    for key in ["short_fields", "mrkdwn_in", "update_message"] {
        draft.take(key);
    }
    draft.timeout();
    Some(())
}

/// How Slack is reached; whether that is a bot token.
fn way(draft: &mut Draft<'_>, line: u32) -> Option<bool> {
    // What the receiver says itself counts more than what is said for all of them.
    let says = |keys: [&str; 2]| keys.iter().any(|key| text_at(draft.node, key).is_some());
    let has_own_url = says(["api_url", "api_url_file"]) && !says(["app_token", "app_token_file"]);
    if !has_own_url && let Some(token) = draft.secret("app_token", "slack_app_token", "SLACK_BOT_TOKEN") {
        draft.set("bot_token", token);
        draft.take("api_url");
        draft.take("app_url");
        draft.no_http_config();
        return Some(true);
    }
    let url = draft.or_global("api_url", "slack_api_url").and_then(text_of).unwrap_or_default();
    if url == BOT_URL {
        // The usual trick: the web API with a token in a header.
        let http = draft.take("http_config")?;
        let authorization = http.get("authorization")?;
        let token = draft.secret_in(authorization, "credentials", "SLACK_BOT_TOKEN")?;
        draft.take("api_url");
        draft.set("bot_token", token);
        return Some(true);
    }
    draft.no_http_config();
    let Some(url) = draft.secret("api_url", "slack_api_url", "SLACK_WEBHOOK_URL") else {
        draft.leave(line, "has neither `api_url` nor a token");
        return None;
    };
    draft.set("webhook_url", url);
    Some(false)
}

/// `good`, `warning` and `danger` are Slack's own names of colours.
fn color(draft: &mut Draft<'_>) {
    let Some(node) = draft.take("color") else { return };
    let Some(text) = text_of(node) else { return };
    let named = [("\"danger\"", "\"#a30200\""), ("\"good\"", "\"#2eb886\""), ("\"warning\"", "\"#daa038\"")];
    let text = named.iter().fold(text, |text, (name, code)| text.replace(name, code));
    let between = [("}danger{", "}#a30200{"), ("}good{", "}#2eb886{"), ("}warning{", "}#daa038{")];
    let text = between.iter().fold(text, |text, (name, code)| text.replace(name, code));
    let text = match text.as_str() {
        "danger" => "#a30200".to_owned(),
        "good" => "#2eb886".to_owned(),
        "warning" => "#daa038".to_owned(),
        _ => text,
    };
    let node = Node { place: node.place, value: Value::Text(text) };
    if let Some(text) = draft.translated(&node, "color") {
        draft.set("color", text);
    }
}

fn fields(draft: &mut Draft<'_>) {
    let nodes = draft.take("fields");
    let mut made = Vec::new();
    for node in list_of(nodes) {
        let title = text_at(node, "title").unwrap_or_default();
        let value = text_at(node, "value").unwrap_or_default();
        let both = Node { place: node.place, value: Value::Text(format!("*{title}*\n{value}")) };
        made.extend(draft.translated(&both, "fields"));
    }
    if !made.is_empty() {
        draft.set("fields", Out::List(made));
    }
}
