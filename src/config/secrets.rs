//! `${NAME}`, `${NAME:-default}` and `${file:path}` in the values of a tree, put in after parsing,
//! so that no character of a secret can break the file. Keys are left alone, and so is what was
//! put in: it is not searched again. `$${` stands for a literal `${`.
//!
//! The only file of the crate that reads the environment, and files named by the configuration.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::document::node::{Node, Value, path_to_element, path_to_key};
use crate::domain::problem::{Place, Problem};

/// Where secrets come from.
pub trait World {
    /// A variable of the environment; `None` when it is not set.
    fn env(&self, name: &str) -> Option<String>;

    /// What to take for a variable that is not set and has no default; `None` makes that a problem.
    /// Only [`Lenient`] has something to give: behind the default, so that what the file says is
    /// checked wherever it says something.
    fn stand_in(&self, _name: &str) -> Option<String> {
        None
    }

    /// The text of a file; a relative path begins where this world says.
    ///
    /// # Errors
    /// As the system tells them, and when the file is not UTF-8.
    fn file(&self, path: &Path) -> io::Result<String>;

    /// The text of a file that belongs to the configuration (a table, a template): a relative path
    /// begins in the configuration's own folder.
    ///
    /// # Errors
    /// As the system tells them, and when the file is not UTF-8.
    fn beside(&self, path: &Path) -> io::Result<String>;

    /// What is in a folder that belongs to the configuration, folders with a slash behind their name;
    /// in no order.
    ///
    /// # Errors
    /// As the system tells them; `Unsupported` in a world that has no folders.
    fn names_beside(&self, _folder: &Path) -> io::Result<Vec<String>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The time, for what has an age: certificates. `None`: not known, so no age is judged.
    fn now(&self) -> Option<Timestamp> {
        None
    }
}

/// The machine this runs on.
#[derive(Debug, Clone)]
pub struct ThisMachine {
    /// Where relative paths of secrets begin.
    base: PathBuf,
    /// Where the configuration stands.
    folder: PathBuf,
}

impl ThisMachine {
    /// Relative paths begin in systemd's credentials directory, and without one in the folder of
    /// the configuration file.
    #[expect(clippy::disallowed_methods, reason = "this is the room that reads the environment")]
    pub fn new(config_file: &Path) -> ThisMachine {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty());
        let folder = config_file.parent().unwrap_or(Path::new("")).to_owned();
        ThisMachine { base: credentials.map_or_else(|| folder.clone(), PathBuf::from), folder }
    }
}

impl World for ThisMachine {
    #[expect(clippy::disallowed_methods, reason = "this is the room that reads the environment")]
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(self.base.join(path))
    }

    fn beside(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(self.folder.join(path))
    }

    fn names_beside(&self, folder: &Path) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(self.folder.join(folder))?.filter_map(Result::ok);
        let name = |entry: std::fs::DirEntry| {
            let slash = if entry.path().is_dir() { "/" } else { "" };
            format!("{}{slash}", entry.file_name().to_string_lossy())
        };
        Ok(entries.map(name).collect())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the room that speaks for the machine")]
    fn now(&self) -> Option<Timestamp> {
        Some(Timestamp::now())
    }
}

/// A world in which nothing is missing: what the inner one lacks, and has no default in the
/// configuration, gets a plausible text. For `check --no-secrets`, on a machine that must not know
/// the secrets.
pub struct Lenient<'a>(pub &'a dyn World);

impl World for Lenient<'_> {
    fn env(&self, name: &str) -> Option<String> {
        self.0.env(name)
    }

    fn stand_in(&self, name: &str) -> Option<String> {
        Some(placeholder(name))
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        // What is in it, its name need not say: an address will also do for a token.
        self.0.file(path).or_else(|_| Ok(placeholder(&format!("{}-url", path.to_string_lossy()))))
    }

    fn beside(&self, path: &Path) -> io::Result<String> {
        self.0.beside(path)
    }

    fn names_beside(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.0.names_beside(folder)
    }

    fn now(&self) -> Option<Timestamp> {
        self.0.now()
    }
}

/// What every placeholder begins with that is not an address.
const PLACEHOLDER: &str = "placeholder-for-";

/// Whether a text of a file is what [`Lenient`] puts in where there is none.
pub fn is_placeholder(text: &str) -> bool {
    text.starts_with(PLACEHOLDER) || text.starts_with("https://") && text.ends_with(".invalid/placeholder")
}

/// A text that a field named like this may well take: an address for an address.
fn placeholder(name: &str) -> String {
    let word: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    if word.ends_with("url") || word.ends_with("uri") || word.ends_with("webhook") {
        format!("https://{word}.invalid/placeholder")
    } else {
        format!("{PLACEHOLDER}{word}")
    }
}

/// Puts in every reference of the tree. One that cannot be put in is told, and stays as it is.
pub fn resolve(node: &mut Node, world: &dyn World) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk(node, "", world, &mut problems);
    problems
}

fn walk(node: &mut Node, path: &str, world: &dyn World, problems: &mut Vec<Problem>) {
    match &mut node.value {
        Value::Text(text) if text.contains("${") => match filled(text, world) {
            Ok(full) => *text = full,
            Err(faults) => problems.extend(faults.into_iter().map(|fault| fault.at(path, node.place))),
        },
        Value::List(elements) => {
            for (index, element) in elements.iter_mut().enumerate() {
                walk(element, &path_to_element(path, index), world, problems);
            }
        }
        Value::Map(entries) => {
            for (key, value) in entries {
                walk(value, &path_to_key(path, &key.value), world, problems);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
    }
}

/// What is wrong with a reference, and what to do.
#[derive(Debug, PartialEq)]
struct Fault {
    what: String,
    cure: String,
}

impl Fault {
    fn new(what: impl Into<String>, cure: impl Into<String>) -> Fault {
        Fault { what: what.into(), cure: cure.into() }
    }

    fn at(self, path: &str, place: Place) -> Problem {
        Problem::error(path, place, self.what, self.cure)
    }
}

/// The text with its references put in, or everything that is wrong with them.
fn filled(text: &str, world: &dyn World) -> Result<String, Vec<Fault>> {
    let mut full = String::with_capacity(text.len());
    let mut faults = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, reference) = (&rest[..start], &rest[start + 2..]);
        if let Some(literal) = before.strip_suffix('$') {
            full.push_str(literal);
            full.push_str("${");
            rest = reference;
            continue;
        }
        full.push_str(before);
        let Some(end) = reference.find('}') else {
            faults.push(Fault::new(
                "has a `${` without a `}`",
                "close the reference, or write `$${` for a literal `${`",
            ));
            break;
        };
        match value(&reference[..end], world) {
            Ok(value) => full.push_str(&value),
            Err(fault) => faults.push(fault),
        }
        rest = &reference[end + 1..];
    }
    full.push_str(rest);
    if faults.is_empty() { Ok(full) } else { Err(faults) }
}

/// The value of what stands between `${` and `}`.
fn value(reference: &str, world: &dyn World) -> Result<String, Fault> {
    if reference.contains("${") {
        return Err(Fault::new(
            "has a reference inside of a reference",
            "name one variable or file, or give a plain default",
        ));
    }
    if let Some(path) = reference.strip_prefix("file:") {
        return file(path.trim(), world);
    }
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    if !is_name(name) {
        return Err(Fault::new(
            "has a `${…}` that names no variable",
            "write ${NAME}, ${NAME:-default} or ${file:path}, or `$${` for a literal `${`",
        ));
    }
    let given = world.env(name).filter(|value| !value.is_empty());
    let found = given.or_else(|| default.map(str::to_owned)).or_else(|| world.stand_in(name));
    found.ok_or_else(|| {
        Fault::new(
            format!("needs the environment variable `{name}`, which is unset or empty"),
            format!("set it for the service, or give a default: ${{{name}:-…}}"),
        )
    })
}

fn file(path: &str, world: &dyn World) -> Result<String, Fault> {
    match world.file(Path::new(path)) {
        Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => {
            let why = match error.kind() {
                io::ErrorKind::NotFound => "which does not exist",
                io::ErrorKind::PermissionDenied => "which this user may not read",
                io::ErrorKind::InvalidData => "which is not UTF-8 text",
                _ => "which cannot be read",
            };
            Err(Fault::new(
                format!("needs the file `{path}`, {why}"),
                "a relative path begins in $CREDENTIALS_DIRECTORY, or else beside the configuration file",
            ))
        }
    }
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Paper;

    impl World for Paper {
        fn env(&self, name: &str) -> Option<String> {
            match name {
                "TOKEN" => Some("t0ken: ${OTHER}".into()),
                "EMPTY" => Some(String::new()),
                _ => None,
            }
        }

        fn file(&self, path: &Path) -> io::Result<String> {
            match path.to_str() {
                Some("key") => Ok("from file\r\n".into()),
                _ => Err(io::ErrorKind::NotFound.into()),
            }
        }

        fn beside(&self, _: &Path) -> io::Result<String> {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    #[test]
    fn references_are_put_in_and_everything_else_is_left_alone() {
        for (text, full) in [
            ("${TOKEN}", "t0ken: ${OTHER}"),
            ("a ${file:key} b ${NONE:-c} ${EMPTY:-d}", "a from file b c d"),
            ("${NONE:-}", ""),
            ("$${TOKEN} costs $5", "${TOKEN} costs $5"),
            ("{{commonLabels.x}} $x {TOKEN}", "{{commonLabels.x}} $x {TOKEN}"),
        ] {
            assert_eq!(filled(text, &Paper), Ok(full.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_put_in_is_told_without_the_values_of_others() {
        for (text, hint) in [
            ("${TOKEN}${NONE}", "variable `NONE`, which is unset"),
            ("${EMPTY}", "variable `EMPTY`, which is unset or empty"),
            ("${file:none}", "file `none`, which does not exist"),
            ("${TOKEN", "without a `}`"),
            ("${a.b}", "names no variable"),
            ("${}", "names no variable"),
            ("${NONE:-${TOKEN}}", "inside of a reference"),
        ] {
            let faults = filled(text, &Paper).unwrap_err();
            assert!(faults[0].what.contains(hint), "{text}: {faults:?}");
            assert!(!format!("{faults:?}").contains("t0ken"));
        }
        assert_eq!(filled("${A} ${B}", &Paper).unwrap_err().len(), 2);
    }

    #[test]
    fn a_lenient_world_lacks_nothing() {
        let world = Lenient(&Paper);
        assert_eq!(filled("${TOKEN}", &world), Ok("t0ken: ${OTHER}".to_owned()));
        assert_eq!(filled("${SLACK_URL}", &world), Ok("https://slackurl.invalid/placeholder".to_owned()));
        assert_eq!(
            filled("${file:a/b.key} ${EMPTY}", &world),
            Ok("https://abkeyurl.invalid/placeholder placeholder-for-empty".to_owned())
        );
        assert_eq!(filled("${NONE:-the default} ${EMPTY:-}", &world), Ok("the default ".to_owned()));
    }
}
