//! How far a message has come among several people: the remote ref of a Twilio lane.
//!
//! First word: the sid of the latest call or text message. Then, for calls, `next=1`: whose turn it
//! is when this one does not pick up; for text messages, `msg=… told=0,2`: who has got which.

use crate::domain::message::RemoteRef;

/// A remote ref, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Of the latest call or text message.
    pub sid: String,
    /// Place in `to` of the next to be called.
    pub next: usize,
    /// The message that `told` is about.
    pub message: String,
    /// Places in `to` of those who have it.
    pub told: Vec<usize>,
}

impl Progress {
    /// Reads one; nothing unreadable is ever wrong, it only says less.
    pub fn read(remote: &RemoteRef) -> Progress {
        let mut words = remote.0.split(' ');
        let mut progress =
            Progress { sid: words.next().unwrap_or_default().to_owned(), ..Progress::default() };
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            match name {
                "next" => progress.next = value.parse().unwrap_or_default(),
                "msg" => progress.message = value.to_owned(),
                "told" => progress.told = value.split(',').filter_map(|place| place.parse().ok()).collect(),
                _ => {}
            }
        }
        progress
    }

    /// After a call: whose turn is next.
    pub fn of_call(sid: &str, next: usize) -> RemoteRef {
        RemoteRef(format!("{sid} next={next}"))
    }

    /// After some text messages of one message.
    pub fn of_texts(sid: &str, message: &str, told: &[usize]) -> RemoteRef {
        let places: Vec<String> = told.iter().map(usize::to_string).collect();
        RemoteRef(format!("{sid} msg={message} told={}", places.join(",")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let call = Progress::read(&Progress::of_call("CA1", 2));
        assert_eq!((call.sid.as_str(), call.next), ("CA1", 2));
        let texts = Progress::read(&Progress::of_texts("SM1", "0197-a", &[0, 2]));
        assert_eq!(
            (texts.sid.as_str(), texts.message.as_str(), &*texts.told),
            ("SM1", "0197-a", &[0, 2][..])
        );
        let odd = Progress::read(&RemoteRef("SM1 told=x,1 next= y".into()));
        assert_eq!((odd.sid.as_str(), odd.next, &*odd.told), ("SM1", 0, &[1][..]));
    }
}
