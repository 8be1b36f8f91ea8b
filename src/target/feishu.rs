//! Feishu (飞书) and Lark, custom bots of a group: message cards, signed where the bot wants it.
//!
//! Takes a message, gives one POST to `/open-apis/bot/v2/hook/…`; a card that Feishu does not take is
//! sent again as text. The answer is mostly 200 with a `code` inside. Cards of these bots can link
//! but not call back, and nothing can be changed afterwards: a resolve is a message of its own.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;
use url::Url;

use crate::document::node::At;
use crate::domain::exchange::Reply;
use crate::domain::message::{Action, Message};
use crate::domain::outcome::Outcome;
use crate::domain::secret::{Redactor, Secret};
use crate::target::bench::Bench;
use crate::target::contract::{Built, Kind, Target, Turn, Unsayable, Worded, Workshop};
use crate::target::robot::{
    Address, Class, Tongue, calls, defaults, fitted, is_id, names_all, people, post, sayable, with_keyword,
};
use crate::target::verdict::{WAIT_MAX, cleaned};
use crate::template::escape::Escape;
use crate::template::headline::is_web;
use crate::template::library::{Builtin, Fault, Language, Wording, builtin};
use crate::template::severity::Severity;
use crate::template::text::cut;
use crate::template::view::View;

/// Feishu; Lark is <https://open.larksuite.com>.
const BASE_URL: &str = "https://open.feishu.cn";
/// Longest body ("20 KB", read in the narrow sense).
const BODY_BYTES: usize = 20_000;
/// Longest title of a card; the vendor names no limit, three lines of a phone are enough.
const TITLE_CHARS: usize = 150;
/// Longest footer.
const FOOTER_CHARS: usize = 500;
/// Colours of a card's head.
const COLORS: [&str; 13] = [
    "default",
    "blue",
    "wathet",
    "turquoise",
    "green",
    "yellow",
    "orange",
    "red",
    "carmine",
    "violet",
    "purple",
    "indigo",
    "grey",
];
/// Where the address of a bot is found.
const CURE: &str =
    "copy the webhook address of the custom bot: https://open.feishu.cn/open-apis/bot/v2/hook/…";

/// `StatusCode` is what bots made before 2021 answer.
const TONGUE: Tongue =
    Tongue { service: "Feishu", codes: &["code", "StatusCode"], texts: &["msg", "StatusMessage"], class };

static WORDINGS: [Builtin; 4] = [
    builtin!("feishu", "title"),
    builtin!("feishu", "text"),
    builtin!("feishu", "footer"),
    builtin!("feishu", "color"),
];

/// The row of the table of kinds. A bot may be told 100 messages a minute and 5 a second.
pub static KIND: Kind = Kind {
    name: "feishu",
    about: "Feishu (飞书) and Lark group bots",
    wordings: &WORDINGS,
    defaults: defaults((90, 3)),
    build,
};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    webhook_url: Option<At<Secret>>,
    token: Option<At<Secret>>,
    base_url: Option<At<String>>,
    secret: Option<At<Secret>>,
    keyword: String,
    title: Option<At<String>>,
    text: Option<At<String>>,
    footer: Option<At<String>>,
    color: Option<At<String>>,
    at_user_ids: Vec<At<String>>,
    at_all: bool,
    mention_from: Option<At<String>>,
}

fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<Feishu>) };
    let address = Address {
        webhook_url: settings.webhook_url.as_ref(),
        token: ("token", settings.token.as_ref()),
        base_url: settings.base_url.as_ref(),
        usual: BASE_URL,
        path: "/open-apis/bot/v2/hook/",
        cure: CURE,
    };
    let url = address.built(&mut bench);
    let secret =
        bench.secret("secret", settings.secret.as_ref(), "copy it from the bot's signature verification");
    let is_open_id = |id: &str| id.starts_with("ou_") && is_id(id);
    let cure = "write the open id (ou_…): bots know people by no other";
    let mut people = people(&mut bench, "at_user_ids", &settings.at_user_ids, is_open_id, cure);
    people.extend(settings.at_all.then(|| "all".to_owned()));
    let mention_from = bench.severity("mention_from", settings.mention_from.as_ref(), Severity::Critical);
    let title = bench.wording("title", settings.title.as_ref(), Escape::None);
    let text = bench.wording("text", settings.text.as_ref(), Escape::Markdown);
    let footer = bench.wording("footer", settings.footer.as_ref(), Escape::None);
    let color = bench.wording("color", settings.color.as_ref(), Escape::None);
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let wordings = title.zip(text).zip(footer.zip(color));
    let target = url.zip(wordings).map(|(url, ((title, text), (footer, color)))| Feishu {
        url,
        secret,
        keyword: settings.keyword.trim().to_owned(),
        language: workshop.templates.language(),
        title,
        text,
        footer,
        color,
        people,
        mention_from,
        secrets,
        redactor,
    });
    bench.finish(target)
}

/// A configured target.
#[derive(Debug)]
struct Feishu {
    url: Secret,
    secret: Option<Secret>,
    keyword: String,
    language: Language,
    title: Wording,
    text: Wording,
    footer: Wording,
    color: Wording,
    /// Open ids, or `all`.
    people: Vec<String>,
    mention_from: Severity,
    secrets: Vec<Secret>,
    redactor: Redactor,
}

impl Target for Feishu {
    fn request(&self, message: &Message, view: &View) -> Result<Worded, Unsayable> {
        sayable(message, "Feishu")?;
        let mut faults = Vec::new();
        let title = self.title(view, &mut faults);
        let text = self.text.say(view).noting(&mut faults);
        let text = if text.trim().is_empty() { view.plain().into() } else { text };
        let color = self.color(view, &mut faults);
        let footer = self.footer.say(view).noting(&mut faults);
        let mut tail = with_keyword(String::new(), &self.keyword);
        if calls(message, view, self.mention_from) && !self.people.is_empty() {
            let named: Vec<String> = self.people.iter().map(|id| format!("<at id={id}></at>")).collect();
            tail.push_str(&format!("\n\n{}", named.join(" ")));
        }
        let buttons = self.buttons(view);
        let body =
            fitted(&text, BODY_BYTES, |text| {
                let mut elements = vec![json!({
                    "tag": "div", "text": { "tag": "lark_md", "content": format!("{}{tail}", text.trim()) },
                })];
                if !buttons.is_empty() {
                    elements.push(json!({ "tag": "action", "actions": buttons }));
                }
                if !footer.trim().is_empty() {
                    let content = cut(footer.trim(), FOOTER_CHARS);
                    elements.push(
                        json!({ "tag": "note", "elements": [{ "tag": "plain_text", "content": content }] }),
                    );
                }
                self.proven(view, json!({
                "msg_type": "interactive",
                "card": {
                    "config": { "wide_screen_mode": true },
                    "header": { "template": color, "title": { "tag": "plain_text", "content": title } },
                    "elements": elements,
                },
            }))
            });
        Ok(post(self.url.clone(), body, faults))
    }

    fn judge(&self, _message: &Message, reply: &Reply) -> Outcome {
        let reply = &cleaned(reply, &self.redactor);
        let outcome = TONGUE.judged(reply);
        // Feishu has a header of its own for what others call Retry-After.
        let reset = reply.header("x-ogw-ratelimit-reset").and_then(|text| text.trim().parse().ok());
        match (outcome, reset) {
            (Outcome::Retry { reason, after, whole_target: true }, Some(seconds)) => {
                let reset = Duration::from_secs(seconds).min(WAIT_MAX);
                Outcome::Retry { reason, after: after.max(Some(reset)), whole_target: true }
            }
            (outcome, _) => outcome,
        }
    }

    /// A card that is refused for good may still pass as text.
    fn follow(&self, message: &Message, view: &View, replies: &[Reply]) -> Turn {
        let Some(reply) = replies.last() else {
            return Turn::Over(Outcome::Unknown { reason: "nothing came back".into() });
        };
        match self.judge(message, reply) {
            Outcome::Rejected { .. } if replies.len() == 1 => Turn::call(self.plain(view)),
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
        names_all(message, &self.text.say(view).text, BODY_BYTES)
    }

    fn secrets(&self) -> Vec<&Secret> {
        self.secrets.iter().collect()
    }
}

impl Feishu {
    fn title(&self, view: &View, faults: &mut Vec<Fault>) -> String {
        let title = self.title.say(view).noting(faults);
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        let title = if title.is_empty() { view.plain() } else { title };
        cut(&title, TITLE_CHARS).into_owned()
    }

    /// A colour that cards have; another would cost the whole card.
    fn color(&self, view: &View, faults: &mut Vec<Fault>) -> String {
        let said = self.color.say(view).noting(faults);
        if COLORS.contains(&said.trim()) {
            return said.trim().to_owned();
        }
        let what = format!("{:?} is no colour of a card: {}", cut(said.trim(), 40), COLORS.join(", "));
        self.color.instead(view, what).noting(faults).trim().to_owned()
    }

    /// Title, place and link as text. Tags would count in it (`<at …>`), so values are parted.
    fn plain(&self, view: &View) -> Worded {
        let mut faults = Vec::new();
        let lines = [self.title(view, &mut faults).into(), view.text("where"), view.text("link")];
        let lines: Vec<String> = lines
            .iter()
            .filter(|line| !line.is_empty())
            .map(|line| Escape::Markdown.apply(line).into_owned())
            .collect();
        let text = with_keyword(lines.join("\n"), &self.keyword);
        let body = fitted(&text, BODY_BYTES, |text| {
            self.proven(view, json!({ "msg_type": "text", "content": { "text": text } }))
        });
        post(self.url.clone(), body, faults)
    }

    fn buttons(&self, view: &View) -> Vec<Value> {
        let link = view.text("link");
        let all = [
            (&*link, "Open", "打开告警"),
            (view.annotation("runbook_url"), "Runbook", "处置手册"),
            (view.annotation("dashboard_url"), "Dashboard", "监控面板"),
        ];
        // An address that is none would cost the whole card.
        let address = |url: &str| Some(url).filter(|url| is_web(url)).and_then(|url| Url::parse(url).ok());
        let shown = all.into_iter().filter_map(|(url, en, zh)| Some((String::from(address(url)?), en, zh)));
        let button = |(url, en, zh): (String, &str, &str)| {
            let text = match self.language {
                Language::En => en,
                Language::Zh => zh,
            };
            json!({ "tag": "button", "type": "default", "url": url, "text": { "tag": "plain_text", "content": text } })
        };
        shown.map(button).collect()
    }

    /// The body with `timestamp` in seconds and `sign`: the HMAC-SHA256 of nothing under the key
    /// `<timestamp>\n<secret>`.
    fn proven(&self, view: &View, mut body: Value) -> Value {
        let Some(secret) = &self.secret else { return body };
        let seconds = view.now().as_second().to_string();
        let key = format!("{seconds}\n{}", secret.expose());
        if let Ok(mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) {
            body["sign"] = BASE64.encode(mac.finalize().into_bytes()).into();
            body["timestamp"] = seconds.into();
        }
        body
    }
}

/// `code` of a bot's webhook.
fn class(code: i64, text: &str) -> Class {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match code {
        11_232 | 99_991_400 => Class::Rest(10),
        9499 if says(&["too many", "frequen", "limit"]) => Class::Rest(10),
        2200 => Class::Again,
        19_001 => Class::Hold(CURE),
        19_021 => Class::Hold("compare `secret` with the one of the bot, and the clock of this machine"),
        19_022 => {
            Class::Hold("add the address of this machine to the bot's list, or use the signature instead")
        }
        19_024 => {
            Class::Hold("the bot wants a keyword: write it into `keyword`, or use the signature instead")
        }
        _ => Class::Never(""),
    }
}
