//! Reads what strace wrote: one call of the kernel per line, or two half lines when another thread
//! came between. The number of a line is the clock: strace holds a thread at the beginning and at
//! the end of every call until it has written that down, so what one call caused stands below it.

use std::collections::HashMap;

/// A call of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    /// What the first argument is open on: a path, or `socket:[…]`.
    pub file: String,
    /// All bytes that were given, of all buffers.
    pub bytes: Vec<u8>,
    /// The numbers behind the last buffer: length and offset, for `pwrite64`.
    pub numbers: Vec<u64>,
    /// Whether the kernel said that it was done.
    pub fine: bool,
    /// Line on which it began.
    pub begun: usize,
    /// Line on which it ended.
    pub ended: usize,
}

/// All calls that ended, in the order in which they began. Lines that are no calls (signals, exits)
/// are passed over.
pub fn read(trace: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut open: HashMap<&str, Call> = HashMap::new();
    for (number, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some(mut call) = open.remove(thread) else { continue };
            call.fine = fine(resumed);
            call.ended = number;
            calls.push(call);
        } else if let Some(mut call) = call(rest) {
            call.begun = number;
            call.ended = number;
            if rest.ends_with("<unfinished ...>") {
                open.insert(thread, call);
            } else {
                calls.push(call);
            }
        }
    }
    calls.sort_by_key(|call| call.begun);
    calls
}

/// One line, or its first half.
fn call(line: &str) -> Option<Call> {
    let (name, mut rest) = line.split_once('(')?;
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let file = rest.split_once('<').map_or("", |(_, behind)| behind.split('>').next().unwrap_or(""));
    let mut bytes = Vec::new();
    while let Some((_, behind)) = rest.split_once('"') {
        let length = unescape(behind.as_bytes(), &mut bytes);
        rest = &behind[length..];
    }
    let numbers =
        rest.split([',', ')']).filter_map(|word| word.trim().split(' ').next()?.parse().ok()).collect();
    Some(Call {
        name: name.to_owned(),
        file: file.to_owned(),
        bytes,
        numbers,
        fine: fine(rest),
        begun: 0,
        ended: 0,
    })
}

/// The result behind the last `= `: a number that is not negative.
fn fine(rest: &str) -> bool {
    rest.rsplit_once("= ").is_some_and(|(_, result)| result.starts_with(|first: char| first.is_ascii_digit()))
}

/// Reads an escaped text up to its closing quote; gives how far that was, quote included.
fn unescape(text: &[u8], out: &mut Vec<u8>) -> usize {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => return at + 1,
            b'\\' => {
                let digits =
                    text[at + 1..].iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                if digits > 0 {
                    let octal = |value: u32, digit: &u8| value * 8 + u32::from(digit - b'0');
                    out.push(text[at + 1..=at + digits].iter().fold(0, octal) as u8);
                    at += 1 + digits;
                } else {
                    out.push(match text.get(at + 1) {
                        Some(b'n') => b'\n',
                        Some(b't') => b'\t',
                        Some(b'r') => b'\r',
                        Some(b'v') => 11,
                        Some(b'f') => 12,
                        Some(other) => *other,
                        None => b'\\',
                    });
                    at += 2;
                }
            }
            byte => {
                out.push(byte);
                at += 1;
            }
        }
    }
    text.len()
}
