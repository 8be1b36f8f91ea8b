//! What a mail server's reply means (RFC 5321, 4.2; RFC 4954, 6). The code alone does not say: a 550
//! to the sender is a matter of settings, a 550 to a recipient is not.

use crate::domain::exchange::Reply;
use crate::domain::mail::STAGE;
use crate::domain::mail::Stage;
use crate::domain::outcome::Outcome;
use crate::target::verdict::sentence;

/// The outcome of every code at every stage.
pub(super) fn judged(reply: &Reply) -> Outcome {
    let stage = Stage::parse(reply.header(STAGE));
    let hold = |cure: &str| Outcome::Hold { reason: sentence(reply, cure) };
    match (reply.status, stage) {
        (200..=299, _) => Outcome::delivered(),
        (400..=499, _) => Outcome::Retry {
            reason: sentence(reply, ""),
            after: None,
            // Before the recipients, and when the server closes, it is not about this mail.
            whole_target: reply.status == 421 || !matches!(stage, Stage::Recipients | Stage::Message),
        },
        (530 | 534 | 535 | 538, _) | (500..=599, Stage::Login) => hold("check username and password"),
        // "Message size exceeds fixed limit": another mail may pass.
        (552, _) => Outcome::Rejected { reason: sentence(reply, "the mail is too large for the server") },
        (500..=599, Stage::Greeting) => hold("the server does not talk to this machine: check smtp"),
        (500..=599, Stage::Sender) => hold("the server does not take mail from this sender: check from"),
        (500..=599, Stage::Recipients) if is_policy(reply) => {
            hold("the server does not relay for us: check username, password and what the server allows")
        }
        (500..=599, Stage::Recipients) => {
            Outcome::Rejected { reason: sentence(reply, "nobody could be reached: check to and cc") }
        }
        (500..=599, Stage::Message) => Outcome::Rejected { reason: sentence(reply, "") },
        _ => Outcome::Unknown { reason: sentence(reply, "this does not end a mail in SMTP") },
    }
}

/// Enhanced status codes X.7.X speak of security and policy (RFC 3463, 3.8).
fn is_policy(reply: &Reply) -> bool {
    let text = String::from_utf8_lossy(&reply.body);
    text.split_whitespace().any(|word| word.starts_with("5.7."))
}
