//! What is written to the log and to standard output passes through here: characters that turn the
//! direction of text, end a line for some viewers only, or command a terminal in one byte are
//! written as `\u202e`. Strangers choose the texts of alerts, and people read logs to find out what
//! happened ("Trojan Source", CVE-2021-42574). Control characters below the blank are escaped by the
//! log itself.

use std::io::{self, Write};

/// Writes to the inner writer, without such characters. In a JSON text the escape is JSON's own.
#[derive(Debug)]
pub struct Plain<W>(pub W);

impl<W: Write> Write for Plain<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(text) if text.is_ascii() || !text.contains(is_deceptive) => self.0.write_all(bytes)?,
            Ok(text) => self.0.write_all(escaped(text).as_bytes())?,
            Err(_) => self.0.write_all(escaped(&String::from_utf8_lossy(bytes)).as_bytes())?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_deceptive(c) { out.push_str(&format!("\\u{:04x}", u32::from(c))) } else { out.push(c) }
    }
    out
}

fn is_deceptive(c: char) -> bool {
    matches!(
        c,
        // C1 controls; marks, embeddings, overrides and isolates of direction; separators of lines.
        '\u{80}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deceptive_characters_are_spelled_out_and_scripts_of_the_world_stay() {
        for (text, expected) in [
            ("磁盘 92% full, قرص, דיסק, 💾\n", "磁盘 92% full, قرص, דיסק, 💾\n"),
            ("a\u{202e}b\u{2066}c\u{2028}d\u{9b}31m", "a\\u202eb\\u2066c\\u2028d\\u009b31m"),
            ("\u{1b}[32m INFO\u{1b}[0m ok", "\u{1b}[32m INFO\u{1b}[0m ok"),
        ] {
            let mut out = Vec::new();
            Plain(&mut out).write_all(text.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        let mut out = Vec::new();
        Plain(&mut out).write_all(b"torn \xff\xe2\x80").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "torn \u{fffd}\u{fffd}");
    }
}
