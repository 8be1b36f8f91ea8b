//! What the answers of Twilio mean.
//!
//! Takes a reply, gives what it says about one number, or an outcome. Codes:
//! <https://www.twilio.com/docs/api/errors>.

use serde_json::Value;

use crate::domain::exchange::Reply;
use crate::domain::outcome::Outcome;
use crate::target::verdict::{by_status, retry_after, sentence};
use crate::template::text::cut;

/// Codes about the number that was to be reached, and what to do about them.
const OF_NUMBER: [(u64, &str); 13] = [
    (21211, "write the number as +<country><number>"),
    (21214, "the number cannot be reached; check it"),
    (21215, "allow calls to that country in Twilio's Voice geographic permissions"),
    (21216, "Twilio does not call this number"),
    (21217, "the number does not seem to be valid; check it"),
    (21219, "verify the number in Twilio, or leave the trial"),
    (21265, "a short code cannot be reached"),
    (21408, "allow text messages to that country in Twilio's Messaging geographic permissions"),
    (21608, "verify the number in Twilio, or leave the trial"),
    (21610, "this person has opted out by STOP and must text START to the sender"),
    (21612, "this sender cannot reach that number; use another `from`"),
    (21614, "this is no mobile number; use mode: call for it"),
    (21635, "this is a landline; use mode: call for it"),
];

/// Codes about the caller or sender.
const OF_SENDER: [u64; 9] = [21210, 21212, 21603, 21606, 21659, 21660, 21661, 21701, 21703];

/// What an attempt to call or text one number came to.
#[derive(Debug, PartialEq)]
pub enum Said {
    /// It is on its way, under this sid.
    Made(String),
    /// Not to this number; to others perhaps.
    Refused(String),
    /// Everything else.
    Other(Outcome),
}

/// The answer to a new call or text message.
pub fn of_create(reply: &Reply) -> Said {
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let code = answer["code"].as_u64().unwrap_or_default();
    let told = told(reply, &answer, code);
    let cure_of = |code| OF_NUMBER.iter().find(|(known, _)| *known == code).map(|(_, cure)| *cure);
    match reply.status {
        200..=299 => match answer["sid"].as_str().filter(|sid| is_sid(sid)) {
            Some(sid) => Said::Made(sid.to_owned()),
            None => Said::Other(Outcome::Hold {
                reason: sentence(
                    reply,
                    "this is not Twilio's answer, which would name a sid: check base_url",
                ),
            }),
        },
        400..=499 if code == 20429 => {
            Said::Other(Outcome::Retry { reason: told, after: retry_after(reply), whole_target: true })
        }
        400..=499 if code == 20003 => {
            let hint = "check account_sid and auth_token (or api_key_sid and api_key_secret)";
            Said::Other(Outcome::Hold { reason: format!("{told}; {hint}") })
        }
        400..=499 if OF_SENDER.contains(&code) => Said::Other(Outcome::Hold {
            reason: format!("{told}; check `from`: it must be a number of the account that can do this"),
        }),
        400..=499 if cure_of(code).is_some() => {
            Said::Refused(format!("{told}; {}", cure_of(code).unwrap_or_default()))
        }
        404 => Said::Other(Outcome::Hold {
            reason: format!("{told}; check account_sid, and that base_url is that of its region"),
        }),
        // Whether a call was placed is not known; placing it twice is better than not at all.
        500 | 502 | 504 => Said::Other(Outcome::Unknown { reason: told }),
        400 | 402 | 406..=428 | 430..=499 => Said::Other(Outcome::Rejected { reason: told }),
        _ => Said::Other(by_status(reply)),
    }
}

/// The answer to the wish to end a call. One that has ended cannot be ended, which is what was wanted.
pub fn of_cancel(reply: &Reply) -> Outcome {
    match reply.status {
        200..=299 | 400 | 404 | 409 => Outcome::delivered(),
        _ => by_status(reply),
    }
}

/// The answer to a question, where it holds no answer.
pub fn of_question(reply: &Reply) -> Outcome {
    match reply.status {
        200..=299 => Outcome::Hold { reason: sentence(reply, "this is not Twilio's answer: check base_url") },
        _ => by_status(reply),
    }
}

/// Status, the vendor's sentence and the vendor's code.
fn told(reply: &Reply, answer: &Value, code: u64) -> String {
    match answer["message"].as_str() {
        Some(message) if code > 0 => format!("answered {}: {} ({code})", reply.status, cut(message, 300)),
        _ => sentence(reply, ""),
    }
}

/// Sids are two letters and 32 hexadecimal digits; what else stands there is not remembered.
fn is_sid(text: &str) -> bool {
    (3..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
