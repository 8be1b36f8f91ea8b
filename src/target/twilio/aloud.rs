//! Texts as they are to be heard: an address or a long number digit by digit.
//!
//! Takes a text, gives one that a voice reads so that it can be written down. A voice reads `9100` as
//! nine thousand one hundred and swallows the dots of `10.0.0.7`. What is short (`92 %`, `12:30`), a
//! number with commas and a date (`2026-03-02`) are left alone.

use crate::template::library::Language;

/// So many digits in a row are spelt. Three are understood as a number.
const SPELT: usize = 4;

/// The text, with addresses, ports and numbers of four digits and more spelt out.
pub fn aloud(text: &str, language: Language) -> String {
    let (dot, port) = match language {
        Language::En => (" dot ", " port "),
        Language::Zh => (" 点 ", " 端口 "),
    };
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() * 2);
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        if !c.is_ascii_digit() {
            out.push(c);
            at += 1;
            continue;
        }
        let (mut end, groups) = run(&chars, at);
        let is_address = groups.len() == 4 && groups.iter().all(|group| group.len() <= 3);
        if is_address {
            set_off(&mut out);
            out.push_str(&groups.iter().map(|group| spelt(group)).collect::<Vec<_>>().join(dot));
            let number = digits(&chars, end + 1);
            if chars.get(end) == Some(&':') && !number.is_empty() {
                out.push_str(&format!("{port}{}", spelt(number)));
                end += 1 + number.len();
            }
        } else {
            let number = digits(&chars, at);
            end = at + number.len();
            if number.len() < SPELT || begins_date(&chars, end) {
                out.extend(number);
                at = end;
                continue;
            }
            if out.strip_suffix(':').is_some_and(|before| before.ends_with(char::is_alphanumeric)) {
                out.pop();
                out.push_str(port);
            }
            set_off(&mut out);
            out.push_str(&spelt(number));
        }
        if chars.get(end).is_some_and(|next| next.is_alphabetic()) {
            out.push(' ');
        }
        at = end;
    }
    out
}

/// Where digits and the dots between them end, and the digits between the dots.
fn run(chars: &[char], begin: usize) -> (usize, Vec<&[char]>) {
    let mut groups = vec![digits(chars, begin)];
    let mut end = begin + groups[0].len();
    while chars.get(end) == Some(&'.') && chars.get(end + 1).is_some_and(char::is_ascii_digit) {
        let group = digits(chars, end + 1);
        end += 1 + group.len();
        groups.push(group);
    }
    (end, groups)
}

/// The digits from a place on.
fn digits(chars: &[char], begin: usize) -> &[char] {
    let rest = chars.get(begin..).unwrap_or_default();
    let count = rest.iter().take_while(|c| c.is_ascii_digit()).count();
    &rest[..count]
}

/// `-03-` follows.
fn begins_date(chars: &[char], end: usize) -> bool {
    let month = digits(chars, end + 1);
    chars.get(end) == Some(&'-') && month.len() == 2 && chars.get(end + 3) == Some(&'-')
}

fn spelt(digits: &[char]) -> String {
    digits.iter().map(char::to_string).collect::<Vec<_>>().join(" ")
}

/// What is spelt does not stick to a word before it.
fn set_off(out: &mut String) {
    if out.ends_with(char::is_alphabetic) {
        out.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_and_long_numbers_are_spelt() {
        for (text, expected) in [
            ("10.0.0.7 is down", "1 0 dot 0 dot 0 dot 7 is down"),
            ("on 192.168.10.1:443.", "on 1 9 2 dot 1 6 8 dot 1 0 dot 1 port 4 4 3."),
            ("db-1.example.com:9100", "db-1.example.com port 9 1 0 0"),
            ("port 9100", "port 9 1 0 0"),
            ("node1234ms", "node 1 2 3 4 ms"),
            ("code 50301", "code 5 0 3 0 1"),
            ("1234.5 requests", "1 2 3 4.5 requests"),
            ("is 92 % full since 01:04 UTC, 97.5", "is 92 % full since 01:04 UTC, 97.5"),
            ("version 1.2.3, 1,234,567 rows", "version 1.2.3, 1,234,567 rows"),
            ("since 2026-03-02", "since 2026-03-02"),
            ("503", "503"),
            ("", ""),
        ] {
            assert_eq!(aloud(text, Language::En), expected);
        }
        assert_eq!(aloud("磁盘10.0.0.7:9100满", Language::Zh), "磁盘 1 0 点 0 点 0 点 7 端口 9 1 0 0 满");
    }

    proptest! {
        #[test]
        fn no_digit_is_lost(text in "[0-9.: a-z磁-]{0,40}") {
            let kept = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
            prop_assert_eq!(kept(&aloud(&text, Language::En)), kept(&text));
        }
    }
}
