//! The calls of one try and their order: whom a message goes to next.
//!
//! Takes the call that was made and its reply, gives the next or the end. A phone call goes to the
//! next number when the last was missed a short while ago; a text message to everybody, and nobody
//! twice. Pure: the time comes in.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::exchange::Reply;
use crate::domain::message::{Action, Message, RemoteRef};
use crate::domain::outcome::Outcome;
use crate::target::twilio::number::{Number, shortened};
use crate::target::twilio::progress::Progress;
use crate::target::twilio::verdict::{Said, of_cancel, of_create, of_question};

/// Whoever missed a call longer ago is called again first: it is another night.
const ROUND: Duration = Duration::from_secs(15 * 60);
/// A call that is said to go on may have just ended.
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// What a target makes of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A phone call to the first number that answers.
    Call,
    /// A text message to every number.
    Sms,
}

/// A call to the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Calls the number at this place.
    Dial { nth: usize },
    /// Sends a text message to the number at this place.
    Send { nth: usize },
    /// What became of the last phone call of this lane.
    AskCall { sid: String, again: bool },
    /// What became of the last text message of this lane.
    AskText { sid: String },
    /// Changes nothing; lets it be remembered who has it, before the rest is given up.
    Remember { sid: String },
    /// Ends a phone call that has not been answered yet.
    Cancel { sid: String },
}

/// What comes after a reply.
#[derive(Debug)]
pub enum Next {
    /// The try is over.
    Over(Outcome),
    /// One more call.
    Call { stage: Stage, keep: Option<RemoteRef>, wait: Duration },
}

impl Stage {
    /// What a try begins with; `None` when there is nothing to call for this message.
    pub fn first(mode: Mode, message: &Message, people: usize) -> Option<Stage> {
        let before = message.remote.as_ref().map(Progress::read);
        match (mode, message.action, before) {
            (Mode::Call, Action::Trigger, None) => Some(Stage::Dial { nth: 0 }),
            (Mode::Call, Action::Trigger, Some(before)) => {
                Some(Stage::AskCall { sid: before.sid, again: false })
            }
            (Mode::Call, Action::Acknowledge | Action::Resolve, Some(before)) => {
                Some(Stage::Cancel { sid: before.sid })
            }
            (Mode::Call, Action::Acknowledge | Action::Resolve, None)
            | (Mode::Sms, Action::Acknowledge, _) => None,
            // Only one that went to nobody else says by itself whether anybody was told.
            (Mode::Sms, Action::Trigger, Some(before)) if people == 1 && before.message != message.id => {
                Some(Stage::AskText { sid: before.sid })
            }
            (Mode::Sms, Action::Trigger | Action::Resolve, _) => {
                Some(Stage::Send { nth: untold(message, people).into_iter().next().unwrap_or(0) })
            }
        }
    }
}

/// Places in `to` that do not have this message yet; all of them when it is a new one, or when
/// everybody has it and somebody asked for it again.
fn untold(message: &Message, people: usize) -> Vec<usize> {
    let before = message.remote.as_ref().map(Progress::read).filter(|before| before.message == message.id);
    let told = before.map(|before| before.told).unwrap_or_default();
    let left: Vec<usize> = (0..people).filter(|place| !told.contains(place)).collect();
    if left.is_empty() { (0..people).collect() } else { left }
}

/// What has been achieved in a try so far.
#[derive(Debug)]
pub struct Course<'a> {
    to: &'a [Number],
    message: &'a Message,
    now: Timestamp,
    /// Whose turn it is when the last call was missed.
    next: usize,
    sid: String,
    told: Vec<usize>,
    left: Vec<usize>,
    refused: Vec<String>,
}

impl<'a> Course<'a> {
    /// Nothing done yet.
    pub fn new(mode: Mode, to: &'a [Number], message: &'a Message, now: Timestamp) -> Course<'a> {
        let before = message.remote.as_ref().map(Progress::read).unwrap_or_default();
        let same = mode == Mode::Sms && before.message == message.id;
        let left = untold(message, to.len());
        let told = if same && left.len() < to.len() { before.told } else { Vec::new() };
        let sid = if same { before.sid } else { String::new() };
        Course { to, message, now, next: before.next, sid, told, left, refused: Vec::new() }
    }

    /// Reads a reply to `stage`.
    pub fn after(&mut self, stage: &Stage, reply: &Reply) -> Next {
        match stage {
            Stage::Dial { nth } => self.dialled(*nth, reply),
            Stage::Send { nth } => self.sent(*nth, reply),
            Stage::AskCall { sid, again } => self.call_was(sid, *again, reply),
            Stage::AskText { .. } => self.text_was(reply),
            Stage::Remember { .. } => Next::Over(self.partly()),
            Stage::Cancel { .. } => Next::Over(of_cancel(reply)),
        }
    }

    fn dialled(&mut self, nth: usize, reply: &Reply) -> Next {
        match of_create(reply) {
            Said::Made(sid) => {
                Next::Over(Outcome::Delivered { remote: Some(Progress::of_call(&sid, nth + 1)) })
            }
            Said::Refused(reason) => {
                self.refuse(nth, &reason);
                match self.to.get(nth + 1) {
                    Some(_) => call(Stage::Dial { nth: nth + 1 }),
                    None => Next::Over(Outcome::Rejected { reason: self.refused.join("; ") }),
                }
            }
            Said::Other(outcome) => Next::Over(outcome),
        }
    }

    fn sent(&mut self, nth: usize, reply: &Reply) -> Next {
        match of_create(reply) {
            Said::Made(sid) => {
                self.sid = sid;
                self.told.push(nth);
            }
            Said::Refused(reason) => self.refuse(nth, &reason),
            Said::Other(outcome) => return Next::Over(outcome),
        }
        let keep = (!self.told.is_empty()).then(|| self.remote());
        let left = self.left.iter().skip_while(|place| **place != nth).nth(1);
        match left {
            Some(next) => Next::Call { stage: Stage::Send { nth: *next }, keep, wait: Duration::ZERO },
            None if self.refused.is_empty() => Next::Over(Outcome::Delivered { remote: Some(self.remote()) }),
            None if self.told.is_empty() => Next::Over(Outcome::Rejected { reason: self.refused.join("; ") }),
            None => {
                Next::Call { stage: Stage::Remember { sid: self.sid.clone() }, keep, wait: Duration::ZERO }
            }
        }
    }

    fn call_was(&self, sid: &str, again: bool, reply: &Reply) -> Next {
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        match (reply.status, answer["status"].as_str()) {
            // Twilio has forgotten it, so it was long ago.
            (404, _) => call(Stage::Dial { nth: 0 }),
            (200..=299, Some("queued" | "initiated" | "ringing" | "in-progress")) if again => {
                Next::Over(Outcome::Delivered { remote: Some(Progress::of_call(sid, self.next)) })
            }
            (200..=299, Some("queued" | "initiated" | "ringing" | "in-progress")) => Next::Call {
                stage: Stage::AskCall { sid: sid.to_owned(), again: true },
                keep: None,
                wait: SECOND_LOOK,
            },
            (200..=299, Some(_)) if is_missed(&answer) && self.is_of_now(&answer, "end_time") => {
                match self.to.get(self.next) {
                    Some(_) => call(Stage::Dial { nth: self.next }),
                    None => Next::Over(Outcome::Rejected { reason: self.nobody() }),
                }
            }
            (200..=299, Some(_)) => call(Stage::Dial { nth: 0 }),
            _ => Next::Over(of_question(reply)),
        }
    }

    fn text_was(&self, reply: &Reply) -> Next {
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        match (reply.status, answer["status"].as_str()) {
            (200..=299, Some("undelivered" | "failed")) if self.is_of_now(&answer, "date_updated") => {
                let who = self.to.first().map(|number| shortened(number.as_str())).unwrap_or_default();
                let code = answer["error_code"].as_i64().map(|code| format!(" (error {code})"));
                let reason = format!("the text message to {who} did not arrive{}", code.unwrap_or_default());
                Next::Over(Outcome::Rejected { reason })
            }
            (200..=299, Some(_)) | (404, _) => call(Stage::Send { nth: 0 }),
            _ => Next::Over(of_question(reply)),
        }
    }

    /// A time that cannot be read counts as now: a phone must not ring for ever.
    fn is_of_now(&self, answer: &Value, name: &str) -> bool {
        let text = [name, "date_updated"].iter().find_map(|name| answer[*name].as_str());
        let at = text.and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
        at.is_none_or(|at| self.now.duration_since(at.timestamp()).unsigned_abs() <= ROUND)
    }

    fn refuse(&mut self, nth: usize, reason: &str) {
        let who = self.to.get(nth).map(|number| shortened(number.as_str())).unwrap_or_default();
        self.refused.push(format!("{who}: {reason}"));
    }

    fn remote(&self) -> RemoteRef {
        Progress::of_texts(&self.sid, &self.message.id, &self.told)
    }

    fn partly(&self) -> Outcome {
        let (told, all) = (self.told.len(), self.to.len());
        Outcome::Rejected { reason: format!("{told} of {all} have it, but not {}", self.refused.join("; ")) }
    }

    fn nobody(&self) -> String {
        let called: Vec<String> = self.to.iter().map(|number| shortened(number.as_str())).collect();
        format!("nobody picked up: {} were called", called.join(", "))
    }
}

fn call(stage: Stage) -> Next {
    Next::Call { stage, keep: None, wait: Duration::ZERO }
}

/// Nobody was reached: not answered, or by a machine.
fn is_missed(answer: &Value) -> bool {
    let by_machine =
        answer["answered_by"].as_str().is_some_and(|by| by.starts_with("machine") || by == "fax");
    by_machine || matches!(answer["status"].as_str(), Some("busy" | "no-answer" | "failed" | "canceled"))
}
