//! What a configuration was read from, noted, so that one can see later whether it has changed.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::config::secrets::{ThisMachine, World};

/// A machine of which is noted what was read. The text counts, not a time or an inode, because files
/// are put in place in many ways (a link of Kubernetes turns elsewhere, an editor renames, a tool sets
/// the time back).
#[derive(Debug)]
pub struct Noting {
    machine: ThisMachine,
    seen: Mutex<BTreeMap<(Root, PathBuf), u64>>,
}

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Root {
    Secrets,
    Beside,
    /// Where this process stands.
    Here,
}

impl Noting {
    /// Nothing has been read yet.
    pub fn new(machine: ThisMachine) -> Noting {
        Noting { machine, seen: Mutex::default() }
    }

    /// The text of the configuration file itself.
    ///
    /// # Errors
    /// As the system tells them, and when the file is not UTF-8.
    pub fn whole(&self, config_file: &Path) -> io::Result<String> {
        self.note(Root::Here, config_file)
    }

    /// The marks of all that was read, as they are now, in one; and the first file that has another
    /// one than it had.
    pub fn look_again(&self) -> (u64, Option<PathBuf>) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (mut all, mut changed) = (DefaultHasher::new(), None);
        for ((root, path), before) in &seen {
            let now = mark(&self.read(*root, path));
            now.hash(&mut all);
            if now != *before && changed.is_none() {
                changed = Some(path.clone());
            }
        }
        (all.finish(), changed)
    }

    fn read(&self, root: Root, path: &Path) -> io::Result<String> {
        match root {
            Root::Secrets => self.machine.file(path),
            Root::Beside => self.machine.beside(path),
            Root::Here => std::fs::read_to_string(path),
        }
    }

    fn note(&self, root: Root, path: &Path) -> io::Result<String> {
        let read = self.read(root, path);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert((root, path.to_owned()), mark(&read));
        read
    }
}

/// A file that cannot be read has a mark, too: it may come.
fn mark(read: &io::Result<String>) -> u64 {
    let mut hasher = DefaultHasher::new();
    read.as_ref().map_err(io::Error::kind).hash(&mut hasher);
    hasher.finish()
}

impl World for Noting {
    fn env(&self, name: &str) -> Option<String> {
        self.machine.env(name)
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        self.note(Root::Secrets, path)
    }

    fn beside(&self, path: &Path) -> io::Result<String> {
        self.note(Root::Beside, path)
    }

    // Not noted: names that are read are noted one by one, and others change nothing.
    fn names_beside(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.machine.names_beside(folder)
    }

    fn now(&self) -> Option<Timestamp> {
        self.machine.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_changes_comes_or_goes_is_seen_and_a_touch_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| std::fs::write(place(name), text).unwrap();
        write("relay.yaml", "a");
        write("table.csv", "b");
        let noting = Noting::new(ThisMachine::new(&place("relay.yaml")));
        noting.whole(&place("relay.yaml")).unwrap();
        noting.beside(Path::new("table.csv")).unwrap();
        noting.beside(Path::new("slack/text.hbs")).unwrap_err();
        let (as_read, changed) = noting.look_again();
        assert_eq!(changed, None);
        write("table.csv", "b");
        assert_eq!(noting.look_again(), (as_read, None), "the same text once more");
        write("table.csv", "c");
        let (other, changed) = noting.look_again();
        assert_eq!(changed, Some("table.csv".into()));
        assert_ne!(other, as_read);
        std::fs::remove_file(place("table.csv")).unwrap();
        assert_ne!(noting.look_again().0, other, "gone");
        write("table.csv", "b");
        std::fs::create_dir(place("slack")).unwrap();
        write("slack/text.hbs", "now there is one");
        assert_eq!(noting.look_again().1, Some("slack/text.hbs".into()), "come");
    }
}
