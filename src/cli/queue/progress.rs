//! How far a command is, for the one who waits: one line on a terminal, gone when there is an answer.
//! A log or a pipe gets none of it.

use std::io::{self, IsTerminal, Write};

/// Such a line; wiped when it is dropped.
pub struct Progress {
    watched: bool,
    /// Characters that stand there.
    width: usize,
}

impl Progress {
    /// Nothing is shown yet.
    pub fn begin() -> Progress {
        Progress { watched: io::stderr().is_terminal(), width: 0 }
    }

    /// Shows this instead of what stands there.
    pub fn tell(&mut self, text: &str) {
        if !self.watched {
            return;
        }
        let now = text.chars().count();
        // Blanks, and no command to the terminal: there are some that know none.
        self.write(&format!("\r{text}{}", " ".repeat(self.width.saturating_sub(now))));
        self.width = now;
    }

    /// Nobody watching is no failure.
    fn write(&self, text: &str) {
        let mut err = io::stderr().lock();
        let _gone = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.width > 0 {
            self.write(&format!("\r{}\r", " ".repeat(self.width)));
        }
    }
}
