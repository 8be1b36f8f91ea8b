//! One thing that is wrong in a configuration: where, what, and what to do about it.

use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// It can be used, and somebody will be surprised.
    Warning,
}

/// A place in a file. Line and column count from 1; 0 means unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Length in characters of what is to be underlined; 0 when unknown.
    pub length: u32,
}

/// One thing wrong. Problems are collected, never first-only, and hold no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// Where in the document, as a path: `targets[2].pagerduty.routing_key`.
    pub path: String,
    /// Where in the file.
    pub place: Place,
    /// What is wrong: one sentence without a full stop.
    pub what: String,
    /// What to do: one sentence without a full stop; empty when `what` says it all.
    pub cure: String,
}

impl Problem {
    /// An error.
    pub fn error(
        path: impl Into<String>,
        place: Place,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) -> Problem {
        Problem { severity: Severity::Error, path: path.into(), place, what: what.into(), cure: cure.into() }
    }

    /// A warning.
    pub fn warning(
        path: impl Into<String>,
        place: Place,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(path, place, what, cure) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.line > 0 {
            write!(f, "{}:{}: ", self.place.line, self.place.column)?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.what)?;
        if !self.cure.is_empty() {
            write!(f, "; {}", self.cure)?;
        }
        Ok(())
    }
}
