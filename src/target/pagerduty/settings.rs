//! Settings of a PagerDuty target: what an operator may write, checked and compiled.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::config::secrets::is_placeholder;
use crate::document::node::{At, path_to_key};
use crate::domain::secret::Secret;
use crate::target::bench::Bench;
use crate::target::contract::{Built, Workshop};
use crate::target::pagerduty::keys::{Key, Keys};
use crate::target::pagerduty::words::{Image, Link, Words};
use crate::target::pagerduty::{BASE_URL, Mode, PagerDuty, WORDINGS};
use crate::template::escape::Escape;
use crate::template::library::Template;

/// Integration keys and orchestration keys have this many characters.
const KEY_CHARS: usize = 32;

type Text = Option<At<String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    base_url: Text,
    mode: Text,
    routing_key: Option<At<Secret>>,
    routing_keys: BTreeMap<String, At<Secret>>,
    routing_key_name: Text,
    retired_routing_keys: BTreeMap<String, At<Secret>>,
    summary: Text,
    source: Text,
    severity: Text,
    component: Text,
    group: Text,
    class: Text,
    client: Text,
    client_url: Text,
    timestamp: Text,
    links: Option<Vec<LinkSettings>>,
    images: Vec<ImageSettings>,
    custom_details: BTreeMap<String, At<String>>,
    webhook_secrets: Vec<At<Secret>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkSettings {
    href: At<String>,
    text: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageSettings {
    src: At<String>,
    href: Text,
    alt: Text,
}

/// Builds a target, or says all that is wrong.
pub fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<PagerDuty>) };
    let base_url = bench.base_url(settings.base_url.as_ref(), BASE_URL);
    let mode = match settings.mode.as_ref().map(|at| (at.value.as_str(), at)) {
        None | Some(("alert", _)) => Mode::Alert,
        Some(("change", _)) => Mode::Change,
        Some((other, at)) => {
            let what = format!("there is no mode {other:?}");
            bench.wrong("mode", at, &what, "write `alert` for incidents or `change` for change events");
            Mode::Alert
        }
    };
    let keys = keys(&mut bench, &settings);
    if mode == Mode::Change {
        doubt_orchestration_keys(&mut bench, &settings);
    }
    let words = words(&mut bench, &settings);
    let cure = "copy the secret that PagerDuty shows once, when the webhook subscription is made";
    let webhook_secrets = bench.secret_list("webhook_secrets", &settings.webhook_secrets, cure);
    let redactor = bench.redactor();
    let target = keys.zip(words).map(|(keys, words)| PagerDuty {
        base_url,
        mode,
        keys,
        words,
        webhook_secrets,
        redactor,
    });
    bench.finish(target)
}

fn is_key(text: &str) -> bool {
    text.len() == KEY_CHARS && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn key(bench: &mut Bench<'_>, field: &str, at: &At<Secret>) -> Key {
    let text = at.value.expose().trim();
    if text.is_empty() {
        bench.wrong(field, at, "the routing key is empty", "copy it from the integration in PagerDuty");
    } else if !is_key(text) && !is_placeholder(text) {
        let what = "routing keys of PagerDuty have 32 letters and digits, this one has not";
        let cure = "copy the Integration Key of an Events API v2 integration";
        bench.doubtful(field, at, what, cure);
    }
    bench.remember(Secret::new(text));
    Key::new(Secret::new(text))
}

/// Change events are taken with the key of a service only; those of event orchestrations (and of
/// rulesets before them) begin with an R.
fn doubt_orchestration_keys(bench: &mut Bench<'_>, settings: &Settings) {
    let named = settings.routing_keys.iter().map(|(name, at)| (path_to_key("routing_keys", name), at));
    let all = settings.routing_key.iter().map(|at| ("routing_key".to_owned(), at)).chain(named);
    for (field, at) in all {
        let text = at.value.expose().trim();
        if text.starts_with('R') && is_key(text) {
            let what = "this looks like the key of an event orchestration, which takes no change events";
            let cure = "copy the Integration Key of an Events API v2 integration of the service";
            bench.doubtful(&field, at, what, cure);
        }
    }
}

fn keys(bench: &mut Bench<'_>, settings: &Settings) -> Option<Keys> {
    let Some(current) = &settings.routing_key else {
        let cure = "add `routing_key: \"${PAGERDUTY_ROUTING_KEY}\"`";
        bench.missing("routing_key", "the routing key is missing", cure);
        return None;
    };
    let current = key(bench, "routing_key", current);
    let mut named = BTreeMap::new();
    for (name, at) in &settings.routing_keys {
        named.insert(name.clone(), key(bench, &path_to_key("routing_keys", name), at));
    }
    let mut retired = Vec::new();
    for (name, at) in &settings.retired_routing_keys {
        retired.push(key(bench, &path_to_key("retired_routing_keys", name), at));
    }
    let name = match &settings.routing_key_name {
        None => None,
        Some(at) => {
            if named.is_empty() {
                let cure = "list the keys by name under `routing_keys`";
                bench.wrong("routing_key_name", at, "there are no named routing keys to choose from", cure);
            }
            bench.template("routing_key_name", at, Escape::None)
        }
    };
    Some(Keys { current, named, retired, name })
}

fn maybe(bench: &mut Bench<'_>, field: &str, at: &Text) -> Option<Template> {
    at.as_ref().and_then(|at| bench.template(field, at, Escape::None))
}

/// Every field is compiled before the first missing one is noticed, so that all problems show.
fn words(bench: &mut Bench<'_>, settings: &Settings) -> Option<Words> {
    let summary = bench.wording("summary", settings.summary.as_ref(), Escape::None);
    let source = bench.wording("source", settings.source.as_ref(), Escape::None);
    let severity = bench.wording("severity", settings.severity.as_ref(), Escape::None);
    let component = bench.wording("component", settings.component.as_ref(), Escape::None);
    let group = bench.wording("group", settings.group.as_ref(), Escape::None);
    let class = bench.wording("class", settings.class.as_ref(), Escape::None);
    let client = bench.wording("client", settings.client.as_ref(), Escape::None);
    let client_url = bench.wording("client_url", settings.client_url.as_ref(), Escape::None);
    let firing = bench.wording("firing", None, Escape::None);
    let resolved = bench.wording("resolved", None, Escape::None);
    let timestamp = maybe(bench, "timestamp", &settings.timestamp);
    let links = settings.links.as_ref().map(|listed| links(bench, listed));
    let images = images(bench, &settings.images);
    let mut details = Vec::new();
    for (name, at) in &settings.custom_details {
        let template = bench.template(&path_to_key("custom_details", name), at, Escape::None);
        details.extend(template.map(|template| (name.clone(), template)));
    }
    Some(Words {
        language: bench.workshop.templates.language(),
        summary: summary?,
        source: source?,
        severity: severity?,
        component: component?,
        group: group?,
        class: class?,
        client: client?,
        client_url: client_url?,
        firing: firing?,
        resolved: resolved?,
        timestamp,
        links,
        images,
        details,
    })
}

fn links(bench: &mut Bench<'_>, settings: &[LinkSettings]) -> Vec<Link> {
    let mut links = Vec::new();
    for (index, link) in settings.iter().enumerate() {
        let href = bench.template(&format!("links[{index}].href"), &link.href, Escape::None);
        let text = maybe(bench, &format!("links[{index}].text"), &link.text);
        links.extend(href.map(|href| Link { href, text }));
    }
    links
}

fn images(bench: &mut Bench<'_>, settings: &[ImageSettings]) -> Vec<Image> {
    let mut images = Vec::new();
    for (index, image) in settings.iter().enumerate() {
        let src = bench.template(&format!("images[{index}].src"), &image.src, Escape::None);
        let href = maybe(bench, &format!("images[{index}].href"), &image.href);
        let alt = maybe(bench, &format!("images[{index}].alt"), &image.alt);
        images.extend(src.map(|src| Image { src, href, alt }));
    }
    images
}
