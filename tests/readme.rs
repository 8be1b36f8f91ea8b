//! README.md is held to its word: its tables are those of the code, and every file that it names
//! is there. `UPDATE_GOLDEN=1` writes the tables anew.
#![expect(clippy::disallowed_methods, reason = "UPDATE_GOLDEN is asked of the environment")]
#![allow(clippy::unwrap_used, reason = "a test may fall over")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use alert_relay::source::SOURCES;
use alert_relay::target::KINDS;

const BEGIN: &str = "<!-- tables: made from the code, kept true by tests/readme.rs -->\n";
const END: &str = "<!-- end of tables -->";

fn tables() -> String {
    let (sources, targets) = (SOURCES.len() + 1, KINDS.len());
    let mut text = format!(
        "<details><summary>{sources} kinds of sources, {targets} kinds of targets</summary>\n\n\
         | source kind | who posts |\n|---|---|\n"
    );
    for row in SOURCES {
        writeln!(text, "| `{}` | {} |", row.name, row.about).unwrap();
    }
    text.push_str("| `json` | anything that posts JSON: you say by path where things stand |\n");
    text.push_str("\n| target kind | what it does |\n|---|---|\n");
    for kind in KINDS {
        writeln!(text, "| `{}` | {} |", kind.name, kind.about).unwrap();
    }
    text.push_str("\n</details>\n");
    text
}

#[test]
fn the_tables_are_those_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    if std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1") {
        fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", tables())).unwrap();
        return;
    }
    assert_eq!(shown, tables(), "run this test with UPDATE_GOLDEN=1");
}

#[test]
fn every_file_that_is_named_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let looks_like_a_file = |word: &&str| {
        let starts = ["src/", "tests/", "benches/", "docs/", "./"];
        starts.iter().any(|start| word.starts_with(start)) || word.ends_with(".md") || word.ends_with(".yaml")
    };
    for page in ["README.md", "README.zh-CN.md", "docs/promises.md"] {
        let text = fs::read_to_string(root.join(page)).unwrap();
        let words =
            text.split(|c: char| c.is_whitespace() || "`@,;:()、,。".contains(c)).filter(looks_like_a_file);
        // The others are what the first command makes and what everybody calls their own.
        let missing: Vec<&str> = words
            .filter(|word| {
                !["./data", "relay.yaml"].contains(word) && !root.join(word.trim_end_matches('.')).exists()
            })
            .collect();
        assert_eq!(missing, Vec::<&str>::new(), "{page}");
    }
}
