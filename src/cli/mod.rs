//! What people type: one file a command. Takes the arguments, gives an [`Answer`]: what belongs on
//! standard output and on standard error, and the exit code.
//!
//! Commands print nothing themselves, so that `main` has the one way out. Of `serve` only the talk
//! is here: the daemon is a room of the same floor, and `main` leads to it.

pub mod args;
pub mod check;
pub mod explain;
pub mod freeze;
pub mod gate;
pub mod import;
pub mod incident;
mod log;
pub mod manual;
pub mod queue;
pub mod replay_diff;
pub mod report;
pub mod schema;
pub mod send;
pub mod serve;
pub mod test;

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use jiff::Timestamp;

use crate::assemble::{Assembled, assemble};
use crate::cli::args::look::LookArgs;
use crate::config::secrets::{Lenient, ThisMachine};

/// What a command has to say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// For standard output.
    pub out: String,
    /// For standard error.
    pub err: String,
    /// Exit code: 0 good, 1 problems found.
    pub code: u8,
}

impl Answer {
    fn good(out: String) -> Answer {
        Answer { out, ..Answer::default() }
    }

    /// Nothing could be done, and why: one sentence, the cure behind a semicolon. A report of several
    /// lines says itself what is an error in it.
    pub fn refused(why: &str) -> Answer {
        let why = why.trim_end();
        let err = if why.contains('\n') { format!("{why}\n") } else { format!("error: {why}\n") };
        Answer { err, code: 1, ..Answer::default() }
    }

    /// The same for whoever asked for JSON: `{"error": …}` on standard output, where a program looks.
    fn refused_in(json: bool, why: &str) -> Answer {
        if !json {
            return Answer::refused(why);
        }
        let out = format!("{:#}\n", serde_json::json!({ "error": why.trim_end() }));
        Answer { out, code: 1, ..Answer::default() }
    }

    /// Writes it. A reader that has gone (`explain … | head`) has read enough: that is no failure.
    ///
    /// # Errors
    /// What else keeps the streams from being written, such as a full disk.
    pub fn write(&self) -> io::Result<()> {
        let write = |stream: &mut dyn Write, text: &str| match stream
            .write_all(text.as_bytes())
            .and_then(|()| stream.flush())
        {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        };
        write(&mut io::stdout().lock(), &self.out)?;
        write(&mut io::stderr().lock(), &self.err)
    }
}

/// What commands know of where they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surroundings {
    /// Standard output may be coloured.
    pub colour_out: bool,
    /// Standard error may be coloured.
    pub colour_err: bool,
    /// The time.
    pub now: Timestamp,
}

impl Surroundings {
    /// Looks at this process: its streams, `NO_COLOR` (<https://no-color.org>), `TERM` (a `dumb` terminal
    /// has no colours), the clock.
    #[expect(clippy::disallowed_methods, reason = "this is where a command learns of its surroundings")]
    pub fn of_this_process() -> Surroundings {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let wanted = !unwanted && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Surroundings {
            colour_out: wanted && io::stdout().is_terminal(),
            colour_err: wanted && io::stderr().is_terminal(),
            now: Timestamp::now(),
        }
    }
}

/// A configuration as it was found.
struct Found {
    /// The path as it was given.
    name: String,
    text: String,
    assembled: Assembled,
}

/// Reads and assembles the configuration.
///
/// # Errors
/// A sentence when the file cannot be read.
fn find(look: &LookArgs) -> Result<Found, String> {
    find_file(&look.config.config, "--config", look.no_secrets)
}

/// The same of any file. `option` is what names it; `no_secrets` puts placeholders where secrets are
/// missing.
///
/// # Errors
/// As [`find`].
fn find_file(path: &Path, option: &str, no_secrets: bool) -> Result<Found, String> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::NotFound => format!("does not exist; say where it is with {option}"),
            io::ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
            io::ErrorKind::InvalidData => "is not UTF-8 text".to_owned(),
            io::ErrorKind::IsADirectory => "is a folder; name the file in it".to_owned(),
            _ => format!("cannot be read: {error}"),
        };
        format!("{name} {why}")
    })?;
    let machine = ThisMachine::new(path);
    let assembled = if no_secrets { assemble(&text, &Lenient(&machine)) } else { assemble(&text, &machine) };
    Ok(Found { name, text, assembled })
}
