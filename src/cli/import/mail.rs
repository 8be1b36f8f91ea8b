//! Mail.

use crate::cli::import::draft::Draft;
use crate::cli::import::notes::text_of;
use crate::cli::import::pagers::outside_of_braces;
use crate::cli::import::sheet::Out;
use crate::document::node::{Node, Value};

/// `email_configs`
pub fn email(draft: &mut Draft<'_>) -> Option<()> {
    let line = draft.node.place.line;
    let smarthost = draft.or_global("smarthost", "smtp_smarthost").and_then(text_of);
    let Some(smarthost) = smarthost else {
        draft.leave(line, "names no `smarthost`, and global no `smtp_smarthost`");
        return None;
    };
    let from = draft.or_global("from", "smtp_from");
    let Some(from) = from.and_then(|node| draft.fixed_text(node, "from")) else {
        draft.leave(line, "names no fixed `from`");
        return None;
    };
    let to = draft.take("to").and_then(|node| draft.fixed_text(node, "to")).unwrap_or_default();
    let to: Vec<Out> = outside_of_braces(&to).iter().map(|to| Out::text(to.trim())).collect();
    if to.is_empty() {
        draft.leave(line, "names nobody in `to`");
        return None;
    }
    let implicit = draft.or_global("force_implicit_tls", "smtp_force_implicit_tls").and_then(text_of);
    let is_tls = implicit.map_or(smarthost.ends_with(":465"), |text| text == "true");
    draft.set("smtp", Out::text(format!("{}://{smarthost}", if is_tls { "smtps" } else { "smtp" })));
    let required = draft.or_global("require_tls", "smtp_require_tls").and_then(text_of);
    if !is_tls && required.is_some_and(|text| text == "false") {
        draft.set("starttls", Out::text("opportunistic"));
    }
    for (key, global, to) in
        [("hello", "smtp_hello", "hello"), ("auth_username", "smtp_auth_username", "username")]
    {
        if let Some(text) = draft.or_global(key, global).and_then(|node| draft.fixed_text(node, key)) {
            draft.set(to, Out::Text(text));
        }
    }
    if draft.has("username") {
        if let Some(password) = draft.secret("auth_password", "smtp_auth_password", "SMTP_PASSWORD") {
            draft.set("password", password);
        } else {
            let node = Node { place: draft.node.place, value: Value::Text("smtp password".to_owned()) };
            let password = draft.new_secret(&node, "SMTP_PASSWORD", "password of the mail server");
            draft.set("password", password);
        }
    }
    draft.set("from", Out::Text(from));
    draft.set("to", Out::List(to));
    headers(draft);
    draft.template("text", "text");
    draft.template("html", "html");
    if draft.node.get("html").and_then(text_of).is_some_and(|html| html.is_empty()) {
        draft.set("text_only", Out::Bare("true".to_owned()));
    }
    // Mails about one problem are one conversation here, whatever is said.
    draft.take("threading");
    Some(())
}

fn headers(draft: &mut Draft<'_>) {
    let Some(Node { value: Value::Map(entries), .. }) = draft.take("headers") else { return };
    for (name, node) in entries {
        match name.value.to_ascii_lowercase().as_str() {
            "subject" => {
                if let Some(text) = draft.translated(node, "headers.Subject") {
                    draft.set("subject", text);
                }
            }
            "reply-to" => {
                if let Some(text) = draft.fixed_text(node, "headers.Reply-To") {
                    draft.set("reply_to", Out::Text(text));
                }
            }
            "to" | "from" => {}
            _ => draft.leave(node.place.line, &format!("the header `{}` is not carried over", name.value)),
        }
    }
}
