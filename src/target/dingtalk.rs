//! DingTalk (钉钉), custom robots of a group: Markdown messages, signed where the robot wants it.
//!
//! Takes a message, gives one POST to `/robot/send`. The answer is 200 whatever became of it, with an
//! `errcode`. A robot that is told more than 20 messages a minute is deaf for ten minutes, so the
//! default pace stays below. Nothing can be changed afterwards: a resolve is a message of its own.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::document::node::At;
use crate::domain::exchange::Reply;
use crate::domain::message::{Action, Message};
use crate::domain::outcome::Outcome;
use crate::domain::secret::{Redactor, Secret};
use crate::target::bench::Bench;
use crate::target::contract::{Built, Kind, Target, Unsayable, Worded, Workshop};
use crate::target::robot::{
    Address, Class, Tongue, calls, defaults, fitted, is_id, is_phone, names_all, people, post, sayable,
    with_keyword, with_query,
};
use crate::target::verdict::cleaned;
use crate::template::escape::Escape;
use crate::template::library::{Builtin, Wording, builtin};
use crate::template::severity::Severity;
use crate::template::text::cut;
use crate::template::view::View;

/// The service.
const BASE_URL: &str = "https://oapi.dingtalk.com";
/// Longest body (`460101: message too long, exceed 20000 bytes`).
const BODY_BYTES: usize = 20_000;
/// Longest title: it is the one line of the notification.
const TITLE_CHARS: usize = 128;
/// Where the address of a robot is found.
const CURE: &str =
    "copy the Webhook of the custom robot: https://oapi.dingtalk.com/robot/send?access_token=…";

const TONGUE: Tongue = Tongue { service: "DingTalk", codes: &["errcode"], texts: &["errmsg"], class };

static WORDINGS: [Builtin; 2] = [builtin!("dingtalk", "title"), builtin!("dingtalk", "text")];

/// The row of the table of kinds. 20 messages a minute are allowed; pace and burst together stay
/// below, because the eleventh minute is a long time to wait.
pub static KIND: Kind = Kind {
    name: "dingtalk",
    about: "DingTalk (钉钉) group robots",
    wordings: &WORDINGS,
    defaults: defaults((15, 5)),
    build,
};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    webhook_url: Option<At<Secret>>,
    access_token: Option<At<Secret>>,
    base_url: Option<At<String>>,
    secret: Option<At<Secret>>,
    keyword: String,
    title: Option<At<String>>,
    text: Option<At<String>>,
    at_mobiles: Vec<At<String>>,
    at_user_ids: Vec<At<String>>,
    at_all: bool,
    mention_from: Option<At<String>>,
}

fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<DingTalk>) };
    let address = Address {
        webhook_url: settings.webhook_url.as_ref(),
        token: ("access_token", settings.access_token.as_ref()),
        base_url: settings.base_url.as_ref(),
        usual: BASE_URL,
        path: "/robot/send?access_token=",
        cure: CURE,
    };
    let url = address.built(&mut bench);
    let secret = bench.secret("secret", settings.secret.as_ref(), "copy it from the robot: SEC…");
    let cure = "write the phone number as DingTalk knows it";
    let mobiles = people(&mut bench, "at_mobiles", &settings.at_mobiles, is_phone, cure);
    let cure = "write the user id from the address book of the organisation";
    let user_ids = people(&mut bench, "at_user_ids", &settings.at_user_ids, is_id, cure);
    let mention_from = bench.severity("mention_from", settings.mention_from.as_ref(), Severity::Critical);
    let title = bench.wording("title", settings.title.as_ref(), Escape::None);
    let text = bench.wording("text", settings.text.as_ref(), Escape::Markdown);
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let target = url.zip(title.zip(text)).map(|(url, (title, text))| DingTalk {
        url,
        secret,
        keyword: settings.keyword.trim().to_owned(),
        title,
        text,
        mobiles,
        user_ids,
        at_all: settings.at_all,
        mention_from,
        secrets,
        redactor,
    });
    bench.finish(target)
}

/// A configured target.
#[derive(Debug)]
struct DingTalk {
    url: Secret,
    secret: Option<Secret>,
    keyword: String,
    title: Wording,
    text: Wording,
    mobiles: Vec<String>,
    user_ids: Vec<String>,
    at_all: bool,
    mention_from: Severity,
    secrets: Vec<Secret>,
    redactor: Redactor,
}

impl Target for DingTalk {
    fn request(&self, message: &Message, view: &View) -> Result<Worded, Unsayable> {
        sayable(message, "DingTalk")?;
        let mut faults = Vec::new();
        let title = self.title.say(view).noting(&mut faults);
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        let title = if title.is_empty() { view.plain() } else { title };
        let text = self.text.say(view).noting(&mut faults);
        let text = if text.trim().is_empty() { view.plain().into() } else { text };
        let calls = calls(message, view, self.mention_from);
        // DingTalk shows a mention where the text names the person, so the names stand at its end.
        let named: Vec<String> =
            [&self.mobiles, &self.user_ids].into_iter().flatten().map(|id| format!("@{id}")).collect();
        let mut tail = with_keyword(String::new(), &self.keyword);
        if calls && !named.is_empty() {
            tail.push_str(&format!("\n\n{}", named.join(" ")));
        }
        let whole = |text: &str| {
            let mut body = json!({
                "msgtype": "markdown",
                "markdown": { "title": cut(&title, TITLE_CHARS), "text": format!("{}{tail}", text.trim()) },
            });
            if calls && (self.at_all || !named.is_empty()) {
                body["at"] = json!({
                    "atMobiles": self.mobiles, "atUserIds": self.user_ids, "isAtAll": self.at_all,
                });
            }
            body
        };
        let url = match &self.secret {
            Some(secret) => signed(&self.url, secret, view.now()),
            None => self.url.clone(),
        };
        Ok(post(url, fitted(&text, BODY_BYTES, whole), faults))
    }

    fn judge(&self, _message: &Message, reply: &Reply) -> Outcome {
        let reply = &cleaned(reply, &self.redactor);
        punished(reply).unwrap_or_else(|| TONGUE.judged(reply))
    }

    fn says(&self, action: Action) -> bool {
        action != Action::Acknowledge
    }

    fn talks(&self) -> bool {
        true
    }

    fn names_all(&self, message: &Message, view: &View) -> bool {
        names_all(message, &self.text.say(view).text, BODY_BYTES)
    }

    fn secrets(&self) -> Vec<&Secret> {
        self.secrets.iter().collect()
    }
}

/// `timestamp` in milliseconds and `sign`: HMAC-SHA256 of `<timestamp>\n<secret>` under the secret.
fn signed(url: &Secret, secret: &Secret, now: Timestamp) -> Secret {
    let millis = now.as_millisecond().to_string();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else { return url.clone() };
    mac.update(format!("{millis}\n{}", secret.expose()).as_bytes());
    with_query(url, &[("timestamp", &millis), ("sign", &BASE64.encode(mac.finalize().into_bytes()))])
}

/// The gateway before DingTalk turns callers away with an answer of its own.
fn punished(reply: &Reply) -> Option<Outcome> {
    let answer: Value = serde_json::from_slice(&reply.body).ok()?;
    answer.get("punish")?;
    let wait = answer["wait"].as_u64().unwrap_or(0).clamp(1, 3600);
    let reason = format!("DingTalk's gateway turned the call away and asks for {wait} s of rest");
    Some(Outcome::Retry { reason, after: Some(Duration::from_secs(wait)), whole_target: true })
}

/// `errcode` of `robot/send`.
fn class(code: i64, text: &str) -> Class {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match code {
        130_101 | 410_100 => Class::Rest(60),
        _ if says(&["too fast", "too many", "频率", "限流", "太快"]) => Class::Rest(60),
        -1 => Class::Again,
        310_000 if says(&["keyword", "关键词"]) => {
            Class::Hold("the robot wants a keyword: write it into `keyword`, or use the signature instead")
        }
        310_000 if says(&["timestamp", "时间戳"]) && !says(&["签名不匹配"]) => {
            Class::Hold("the clock of this machine is off by an hour or more")
        }
        310_000 if says(&["whitelist", "白名单"]) => {
            Class::Hold("add the address of this machine to the robot's list, or use the signature instead")
        }
        310_000 => Class::Hold("compare `secret` with the one of the robot (SEC…)"),
        300_001 | 300_005 | 400_101 | 400_106 | 40_035 => Class::Hold(CURE),
        400_102 => Class::Hold("the robot is switched off: switch it on in the group"),
        400_013 => Class::Hold("the group is gone: make a robot in another"),
        460_101 | 101_002 => Class::Never("shorten `text`"),
        _ => Class::Never(""),
    }
}
