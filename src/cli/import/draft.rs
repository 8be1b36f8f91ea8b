//! A target in the making: takes the keys of an integration one after the other. Whatever nobody
//! took is noted in the end, so that nothing is lost in silence.

use std::collections::BTreeSet;

use crate::cli::import::go::{Defines, handlebars};
use crate::cli::import::notes::{Notes, keys_of, text_at, text_of};
use crate::cli::import::sheet::Out;
use crate::document::node::Node;

/// An integration and what becomes of it.
pub struct Draft<'a> {
    /// The integration as it was written.
    pub node: &'a Node,
    global: Option<&'a Node>,
    /// Name of its receiver.
    pub receiver: &'a str,
    kind: &'static str,
    defines: &'a Defines,
    notes: &'a mut Notes,
    common: Vec<(String, Out)>,
    settings: Vec<(String, Out)>,
    taken: BTreeSet<String>,
}

impl<'a> Draft<'a> {
    /// With nothing taken yet.
    pub fn new(
        node: &'a Node,
        global: Option<&'a Node>,
        receiver: &'a str,
        kind: &'static str,
        defines: &'a Defines,
        notes: &'a mut Notes,
    ) -> Draft<'a> {
        let mut draft = Draft {
            node,
            global,
            receiver,
            kind,
            defines,
            notes,
            common: Vec::new(),
            settings: Vec::new(),
            taken: BTreeSet::new(),
        };
        // Said where it is not what the relay does anyway. Mail and Slack are not told of the end by default.
        let told = draft.take("send_resolved").and_then(text_of);
        let usual = !matches!(kind, "email" | "slack");
        if !told.map_or(usual, |told| told == "true") {
            draft.common.push(("send_resolved".to_owned(), Out::Bare("false".to_owned())));
        }
        draft
    }

    /// The value of a key, which is dealt with then.
    pub fn take(&mut self, key: &str) -> Option<&'a Node> {
        self.taken.insert(key.to_owned());
        self.node.get(key)
    }

    /// The value of a key here, or else of one in `global`.
    pub fn or_global(&mut self, key: &str, global: &str) -> Option<&'a Node> {
        let says = |node: &&Node| text_of(node).is_some_and(|text| !text.is_empty());
        let own = self.take(key).filter(says);
        own.or_else(|| self.global?.get(global).filter(says))
    }

    /// Notes something about this integration.
    pub fn leave(&mut self, line: u32, what: &str) {
        self.notes.leave(line, format!("receiver {}: {} {what}", self.receiver, self.kind));
    }

    /// A setting.
    pub fn set(&mut self, key: &str, value: Out) {
        self.settings.push((key.to_owned(), value));
    }

    /// A key that every target may have.
    pub fn set_common(&mut self, key: &str, value: Out) {
        self.common.push((key.to_owned(), value));
    }

    /// Whether a setting is there.
    pub fn has(&self, key: &str) -> bool {
        self.settings.iter().any(|(have, _)| have == key)
    }

    /// A template; what cannot be translated is noted and left to the relay's own wording.
    pub fn template(&mut self, from: &str, to: &str) {
        if let Some(node) = self.take(from)
            && let Some(text) = self.translated(node, from)
        {
            self.set(to, text);
        }
    }

    /// A text that has no counterpart here: noted when it is the operator's own.
    pub fn drop_text(&mut self, key: &str, why: &str) {
        let Some(node) = self.take(key) else { return };
        let text = text_of(node).filter(|text| !text.is_empty());
        if text.is_some_and(|text| handlebars(&text, self.defines) != Ok(None)) {
            self.leave(node.place.line, &format!("`{key}` {why}"));
        }
    }

    /// A setting that has no counterpart here: noted when it is not what it is by default.
    pub fn drop_setting(&mut self, key: &str, default: &str, why: &str) {
        let Some(node) = self.take(key) else { return };
        if text_of(node).is_some_and(|text| text != default) {
            self.leave(node.place.line, &format!("`{key}` {why}"));
        }
    }

    /// The text of a node, translated; `None` where ours takes its place, or where nothing is said.
    pub fn translated(&mut self, node: &Node, key: &str) -> Option<Out> {
        let text = text_of(node).filter(|text| !text.is_empty())?;
        match handlebars(&text, self.defines) {
            Ok(text) => text.map(Out::Text),
            Err(why) => {
                self.leave(node.place.line, &format!("`{key}` {why}"));
                None
            }
        }
    }

    /// A text that may hold no template here.
    pub fn fixed(&mut self, from: &str, to: &str) {
        let Some(node) = self.take(from) else { return };
        if let Some(text) = self.fixed_text(node, from) {
            self.set(to, Out::Text(text));
        }
    }

    /// The text of a node that may hold no template here.
    pub fn fixed_text(&mut self, node: &Node, key: &str) -> Option<String> {
        let text = text_of(node).filter(|text| !text.is_empty())?;
        if text.contains("{{") {
            self.leave(node.place.line, &format!("`{key}` holds a template and is fixed here"));
            return None;
        }
        Some(text)
    }

    /// A secret, from here or from `global`: inline, or the file that `<key>_file` names.
    pub fn secret(&mut self, key: &str, global: &str, name: &str) -> Option<Out> {
        let (key_file, global_file) = (format!("{key}_file"), format!("{global}_file"));
        let own = self.take(key).filter(|node| text_of(node).is_some_and(|text| !text.is_empty()));
        let own_file = self.take(&key_file);
        let whose = format!("{} of receiver {}", key.replace('_', " "), self.receiver);
        if let Some(node) = own {
            return Some(self.notes.secret(node, &self.named(name), &whose));
        }
        if let Some(node) = own_file {
            return Some(self.notes.file(node));
        }
        let global_node = self.global?;
        if let Some(node) = global_node.get(global) {
            return Some(self.notes.secret(node, name, &format!("{global} of global")));
        }
        global_node.get(&global_file).map(|node| self.notes.file(node))
    }

    /// A secret within `node`, here only.
    pub fn secret_in(&mut self, node: &Node, key: &str, name: &str) -> Option<Out> {
        if let Some(secret) = node.get(key) {
            let whose = format!("{} of receiver {}", key.replace('_', " "), self.receiver);
            return Some(self.notes.secret(secret, &self.named(name), &whose));
        }
        node.get(&format!("{key}_file")).map(|file| self.notes.file(file))
    }

    /// A secret that the original did not have.
    pub fn new_secret(&mut self, node: &Node, name: &str, what: &str) -> Out {
        let name = self.named(name);
        self.notes.secret(node, &name, what)
    }

    fn named(&self, name: &str) -> String {
        format!("{}_{name}", self.receiver)
    }

    /// `http_config`, of which the kind takes nothing more.
    pub fn no_http_config(&mut self) {
        if let Some(node) = self.take("http_config") {
            let keys: Vec<&str> = keys_of(node).into_iter().map(|(key, _)| key).collect();
            let keys = keys.join(", ");
            self.leave(node.place.line, &format!("`http_config` ({keys}) is not carried over"));
        }
    }

    /// The timeout of a call.
    pub fn timeout(&mut self) {
        if let Some(node) = self.take("timeout")
            && let Some(text) = text_of(node).filter(|text| !text.starts_with('0'))
        {
            self.set_common("timeout", Out::Text(text));
        }
    }

    /// Its name, and the target.
    pub fn finish(mut self, names: &mut Vec<String>) -> (String, Out) {
        for (key, line) in keys_of(self.node) {
            if !self.taken.contains(key) && text_at(self.node, key).is_none_or(|text| text != "false") {
                self.leave(line, &format!("`{key}` is not carried over"));
            }
        }
        let name = name_for(self.receiver, self.kind, names);
        names.push(name.clone());
        let mut entries = vec![("name".to_owned(), Out::text(name.clone()))];
        entries.append(&mut self.common);
        entries.push((self.kind.to_owned(), Out::Map(self.settings)));
        (name, Out::Map(entries))
    }
}

/// `<receiver>-<kind>`, in letters that fit a path, with a number where it is taken.
fn name_for(receiver: &str, kind: &str, names: &[String]) -> String {
    let plain: String = receiver
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .collect();
    let plain = plain.trim_matches('-').to_lowercase();
    let base = match plain.as_str() {
        "" => kind.to_owned(),
        plain if plain.contains(kind) => plain.to_owned(),
        plain => format!("{plain}-{kind}"),
    };
    let all = std::iter::once(base.clone()).chain((2..).map(|number| format!("{base}-{number}")));
    all.into_iter().find(|name| !names.contains(name)).unwrap_or(base)
}
