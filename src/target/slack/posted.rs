//! What is remembered of a message in Slack: where it stands and what it showed last.
//!
//! Kept as the remote ref: `ts`, channel id, channel asked for, severity, print of the alerts, who
//! took it (percent-encoded), and the job that is proposed (`job=3`), with blanks between. `ts` is an
//! id: never a number.

use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};

use crate::domain::alert::AlertGroup;
use crate::domain::message::{JobId, RemoteRef};
use crate::template::escape::Escape;
use crate::template::severity::Severity;
use crate::template::text::cut;

/// Longest sentence about who took it, in characters.
const TAKEN_CHARS: usize = 120;
/// What stands before the number of a job: a sign that is percent-encoded elsewhere.
const JOB: &str = "job=";

/// A message that stands in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Slack's name for the message within its channel.
    pub ts: String,
    /// Id of the channel, as Slack answered it: `chat.update` takes no name.
    pub channel: String,
    /// Channel as it was asked for.
    pub asked: String,
    /// What it shows.
    pub shown: Shown,
    /// Who acknowledged it, as a sentence.
    pub taken: Option<String>,
    /// The job that it proposes.
    pub job: Option<JobId>,
}

/// What a message shows, as far as a change of it is worth a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Of the worst alert.
    pub severity: Severity,
    /// Hash over the alerts and their states.
    pub print: String,
}

impl Shown {
    /// What a message about this group shows.
    pub fn of(group: &AlertGroup, severity: Severity) -> Shown {
        let mut states: Vec<String> =
            group.alerts.iter().map(|alert| format!("{} {}", alert.fingerprint, alert.status)).collect();
        states.sort_unstable();
        let hash = Sha256::digest(states.join("\n").as_bytes());
        Shown { severity, print: hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect() }
    }
}

impl Posted {
    /// Reads what [`Posted::remote`] wrote; `None` for anything else, which is then as good as lost.
    pub fn read(remote: &RemoteRef) -> Option<Posted> {
        let mut words = remote.0.split(' ');
        let mut word = || words.next().filter(|word| !word.is_empty()).map(str::to_owned);
        let (ts, channel, asked) = (word()?, word()?, word()?);
        let shown = Shown { severity: Severity::parse(&word()?)?, print: word()? };
        let (mut taken, mut job) = (None, None);
        while let Some(word) = word() {
            match word.strip_prefix(JOB) {
                Some(number) => job = number.parse().ok(),
                None => taken = Some(percent_decode_str(&word).decode_utf8_lossy().into_owned()),
            }
        }
        Some(Posted { ts, channel, asked, shown, taken, job })
    }

    /// For the lane.
    pub fn remote(&self) -> RemoteRef {
        let Posted { ts, channel, asked, shown: Shown { severity, print }, taken, job } = self;
        let mut text = format!("{ts} {channel} {asked} {} {print}", severity.as_str());
        if let Some(taken) = taken {
            text.push(' ');
            text.push_str(&Escape::Url.apply(&cut(taken, TAKEN_CHARS)));
        }
        if let Some(job) = job {
            text.push_str(&format!(" {JOB}{job}"));
        }
        RemoteRef(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let mut posted = Posted {
            ts: "1503435956.000240".into(),
            channel: "C024BE91L".into(),
            asked: "#ops".into(),
            shown: Shown { severity: Severity::Critical, print: "0badf00d".into() },
            taken: None,
            job: None,
        };
        assert_eq!(posted.remote().0, "1503435956.000240 C024BE91L #ops critical 0badf00d");
        assert_eq!(Posted::read(&posted.remote()), Some(posted.clone()));
        posted.taken = Some("Acknowledged by 小明 (slack ops)".into());
        assert_eq!(Posted::read(&posted.remote()), Some(posted.clone()));
        posted.job = Some(3);
        assert_eq!(Posted::read(&posted.remote()), Some(posted.clone()));
        posted.taken = None;
        assert_eq!(posted.remote().0, "1503435956.000240 C024BE91L #ops critical 0badf00d job=3");
        assert_eq!(Posted::read(&posted.remote()), Some(posted));
        for other in ["", "1503435956.000240", "a b c d e", "a b  critical x"] {
            assert_eq!(Posted::read(&RemoteRef(other.into())), None, "{other:?}");
        }
    }
}
