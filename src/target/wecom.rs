//! WeCom (企业微信), robots of a group: Markdown messages of at most 4096 bytes.
//!
//! Takes a message, gives one POST to `/cgi-bin/webhook/send`; where people are to be mentioned a
//! line of text follows, because Markdown of these robots mentions nobody. The answer is 200 with an
//! `errcode`. Nothing can be changed afterwards: a resolve is a message of its own.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::document::node::At;
use crate::domain::exchange::Reply;
use crate::domain::message::{Action, Message, RemoteRef};
use crate::domain::outcome::Outcome;
use crate::domain::secret::{Redactor, Secret};
use crate::target::bench::Bench;
use crate::target::contract::{Built, Kind, Step, Target, Turn, Unsayable, Worded, Workshop, lists};
use crate::target::robot::{Address, Class, Tongue, calls, defaults, is_id, is_phone, people, post, sayable};
use crate::target::verdict::cleaned;
use crate::template::escape::Escape;
use crate::template::library::{Builtin, Fault, Wording, builtin};
use crate::template::severity::Severity;
use crate::template::text::cut_bytes;
use crate::template::view::View;

/// The service.
const BASE_URL: &str = "https://qyapi.weixin.qq.com";
/// Longest Markdown, in bytes of UTF-8.
const MARKDOWN_BYTES: usize = 4096;
/// Longest text, in bytes of UTF-8.
const TEXT_BYTES: usize = 2048;
/// Where the address of a robot is found.
const CURE: &str = "copy the Webhook of the robot: https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…";
/// Firing and resolved alerts that its wording lists: fewer fit than elsewhere.
const LISTED: (usize, usize) = (10, 5);
/// Begins what is kept between the message and the call of people.
const POSTED: &str = "posted";

const TONGUE: Tongue = Tongue { service: "WeCom", codes: &["errcode"], texts: &["errmsg"], class };

static WORDINGS: [Builtin; 2] = [builtin!("wecom", "text"), builtin!("wecom", "call")];

/// The row of the table of kinds. 20 messages a minute are allowed; pace and burst together stay
/// below.
pub static KIND: Kind = Kind {
    name: "wecom",
    about: "WeCom (企业微信) group robots",
    wordings: &WORDINGS,
    defaults: defaults((15, 5)),
    build,
};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    webhook_url: Option<At<Secret>>,
    key: Option<At<Secret>>,
    base_url: Option<At<String>>,
    text: Option<At<String>>,
    call: Option<At<String>>,
    mentioned_list: Vec<At<String>>,
    mentioned_mobile_list: Vec<At<String>>,
    mention_from: Option<At<String>>,
}

fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<WeCom>) };
    let address = Address {
        webhook_url: settings.webhook_url.as_ref(),
        token: ("key", settings.key.as_ref()),
        base_url: settings.base_url.as_ref(),
        usual: BASE_URL,
        path: "/cgi-bin/webhook/send?key=",
        cure: CURE,
    };
    let url = address.built(&mut bench);
    let cure = "write the user id from the address book, or `@all`";
    let users = people(&mut bench, "mentioned_list", &settings.mentioned_list, is_id, cure);
    let is_mobile = |text: &str| text == "@all" || is_phone(text);
    let cure = "write the phone number as WeCom knows it, or `@all`";
    let mobiles =
        people(&mut bench, "mentioned_mobile_list", &settings.mentioned_mobile_list, is_mobile, cure);
    let mention_from = bench.severity("mention_from", settings.mention_from.as_ref(), Severity::Critical);
    let text = bench.wording("text", settings.text.as_ref(), Escape::Markdown);
    let call = bench.wording("call", settings.call.as_ref(), Escape::None);
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let target = url.zip(text.zip(call)).map(|(url, (text, call))| WeCom {
        url,
        text,
        call,
        users,
        mobiles,
        mention_from,
        secrets,
        redactor,
    });
    bench.finish(target)
}

/// A configured target.
#[derive(Debug)]
struct WeCom {
    url: Secret,
    text: Wording,
    call: Wording,
    users: Vec<String>,
    mobiles: Vec<String>,
    mention_from: Severity,
    secrets: Vec<Secret>,
    redactor: Redactor,
}

impl Target for WeCom {
    fn request(&self, message: &Message, view: &View) -> Result<Worded, Unsayable> {
        sayable(message, "WeCom")?;
        if message.remote.as_ref() == Some(&posted(message)) {
            return Ok(self.calling(view));
        }
        let mut faults = Vec::new();
        let text = self.text(view, &mut faults);
        let content = cut_bytes(text.trim(), MARKDOWN_BYTES);
        let body = json!({ "msgtype": "markdown", "markdown": { "content": content } });
        Ok(post(self.url.clone(), body.to_string().into_bytes(), faults))
    }

    fn judge(&self, _message: &Message, reply: &Reply) -> Outcome {
        TONGUE.judged(&cleaned(reply, &self.redactor))
    }

    /// The message, then the call of people. A try that breaks off between goes on with the call:
    /// the lane remembers for which delivery the message stands already.
    fn follow(&self, message: &Message, view: &View, replies: &[Reply]) -> Turn {
        let Some(reply) = replies.last() else {
            return Turn::Over(Outcome::Unknown { reason: "nothing came back".into() });
        };
        let outcome = self.judge(message, reply);
        let is_posted = message.remote.as_ref() == Some(&posted(message));
        let is_call = is_posted || replies.len() > 1;
        match outcome {
            Outcome::Delivered { .. }
                if !is_call && self.has_people() && calls(message, view, self.mention_from) =>
            {
                let keep = Some(posted(message));
                Turn::Call(Box::new(Step { worded: self.calling(view), keep, wait: Duration::ZERO }))
            }
            // The message stands; whom nobody can mention cannot be helped by trying again.
            Outcome::Rejected { .. } if is_call => Turn::Over(Outcome::delivered()),
            outcome => Turn::Over(outcome),
        }
    }

    fn says(&self, action: Action) -> bool {
        action != Action::Acknowledge
    }

    fn talks(&self) -> bool {
        true
    }

    fn names_all(&self, message: &Message, view: &View) -> bool {
        lists(message, LISTED) && self.text(view, &mut Vec::new()).trim().len() <= MARKDOWN_BYTES
    }

    fn secrets(&self) -> Vec<&Secret> {
        self.secrets.iter().collect()
    }
}

impl WeCom {
    fn text(&self, view: &View, faults: &mut Vec<Fault>) -> String {
        let text = self.text.say(view).noting(faults);
        if text.trim().is_empty() { view.plain() } else { text.into_owned() }
    }

    fn has_people(&self) -> bool {
        !self.users.is_empty() || !self.mobiles.is_empty()
    }

    /// A line of text that mentions people.
    fn calling(&self, view: &View) -> Worded {
        let mut faults = Vec::new();
        let text = self.call.say(view).noting(&mut faults);
        let text = if text.trim().is_empty() { view.plain().into() } else { text };
        let body = json!({
            "msgtype": "text",
            "text": {
                "content": cut_bytes(text.trim(), TEXT_BYTES),
                "mentioned_list": self.users, "mentioned_mobile_list": self.mobiles,
            },
        });
        post(self.url.clone(), body.to_string().into_bytes(), faults)
    }
}

/// The message of this delivery stands; only people are still to be called.
fn posted(message: &Message) -> RemoteRef {
    RemoteRef(format!("{POSTED} {}", message.id))
}

/// `errcode` of `webhook/send`.
fn class(code: i64, text: &str) -> Class {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match code {
        45_009 => Class::Rest(60),
        45_033 => Class::Rest(10),
        _ if says(&["freq out of limit", "频率"]) => Class::Rest(60),
        -1 => Class::Again,
        // One code for two troubles.
        93_000 if says(&["exceed max length", "invalid input"]) => Class::Never("shorten `text`"),
        93_000 => Class::Hold(CURE),
        93_004 | 93_008 | 93_017 => Class::Hold("the robot is no longer in the group: make another"),
        60_020 => Class::Hold("let the address of this machine in"),
        40_058 => Class::Never("the wording does not fit WeCom"),
        _ => Class::Never(""),
    }
}
