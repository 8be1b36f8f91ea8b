//! Regular expressions as Go reads them (RE2), compiled by the `regex` crate.
//!
//! The two differ in small things that would route alerts elsewhere without a word: `\d`, `\w`, `\s`
//! and `\b` mean ASCII in Go, `[` and `&&` are plain characters inside a class, a `{` that repeats
//! nothing is a plain brace, and `\Q…\E` quotes. They are rewritten here. Not refused, though Go does:
//! `a**`, and more than 1,000 repetitions (the size limit bounds those).

use std::fmt::Write;

use regex::{Regex, RegexBuilder};

/// Largest compiled expression, in bytes.
const SIZE_LIMIT: usize = 4 << 20;

/// Compiles an expression that must cover the whole text. The error is a sentence.
pub fn compile_anchored(pattern: &str) -> Result<Regex, String> {
    let anchored = format!("^(?:{})$", rewrite(pattern));
    RegexBuilder::new(&anchored).size_limit(SIZE_LIMIT).build().map_err(|error| {
        let said = error.to_string();
        // Of a syntax error the last line names the fault; the lines above draw the rewritten text.
        let reason = said.lines().last().unwrap_or_default();
        let reason = reason.trim_start_matches("error: ");
        format!("the regular expression {pattern:?} cannot be read: {reason}")
    })
}

fn rewrite(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let used = match c {
            '\\' => escape(rest, false, &mut out),
            '[' => class(rest, &mut out),
            '{' if !repeats(rest) => {
                out.push_str("\\{");
                1
            }
            c => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[used..];
    }
    out
}

/// Whether `{…}` at the beginning is `{n}`, `{n,}` or `{n,m}`.
fn repeats(text: &str) -> bool {
    let Some((inner, _)) = text[1..].split_once('}') else { return false };
    let (low, high) = inner.split_once(',').unwrap_or((inner, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    !low.is_empty() && digits(low) && digits(high)
}

/// Rewrites one escape sequence; gives how many bytes it took.
fn escape(text: &str, in_class: bool, out: &mut String) -> usize {
    let Some(c) = text[1..].chars().next() else {
        out.push('\\');
        return 1;
    };
    let plain = match c {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        's' => r"[\t\n\x0C\r ]",
        'S' => r"[^\t\n\x0C\r ]",
        'b' if !in_class => r"(?-u:\b)",
        'B' if !in_class => r"(?-u:\B)",
        '<' => "<",
        '>' => ">",
        'Q' if !in_class => return quoted(text, out),
        'p' | 'P' | 'x' if text[2..].starts_with('{') => return braced(text, c, out),
        '0'..='7' => return octal(text, out),
        c => {
            out.extend(['\\', c]);
            return 1 + c.len_utf8();
        }
    };
    out.push_str(plain);
    2
}

/// `\Q…\E`, or to the end.
fn quoted(text: &str, out: &mut String) -> usize {
    let body = &text[2..];
    let inner = body.split_once("\\E").map_or(body, |(inner, _)| inner);
    out.push_str(&regex::escape(inner));
    (inner.len() + 4).min(text.len())
}

/// `\p{Greek}`, `\p{^Greek}`, `\x{10FFFF}`.
fn braced(text: &str, kind: char, out: &mut String) -> usize {
    let end = text.find('}').map_or(text.len(), |at| at + 1);
    match (kind, text[..end].strip_prefix("\\p{^"), text[..end].strip_prefix("\\P{^")) {
        (_, Some(name), _) => out.extend(["\\P{", name]),
        (_, _, Some(name)) => out.extend(["\\p{", name]),
        _ => out.push_str(&text[..end]),
    }
    end
}

/// `\123`, `\012`: Go reads octal, up to three digits; a single `\1` is a fault, as in Go.
fn octal(text: &str, out: &mut String) -> usize {
    let digits = text[1..].bytes().take(3).take_while(|b| matches!(b, b'0'..=b'7')).count();
    let code = u32::from_str_radix(&text[1..=digits], 8).unwrap_or_default();
    if digits == 1 && code > 0 {
        out.push_str(&text[..2]);
    } else {
        let _ = write!(out, "\\x{{{code:x}}}");
    }
    1 + digits
}

/// Rewrites `[…]`; gives how many bytes it took. Left open, it stays open: the compiler will say so.
fn class(text: &str, out: &mut String) -> usize {
    out.push('[');
    let mut rest = &text[1..];
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    let mut first = true;
    while !rest.is_empty() && (first || !rest.starts_with(']')) {
        rest = &rest[class_item(rest, out)..];
        first = false;
    }
    if rest.is_empty() {
        return text.len();
    }
    out.push(']');
    text.len() - rest.len() + 1
}

/// One member of a class: a named set, an escaped set, a character or a range.
fn class_item(text: &str, out: &mut String) -> usize {
    if text.starts_with("[:")
        && let Some(end) = text.find(":]")
    {
        out.push_str(&text[..end + 2]);
        return end + 2;
    }
    let is_set = text.starts_with('\\') && text[1..].starts_with(['d', 'D', 'w', 'W', 's', 'S', 'p', 'P']);
    let mut used = class_character(text, out);
    let rest = &text[used..];
    if !is_set && rest.starts_with('-') && rest.len() > 1 && !rest.starts_with("-]") {
        out.push('-');
        used += 1 + class_character(&rest[1..], out);
    }
    used
}

fn class_character(text: &str, out: &mut String) -> usize {
    let Some(c) = text.chars().next() else { return 0 };
    match c {
        '\\' => return escape(text, true, out),
        '[' | ']' | '-' | '&' | '~' | '^' => out.extend(['\\', c]),
        c => out.push(c),
    }
    c.len_utf8()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_what_go_means() {
        // (expression, texts it covers, texts it does not)
        let table: &[(&str, &[&str], &[&str])] = &[
            (r"\d+", &["42"], &["٤٢", ""]),
            (r"\w+", &["db_1"], &["é"]),
            (r"[\w-]+", &["db-1"], &["é", "+"]),
            (r"a\sb", &["a b"], &["a\u{a0}b", "a\u{b}b"]),
            (r"é\b.*", &[], &["é x"]),
            (r".*\Bx", &["ax", "éxx"], &["x"]),
            ("[a[b]+", &["a[b"], &["]"]),
            ("[a&&b]+", &["a&b"], &["c"]),
            ("[+--]+", &["+,-"], &["."]),
            ("[a~~b]", &["~"], &["~~"]),
            ("[]a-]+", &["]a-"], &["b"]),
            ("[^]a]", &["b"], &["]", "a"]),
            (r"[\d-z]+", &["1-z"], &["a"]),
            ("[[:alpha:]_]+", &["a_b"], &["1", "é"]),
            ("a{,2}", &["a{,2}"], &["aa"]),
            ("a{2}b{1,}c{0,1}", &["aab", "aabbc"], &["ab"]),
            ("{x}", &["{x}"], &["x"]),
            (r"\Qa.b\E.", &["a.bc"], &["axbc"]),
            (r"\Qa.b", &["a.b"], &["axb"]),
            (r"\<a\>", &["<a>"], &["a"]),
            (r"\p{Greek}\p{^Greek}\P{^Greek}", &["αaβ"], &["aαβ"]),
            (r"\pL[\pN]", &["é1"], &["1é"]),
            (r"\x41\x{1F642}\102", &["A🙂B"], &[]),
            (r"\.\-\_\/", &[".-_/"], &[]),
            ("(?i)critical", &["CRITICAL"], &[]),
            ("(?s).*", &["a\nb"], &[]),
            (".*", &["", "ab"], &["a\nb"]),
            ("a|b", &["a", "b"], &["ab", "a\n"]),
        ];
        for (pattern, covered, not) in table {
            let regex = compile_anchored(pattern).unwrap();
            covered.iter().for_each(|text| assert!(regex.is_match(text), "{pattern} covers {text:?}"));
            not.iter().for_each(|text| assert!(!regex.is_match(text), "{pattern} does not cover {text:?}"));
        }
    }

    #[test]
    fn says_what_is_wrong_in_one_line() {
        for (pattern, reason) in [
            ("a[b", "unclosed character class"),
            ("(a", "unclosed group"),
            ("*", "repetition operator missing expression"),
            (r"\1", "backreferences are not supported"),
            (r"(?=a)", "look-around, including look-ahead and look-behind, is not supported"),
            (r"(\pL{1000}){1000}", "size limit"),
        ] {
            let said = compile_anchored(pattern).unwrap_err();
            assert!(said.contains(reason) && !said.contains('\n'), "{said}");
        }
    }
}
