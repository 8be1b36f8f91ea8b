//! A small file system of its own (tmpfs) that can be filled up and emptied: the store's disk. It is
//! unmounted at the end. Needs root or `sudo -n`.
#![allow(dead_code, reason = "each test program uses its part of this")]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// Mounts it.
    pub fn mount(mebibytes: u64) -> Disk {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={mebibytes}m,mode=0777");
        let tried = as_root(&["mount", "-t", "tmpfs", "-o", &options, "alert-relay-test"], folder.path());
        assert!(
            tried.is_ok(),
            "this test fills up a disk and needs to mount a tmpfs for it, as root or by sudo -n \
             (a container may need --cap-add=SYS_ADMIN): {}",
            tried.unwrap_err()
        );
        Disk { folder }
    }

    /// The folder of the store.
    pub fn store(&self) -> PathBuf {
        let store = self.folder.path().join("store");
        std::fs::create_dir_all(&store).unwrap();
        store
    }

    /// Leaves about so much room.
    pub fn leave(&self, mebibytes: u64) {
        self.fill();
        let ballast = File::options().write(true).open(self.ballast()).unwrap();
        let length = ballast.metadata().unwrap().len();
        ballast.set_len(length.saturating_sub(mebibytes << 20)).unwrap();
    }

    /// Leaves no room: as much as is free now is used up, and no more, so that room which the relay
    /// gives up meanwhile stays its own.
    pub fn fill(&self) {
        let free = rustix::fs::statvfs(self.folder.path()).unwrap();
        let mut left = usize::try_from(free.f_bavail * free.f_frsize).unwrap();
        let mut ballast = File::create(self.ballast()).unwrap();
        let mut size = 1 << 20;
        while size > 0 && left > 0 {
            size = size.min(left);
            match ballast.write(&vec![b'#'; size]) {
                Ok(written) => left -= written,
                Err(_) => size /= 16,
            }
        }
    }

    /// Gives the room back.
    pub fn empty(&self) {
        let _ = std::fs::remove_file(self.ballast());
    }

    fn ballast(&self) -> PathBuf {
        self.folder.path().join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, since a relay that was just killed may still hold a file.
        let _ = as_root(&["umount", "-l"], self.folder.path());
    }
}

fn as_root(words: &[&str], folder: &Path) -> Result<(), String> {
    let sudo: [&[&str]; 2] = [&[], &["sudo", "-n"]];
    let mut why = String::new();
    for before in sudo {
        let words = [before, words].concat();
        match Command::new(words[0]).args(&words[1..]).arg(folder).output() {
            Ok(ended) if ended.status.success() => return Ok(()),
            Ok(ended) => why.push_str(&String::from_utf8_lossy(&ended.stderr)),
            Err(error) => why.push_str(&error.to_string()),
        }
    }
    Err(why)
}
