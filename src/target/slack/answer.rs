//! What Slack's answers mean. The web API answers 200 to almost everything and tells by a word
//! whether it did it; incoming webhooks answer with a word as their whole body.

use serde_json::Value;

use crate::domain::exchange::Reply;
use crate::domain::outcome::Outcome;
use crate::target::verdict::{by_status, retry_after, sentence};
use crate::template::text::cut;

/// An answer, read.
#[derive(Debug, Default)]
pub struct Said {
    /// It has been done.
    pub done: bool,
    /// Why not; empty when it has been done or no word was found.
    pub word: String,
    /// Id of the channel.
    pub channel: String,
    /// Name of the message.
    pub ts: String,
    /// What else is wrong, as Slack puts it.
    messages: String,
}

/// What a word asks for.
#[derive(Clone, Copy)]
enum Class {
    /// Later.
    Again,
    /// Later, and nothing else before it.
    Rest,
    /// A person must put it right; this is how.
    Hold(&'static str),
    /// Never.
    Never(&'static str),
}

const TOKEN: &str = "copy the Bot User OAuth Token (xoxb-…) of the app again";
const SCOPE: &str =
    "give the app the scopes chat:write and, for public channels, chat:write.public, and install it again";
const CHANNEL: &str = "check `channel`: the name or id of a channel that the app can see";
const POLICY: &str = "ask an admin of the workspace: its rules keep the app from posting";
const WEBHOOK: &str = "make a new incoming webhook and copy its address";
const BUG: &str = "the wording does not fit Slack";

/// Words of `chat.postMessage`, `chat.update` and of incoming webhooks. Every other is final.
const WORDS: [(&str, Class); 49] = [
    ("ratelimited", Class::Rest),
    ("rate_limited", Class::Rest),
    ("message_limit_exceeded", Class::Rest),
    ("service_unavailable", Class::Rest),
    ("internal_error", Class::Again),
    ("fatal_error", Class::Again),
    ("request_timeout", Class::Again),
    ("update_failed", Class::Again),
    ("external_channel_migrating", Class::Again),
    ("team_added_to_org", Class::Again),
    ("rollup_error", Class::Again),
    ("invalid_auth", Class::Hold(TOKEN)),
    ("not_authed", Class::Hold(TOKEN)),
    ("account_inactive", Class::Hold(TOKEN)),
    ("token_revoked", Class::Hold(TOKEN)),
    ("token_expired", Class::Hold(TOKEN)),
    ("not_allowed_token_type", Class::Hold(TOKEN)),
    ("missing_scope", Class::Hold(SCOPE)),
    ("no_permission", Class::Hold(SCOPE)),
    ("channel_not_found", Class::Hold(CHANNEL)),
    ("not_in_channel", Class::Hold("invite the app to the channel: /invite @app")),
    ("is_archived", Class::Hold("unarchive the channel or set another")),
    ("messages_tab_disabled", Class::Hold("switch the Messages Tab of the app on")),
    ("restricted_action", Class::Hold(POLICY)),
    ("restricted_action_read_only_channel", Class::Hold(POLICY)),
    ("restricted_action_thread_only_channel", Class::Hold(POLICY)),
    ("restricted_action_non_threadable_channel", Class::Hold(POLICY)),
    ("restricted_action_thread_locked", Class::Hold(POLICY)),
    ("posting_to_general_channel_denied", Class::Hold(POLICY)),
    ("access_denied", Class::Hold(POLICY)),
    ("accesslimited", Class::Hold(POLICY)),
    ("team_access_not_granted", Class::Hold(POLICY)),
    ("ekm_access_denied", Class::Hold(POLICY)),
    ("enterprise_is_restricted", Class::Hold(POLICY)),
    ("org_login_required", Class::Hold(POLICY)),
    ("two_factor_setup_required", Class::Hold(POLICY)),
    ("method_deprecated", Class::Hold("look for a newer version of alert-relay")),
    (
        "unknown_method",
        Class::Hold("check base_url: it is https://slack.com/api unless a proxy stands between"),
    ),
    ("no_service", Class::Hold(WEBHOOK)),
    ("no_service_id", Class::Hold(WEBHOOK)),
    ("no_team", Class::Hold(WEBHOOK)),
    ("team_disabled", Class::Hold(WEBHOOK)),
    ("invalid_token", Class::Hold(WEBHOOK)),
    ("action_prohibited", Class::Hold(POLICY)),
    ("channel_is_archived", Class::Hold("unarchive the channel or make a webhook for another")),
    ("invalid_blocks", Class::Never(BUG)),
    ("invalid_payload", Class::Never(BUG)),
    ("msg_blocks_too_long", Class::Never("shorten `text` and `fields`")),
    ("msg_too_long", Class::Never("shorten `text` and `header`")),
];

/// Words that a channel cannot be posted to under this name.
const NO_CHANNEL: [&str; 3] = ["channel_not_found", "not_in_channel", "is_archived"];
/// Words that the blocks are at fault, so that plain text may pass.
const NO_BLOCKS: [&str; 8] = [
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_attachments",
    "invalid_payload",
    "msg_blocks_too_long",
    "msg_too_long",
    "too_many_attachments",
    "attachment_payload_limit_exceeded",
];
/// Words that the message is no more.
const GONE: [&str; 4] = ["message_not_found", "thread_not_found", "channel_not_found", "is_archived"];
/// Words that the message stays as it is.
const FROZEN: [&str; 3] = ["cant_update_message", "edit_window_closed", "is_inactive"];

impl Said {
    /// Reads an answer of the web API.
    pub fn api(reply: &Reply) -> Said {
        let Ok(answer) = serde_json::from_slice::<Value>(&reply.body) else { return Said::default() };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let messages = answer["response_metadata"]["messages"].as_array().into_iter().flatten();
        let messages: Vec<&str> = messages.filter_map(Value::as_str).take(3).collect();
        Said {
            done: answer["ok"] == true,
            word: if answer["ok"] == false { text(&answer["error"]) } else { String::new() },
            channel: text(&answer["channel"]),
            ts: text(&answer["ts"]),
            messages: messages.join(", "),
        }
    }

    /// Reads an answer to an incoming webhook.
    pub fn webhook(reply: &Reply) -> Said {
        let body = String::from_utf8_lossy(&reply.body);
        let word = body.trim();
        let is_word = !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let said = Said::api(reply);
        match word {
            "ok" => Said { done: true, ..said },
            word if is_word => Said { word: word.to_owned(), ..said },
            _ => said,
        }
    }

    /// Whether the word is among these.
    fn is(&self, words: &[&str]) -> bool {
        words.contains(&self.word.as_str())
    }

    /// There is no such channel for us.
    pub fn no_channel(&self) -> bool {
        self.is(&NO_CHANNEL)
    }

    /// Plain text may pass where these blocks do not.
    pub fn no_blocks(&self) -> bool {
        self.is(&NO_BLOCKS)
    }

    /// The message to change is not there.
    pub fn gone(&self) -> bool {
        self.is(&GONE)
    }

    /// The message to change cannot be changed.
    pub fn frozen(&self) -> bool {
        self.is(&FROZEN)
    }

    /// What it came to; delivered without anything to remember when it has been done.
    pub fn outcome(&self, reply: &Reply) -> Outcome {
        match reply.status {
            200..=299 if self.done => Outcome::delivered(),
            429 => by_status(reply),
            200..=299 | 400..=499 if !self.word.is_empty() => self.refused(reply),
            200..=299 => Outcome::Hold {
                reason: sentence(
                    reply,
                    "this is not Slack's answer: check the address (base_url or webhook_url)",
                ),
            },
            _ => by_status(reply),
        }
    }

    fn refused(&self, reply: &Reply) -> Outcome {
        let mut reason = format!("Slack answered {}", cut(&self.word, 100));
        if !self.messages.is_empty() {
            reason.push_str(&format!(" ({})", cut(&self.messages, 300)));
        }
        let known = WORDS.iter().find(|(word, _)| *word == self.word).map(|(_, class)| *class);
        let with = |cure: &str| format!("{reason}; {cure}");
        match known {
            Some(Class::Again) => Outcome::Retry { reason, after: retry_after(reply), whole_target: false },
            Some(Class::Rest) => Outcome::Retry { reason, after: retry_after(reply), whole_target: true },
            Some(Class::Hold(cure)) => Outcome::Hold { reason: with(cure) },
            Some(Class::Never(cure)) => Outcome::Rejected { reason: with(cure) },
            None if reply.status >= 300 => by_status(reply),
            None => Outcome::Rejected { reason },
        }
    }
}
