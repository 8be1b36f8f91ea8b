//! What the house forbids, one function a rule. Each takes a tree as text and gives sentences that
//! name the place; none knows the disk, so `floors.rs` can try them on made-up trees. The length of
//! functions is clippy's business.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use crate::reading::{Import, Tree, code_only, imports, module_of};

/// Longest file, tests included.
const MAX_LINES: usize = 400;
/// Names that say nothing.
const BANNED: &[&str] =
    &["util", "utils", "common", "manager", "managers", "handler", "handlers", "helper", "helpers"];
/// The one exception: handlebars' own word.
const ALLOWED: &[&str] = &["src/template/helpers.rs", "src/template/helpers/"];

type Rule = fn(&Tree, &[&[&str]]) -> Vec<String>;

/// Everything that is wrong, in the order of the rules.
pub fn problems(tree: &Tree, floors: &[&[&str]]) -> Vec<String> {
    let rules: [Rule; 9] = [map, arrows, circles, re_exports, lengths, openings, names, kinds, comparisons];
    rules.iter().flat_map(|rule| rule(tree, floors)).collect()
}

/// Every room stands on a floor, and `src/lib.rs` names it.
fn map(tree: &Tree, floors: &[&[&str]]) -> Vec<String> {
    let mut found = Vec::new();
    let mut rooms: BTreeMap<String, String> = BTreeMap::new();
    for (path, _) in tree.rust() {
        if let Some(room) = module_of(path).and_then(|module| module.first().cloned()) {
            rooms.entry(room).or_insert_with(|| path.to_owned());
        }
    }
    let text = tree.files.get("src/lib.rs").map_or("", String::as_str);
    let told: String = text.lines().filter(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n");
    for (room, path) in rooms {
        if floor_of(&room, floors).is_none() {
            found.push(format!("{path}: room {room} is on no floor (tests/floors.rs, FLOORS)"));
        }
        if !Regex::new(&format!(r"\b{room}\b")).unwrap().is_match(&told) {
            found.push(format!("src/lib.rs: the map does not name the room {room}"));
        }
    }
    found
}

/// A floor imports lower floors only; rooms of one floor do not know each other.
fn arrows(tree: &Tree, floors: &[&[&str]]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for (path, from, import) in all_imports(tree) {
        let (Some(own), Some(other)) = (from.first(), import.path.first()) else { continue };
        let (Some(here), Some(there)) = (floor_of(own, floors), floor_of(other, floors)) else { continue };
        let line = import.line;
        if there > here {
            found.insert(format!(
                "{path}:{line}: {own} (floor {here}) imports {other} (floor {there}): an arrow up"
            ));
        } else if there == here && own != other {
            found.insert(format!(
                "{path}:{line}: {own} and {other} share floor {here} and may not know each other"
            ));
        }
    }
    found.into_iter().collect()
}

/// No file of a room reaches itself through its imports; each circle is told once, from its first file.
fn circles(tree: &Tree, _: &[&[&str]]) -> Vec<String> {
    let modules = tree.modules();
    let mut graph: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (_, from, import) in all_imports(tree) {
        // Between rooms a circle holds an arrow up, which is told already.
        if import.in_tests || import.path.first() != from.first() {
            continue;
        }
        let known = (1..=import.path.len()).rev().map(|n| import.path[..n].to_vec());
        if let Some(to) = known.into_iter().find(|path| modules.contains(path)).filter(|to| *to != from) {
            graph.entry(from).or_default().insert(to);
        }
    }
    let mut told = BTreeSet::new();
    let mut found = Vec::new();
    for start in graph.keys() {
        if told.contains(start) {
            continue;
        }
        if let Some(way) = way_back(start, &graph) {
            told.extend(way.iter().cloned());
            let names: Vec<String> = way.iter().map(|module| module.join("::")).collect();
            found.push(format!("circle: {} > {}", names.join(" > "), names[0]));
        }
    }
    found
}

/// The shortest way from `start` to itself, `start` first.
fn way_back(
    start: &[String],
    graph: &BTreeMap<Vec<String>, BTreeSet<Vec<String>>>,
) -> Option<Vec<Vec<String>>> {
    let mut seen = BTreeSet::new();
    let mut ways = std::collections::VecDeque::from([vec![start.to_vec()]]);
    while let Some(way) = ways.pop_front() {
        for next in way.last().and_then(|last| graph.get(last)).into_iter().flatten() {
            if next == start {
                return Some(way);
            }
            if seen.insert(next.clone()) {
                ways.push_back(way.iter().cloned().chain([next.clone()]).collect());
            }
        }
    }
    None
}

/// Import from the file that defines.
fn re_exports(tree: &Tree, _: &[&[&str]]) -> Vec<String> {
    let again = Regex::new(r"^\s*pub(\([^)]*\))?\s+use\b").unwrap();
    let roofs = tree.rust().filter(|(path, _)| *path == "src/lib.rs" || path.ends_with("/mod.rs"));
    let inside = roofs.filter(|(path, _)| path.starts_with("src/"));
    let lines = inside.flat_map(|(path, text)| {
        let code = code_only(text);
        let numbers: Vec<usize> =
            code.lines().enumerate().filter(|(_, l)| again.is_match(l)).map(|(n, _)| n + 1).collect();
        numbers.into_iter().map(move |n| (path, n))
    });
    lines.map(|(path, n)| format!("{path}:{n}: a re-export; import from the file that defines")).collect()
}

/// Files that fit a head.
fn lengths(tree: &Tree, _: &[&[&str]]) -> Vec<String> {
    let long = tree.rust().map(|(path, text)| (path, text.lines().count()));
    let long = long.filter(|(_, lines)| *lines > MAX_LINES);
    long.map(|(path, lines)| format!("{path}: {lines} lines, at most {MAX_LINES} are allowed")).collect()
}

/// Every file says first what it is.
fn openings(tree: &Tree, _: &[&[&str]]) -> Vec<String> {
    let mute = tree.rust().filter(|(_, text)| !text.starts_with("//! "));
    mute.map(|(path, _)| format!("{path}: does not open with `//!` and what it is")).collect()
}

/// No file, folder or module with a name that says nothing.
fn names(tree: &Tree, _: &[&[&str]]) -> Vec<String> {
    let empty = |name: &str| name.split('_').any(|word| BANNED.contains(&word));
    let module = Regex::new(r"(?m)^\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+([a-z_0-9]+)\s*\{").unwrap();
    let mut found = Vec::new();
    for (path, text) in tree.rust() {
        if ALLOWED.iter().any(|allowed| path.starts_with(allowed)) {
            continue;
        }
        let parts = path.strip_suffix(".rs").unwrap_or(path).split('/').map(str::to_owned);
        let code = code_only(text);
        let inline = module.captures_iter(&code).map(|hit| hit[1].to_owned());
        for name in parts.chain(inline).filter(|name| empty(name)) {
            found.push(format!("{path}: `{name}` says nothing about what is inside"));
        }
    }
    found
}

/// A kind of target is a file, a row, a folder of templates and a folder of cases.
fn kinds(tree: &Tree, _: &[&[&str]]) -> Vec<String> {
    let row = Regex::new(r#"(?:const|static)\s+\w+\s*:\s*Kind\s*=\s*Kind\s*\{\s*name:\s*"([^"]+)""#).unwrap();
    let mut found = Vec::new();
    for (path, text) in tree.rust().filter(|(path, _)| path.starts_with("src/target/")) {
        for hit in row.captures_iter(text) {
            let kind = &hit[1];
            for folder in [format!("templates/{kind}"), format!("tests/targets/{kind}")] {
                if !tree.has_folder(&folder) {
                    found.push(format!("{path}: kind {kind} has no {folder}/"));
                }
            }
        }
    }
    found
}

/// Secrets and signatures are compared where it takes the same time whatever is sent.
fn comparisons(tree: &Tree, _: &[&[&str]]) -> Vec<String> {
    const ROOMS: [&str; 2] = ["src/auth/", "src/domain/secret.rs"];
    let own = Regex::new(r"\b(ct_eq|verify_slice|ConstantTimeEq)\b").unwrap();
    let leaky = Regex::new(r"[=!]=\s*&?\w[\w.]*\.expose\(\)|\.expose\(\)(\.as_bytes\(\))?\s*[=!]=").unwrap();
    let mut found = Vec::new();
    for (path, text) in tree.rust().filter(|(path, _)| path.starts_with("src/")) {
        let code = code_only(text);
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        let outside = !ROOMS.iter().any(|room| path.starts_with(room));
        for (number, line) in code.lines().enumerate() {
            if leaky.is_match(line) || outside && own.is_match(line) {
                let number = number + 1;
                found.push(format!("{path}:{number}: a proof is compared here; use auth/proof.rs"));
            }
        }
    }
    found
}

/// File, its module, and one of its imports.
fn all_imports(tree: &Tree) -> Vec<(&str, Vec<String>, Import)> {
    let inside = tree.rust().filter_map(|(path, text)| module_of(path).map(|module| (path, text, module)));
    inside
        .flat_map(|(path, text, module)| {
            let found = imports(&module, text);
            found.into_iter().map(move |import| (path, module.clone(), import))
        })
        .collect()
}

/// 0 is the ground.
fn floor_of(room: &str, floors: &[&[&str]]) -> Option<usize> {
    floors.iter().position(|rooms| rooms.contains(&room))
}
