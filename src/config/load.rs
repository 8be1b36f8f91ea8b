//! Text of relay.yaml in, `File` out, with every problem of form: parse, put secrets in, read the
//! shapes, part the targets. Problems come in the order of the file.

use crate::config::file::File;
use crate::config::routes::GROUPING_KEYS;
use crate::config::secrets::{World, resolve};
use crate::config::targets;
use crate::document::parse::parse;
use crate::document::read::read;
use crate::domain::problem::{Place, Problem};

/// What came of loading.
#[derive(Debug)]
pub struct Loaded {
    /// What could be read; see [`File`] on what it is worth beside an error.
    pub file: Option<File>,
    /// All that is wrong with the form, in the order of the file.
    pub problems: Vec<Problem>,
}

/// Loads relay.yaml from its text. `kinds` are the keys that name a kind of target.
pub fn load(text: &str, kinds: &[&str], world: &dyn World) -> Loaded {
    let mut root = match parse(text) {
        Ok(root) => root,
        Err(problem) => return Loaded { file: None, problems: vec![problem] },
    };
    let mut problems = resolve(&mut root, world);
    let read = read::<File>(&root, "");
    let file = read.value.map(|mut file| {
        let targets = targets::read_all(std::mem::take(&mut file.targets_written), kinds);
        file.targets = targets.value.unwrap_or_default();
        problems.extend(told_anew(targets.problems, &problems));
        file
    });
    problems.extend(told_anew(read.problems, &problems));
    problems.iter_mut().for_each(befriend);
    in_order(&mut problems);
    Loaded { file, problems }
}

/// Without what is said of places whose reference could not be put in: it was never the value.
fn told_anew(found: Vec<Problem>, before: &[Problem]) -> Vec<Problem> {
    let is_told = |place: Place| place.line > 0 && before.iter().any(|problem| problem.place == place);
    found.into_iter().filter(|problem| !is_told(problem.place)).collect()
}

/// Keys that mean something in Alertmanager and nothing here deserve a better word.
fn befriend(problem: &mut Problem) {
    let (path, key) = problem.path.rsplit_once('.').unwrap_or(("", &problem.path));
    if path.starts_with("route") && GROUPING_KEYS.contains(&key) {
        problem.what = "has no meaning here: the relay routes what its sources grouped".to_owned();
        problem.cure = "remove it, and group in Alertmanager's own route".to_owned();
    }
}

/// Puts problems in the order of the file, those without a place last, and tells each once: an
/// alias can stand in several places, and what is wrong with it stands in one.
pub fn in_order(problems: &mut Vec<Problem>) {
    problems.sort_by_key(|problem| (problem.place.line == 0, problem.place.line, problem.place.column));
    problems.dedup_by(|a, b| a.place.line > 0 && a.place == b.place && a.what == b.what && a.cure == b.cure);
}
