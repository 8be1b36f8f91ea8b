//! Settings of a Slack target: what an operator may write, checked and compiled.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::document::node::{At, path_to_element};
use crate::domain::secret::Secret;
use crate::target::bench::Bench;
use crate::target::contract::{Built, Workshop};
use crate::target::slack::blocks::{FIELDS_MAX, Fields, Words};
use crate::target::slack::channel::{Channels, written};
use crate::target::slack::turns::Manner;
use crate::target::slack::{BASE_URL, Slack, WORDINGS, Way};
use crate::template::escape::Escape;
use crate::template::headline::is_web;
use crate::template::severity::Severity;

/// Longest name that a message may bear, in characters.
const USERNAME_CHARS: usize = 80;
/// Our fields, when the operator lists none.
const FIELDS: [&str; 3] = ["severity", "since", "where"];

type Text = Option<At<String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    base_url: Text,
    bot_token: Option<At<Secret>>,
    webhook_url: Option<At<Secret>>,
    channel: Text,
    default_channel: Text,
    signing_secret: Option<At<Secret>>,
    signing_secrets: Vec<At<Secret>>,
    username: Text,
    icon_emoji: Text,
    icon_url: Text,
    header: Text,
    text: Text,
    fields: Option<At<Vec<At<String>>>>,
    footer: Text,
    reply: Text,
    color: Text,
    mention: Text,
    mention_from: Text,
    update: Option<bool>,
    thread: Option<bool>,
    unfurl: bool,
}

/// Builds a target, or says all that is wrong.
pub fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<Slack>) };
    let way = way(&mut bench, &settings);
    let is_bot = settings.bot_token.is_some();
    let signing_secrets = signing_secrets(&mut bench, &settings);
    let looks = looks(&mut bench, &settings);
    let mention_from = bench.severity("mention_from", settings.mention_from.as_ref(), Severity::Critical);
    let words = words(&mut bench, &settings);
    let manner = Manner {
        update: is_bot && settings.update.unwrap_or(true),
        thread: is_bot && settings.thread.unwrap_or(true),
    };
    let has_buttons = !signing_secrets.is_empty() && !workshop.external_url.is_empty();
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let target = way.zip(words).map(|(way, words)| Slack {
        way,
        words,
        looks,
        mention_from,
        manner,
        has_buttons,
        signing_secrets,
        secrets,
        redactor,
    });
    bench.finish(target)
}

fn way(bench: &mut Bench<'_>, settings: &Settings) -> Option<Way> {
    match (&settings.bot_token, &settings.webhook_url) {
        (Some(token), None) => bot(bench, settings, token),
        (None, Some(url)) => webhook(bench, settings, url),
        (Some(_), Some(url)) => {
            let cure = "keep `bot_token` and `channel` (messages are changed in place), or `webhook_url`";
            bench.wrong("webhook_url", url, "there are two ways to Slack", cure);
            None
        }
        (None, None) => {
            let cure = "add `bot_token: \"${SLACK_BOT_TOKEN}\"` and `channel: \"#ops\"`, or a `webhook_url`";
            bench.missing("bot_token", "there is no way to Slack", cure);
            None
        }
    }
}

fn bot(bench: &mut Bench<'_>, settings: &Settings, token: &At<Secret>) -> Option<Way> {
    let cure = "copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions of the app";
    let base_url = bench.base_url(settings.base_url.as_ref(), BASE_URL);
    let secret = bench.secret("bot_token", Some(token), cure)?;
    if ["xapp-", "xoxe-", "xoxe."].iter().any(|start| secret.expose().starts_with(start)) {
        bench.wrong("bot_token", token, "this is a token of the app, which cannot post", cure);
    }
    let authorization = bench.token("Bearer ", &secret);
    let channels = channels(bench, settings)?;
    Some(Way::Bot { base_url, authorization, channels })
}

fn channels(bench: &mut Bench<'_>, settings: &Settings) -> Option<Channels> {
    const CURE: &str =
        "write it as in `#ops` (lower case, no blanks), or the id from the channel's details (C…)";
    let Some(at) = &settings.channel else {
        bench.missing("channel", "the channel is missing", "add `channel: \"#ops\"`");
        return None;
    };
    let fixed = |bench: &mut Bench<'_>, field: &str, at: &At<String>| {
        let channel = written(&at.value);
        if channel.is_none() {
            bench.wrong(field, at, &format!("{:?} can be no channel", at.value), CURE);
        }
        channel
    };
    if !at.value.contains("{{") {
        if let Some(at) = &settings.default_channel {
            let cure = "leave it out, or choose `channel` by a template";
            bench.wrong("default_channel", at, "`channel` is the same for every message", cure);
        }
        return fixed(bench, "channel", at).map(Channels::Fixed);
    }
    let template = bench.template("channel", at, Escape::None);
    let Some(otherwise) = &settings.default_channel else {
        let cure = "add `default_channel: \"#ops\"`";
        bench.missing("default_channel", "a template may name no channel, and then there is none", cure);
        return None;
    };
    let otherwise = fixed(bench, "default_channel", otherwise)?;
    Some(Channels::Chosen { template: template?, otherwise })
}

fn webhook(bench: &mut Bench<'_>, settings: &Settings, url: &At<Secret>) -> Option<Way> {
    for (field, at) in [("channel", &settings.channel), ("default_channel", &settings.default_channel)] {
        if let Some(at) = at {
            let cure = "leave it out, or use `bot_token`";
            bench.wrong(field, at, "an incoming webhook posts to the channel that it was made for", cure);
        }
    }
    if let Some(at) = &settings.base_url {
        bench.wrong("base_url", at, "the address of a webhook is `webhook_url`", "leave `base_url` out");
    }
    if settings.update == Some(true) || settings.thread == Some(true) {
        let what = "an incoming webhook cannot change what it posted, nor reply to it";
        bench.doubtful("webhook_url", url, what, "use `bot_token`, or leave out `update` and `thread`");
    }
    for (field, at) in [("username", &settings.username), ("icon_emoji", &settings.icon_emoji)] {
        if let Some(at) = at {
            let what = "webhooks of a Slack app keep the name and icon of the app";
            bench.doubtful(field, at, what, "leave it out, or use `bot_token`");
        }
    }
    bench.secret_url("webhook_url", Some(url)).map(Way::Webhook)
}

fn signing_secrets(bench: &mut Bench<'_>, settings: &Settings) -> Vec<Secret> {
    const CURE: &str = "copy the Signing Secret from Basic Information of the app";
    let several = settings.signing_secrets.iter().enumerate();
    let several = several.map(|(index, at)| (path_to_element("signing_secrets", index), at));
    let one = settings.signing_secret.iter().map(|at| ("signing_secret".to_owned(), at));
    let all: Vec<_> = one.chain(several).collect();
    if let Some((field, at)) = all.first()
        && bench.workshop.external_url.is_empty()
    {
        let what = "messages get no buttons: Slack does not know where clicks are to go";
        bench.doubtful(field, at, what, "set `server.external_url`");
    }
    all.iter().filter_map(|(field, at)| bench.secret(field, Some(at), CURE)).collect()
}

/// What a new message looks like besides its text.
fn looks(bench: &mut Bench<'_>, settings: &Settings) -> Map<String, Value> {
    let mut looks = Map::new();
    looks.insert("unfurl_links".into(), settings.unfurl.into());
    looks.insert("unfurl_media".into(), settings.unfurl.into());
    if let Some(at) = &settings.username {
        if at.value.trim().is_empty() || at.value.chars().count() > USERNAME_CHARS {
            bench.wrong("username", at, "a name has 1 to 80 characters", "shorten it, or leave it out");
        }
        looks.insert("username".into(), at.value.trim().into());
    }
    if let Some(at) = &settings.icon_emoji {
        let name = at.value.trim().trim_matches(':');
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || "-_+'".contains(c)) {
            bench.wrong(
                "icon_emoji",
                at,
                "this is no emoji of Slack",
                "write its name, as in :rotating_light:",
            );
        }
        looks.insert("icon_emoji".into(), format!(":{name}:").into());
    }
    if let Some(at) = &settings.icon_url {
        if settings.icon_emoji.is_some() {
            bench.wrong("icon_url", at, "there can be one icon only", "keep `icon_emoji` or `icon_url`");
        }
        if !is_web(at.value.trim()) {
            bench.wrong("icon_url", at, "this is no address", "write one that begins with https://");
        }
        looks.insert("icon_url".into(), at.value.trim().into());
    }
    looks
}

/// Every field is compiled before the first missing one is noticed, so that all problems show.
fn words(bench: &mut Bench<'_>, settings: &Settings) -> Option<Words> {
    let header = bench.wording("header", settings.header.as_ref(), Escape::None);
    let text = bench.wording("text", settings.text.as_ref(), Escape::Mrkdwn);
    let footer = bench.wording("footer", settings.footer.as_ref(), Escape::Mrkdwn);
    let reply = bench.wording("reply", settings.reply.as_ref(), Escape::Mrkdwn);
    let color = bench.wording("color", settings.color.as_ref(), Escape::None);
    let fields = fields(bench, settings);
    let mention = settings.mention.as_ref().and_then(|at| bench.template("mention", at, Escape::Mrkdwn));
    Some(Words {
        language: bench.workshop.templates.language(),
        header: header?,
        text: text?,
        fields,
        footer: footer?,
        reply: reply?,
        color: color?,
        mention,
    })
}

fn fields(bench: &mut Bench<'_>, settings: &Settings) -> Fields {
    let Some(own) = &settings.fields else {
        return Fields::Usual(
            FIELDS.iter().filter_map(|name| bench.wording(name, None, Escape::Mrkdwn)).collect(),
        );
    };
    if own.value.len() > FIELDS_MAX {
        let what = format!("there are {} fields, Slack shows {FIELDS_MAX}", own.value.len());
        bench.wrong("fields", own, &what, "put the others into `text`");
    }
    let paths = (0..).map(|index| path_to_element("fields", index));
    Fields::Own(
        paths.zip(&own.value).filter_map(|(path, at)| bench.template(&path, at, Escape::Mrkdwn)).collect(),
    )
}
