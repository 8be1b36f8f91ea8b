//! YAML as a person would write it: blocks, short lists on one line, texts in quotes only where they
//! need them. What is a reference to a secret is written as it is; in all other texts `${` is
//! escaped, so that nothing is put in where the original had plain text.

use std::fmt::Write as _;

/// A value to be written.
#[derive(Debug, Clone, PartialEq)]
pub enum Out {
    /// A text.
    Text(String),
    /// A text that holds references such as `${NAME}`.
    Reference(String),
    /// A number, `true` or `false`.
    Bare(String),
    List(Vec<Out>),
    Map(Vec<(String, Out)>),
}

impl Out {
    /// A text.
    pub fn text(text: impl Into<String>) -> Out {
        Out::Text(text.into())
    }

    fn is_scalar(&self) -> bool {
        !matches!(self, Out::List(_) | Out::Map(_))
    }
}

/// Widest list that stands on one line.
const LINE_CHARS: usize = 90;

/// Writes the entries of a map, moved in by `depth` steps.
pub fn write_map(out: &mut String, entries: &[(String, Out)], depth: usize) {
    for (key, value) in entries {
        let _ = write!(out, "{}{}:", "  ".repeat(depth), scalar(key));
        value_behind(out, value, depth);
    }
}

/// Writes the elements of a list, moved in by `depth` steps.
pub fn write_list(out: &mut String, elements: &[Out], depth: usize) {
    for element in elements {
        let pad = "  ".repeat(depth);
        match element {
            Out::Map(entries) if !entries.is_empty() => {
                let mut block = String::new();
                write_map(&mut block, entries, depth + 1);
                let block = block.trim_start();
                let _ = write!(out, "{pad}- {block}");
            }
            other => {
                let _ = write!(out, "{pad}-");
                value_behind(out, other, depth);
            }
        }
    }
}

/// Writes a value behind `key:` or `-`, with the end of the line.
fn value_behind(out: &mut String, value: &Out, depth: usize) {
    match value {
        Out::Map(entries) if entries.is_empty() => out.push_str(" {}\n"),
        Out::Map(entries) => {
            out.push('\n');
            write_map(out, entries, depth + 1);
        }
        Out::List(elements) if elements.iter().all(Out::is_scalar) => {
            let line: Vec<String> = elements.iter().map(flat).collect();
            let line = format!("[{}]", line.join(", "));
            if line.chars().count() <= LINE_CHARS {
                let _ = writeln!(out, " {line}");
            } else {
                out.push('\n');
                write_list(out, elements, depth + 1);
            }
        }
        Out::List(elements) => {
            out.push('\n');
            write_list(out, elements, depth + 1);
        }
        Out::Text(text) if fits_a_block(text) => {
            let text = escaped(text);
            let (mark, body) = match text.strip_suffix('\n') {
                Some(body) => ("|", body.to_owned()),
                None => ("|-", text),
            };
            let _ = writeln!(out, " {mark}");
            for line in body.split('\n') {
                let pad = if line.is_empty() { String::new() } else { "  ".repeat(depth + 1) };
                let _ = writeln!(out, "{pad}{line}");
            }
        }
        other => {
            let _ = writeln!(out, " {}", flat(other));
        }
    }
}

/// A scalar on one line.
fn flat(value: &Out) -> String {
    match value {
        Out::Text(text) => scalar(&escaped(text)),
        Out::Reference(text) => serde_json::Value::from(text.as_str()).to_string(),
        Out::Bare(text) => text.clone(),
        Out::List(_) | Out::Map(_) => String::new(),
    }
}

fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}

/// Several lines, none of which YAML would read otherwise in a block.
fn fits_a_block(text: &str) -> bool {
    let odd =
        |c: char| c.is_control() && c != '\n' || matches!(c, '\u{2028}' | '\u{2029}' | '\u{85}' | '\u{feff}');
    let body = text.strip_suffix('\n').unwrap_or(text);
    let fits = !text.contains(odd) && !body.ends_with('\n') && !body.starts_with([' ', '\n']);
    body.contains('\n') && fits && body.lines().all(|line| !line.ends_with(' '))
}

/// Without quotes where nothing can be read into it.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./@+".contains(c);
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') && text.chars().all(plain);
    let lower = text.to_ascii_lowercase();
    let means_more = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&lower.as_str());
    if is_word && !means_more {
        return text.to_owned();
    }
    let has_quote = text.contains('\'');
    let is_printable = text.chars().all(|c| (' '..='~').contains(&c) || c.is_alphanumeric());
    match (text.contains(['"', '\\']), is_printable && !has_quote) {
        (true, true) => format!("'{text}'"),
        _ => quoted(text),
    }
}

/// In double quotes, as JSON has it; what YAML wants escaped besides is escaped in JSON's way.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::node::Value;
    use crate::document::parse::parse;

    fn read(value: &Value) -> Out {
        match value {
            Value::Text(text) | Value::Number(text) => Out::text(text.replace("$${", "${")),
            Value::Bool(value) => Out::text(value.to_string()),
            Value::Null => Out::text(""),
            Value::List(list) => Out::List(list.iter().map(|node| read(&node.value)).collect()),
            Value::Map(map) => {
                Out::Map(map.iter().map(|(key, node)| (key.value.clone(), read(&node.value))).collect())
            }
        }
    }

    #[test]
    fn what_is_written_reads_back_as_the_same() {
        let texts = [
            "",
            "plain",
            "two words",
            "a: b",
            "- a",
            "# no",
            "it's",
            "say \"it\"",
            "both ' and \"",
            "yes",
            "12",
            "007",
            "back\\slash",
            "a\nb",
            "a\nb\n",
            "a\n\n  b",
            " a\nb",
            "a \nb",
            "tab\there",
            "${NOT_A_REFERENCE}",
            "中文",
            "{{ x }}",
            "[a]",
            "*a",
            "&a",
            "%a",
            "~",
            "a\r\nb",
            "\u{feff}a",
            "a #b",
            "a:",
            ":a",
            "@a",
            "`a`",
            "!a",
            "{{#if a}}\n  b\n{{/if}}",
            "\n",
            "a\n\n",
            "null",
            "1e3",
            "0x10",
            "é",
            "\u{7f}",
        ];
        let texts = || texts.iter().map(|text| Out::text(*text)).collect::<Vec<_>>();
        let nested =
            Out::Map(vec![("k e y".to_owned(), Out::List(texts())), ("empty".to_owned(), Out::Map(vec![]))]);
        let list =
            Out::List(texts().into_iter().map(|text| Out::Map(vec![("text".to_owned(), text)])).collect());
        let whole = vec![("list".to_owned(), list), ("nested".to_owned(), nested)];
        let mut written = String::new();
        write_map(&mut written, &whole, 0);
        let back = read(&parse(&written).unwrap().value);
        let Out::Map(back) = back else { panic!("{written}") };
        // An empty map reads back as one.
        assert_eq!(back, whole, "{written}");
    }
}
