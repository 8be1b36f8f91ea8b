//! Cutting a text to what a vendor takes.
//!
//! Takes a text and a limit in characters, gives a text that fits. Vendors count Unicode scalar
//! values; the cut falls between grapheme clusters, so that no emoji or accent is torn apart.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation as _;

/// Closes a text that was cut.
pub const ELLIPSIS: char = '…';

/// The text if it has at most `chars_max` characters, else its beginning with an ellipsis; the
/// ellipsis counts.
pub fn cut(text: &str, chars_max: usize) -> Cow<'_, str> {
    // A text never has more characters than bytes: most texts are done here.
    if text.len() <= chars_max || text.chars().nth(chars_max).is_none() {
        return Cow::Borrowed(text);
    }
    let Some(mut left) = chars_max.checked_sub(1) else { return Cow::Borrowed("") };
    let mut end = 0;
    for grapheme in text.graphemes(true) {
        let chars = grapheme.chars().count();
        if chars > left {
            break;
        }
        left -= chars;
        end += grapheme.len();
    }
    let mut kept = String::with_capacity(end + ELLIPSIS.len_utf8());
    kept.push_str(&text[..end]);
    kept.push(ELLIPSIS);
    Cow::Owned(kept)
}

/// The same of a text that nobody needs otherwise.
pub fn cut_to(text: Cow<'_, str>, chars_max: usize) -> Cow<'_, str> {
    let kept = match text {
        Cow::Borrowed(text) => return cut(text, chars_max),
        Cow::Owned(ref text) => match cut(text, chars_max) {
            Cow::Borrowed(kept) if kept.len() == text.len() => None,
            kept => Some(kept.into_owned()),
        },
    };
    kept.map_or(text, Cow::Owned)
}

/// The same for vendors that count bytes of UTF-8.
pub fn cut_bytes(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return Cow::Borrowed(text);
    }
    let Some(left) = bytes_max.checked_sub(ELLIPSIS.len_utf8()) else { return Cow::Borrowed("") };
    let ends = text.grapheme_indices(true).map(|(start, grapheme)| start + grapheme.len());
    let end = ends.take_while(|end| *end <= left).last().unwrap_or(0);
    Cow::Owned(format!("{}{ELLIPSIS}", &text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cut_text_fits_and_tears_nothing() {
        let table = [
            ("disk full", 9, "disk full"),
            ("disk full", 8, "disk fu…"),
            ("磁盘空间不足", 6, "磁盘空间不足"),
            ("磁盘空间不足", 4, "磁盘空…"),
            ("ok 👩‍👩‍👧‍👦 ok", 8, "ok …"),
            ("cafe\u{301}s", 5, "caf…"),
            ("🇩🇪🇫🇷", 3, "🇩🇪…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
            ("", 0, ""),
        ];
        for (text, chars_max, expected) in table {
            assert_eq!(cut(text, chars_max), expected, "{text:?} cut to {chars_max}");
        }
    }

    #[test]
    fn bytes_are_counted_where_a_vendor_counts_them() {
        let table = [
            ("disk full", 9, "disk full"),
            ("disk full", 8, "disk …"),
            ("磁盘空间", 12, "磁盘空间"),
            ("磁盘空间", 11, "磁盘…"),
            ("e\u{301}e\u{301}", 5, "…"),
            ("abcd", 3, "…"),
            ("abcd", 2, ""),
        ];
        for (text, bytes_max, expected) in table {
            assert_eq!(cut_bytes(text, bytes_max), expected, "{text:?} cut to {bytes_max}");
        }
    }

    proptest! {
        #[test]
        fn never_longer_than_asked(text in "\\PC{0,40}", chars_max in 0_usize..50) {
            let kept = cut(&text, chars_max);
            prop_assert!(kept.chars().count() <= chars_max);
            prop_assert!(kept == text || text.starts_with(kept.trim_end_matches(ELLIPSIS)));
        }
    }
}
