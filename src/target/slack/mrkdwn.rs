//! Slack's mrkdwn, kept within the limits of a block. A cut never falls inside an escape (`&lt;`) or
//! a link (`<https://…|name>`), whose half would show as rubbish or swallow what follows.

use std::borrow::Cow;

use crate::template::text::{ELLIPSIS, cut};

/// No escape is longer than `&quot;`; further back none is looked for.
const ESCAPE_BYTES: usize = 6;

/// The text if it has at most `chars_max` characters, else its beginning with an ellipsis.
pub fn fitted(text: &str, chars_max: usize) -> Cow<'_, str> {
    match cut(text, chars_max) {
        Cow::Borrowed(whole) => Cow::Borrowed(whole),
        Cow::Owned(shorter) => {
            let kept = whole(shorter.strip_suffix(ELLIPSIS).unwrap_or(&shorter));
            Cow::Owned(format!("{kept}{ELLIPSIS}"))
        }
    }
}

/// The text in at most `parts_max` parts of at most `chars_max` characters, broken between lines
/// where it can be. What is left after the last part is cut off with an ellipsis.
pub fn parted(text: &str, chars_max: usize, parts_max: usize) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() && parts.len() < parts_max {
        let end = rest.char_indices().nth(chars_max).map_or(rest.len(), |(end, _)| end);
        if end == rest.len() || parts.len() + 1 == parts_max {
            parts.push(fitted(rest, chars_max).into_owned());
            break;
        }
        let line = rest[..end].rfind('\n').filter(|line| *line > 0);
        let seam = line.unwrap_or_else(|| whole(&rest[..end]).len());
        let (part, after) = rest.split_at(if seam == 0 { end } else { seam });
        parts.push(part.trim_end().to_owned());
        rest = after.trim_start_matches('\n');
    }
    parts
}

/// The text without the half of an escape or of a link at its end.
fn whole(text: &str) -> &str {
    let mut kept = text;
    if let Some(open) = kept.rfind('<').filter(|open| !kept[*open..].contains('>')) {
        kept = &kept[..open];
    }
    match kept.rfind('&') {
        Some(open) if kept.len() - open <= ESCAPE_BYTES && !kept[open..].contains(';') => &kept[..open],
        _ => kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_leaves_no_half_of_an_escape_or_a_link() {
        let table = [
            ("a &lt; b", 8, "a &lt; b"),
            ("a &lt; b", 7, "a &lt;…"),
            ("a &lt; b", 6, "a …"),
            ("a &lt; b", 4, "a …"),
            ("see <https://x.example|the page> now", 20, "see …"),
            ("see <https://x.example|the page> now", 34, "see <https://x.example|the page> …"),
            ("磁盘空间不足", 4, "磁盘空…"),
            ("R&D goes on and on", 10, "R&D goes …"),
        ];
        for (text, chars_max, expected) in table {
            assert_eq!(fitted(text, chars_max), expected, "{text:?} cut to {chars_max}");
        }
    }

    #[test]
    fn a_long_text_is_parted_between_its_lines() {
        assert_eq!(parted("one\ntwo\nthree", 8, 3), ["one\ntwo", "three"]);
        assert_eq!(parted("one\ntwo\nthree", 8, 1), ["one\ntwo…"]);
        assert_eq!(parted("one\ntwo\nthree\nfour", 6, 2), ["one", "two\nt…"]);
        assert_eq!(parted("a &lt; line\nmore", 5, 5), ["a", "&lt;", "line", "more"]);
        assert_eq!(parted("  \n ", 10, 3), Vec::<String>::new());
    }
}
