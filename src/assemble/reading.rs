//! A configuration from a file of this machine.

use std::io;
use std::path::Path;

use crate::assemble::{Assembled, assemble};
use crate::config::noting::Noting;
use crate::config::secrets::ThisMachine;

/// A configuration that was read, with the marks of all files that it was made of.
#[derive(Debug)]
pub struct Reading {
    /// Its text.
    pub text: String,
    /// What came of it.
    pub assembled: Assembled,
    /// What it was read from.
    pub noted: Noting,
}

/// Reads a configuration and all that it names.
///
/// # Errors
/// The file itself cannot be read; what was looked at comes along, so that it can be watched.
pub fn read(config: &Path) -> Result<Reading, (Noting, io::Error)> {
    let noted = Noting::new(ThisMachine::new(config));
    match noted.whole(config) {
        Ok(text) => {
            let assembled = assemble(&text, &noted);
            Ok(Reading { text, assembled, noted })
        }
        Err(error) => Err((noted, error)),
    }
}
