//! Which channel a message goes to: a fixed one, or one that a template names by labels.
//!
//! What a template gives is tidied into something that can be a channel at all, so that alert text
//! cannot address a person; where nothing is left, the default channel takes the message.

use crate::template::library::{Fault, Template};

/// Longest name of a channel, in characters.
const NAME_CHARS: usize = 80;
/// Shortest id. They have 9 to 11 characters today; Slack promises nothing.
const ID_CHARS: usize = 8;

/// The channel of a target.
#[derive(Debug)]
pub enum Channels {
    /// The same for every message.
    Fixed(String),
    /// Named by a template; `otherwise` where that gives none.
    Chosen {
        /// Names the channel.
        template: Template,
        /// `default_channel`.
        otherwise: String,
    },
}

impl Channels {
    /// The channel of a message, and why it is perhaps not the right one. `render` is called only
    /// when a template chooses.
    pub fn choose(&self, render: impl FnOnce(&Template) -> Result<String, Fault>) -> (String, Option<Fault>) {
        let (template, otherwise) = match self {
            Channels::Fixed(channel) => return (channel.clone(), None),
            Channels::Chosen { template, otherwise } => (template, otherwise),
        };
        match render(template) {
            Ok(text) => match tidied(&text) {
                Some(channel) => (channel, None),
                None if text.trim().trim_matches('#').is_empty() => (otherwise.clone(), None),
                None => {
                    let what = "what it gives can be no channel, `default_channel` is used";
                    (otherwise.clone(), Some(template.fault(what)))
                }
            },
            Err(fault) => (otherwise.clone(), Some(fault)),
        }
    }

    /// Where a message goes when Slack does not know, or does not open, the chosen channel.
    pub fn otherwise(&self) -> Option<&str> {
        match self {
            Channels::Fixed(_) => None,
            Channels::Chosen { otherwise, .. } => Some(otherwise),
        }
    }
}

/// A channel that the operator wrote: `#name`, `name` or an id (also of a person: a direct message).
/// `None` when it is none.
pub fn written(text: &str) -> Option<String> {
    let text = text.trim();
    if is_id(text, "CGDUW") {
        return Some(text.to_owned());
    }
    let name = text.strip_prefix('#').unwrap_or(text);
    let fits = !name.is_empty() && name.chars().count() <= NAME_CHARS;
    (fits && name.chars().all(|c| is_name(c) && !c.is_uppercase())).then(|| format!("#{name}"))
}

/// A channel out of a rendered text: `Team A` becomes `#team-a`.
fn tidied(text: &str) -> Option<String> {
    let text = text.trim();
    if is_id(text, "CG") {
        return Some(text.to_owned());
    }
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split(|c| !is_name(c)).filter(|word| !word.is_empty()).collect();
    let name: String = words.join("-").chars().take(NAME_CHARS).collect();
    (!name.is_empty()).then(|| format!("#{name}"))
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '_'
}

fn is_id(text: &str, kinds: &str) -> bool {
    let is_kind = text.starts_with(|c| kinds.contains(c));
    is_kind && text.len() >= ID_CHARS && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_writes_is_taken_as_it_is_or_refused() {
        for (text, expected) in [
            ("#ops", Some("#ops")),
            (" ops-2_x ", Some("#ops-2_x")),
            ("#运维", Some("#运维")),
            ("C024BE91L", Some("C024BE91L")),
            ("U024BE7LH", Some("U024BE7LH")),
            ("#Ops", None),
            ("", None),
            ("#", None),
            ("@alice", None),
            ("two words", None),
        ] {
            assert_eq!(written(text).as_deref(), expected, "{text:?}");
        }
        assert_eq!(written(&"x".repeat(81)), None);
    }

    #[test]
    fn what_a_template_gives_can_only_be_a_channel() {
        for (text, expected) in [
            ("#alerts-Team A & B", Some("#alerts-team-a-b")),
            ("C024BE91L", Some("C024BE91L")),
            ("U024BE7LH", Some("#u024be7lh")),
            ("@alice", Some("#alice")),
            ("<!channel>", Some("#channel")),
            ("#", None),
            ("  ", None),
            ("!?", None),
        ] {
            assert_eq!(tidied(text).as_deref(), expected, "{text:?}");
        }
    }
}
