//! How bad an alert is, in the four words that pagers understand.
//!
//! Takes the words that monitoring systems use, gives PagerDuty's. A word that nobody knows gives
//! nothing here: the caller decides what to assume, and it is never passed through.

/// Ordered from harmless to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Will hurt if nobody looks.
    Warning,
    /// Hurts.
    Error,
    /// Hurts badly, now.
    Critical,
}

/// What the words of monitoring systems mean.
const WORDS: [(Severity, &[&str]); 4] = [
    (
        Severity::Critical,
        &[
            "critical",
            "crit",
            "fatal",
            "emergency",
            "emerg",
            "alert",
            "page",
            "disaster",
            "p0",
            "p1",
            "sev0",
            "sev1",
            "紧急",
            "严重",
            "致命",
            "灾难",
        ],
    ),
    (Severity::Error, &["error", "err", "major", "high", "p2", "sev2", "重要", "错误"]),
    (Severity::Warning, &["warning", "warn", "minor", "average", "medium", "p3", "sev3", "警告", "一般"]),
    (
        Severity::Info,
        &[
            "info",
            "information",
            "informational",
            "notice",
            "none",
            "low",
            "debug",
            "p4",
            "p5",
            "sev4",
            "sev5",
            "提示",
            "信息",
            "通知",
        ],
    ),
];

impl Severity {
    /// Assumed where an alert says nothing that can be understood.
    pub const ASSUMED: Severity = Severity::Error;

    /// Reads a severity word of any common system, in any case; `None` for an unknown one.
    pub fn parse(word: &str) -> Option<Severity> {
        let word = word.trim();
        let is_one_of = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
        WORDS.iter().find(|(_, words)| is_one_of(words)).map(|(severity, _)| *severity)
    }

    /// `critical`, `error`, `warning` or `info`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_many_systems_become_four() {
        for (word, expected) in [
            ("CRITICAL", Some(Severity::Critical)),
            (" page ", Some(Severity::Critical)),
            ("P2", Some(Severity::Error)),
            ("warn", Some(Severity::Warning)),
            ("none", Some(Severity::Info)),
            ("紧急", Some(Severity::Critical)),
            ("nodata", None),
            ("3", None),
            ("", None),
        ] {
            assert_eq!(Severity::parse(word), expected, "{word:?}");
        }
        assert!(Severity::Critical > Severity::Error && Severity::Warning > Severity::Info);
    }
}
