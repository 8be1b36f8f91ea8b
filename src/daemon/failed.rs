//! Why the daemon did not start, or ended.

use std::fmt;

/// One sentence, with the whole report for a bad file.
#[derive(Debug)]
pub struct Failed(String);

impl Failed {
    /// With this sentence.
    pub(super) fn new(what: impl fmt::Display) -> Failed {
        Failed(what.to_string())
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
