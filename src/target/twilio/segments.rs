//! Text messages are paid by the part: how many a text needs, and cutting it to so many.
//!
//! In the alphabet of GSM 03.38 one part holds 160 characters (153 when there are several), a few
//! characters count twice; any other character makes the whole text UCS-2, 70 and 67 UTF-16 units.

use unicode_segmentation::UnicodeSegmentation as _;

use crate::template::text::cut;

/// Twilio takes no longer body.
const UNITS_MAX: usize = 1600;

const GSM: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ\
                   ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// These take an escape before them.
const GSM_TWICE: &str = "\u{c}^{}\\[~]|€";

/// Typographic signs, and what says the same for less than half the price.
const PLAIN: [(char, &str); 12] = [
    ('‘', "'"),
    ('’', "'"),
    ('“', "\""),
    ('”', "\""),
    ('–', "-"),
    ('—', "-"),
    ('−', "-"),
    ('…', "..."),
    ('\u{a0}', " "),
    ('\u{202f}', " "),
    ('\t', " "),
    ('•', "-"),
];

/// Whether the text needs no cut.
pub fn fits(text: &str, segments_max: usize) -> bool {
    is_within(&plain(text.trim()), segments_max)
}

/// The text, shortened until it needs at most so many parts.
pub fn fitted(text: &str, segments_max: usize) -> String {
    let text = plain(text.trim());
    if is_within(&text, segments_max) {
        return text;
    }
    let text = cut(&text, UNITS_MAX);
    let ends: Vec<usize> = text.grapheme_indices(true).map(|(at, _)| at).collect();
    let shortened = ends.iter().rev().map(|end| {
        let kept = text[..*end].trim_end();
        let dots = if kept.chars().all(|c| gsm_units(c).is_some()) { "..." } else { "…" };
        format!("{kept}{dots}")
    });
    shortened.into_iter().find(|text| is_within(text, segments_max)).unwrap_or_default()
}

fn is_within(text: &str, segments_max: usize) -> bool {
    text.encode_utf16().count() <= UNITS_MAX && segments(text) <= segments_max
}

/// How many parts Twilio will send and charge.
pub fn segments(text: &str) -> usize {
    let gsm: Option<Vec<usize>> = text.chars().map(gsm_units).collect();
    match gsm {
        Some(units) => parts(&units, 160, 153),
        None => parts(&text.chars().map(char::len_utf16).collect::<Vec<_>>(), 70, 67),
    }
}

/// No character is spread over two parts.
fn parts(units: &[usize], alone: usize, several: usize) -> usize {
    if units.iter().sum::<usize>() <= alone {
        return 1;
    }
    let (mut count, mut used) = (1, 0);
    for units in units {
        if used + units > several {
            (count, used) = (count + 1, 0);
        }
        used += units;
    }
    count
}

fn gsm_units(c: char) -> Option<usize> {
    match () {
        () if GSM.contains(c) => Some(1),
        () if GSM_TWICE.contains(c) => Some(2),
        () => None,
    }
}

/// With plain signs in place of typographic ones, if nothing else keeps the text from GSM.
fn plain(text: &str) -> String {
    let replaced = |c: char| PLAIN.iter().find(|(from, _)| *from == c).map(|(_, to)| *to);
    let can_be = text.chars().all(|c| gsm_units(c).is_some() || replaced(c).is_some());
    if !can_be {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match replaced(c) {
            Some(to) => out.push_str(to),
            None => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_are_counted_as_they_are_charged() {
        let table = [
            (String::new(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            // 76 in a part, since none may be spread over two.
            ("€".repeat(153), 3),
            ("磁".repeat(70), 1),
            ("磁".repeat(71), 2),
            ("磁".repeat(134), 2),
            ("磁".repeat(135), 3),
            ("😀".repeat(35), 1),
            ("😀".repeat(36), 2),
            ("😀".repeat(67), 3),
        ];
        for (text, expected) in table {
            let shown: String = text.chars().take(3).collect();
            assert_eq!(segments(&text), expected, "{} times {shown:?}", text.chars().count());
        }
    }

    #[test]
    fn a_text_is_cut_where_it_becomes_dearer() {
        assert_eq!(fitted("disk “full” – now…", 1), "disk \"full\" - now...");
        assert_eq!(fitted("磁盘 “满”", 1), "磁盘 “满”");
        assert_eq!(fitted(&"a".repeat(161), 1), format!("{}...", "a".repeat(157)));
        assert_eq!(fitted(&"磁".repeat(71), 1), format!("{}…", "磁".repeat(69)));
        // What needs the wide alphabet may be behind the cut.
        assert_eq!(fitted(&format!("{}磁", "a".repeat(160)), 1), format!("{}...", "a".repeat(157)));
        assert_eq!(fitted(&"a".repeat(2000), 10).len(), 1530);
    }

    proptest! {
        #[test]
        fn never_more_parts_than_paid_for(text in "\\PC{0,300}", most in 1_usize..4) {
            let kept = fitted(&text, most);
            prop_assert!(segments(&kept) <= most, "{kept:?}");
        }
    }
}
