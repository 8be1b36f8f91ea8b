//! Wording in files: what the operator's folder brings, ours for the rest, and what stands in that folder
//! and does nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::config::secrets::World;
use crate::config::server::TemplatesFile;
use crate::document::nearest;
use crate::document::node::At;
use crate::domain::problem::Problem;
use crate::target::KINDS;
use crate::template::library::{Builtin, Language, Library};

/// What files of wording end with.
const ENDING: &str = ".hbs";

/// The wording that the operator's folder brings, and ours for the rest.
pub(super) fn library(file: &TemplatesFile, world: &dyn World, problems: &mut Vec<Problem>) -> Library {
    let mut overrides = BTreeMap::new();
    if let Some(folder) = &file.path {
        for builtin in builtins() {
            let name = Path::new(builtin.kind).join(format!("{}{ENDING}", builtin.field));
            match world.beside(&folder.value.join(&name)) {
                Ok(text) => {
                    overrides.insert((builtin.kind.to_owned(), builtin.field.to_owned()), text);
                }
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                Err(error) => {
                    let what = format!("{} cannot be read: {error}", name.display());
                    problems.push(Problem::error("templates.path", folder.place, what, ""));
                }
            }
        }
        strays(folder, world, problems);
    }
    Library::new(Language::parse(file.language.as_str()).unwrap_or_default(), overrides)
}

fn builtins() -> impl Iterator<Item = &'static Builtin> {
    KINDS.iter().flat_map(|kind| kind.wordings)
}

/// A slip of the finger in a name must not leave ours in force in silence.
fn strays(folder: &At<PathBuf>, world: &dyn World, problems: &mut Vec<Problem>) {
    let mut doubt = |what: String, cure: String| {
        problems.push(Problem::warning("templates.path", folder.place, what, cure));
    };
    let names = |path: &Path| {
        let mut names = world.names_beside(path).unwrap_or_default();
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        names
    };
    if let Err(error) = world.names_beside(&folder.value) {
        let why = match error.kind() {
            ErrorKind::NotFound => "does not exist",
            ErrorKind::NotADirectory => "is no folder",
            // Some worlds know files alone, and what may not be listed may well be read.
            _ => return,
        };
        let cure = "mend the path, or leave it out: the relay's own wording is used";
        doubt(format!("{} {why}", folder.value.display()), cure.to_owned());
        return;
    }
    let kinds: BTreeSet<&str> = builtins().map(|builtin| builtin.kind).collect();
    for name in names(&folder.value) {
        let Some(kind) = name.strip_suffix('/') else {
            if name.ends_with(ENDING) {
                let cure = "put it into the folder of its kind, as in slack/text.hbs";
                doubt(format!("{name} in it does nothing"), cure.to_owned());
            }
            continue;
        };
        if !kinds.contains(kind) {
            let cure = nearest::cure(kind, kinds.iter().copied());
            doubt(format!("the folder {name} in it does nothing: there is no such kind"), cure);
            continue;
        }
        let fields: BTreeSet<String> = builtins()
            .filter(|builtin| builtin.kind == kind)
            .map(|builtin| format!("{}{ENDING}", builtin.field))
            .collect();
        let found = names(&folder.value.join(kind));
        for file in found.iter().filter(|file| file.ends_with(ENDING) && !fields.contains(*file)) {
            let cure = nearest::cure(file, fields.iter().map(String::as_str));
            doubt(format!("{kind}/{file} in it does nothing: there is no such field"), cure);
        }
    }
}
