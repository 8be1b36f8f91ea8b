//! Settings of a Twilio target: what an operator may write, checked and compiled.

use serde::Deserialize;

use crate::config::secrets::is_placeholder;
use crate::document::node::At;
use crate::domain::exchange::HeaderText;
use crate::domain::secret::Secret;
use crate::target::bench::Bench;
use crate::target::contract::{Built, Workshop};
use crate::target::twilio::number::Number;
use crate::target::twilio::stage::Mode;
use crate::target::twilio::twiml::Speech;
use crate::target::twilio::{BASE_URL, Sender, Twilio, WORDINGS};
use crate::template::escape::Escape;
use crate::template::library::Language;

/// One number of text messages costs one call of a try, and a try is bounded.
const SMS_NUMBERS_MAX: usize = 20;
/// How often a text is read.
const REPEAT: usize = 2;
/// Before a voice mail answers, on most networks.
const RING_SECONDS: u32 = 25;
/// Three parts: about 450 characters, 200 in Chinese.
const SEGMENTS: usize = 3;
/// So many fit into the longest body that Twilio takes.
const SEGMENTS_MAX: usize = 10;
const SID_CHARS: usize = 34;
const TO_CURE: &str = "write it with plus and country, as in \"+8613800138000\"";

type Text = Option<At<String>>;
type Count = Option<At<u32>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    base_url: Text,
    mode: Text,
    account_sid: Text,
    auth_token: Option<At<Secret>>,
    secondary_auth_token: Option<At<Secret>>,
    api_key_sid: Text,
    api_key_secret: Option<At<Secret>>,
    from: Text,
    messaging_service_sid: Text,
    to: Vec<At<String>>,
    language: Text,
    voice: Text,
    say: Text,
    body: Text,
    repeat: Count,
    ring_timeout: Count,
    machine_detection: bool,
    max_segments: Count,
}

/// Builds a target, or says all that is wrong.
pub fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<Twilio>) };
    let base_url = bench.base_url(settings.base_url.as_ref(), BASE_URL);
    let mode = mode(&mut bench, settings.mode.as_ref());
    let cure = "copy the Account SID from the start page of the Twilio console; it begins with AC";
    let account = sid(&mut bench, "account_sid", settings.account_sid.as_ref(), "AC", cure);
    let signing = signing(&mut bench, &settings);
    let authorization = authorization(&mut bench, &settings, &account, signing.first());
    let sender = sender(&mut bench, &settings, mode);
    let to = numbers(&mut bench, &settings.to, mode);
    let speech = speech(&mut bench, &settings);
    let say = bench.wording_in(speech.wording, "say", settings.say.as_ref(), Escape::None);
    let body = bench.wording_in(speech.wording, "body", settings.body.as_ref(), Escape::None);
    let ring_seconds = within(&mut bench, "ring_timeout", &settings.ring_timeout, (5, 600), RING_SECONDS);
    let segments_max =
        within(&mut bench, "max_segments", &settings.max_segments, (1, SEGMENTS_MAX as u32), SEGMENTS as u32);
    let callback_url = callback_url(workshop, !signing.is_empty());
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let target = say.zip(body).zip(authorization).map(|((say, body), authorization)| Twilio {
        account_url: format!("{base_url}/2010-04-01/Accounts/{account}"),
        authorization,
        mode,
        sender,
        to,
        say,
        body,
        speech,
        ring_seconds,
        detects_machines: settings.machine_detection,
        segments_max: segments_max as usize,
        callback_url,
        signing,
        secrets,
        redactor,
    });
    bench.finish(target)
}

fn mode(bench: &mut Bench<'_>, at: Option<&At<String>>) -> Mode {
    match at.map(|at| (at.value.trim(), at)) {
        Some(("call", _)) => Mode::Call,
        Some(("sms", _)) => Mode::Sms,
        Some((other, at)) => {
            let what = format!("there is no mode {other:?}");
            bench.wrong("mode", at, &what, "write `call` for phone calls or `sms` for text messages");
            Mode::Sms
        }
        None => {
            bench.missing("mode", "`mode` is missing", "write `mode: call` or `mode: sms`");
            Mode::Sms
        }
    }
}

/// An id of Twilio's: two letters, then 32 hexadecimal digits.
fn sid(bench: &mut Bench<'_>, field: &str, at: Option<&At<String>>, prefix: &str, cure: &str) -> String {
    let text = bench.needed(field, at, cure);
    // A machine that must not know it cannot check it.
    if let Some(at) = at.filter(|_| !text.is_empty() && !is_placeholder(&text)) {
        if !text.starts_with(prefix) || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            bench.wrong(
                field,
                at,
                &format!("`{field}` begins with {prefix} and has letters and digits"),
                cure,
            );
        } else if text.len() != SID_CHARS {
            let what = format!("ids of Twilio have {SID_CHARS} characters, this one has {}", text.len());
            bench.doubtful(field, at, &what, cure);
        }
    }
    text
}

/// The auth tokens, of which Twilio signs its callbacks with one.
fn signing(bench: &mut Bench<'_>, settings: &Settings) -> Vec<Secret> {
    let cure = "copy the Auth Token from the start page of the Twilio console";
    let first = bench.secret("auth_token", settings.auth_token.as_ref(), cure);
    let second = bench.secret("secondary_auth_token", settings.secondary_auth_token.as_ref(), cure);
    if let (None, Some(at)) = (&settings.auth_token, &settings.secondary_auth_token) {
        bench.wrong("secondary_auth_token", at, "there is no `auth_token` that it could follow", cure);
    }
    first.into_iter().chain(second).collect()
}

/// An API key if there is one, else the auth token.
fn authorization(
    bench: &mut Bench<'_>,
    settings: &Settings,
    account: &str,
    token: Option<&Secret>,
) -> Option<HeaderText> {
    if settings.api_key_sid.is_none() && settings.api_key_secret.is_none() {
        if token.is_none() && settings.auth_token.is_none() {
            let cure = "add `auth_token: \"${TWILIO_TOKEN}\"`, or `api_key_sid` and `api_key_secret`";
            bench.missing("auth_token", "there is nothing to sign in with", cure);
        }
        return token.map(|token| bench.basic(account, token));
    }
    let cure = "make one under Account > API keys; its SID begins with SK";
    let key = sid(bench, "api_key_sid", settings.api_key_sid.as_ref(), "SK", cure);
    let secret = bench.needed_secret("api_key_secret", settings.api_key_secret.as_ref(), cure);
    if let (None, Some(at), false) =
        (&settings.auth_token, &settings.api_key_sid, bench.workshop.external_url.is_empty())
    {
        let what = "without `auth_token` no key can be pressed and nobody hears who was missed";
        bench.doubtful("api_key_sid", at, what, "add `auth_token`: it is what Twilio signs callbacks with");
    }
    Some(bench.basic(&key, &secret))
}

fn sender(bench: &mut Bench<'_>, settings: &Settings, mode: Mode) -> Sender {
    match (&settings.from, &settings.messaging_service_sid) {
        (from, Some(at)) => {
            let cure = "take one of `from` and `messaging_service_sid`";
            if from.is_some() {
                bench.wrong("messaging_service_sid", at, "there are two senders", cure);
            }
            if mode == Mode::Call {
                bench.wrong(
                    "messaging_service_sid",
                    at,
                    "a messaging service makes no calls",
                    "write `from`",
                );
            }
            let cure = "copy it from Messaging > Services; it begins with MG";
            Sender::Service(sid(bench, "messaging_service_sid", Some(at), "MG", cure))
        }
        (Some(at), None) => {
            let from = at.value.trim();
            if !(Number::parse(from).is_some() || mode == Mode::Sms && is_short(from)) {
                let cure = "write a number of the account with plus and country, as in \"+15550100\"";
                bench.wrong("from", at, "this is no number that can call or send", cure);
            }
            Sender::From(from.to_owned())
        }
        (None, None) => {
            let cure = "write a number of the account: `from: \"+15550100\"`";
            bench.missing("from", "`from` is missing", cure);
            Sender::From(String::new())
        }
    }
}

/// A short code, or a name of up to eleven characters with a letter in it.
fn is_short(from: &str) -> bool {
    let is_code = (3..=8).contains(&from.len()) && from.bytes().all(|byte| byte.is_ascii_digit());
    let fits = (1..=11).contains(&from.len());
    let plain = from.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ');
    is_code || (fits && plain && from.bytes().any(|byte| byte.is_ascii_alphabetic()))
}

fn numbers(bench: &mut Bench<'_>, list: &[At<String>], mode: Mode) -> Vec<Number> {
    if list.is_empty() {
        bench.missing("to", "nobody is to be reached", "add `to: [\"+8613800138000\"]`");
    }
    let mut numbers: Vec<Number> = Vec::new();
    for (index, at) in list.iter().enumerate() {
        let field = format!("to[{index}]");
        match Number::parse(&at.value) {
            None => bench.wrong(&field, at, &format!("{:?} is no phone number", at.value.trim()), TO_CURE),
            Some(number) if numbers.contains(&number) => {
                bench.wrong(&field, at, "this number is listed twice", "take it out");
            }
            Some(number) => numbers.push(number),
        }
    }
    if let Some(at) = list.get(SMS_NUMBERS_MAX).filter(|_| mode == Mode::Sms) {
        let what = format!("there are {} numbers, a target takes {SMS_NUMBERS_MAX}", list.len());
        bench.wrong("to", at, &what, "make a second target of the rest, and list both in the receiver");
    }
    numbers
}

fn speech(bench: &mut Bench<'_>, settings: &Settings) -> Speech {
    let usual = bench.workshop.templates.language();
    let usual_tag = match usual {
        Language::En => "en-US",
        Language::Zh => "zh-CN",
    };
    let tag = settings.language.as_ref().map_or(usual_tag, |at| at.value.trim()).to_owned();
    let first = tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    let wording = if matches!(first.as_str(), "zh" | "cmn" | "yue") { Language::Zh } else { Language::En };
    if let Some(at) = &settings.language {
        let is_tag =
            !first.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_tag {
            bench.wrong("language", at, "this is no language tag", "write it as in `zh-CN` or `en-US`");
        } else if wording == Language::En && first != "en" {
            let what = "our own sentences are in English or Chinese; this voice will read English";
            bench.doubtful(
                "language",
                at,
                what,
                "write `say` in that language, and expect English around it",
            );
        }
    }
    let repeat = within(bench, "repeat", &settings.repeat, (1, 5), REPEAT as u32);
    let voice = settings.voice.as_ref().map(|at| at.value.trim().to_owned());
    let voice = voice.filter(|voice| !voice.is_empty()).or_else(|| voice_of(&tag).map(str::to_owned));
    Speech { language: tag, voice, wording, repeat: repeat as usize }
}

/// Twilio's basic voices speak no Chinese.
fn voice_of(language: &str) -> Option<&'static str> {
    match language {
        "zh-CN" => Some("Polly.Zhiyu"),
        "cmn-CN" => Some("Polly.Zhiyu-Neural"),
        _ => None,
    }
}

fn within(bench: &mut Bench<'_>, field: &str, at: &Count, (least, most): (u32, u32), usual: u32) -> u32 {
    let Some(at) = at else { return usual };
    if !(least..=most).contains(&at.value) {
        let what = format!("{} is not between {least} and {most}", at.value);
        bench.wrong(field, at, &what, &format!("leave it out for {usual}"));
    }
    at.value
}

/// Where Twilio is told to post to, if the relay has an address and can tell that it is Twilio.
fn callback_url(workshop: &Workshop<'_>, can_prove: bool) -> Option<String> {
    let base = workshop.external_url.trim_end_matches('/');
    let name = Escape::Url.apply(workshop.target);
    (can_prove && !base.is_empty()).then(|| format!("{base}/callbacks/{name}"))
}
