//! A source tree as plain text, and what can be read off it without a compiler: code without its
//! comments and strings, the modules that are there, the paths that a file imports. Macros that
//! build paths are not understood; the house has none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

/// Where a path from the crate's root or from `super` begins.
static HEAD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(crate|alert_relay|(?:super::)*super)::(\{|[a-z_][a-z_0-9]*)").unwrap());
/// A piece of a path or of a group.
static TOKEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?:\s*)(::|\{|\}|,|[A-Za-z_][A-Za-z_0-9]*|\*)").unwrap());
/// Comments, strings and character literals.
static NO_CODE: LazyLock<Regex> = LazyLock::new(|| {
    let comment = r"//[^\n]*|/\*.*?\*/";
    let raw = r###"\bb?r"[^"]*"|\bb?r#".*?"#|\bb?r##".*?"##"###;
    let text = r#""(?:\\.|[^"\\])*"|'(?:\\.[^']*|[^'\\\n])'"#;
    Regex::new(&format!("(?s){comment}|{raw}|{text}")).unwrap()
});

/// Paths relative to the root, with `/`, and their texts (empty for what is not Rust).
pub struct Tree {
    pub files: BTreeMap<String, String>,
}

impl Tree {
    /// What lies under the folders of the house.
    pub fn from_disk(root: &str) -> Tree {
        let mut tree = Tree { files: BTreeMap::new() };
        for folder in ["src", "tests", "benches", "examples", "templates"] {
            tree.read_folder(Path::new(root), Path::new(folder));
        }
        tree
    }

    fn read_folder(&mut self, root: &Path, folder: &Path) {
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else { return };
        for entry in entries.map(|entry| entry.unwrap()) {
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                self.read_folder(root, &path);
                continue;
            }
            let rust = path.extension().is_some_and(|end| end == "rs");
            let text = if rust { std::fs::read_to_string(entry.path()).unwrap() } else { String::new() };
            self.files.insert(path.to_str().unwrap().to_owned(), text);
        }
    }

    /// A tree for a test of the rules.
    pub fn made_up(files: &[(&str, &str)]) -> Tree {
        Tree { files: files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect() }
    }

    /// The same with one file more or other.
    pub fn put(mut self, path: &str, text: &str) -> Tree {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }

    /// The same without one file.
    pub fn without(mut self, path: &str) -> Tree {
        assert!(self.files.remove(path).is_some(), "{path} was not there");
        self
    }

    /// Every Rust file.
    pub fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        let rust = self.files.iter().filter(|(path, _)| path.ends_with(".rs"));
        rust.map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Module paths under `src/`: `["target", "pagerduty"]`, `["main"]`; the crate root is `[]`.
    pub fn modules(&self) -> BTreeSet<Vec<String>> {
        self.rust().filter_map(|(path, _)| module_of(path)).collect()
    }

    /// Whether any file lies in `folder`.
    pub fn has_folder(&self, folder: &str) -> bool {
        let inside = format!("{folder}/");
        self.files.keys().any(|path| path.starts_with(&inside))
    }
}

/// The module that a file under `src/` is; `None` outside.
pub fn module_of(path: &str) -> Option<Vec<String>> {
    let inner = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod") || parts == ["lib"] {
        parts.pop();
    }
    Some(parts)
}

/// A path that a file names: absolute from the crate root.
#[derive(Debug)]
pub struct Import {
    pub line: usize,
    pub path: Vec<String>,
    /// Written in the file's own test module.
    pub in_tests: bool,
}

/// Every `crate::…` and `super::…` path of a file's code, groups in braces unfolded.
pub fn imports(module: &[String], text: &str) -> Vec<Import> {
    let code = code_only(text);
    let tests_from = code.find("#[cfg(test)]").unwrap_or(code.len());
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(hit) = HEAD.captures_at(&code, at) {
        let (start, rest) = (hit.get(1).unwrap(), hit.get(2).unwrap());
        at = rest.end();
        let in_tests = start.start() >= tests_from;
        let ups = start.as_str().matches("super").count();
        // In a test module `super` is the file itself; that is no import.
        let ups = if in_tests { ups.saturating_sub(1) } else { ups };
        let base: Vec<String> = match start.as_str() {
            "crate" | "alert_relay" => Vec::new(),
            _ if in_tests && ups == 0 => continue,
            _ => module[..module.len().saturating_sub(ups)].to_vec(),
        };
        let line = 1 + code[..start.start()].matches('\n').count();
        for tail in unfold(&code[rest.start()..]) {
            let path = base.iter().cloned().chain(tail).collect();
            found.push(Import { line, path, in_tests });
        }
    }
    found
}

/// `a::{b, c::{self, D}}` to `[a, b]`, `[a, c, self]`, `[a, c, D]`.
fn unfold(text: &str) -> Vec<Vec<String>> {
    let mut stack: Vec<Vec<String>> = vec![Vec::new()];
    let (mut current, mut found) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(hit) = TOKEN.captures(rest) {
        let word = &hit[1];
        match word {
            "::" => {}
            "{" => stack.push(std::mem::take(&mut current)),
            "," | "}" => {
                if stack.len() == 1 {
                    break;
                }
                if !current.is_empty() {
                    found.push(stack.iter().flatten().cloned().chain(current.drain(..)).collect());
                }
                if word == "}" {
                    stack.pop();
                }
            }
            _ => current.push(word.to_owned()),
        }
        rest = &rest[hit[0].len()..];
        let done = word != "::" && stack.len() == 1 && !rest.trim_start().starts_with("::");
        if done {
            break;
        }
    }
    if !current.is_empty() {
        found.push(current);
    }
    found
}

/// The text with comments, strings and character literals blanked; lines stay where they are.
pub fn code_only(text: &str) -> String {
    let blank = |hit: &regex::Captures<'_>| -> String {
        hit[0].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect()
    };
    NO_CODE.replace_all(text, blank).into_owned()
}
