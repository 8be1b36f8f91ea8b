//! Webhooks: the body is Alertmanager's here as there.

use url::Url;

use crate::cli::import::draft::Draft;
use crate::cli::import::notes::{keys_of, text_at, text_of};
use crate::cli::import::sheet::Out;
use crate::document::node::Node;

/// A part of a path that is as long may be a token.
const TOKEN_CHARS: usize = 16;

/// `webhook_configs`
pub fn webhook(draft: &mut Draft<'_>) -> Option<()> {
    let url = draft.node.get("url").and_then(text_of).unwrap_or_default();
    if url.contains("{{") {
        draft.leave(draft.node.place.line, "`url` is a template and is fixed here");
        return None;
    }
    if shows_no_secret(&url) {
        draft.take("url");
        draft.set("url", Out::Text(url));
    } else {
        let Some(url) = draft.secret("url", "", "WEBHOOK_URL") else {
            draft.leave(draft.node.place.line, "has no `url`");
            return None;
        };
        draft.set("url", url);
    }
    if let Some(http) = draft.take("http_config") {
        http_config(draft, http);
    }
    draft.drop_setting("max_alerts", "0", "is not carried over: all alerts are sent");
    draft.timeout();
    Some(())
}

/// An address that anybody may read: nothing in it looks like a token.
fn shows_no_secret(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let is_plain = |part: &str| part.len() < TOKEN_CHARS || !part.contains(|c: char| c.is_ascii_digit());
    url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.path_segments().is_none_or(|mut parts| parts.all(is_plain))
}

fn http_config(draft: &mut Draft<'_>, http: &Node) {
    for (key, line) in keys_of(http) {
        let node = http.get(key);
        match (key, node) {
            ("authorization", Some(node)) => {
                let scheme = text_at(node, "type").unwrap_or_else(|| "Bearer".to_owned());
                match draft.secret_in(node, "credentials", "WEBHOOK_TOKEN") {
                    Some(token) if scheme.eq_ignore_ascii_case("bearer") => draft.set("bearer", token),
                    _ => draft.leave(line, &format!("`authorization` of type {scheme} is not carried over")),
                }
            }
            ("bearer_token" | "bearer_token_file", _) => {
                if let Some(token) = draft.secret_in(http, "bearer_token", "WEBHOOK_TOKEN") {
                    draft.set("bearer", token);
                }
            }
            ("basic_auth", Some(node)) => {
                let username = text_at(node, "username").unwrap_or_default();
                if let Some(password) = draft.secret_in(node, "password", "WEBHOOK_PASSWORD") {
                    let basic =
                        vec![("username".to_owned(), Out::Text(username)), ("password".to_owned(), password)];
                    draft.set("basic", Out::Map(basic));
                }
            }
            ("follow_redirects" | "enable_http2", _) => {}
            _ => draft.leave(line, &format!("`http_config.{key}` is not carried over")),
        }
    }
}
