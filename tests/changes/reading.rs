//! What is read of the bodies in `cases/<dialect>/<case>/`: `body.json`, perhaps `headers.txt`, and
//! `expected.json` beside them. `UPDATE_GOLDEN=1` rewrites what is expected.

use std::fs;
use std::path::{Path, PathBuf};

use alert_relay::source::change::read;
use jiff::Timestamp;
use serde_json::{Value, json};

fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn headers(case: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(case.join("headers.txt")).unwrap_or_default();
    let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.lines().map(|line| pair(line).unwrap()).collect()
}

fn shown(case: &Path) -> Value {
    let now = Timestamp::from_second(1_785_553_200).unwrap();
    match read(&headers(case), &fs::read(case.join("body.json")).unwrap(), now) {
        Ok(None) => Value::Null,
        Err(why) => json!({ "refused": why }),
        Ok(Some(change)) => json!({
            "id": change.id,
            "kind": change.sort.as_str(),
            "service": change.service,
            "environment": change.environment,
            "title": change.title,
            "who": change.who,
            "link": change.link,
            "at": change.at.to_string(),
        }),
    }
}

#[test]
fn every_body_in_the_folders_is_read_as_expected() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for case in folders(Path::new("tests/changes/cases")).iter().flat_map(|dialect| folders(dialect)) {
        count += 1;
        let got = serde_json::to_string_pretty(&shown(&case)).unwrap() + "\n";
        let file = case.join("expected.json");
        if std::env::var("UPDATE_GOLDEN").is_ok() {
            fs::write(&file, &got).unwrap();
        }
        if fs::read_to_string(&file).unwrap_or_default() != got {
            wrong.push(format!("{} should not be\n{got}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 25, "only {count} cases found");
}
