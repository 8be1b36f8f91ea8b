//! Holds each answer that said "accepted" against the write-ahead log of the store: by the time its
//! first byte went to the socket, the page with the event and the frame that commits it must have
//! been written, and a sync that began after both must have ended well. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::trace::Call;

/// What a trace shows.
#[derive(Debug, Default)]
pub struct Finding {
    /// Answers that said "accepted".
    pub answers: usize,
    /// Transactions committed to the log.
    pub commits: usize,
    /// Syncs of the log.
    pub syncs: usize,
    /// Broken promises, one sentence each.
    pub problems: Vec<String>,
}

/// Bytes of a frame's header in SQLite's write-ahead log; pages follow as writes of their own.
const FRAME_HEADER: usize = 24;

/// An id as the store keeps it.
pub type Uid = [u8; 16];

/// A write to the log.
struct Frame<'a> {
    call: &'a Call,
    /// Whether the page ends a transaction.
    commits: bool,
}

/// Judges the calls of one run.
pub fn judge(calls: &[Call]) -> Finding {
    let log = |call: &&Call| call.file.ends_with("-wal");
    let syncs: Vec<&Call> = calls
        .iter()
        .filter(log)
        .filter(|call| matches!(call.name.as_str(), "fsync" | "fdatasync") && call.fine)
        .collect();
    let pages = pages(calls.iter().filter(log).filter(|call| call.name == "pwrite64"));
    let mut finding = Finding {
        syncs: syncs.len(),
        commits: pages.iter().filter(|page| page.commits).count(),
        ..Finding::default()
    };
    let answers: Vec<(&Call, String)> = answers(calls).collect();
    let carriers = carriers(&pages, answers.iter().filter_map(|(_, id)| uid(id)).collect());
    for (answer, id) in answers {
        finding.answers += 1;
        if let Err(why) = kept(&pages, &carriers, &syncs, answer, &id) {
            finding.problems.push(format!("{id}, answered on line {}: {why}", answer.begun + 1));
        }
    }
    finding
}

/// Whether the event was safe before the answer began.
fn kept(
    pages: &[Frame<'_>],
    carriers: &BTreeMap<Uid, usize>,
    syncs: &[&Call],
    answer: &Call,
    id: &str,
) -> Result<(), String> {
    let uid = uid(id).ok_or("this is no id")?;
    let first = carriers.get(&uid).ok_or("its event was never written to the log")?;
    let first = &pages[*first];
    let (begun, written) = (first.call.begun, first.call.ended);
    let commit = pages.iter().find(|page| page.commits && page.call.ended >= written);
    let commit = commit.ok_or("the transaction of its event was never committed")?;
    let until = commit.call.ended.max(written);
    let sync = syncs.iter().find(|sync| sync.begun > until);
    let sync = sync.ok_or_else(|| format!("its event, committed on line {}, was never synced", until + 1))?;
    if !first.call.fine || !commit.call.fine {
        return Err(format!("a write of it failed, line {}", begun + 1));
    }
    if sync.ended >= answer.begun {
        return Err(format!("the sync that keeps its event ended on line {} only", sync.ended + 1));
    }
    Ok(())
}

/// The first page that carries each id. Every page is gone through once, whatever the number of ids.
fn carriers(pages: &[Frame<'_>], wanted: BTreeSet<Uid>) -> BTreeMap<Uid, usize> {
    let beginnings: BTreeSet<u8> = wanted.iter().map(|uid| uid[2]).collect();
    let mut carriers = BTreeMap::new();
    for (number, page) in pages.iter().enumerate() {
        for (at, byte) in page.call.bytes.iter().enumerate().skip(2) {
            let part = || Uid::try_from(page.call.bytes.get(at - 2..at + 14)?).ok();
            if beginnings.contains(byte)
                && let Some(uid) = part()
                && wanted.contains(&uid)
            {
                carriers.entry(uid).or_insert(number);
            }
        }
    }
    carriers
}

/// Pages in order; the header of a frame stands 24 bytes before its page.
fn pages<'a>(writes: impl Iterator<Item = &'a Call>) -> Vec<Frame<'a>> {
    let mut commits_at: BTreeMap<u64, bool> = BTreeMap::new();
    let mut pages = Vec::new();
    for call in writes {
        let offset = call.numbers.last().copied().unwrap_or(0);
        if call.bytes.len() == FRAME_HEADER {
            let size_after = &call.bytes[4..8];
            commits_at.insert(offset + FRAME_HEADER as u64, size_after.iter().any(|byte| *byte != 0));
        } else if let Some(commits) = commits_at.remove(&offset) {
            pages.push(Frame { call, commits });
        }
    }
    pages
}

/// Writes to sockets that say "accepted", each with the id that it names.
fn answers(calls: &[Call]) -> impl Iterator<Item = (&Call, String)> {
    calls.iter().filter(|call| call.file.starts_with("socket:")).filter_map(|call| {
        let text = String::from_utf8_lossy(&call.bytes);
        let said = text.contains("HTTP/1.1 200") && text.contains("\"accepted\":");
        let id = text.split_once("\"id\":\"")?.1.split('"').next()?.to_owned();
        said.then_some((call, id))
    })
}

/// The sixteen bytes of an id, as the store keeps them.
pub fn uid(id: &str) -> Option<Uid> {
    let hex: String = id.chars().filter(|c| *c != '-').collect();
    let bytes: Option<Vec<u8>> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect();
    bytes?.try_into().ok()
}
