//! What a target hears of what goes on unchanged.

use std::fmt;
use std::time::Duration;

/// What a target hears of what fires on unchanged, each time its sender says so again
/// (Alertmanager's `repeat_interval`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reminders {
    /// All of it.
    #[default]
    Every,
    /// Nothing: once is enough.
    Never,
    /// Once in this time.
    Once(Duration),
}

impl Reminders {
    /// How much too early a reminder may come: senders and networks are not exact.
    const PLAY: Duration = Duration::from_secs(60);

    /// Whether one may come that long after what was told last.
    pub fn allow(self, passed: Duration) -> bool {
        match self {
            Reminders::Every => true,
            Reminders::Never => false,
            Reminders::Once(every) => passed + Reminders::PLAY >= every,
        }
    }
}

impl fmt::Display for Reminders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reminders::Every => f.write_str("every"),
            Reminders::Never => f.write_str("never"),
            Reminders::Once(every) => match every.as_secs() {
                seconds if seconds.is_multiple_of(3600) => write!(f, "{}h", seconds / 3600),
                seconds if seconds.is_multiple_of(60) => write!(f, "{}m", seconds / 60),
                seconds => write!(f, "{seconds}s"),
            },
        }
    }
}
