//! A case on disk: a folder with `payload.*`, perhaps `case.yaml`, and `expected.txt`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;

use crate::document::node::At;
use crate::document::parse::parse;
use crate::document::read::read;
use crate::domain::problem::Problem;

/// The file of a case that says what is expected.
pub const EXPECTED: &str = "expected.txt";
/// The file of a case that says how the payload comes in.
const ABOUT: &str = "case.yaml";
/// What the name of a payload begins with.
const PAYLOAD: &str = "payload";

/// What is to be tried.
#[derive(Debug)]
pub struct Case {
    /// The body of the call.
    pub payload: PathBuf,
    /// Name of the source that it comes to; `None`: there should be one only.
    pub source: Option<String>,
    /// What is taken for now, so that a case comes out alike on every day; `None` where it does not
    /// say.
    pub at: Option<Timestamp>,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
}

/// `case.yaml`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct About {
    source: Option<String>,
    at: Option<At<String>>,
    headers: BTreeMap<String, String>,
}

/// The folders of cases in `folder`, by name.
///
/// # Errors
/// A sentence when there is none, or none can be looked for.
pub fn cases(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let name = folder.display();
    let entries = std::fs::read_dir(folder).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("{name} does not exist; name the folder that holds the cases"),
        io::ErrorKind::NotADirectory => format!("{name} is a file; name the folder that holds the cases"),
        _ => format!("{name} cannot be read: {error}"),
    })?;
    let mut folders: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    folders.retain(|folder| !folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
    folders.sort();
    if folders.is_empty() {
        let how = "make a folder for each case, with a payload.json in it";
        return Err(match payload(folder) {
            Ok(_) => format!("{name} is itself a case; name the folder around it"),
            Err(_) => format!("{name} holds no case; {how}, and run with --update"),
        });
    }
    Ok(folders)
}

impl Case {
    /// Reads what a folder says of its case.
    ///
    /// # Errors
    /// One sentence with the cure.
    pub fn read(folder: &Path) -> Result<Case, String> {
        let payload = payload(folder)?;
        let about = about(&folder.join(ABOUT))?;
        let at = match &about.at {
            None => None,
            Some(at) => Some(at.value.parse().map_err(|_| {
                let line = at.place.line;
                format!("{ABOUT}:{line}: `at` is no time; write it as in 2026-01-05T12:00:00Z")
            })?),
        };
        let headers = about.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
        Ok(Case { payload, source: about.source, at, headers: headers.collect() })
    }
}

/// Adds the time to what a folder says of its case.
///
/// # Errors
/// One sentence.
pub fn remember(folder: &Path, at: Timestamp) -> Result<(), String> {
    let file = folder.join(ABOUT);
    let written = match std::fs::read_to_string(&file) {
        Ok(text) if text.is_empty() || text.ends_with('\n') => text,
        Ok(text) => text + "\n",
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(format!("{ABOUT} cannot be read: {error}")),
    };
    let text = format!("{written}at: {at}\n");
    std::fs::write(&file, text).map_err(|error| format!("{ABOUT} cannot be written: {error}"))
}

fn payload(folder: &Path) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("it cannot be read: {error}"))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file() && path.file_stem().is_some_and(|stem| stem == PAYLOAD))
        .collect();
    found.sort();
    match found.len() {
        0 => Err("it has no payload; put the body of the call there, as payload.json".to_owned()),
        1 => Ok(found.remove(0)),
        _ => Err("it has several payloads; make a case of each".to_owned()),
    }
}

fn about(file: &Path) -> Result<About, String> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) if text.trim().is_empty() => return Ok(About::default()),
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(About::default()),
        Err(error) => return Err(format!("{ABOUT} cannot be read: {error}")),
    };
    let told = |problems: &[Problem]| {
        let told: Vec<String> = problems.iter().map(|problem| format!("{ABOUT}:{problem}")).collect();
        told.join("; ")
    };
    let node = parse(&text).map_err(|problem| told(&[problem]))?;
    let read = read::<About>(&node, "");
    match read.value {
        Some(about) if read.problems.is_empty() => Ok(about),
        _ => Err(told(&read.problems)),
    }
}
