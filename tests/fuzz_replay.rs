//! What is fuzzed, on the stable toolchain and in every run of CI: each seed in `fuzz/seeds/` and
//! seeded mutations of it go through the entries of `fuzz/entries.rs`. No coverage guides it; what
//! cargo-fuzz finds is put there as a seed and stays mended. `FUZZ_MUTATIONS` makes it longer,
//! `FUZZ_SEED` other.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fall over")]
#![expect(clippy::disallowed_methods, reason = "tests live in the real world: clock and environment")]

#[path = "support/vendor/dice.rs"]
#[allow(dead_code, reason = "shared with the scripted vendor")]
mod dice;
#[path = "../fuzz/entries.rs"]
mod entries;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dice::Dice;
use entries::{ENTRIES, Entry};

/// One input may take this long. Far above what the slowest reader needs in a debug build on a busy
/// machine, far below what a blow-up takes.
const PATIENCE: Duration = Duration::from_secs(10);
/// Mutations grow no longer than this.
const BYTES_MAX: usize = 16 * 1024;
/// Bits of syntax that readers care about.
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    ":",
    ",",
    "{{",
    "}}",
    "{{#each alerts}}",
    "{{/each}}",
    "null",
    "true",
    "-1",
    "1e999",
    "18446744073709551616",
    "=~",
    "!=",
    "(",
    ")*",
    "${",
    "${file:",
    "&a ",
    "*a",
    "<<: ",
    "- ",
    "\n",
    "\n  ",
    "\t",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "v1,",
    "sha256=",
    "---",
];

#[test]
fn no_seed_and_no_mutation_of_one_makes_a_reader_panic_or_hang() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (mutations, seed) = (number("FUZZ_MUTATIONS", 1000), number("FUZZ_SEED", 20_260_103));
    for entry in ENTRIES {
        let seeds = seeds(entry.name);
        for (path, bytes) in &seeds {
            feed(entry, bytes, &path.display().to_string());
        }
        let mut dice = Dice::new(seed);
        for round in 0..mutations {
            let mutant = mutant(&seeds, &mut dice);
            feed(entry, &mutant, &format!("FUZZ_SEED={seed} round {round}"));
        }
    }
}

/// Runs one input; says which it was if it is a bad one, and leaves it in a file.
fn feed(entry: &Entry, bytes: &[u8], which: &str) {
    let began = Instant::now();
    let ended = std::panic::catch_unwind(|| (entry.run)(bytes));
    let took = began.elapsed();
    if ended.is_err() || took > PATIENCE {
        let kept = std::env::temp_dir().join(format!("alert-relay-fuzz-{}", entry.name));
        std::fs::write(&kept, bytes).unwrap();
        panic!(
            "{}, {which}: {} after {took:?}; the input is {}",
            entry.name,
            if ended.is_err() { "panicked" } else { "blew up" },
            kept.display()
        );
    }
}

fn seeds(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut seeds: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    seeds.sort();
    assert!(seeds.len() >= 5, "{name} has hardly any seeds");
    seeds.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// One seed with one to six changes, now and then crossed with another.
fn mutant(seeds: &[(PathBuf, Vec<u8>)], dice: &mut Dice) -> Vec<u8> {
    let pick = |dice: &mut Dice| &seeds[dice.between(0, seeds.len() as u64) as usize].1;
    let mut bytes = pick(dice).clone();
    for _ in 0..dice.between(1, 7) {
        let length = bytes.len() as u64;
        let at = dice.between(0, length + 1) as usize;
        let until = (at + dice.between(0, 1 + length / 4) as usize).min(bytes.len());
        match dice.between(0, 8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.between(0, 8),
            1 if at < bytes.len() => bytes[at] = dice.between(0, 256) as u8,
            2 => drop(bytes.drain(at..until)),
            3 => bytes.truncate(at),
            4 => {
                let again = bytes[at..until].repeat(dice.between(1, 40) as usize);
                bytes.splice(at..at, again);
            }
            5 => {
                let other = pick(dice);
                let from = dice.between(0, other.len() as u64 + 1) as usize;
                bytes.splice(at..until, other[from..].iter().copied());
            }
            _ => {
                let word = WORDS[dice.between(0, WORDS.len() as u64) as usize];
                let times = if dice.between(0, 12) == 0 { dice.between(1, 2000) } else { 1 };
                bytes.splice(at..at, word.repeat(times as usize).into_bytes());
            }
        }
        bytes.truncate(BYTES_MAX);
    }
    bytes
}

#[test]
fn every_entry_has_its_target_and_its_row_in_the_manifest() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let entries: BTreeSet<String> = ENTRIES.iter().map(|entry| entry.name.to_owned()).collect();
    let files = std::fs::read_dir(root.join("fuzz_targets")).unwrap();
    let targets: BTreeSet<String> =
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(entries, targets);
    for name in &entries {
        let target = std::fs::read_to_string(root.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("feed(\"{name}\"")), "{name}.rs feeds another entry");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in fuzz/Cargo.toml");
    }
}

#[test]
fn the_net_catches_a_reader_that_panics() {
    let bad = Entry { name: "bad", run: |bytes| assert!(!bytes.contains(&b'{'), "as planned") };
    let caught = std::panic::catch_unwind(|| feed(&bad, b"a { b", "made up"));
    let why = *caught.unwrap_err().downcast::<String>().unwrap();
    assert!(why.contains("bad, made up: panicked"), "{why}");
    feed(&bad, b"no brace", "made up");
}
