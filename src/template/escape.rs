//! Where a rendered value is going to stand, and what must be done to it so that it stays a value.
//!
//! Applied by the engine to every `{{…}}`. The template's own text is the operator's and is left
//! alone, and so is a value in `{{{…}}}`, by which the operator takes over the responsibility.

use std::borrow::Cow;

/// The language around a rendered value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// Plain text, or a text that a serialiser quotes later.
    None,
    /// Inside the quotes of a JSON string.
    Json,
    /// Slack's mrkdwn: no value can become a mention, a channel or a link.
    Mrkdwn,
    /// XML or TwiML, as element text or in a quoted attribute.
    Xml,
    /// Inside the double quotes of a JQL string.
    Jql,
    /// A part of a URL or of a form.
    Url,
    /// Markdown of chat robots: no value can become a tag, a mention, a link or an image.
    Markdown,
    /// The small Markdown in which texts of tickets are written (`target/desk/prose.rs`).
    Prose,
    /// HTML, as element text or in a quoted attribute. In an `href` it cannot break out, but a
    /// template has to see for itself that it is an address (`match "^https?://" …`).
    Html,
}

impl Escape {
    /// All of them; `ALL[escape as usize]` is `escape`.
    pub const ALL: [Escape; 9] = [
        Escape::None,
        Escape::Json,
        Escape::Mrkdwn,
        Escape::Xml,
        Escape::Jql,
        Escape::Url,
        Escape::Markdown,
        Escape::Prose,
        Escape::Html,
    ];

    /// JSON is written there as it is; elsewhere it is a text like any other.
    pub fn takes_json(self) -> bool {
        matches!(self, Escape::None | Escape::Json)
    }

    /// The value as it has to be written there, when nobody needs it otherwise.
    pub fn apply_to(self, text: Cow<'_, str>) -> Cow<'_, str> {
        let escaped = match text {
            Cow::Borrowed(text) => return self.apply(text),
            Cow::Owned(ref text) => match self.apply(text) {
                Cow::Borrowed(_) => None,
                Cow::Owned(escaped) => Some(escaped),
            },
        };
        escaped.map_or(text, Cow::Owned)
    }

    /// The value as it has to be written there. Borrowed: nothing of it has to change.
    pub fn apply(self, text: &str) -> Cow<'_, str> {
        match self {
            Escape::None => Cow::Borrowed(text),
            Escape::Json => replaced(text, |c| c == '"' || c == '\\' || c.is_ascii_control(), json),
            Escape::Mrkdwn => replaced(text, |c| matches!(c, '&' | '<' | '>'), markup),
            Escape::Xml => replaced(
                text,
                |c| matches!(c, '&' | '<' | '>' | '"' | '\'' | '\u{fffe}' | '\u{ffff}') || is_unprintable(c),
                |c, out| if is_unprintable(c) || c >= '\u{fffe}' { out.push(' ') } else { markup(c, out) },
            ),
            Escape::Jql => replaced(
                text,
                |c| c == '"' || c == '\\' || c.is_control(),
                |c, out| match c {
                    '"' | '\\' => out.extend(['\\', c]),
                    _ => out.push(' '),
                },
            ),
            Escape::Url => {
                let kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
                replaced(text, |c| !kept(c), percent)
            }
            Escape::Markdown => parted(text),
            Escape::Prose => prose(text),
            Escape::Html => replaced(
                text,
                |c| matches!(c, '&' | '<' | '>' | '"' | '\'' | '`') || is_unprintable(c),
                |c, out| match c {
                    // Mail programs that know no HTML 5 do not know `&apos;`.
                    '\'' => out.push_str("&#39;"),
                    '`' => out.push_str("&#96;"),
                    c if is_unprintable(c) => out.push(' '),
                    c => markup(c, out),
                },
            ),
        }
    }
}

/// Control characters that XML 1.0 cannot carry, not even as a reference.
fn is_unprintable(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r')
}

fn replaced(
    text: &str,
    is_special: impl Fn(char) -> bool,
    write: impl Fn(char, &mut String),
) -> Cow<'_, str> {
    let Some(first) = text.find(&is_special) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    for c in text[first..].chars() {
        if is_special(c) { write(c, &mut out) } else { out.push(c) }
    }
    Cow::Owned(out)
}

fn json(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '"' | '\\' => out.extend(['\\', c]),
        _ => out.push_str(&format!("\\u{:04x}", c as u32)),
    }
}

fn markup(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&apos;"),
        _ => out.push(c),
    }
}

/// Parts what Markdown reads as one by a space of no width. Every robot has an escape of its own, if
/// any; what they have in common is that `<`, `![` and `](` do nothing when something stands between.
fn parted(text: &str) -> Cow<'_, str> {
    const SPACE: char = '\u{200b}';
    let opens = |c: char, next: char| match c {
        '<' => next.is_alphabetic() || matches!(next, '@' | '/' | '!' | '?'),
        '!' => next == '[',
        ']' => matches!(next, '(' | '['),
        _ => false,
    };
    if !text.chars().zip(text.chars().skip(1)).any(|(c, next)| opens(c, next)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if chars.peek().is_some_and(|next| opens(c, *next)) {
            out.push(SPACE);
        }
    }
    Cow::Owned(out)
}

/// A backslash before what has a meaning there, and before the end of a line: it stays in the
/// paragraph, the point or the bold stretch around it. Empty lines are left out.
fn prose(text: &str) -> Cow<'_, str> {
    let is_special = |c: char| matches!(c, '\\' | '*' | '`' | '[' | ']' | '(' | ')' | '#' | '-');
    if !text.contains(|c: char| is_special(c) || c.is_control()) {
        return Cow::Borrowed(text);
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut out = String::with_capacity(text.len() + 16);
    for line in lines {
        if !out.is_empty() {
            out.push_str("\\\n");
        }
        for c in line.chars() {
            match c {
                c if is_special(c) => out.extend(['\\', c]),
                c if c.is_control() => out.push(' '),
                c => out.push(c),
            }
        }
    }
    Cow::Owned(out)
}

fn percent(c: char, out: &mut String) {
    let mut bytes = [0; 4];
    for byte in c.encode_utf8(&mut bytes).bytes() {
        out.push_str(&format!("%{byte:02X}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_destination_gets_its_own_spelling() {
        let table = [
            (Escape::None, "<a> \"b\"\n", "<a> \"b\"\n"),
            (Escape::Json, "say \"hi\"\\\n\t\u{1}é", "say \\\"hi\\\"\\\\\\n\\t\\u0001é"),
            (Escape::Mrkdwn, "<!channel> a & b *bold*", "&lt;!channel&gt; a &amp; b *bold*"),
            (Escape::Xml, "</Say><Dial>1</Dial>", "&lt;/Say&gt;&lt;Dial&gt;1&lt;/Dial&gt;"),
            (Escape::Xml, "a\u{0}b\u{8}'\"\n", "a b &apos;&quot;\n"),
            (Escape::Html, "<b onclick='x'>`&\u{0}\n", "&lt;b onclick=&#39;x&#39;&gt;&#96;&amp; \n"),
            (Escape::Jql, "x\" OR project = \"SECRET\n\\", "x\\\" OR project = \\\"SECRET \\\\"),
            (Escape::Url, "a b/c?d=é&e=~", "a%20b%2Fc%3Fd%3D%C3%A9%26e%3D~"),
            (Escape::Markdown, "<at id=all></at> <@all>", "<\u{200b}at id=all><\u{200b}/at> <\u{200b}@all>"),
            (Escape::Markdown, "![x](u) [a][b]", "!\u{200b}[x]\u{200b}(u) [a]\u{200b}[b]"),
            (
                Escape::Markdown,
                "rate(x[5m]) < 3 && y <= 2 [::1]:9100 *",
                "rate(x[5m]) < 3 && y <= 2 [::1]:9100 *",
            ),
            (Escape::Prose, "# **a** [b](c)", "\\# \\*\\*a\\*\\* \\[b\\]\\(c\\)"),
            (Escape::Prose, "one\r\n\n  - two\t<b> \\", "one\\\n\\- two <b> \\\\"),
        ];
        for (escape, text, expected) in table {
            assert_eq!(escape.apply(text), expected, "{escape:?} of {text:?}");
        }
    }

    #[test]
    fn the_list_is_in_order() {
        for escape in Escape::ALL {
            assert_eq!(Escape::ALL[escape as usize], escape);
        }
    }

    proptest! {
        #[test]
        fn a_json_string_gives_back_what_went_in(text in any::<String>()) {
            let quoted = format!("\"{}\"", Escape::Json.apply(&text));
            prop_assert_eq!(serde_json::from_str::<String>(&quoted).ok(), Some(text));
        }
    }
}
