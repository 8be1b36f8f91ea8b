//! Settings of a PagerDuty target: what an operator may write, checked and compiled.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::document::node::{At, path_to_key};
use crate::document::read::read;
use crate::domain::problem::Problem;
use crate::domain::secret::{Redactor, Secret};
use crate::target::address;
use crate::target::contract::{Built, Made, Workshop};
use crate::target::pagerduty::event::{Image, Link, Words};
use crate::target::pagerduty::keys::{Key, Keys};
use crate::target::pagerduty::{BASE_URL, Mode, PagerDuty, WORDINGS};
use crate::template::escape::Escape;
use crate::template::library::{Builtin, Template, Wording};

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
    let read = read::<Settings>(workshop.settings, workshop.path);
    let mut bench = Bench { workshop, problems: read.problems, warnings: Vec::new() };
    let Some(settings) = read.value else { return Err(bench.problems) };
    let base_url = match &settings.base_url {
        None => BASE_URL.to_owned(),
        Some(at) => bench.keep(address::base(at, &bench.path("base_url"))).unwrap_or_default(),
    };
    let mode = match settings.mode.as_ref().map(|at| (at.value.as_str(), at)) {
        None | Some(("alert", _)) => Mode::Alert,
        Some(("change", _)) => Mode::Change,
        Some((other, at)) => {
            let what = format!("there is no mode {other:?}");
            bench.wrong("mode", at, &what, "write `alert` for incidents or `change` for change events");
            Mode::Alert
        }
    };
    let keys = bench.keys(&settings);
    let words = bench.words(&settings);
    match (keys, words) {
        (Some(keys), Some(words)) if bench.problems.is_empty() => {
            let redactor = Redactor::new(keys.all().map(|key| &key.secret));
            let target = PagerDuty { base_url, mode, keys, words, redactor };
            Ok(Made { target: Box::new(target), warnings: bench.warnings })
        }
        _ => Err(bench.problems),
    }
}

/// Where the parts are made and their problems gathered.
struct Bench<'a> {
    workshop: &'a Workshop<'a>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Bench<'_> {
    fn path(&self, field: &str) -> String {
        format!("{}.{field}", self.workshop.path)
    }

    fn keep<T>(&mut self, made: Result<T, Problem>) -> Option<T> {
        made.map_err(|problem| self.problems.push(problem)).ok()
    }

    fn wrong<T>(&mut self, field: &str, at: &At<T>, what: &str, cure: &str) {
        self.problems.push(Problem::error(self.path(field), at.place, what, cure));
    }

    fn key(&mut self, field: &str, at: &At<Secret>) -> Key {
        let text = at.value.expose().trim();
        if text.is_empty() {
            self.wrong(field, at, "the routing key is empty", "copy it from the integration in PagerDuty");
        } else if text.len() != KEY_CHARS || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let what = "routing keys of PagerDuty have 32 letters and digits, this one has not";
            let cure = "copy the Integration Key of an Events API v2 integration";
            self.warnings.push(Problem::warning(self.path(field), at.place, what, cure));
        }
        Key::new(Secret::new(text))
    }

    fn keys(&mut self, settings: &Settings) -> Option<Keys> {
        let Some(current) = &settings.routing_key else {
            let (what, cure) =
                ("the routing key is missing", "add `routing_key: \"${PAGERDUTY_ROUTING_KEY}\"`");
            let place = self.workshop.settings.place;
            self.problems.push(Problem::error(self.path("routing_key"), place, what, cure));
            return None;
        };
        let current = self.key("routing_key", current);
        let mut named = BTreeMap::new();
        for (name, at) in &settings.routing_keys {
            named.insert(name.clone(), self.key(&path_to_key("routing_keys", name), at));
        }
        let mut retired = Vec::new();
        for (name, at) in &settings.retired_routing_keys {
            retired.push(self.key(&path_to_key("retired_routing_keys", name), at));
        }
        let name = match &settings.routing_key_name {
            None => None,
            Some(at) => {
                if named.is_empty() {
                    let cure = "list the keys by name under `routing_keys`";
                    self.wrong(
                        "routing_key_name",
                        at,
                        "there are no named routing keys to choose from",
                        cure,
                    );
                }
                self.template("routing_key_name", at)
            }
        };
        Some(Keys { current, named, retired, name })
    }

    fn template(&mut self, field: &str, at: &At<String>) -> Option<Template> {
        let made = self.workshop.templates.template(field, at, Escape::None);
        let path = self.path(field);
        self.keep(made.map_err(|problem| Problem { path, ..problem }))
    }

    fn wording(&mut self, field: &'static str, inline: &Text) -> Option<Wording> {
        let builtin: Option<&'static Builtin> = WORDINGS.iter().find(|builtin| builtin.field == field);
        let made = self.workshop.templates.wording(builtin?, inline.as_ref(), Escape::None);
        let path = self.path(field);
        self.keep(made.map_err(|problem| Problem { path, ..problem }))
    }

    fn maybe(&mut self, field: &str, at: &Text) -> Option<Template> {
        at.as_ref().and_then(|at| self.template(field, at))
    }

    /// Every field is compiled before the first missing one is noticed, so that all problems show.
    fn words(&mut self, settings: &Settings) -> Option<Words> {
        let summary = self.wording("summary", &settings.summary);
        let source = self.wording("source", &settings.source);
        let severity = self.wording("severity", &settings.severity);
        let component = self.wording("component", &settings.component);
        let group = self.wording("group", &settings.group);
        let class = self.wording("class", &settings.class);
        let client = self.wording("client", &settings.client);
        let client_url = self.wording("client_url", &settings.client_url);
        let firing = self.wording("firing", &None);
        let resolved = self.wording("resolved", &None);
        let timestamp = self.maybe("timestamp", &settings.timestamp);
        let links = settings.links.as_ref().map(|links| self.links(links));
        let images = self.images(&settings.images);
        let mut details = Vec::new();
        for (name, at) in &settings.custom_details {
            let template = self.template(&path_to_key("custom_details", name), at);
            details.extend(template.map(|template| (name.clone(), template)));
        }
        Some(Words {
            language: self.workshop.templates.language(),
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

    fn links(&mut self, settings: &[LinkSettings]) -> Vec<Link> {
        let mut links = Vec::new();
        for (index, link) in settings.iter().enumerate() {
            let href = self.template(&format!("links[{index}].href"), &link.href);
            let text = self.maybe(&format!("links[{index}].text"), &link.text);
            links.extend(href.map(|href| Link { href, text }));
        }
        links
    }

    fn images(&mut self, settings: &[ImageSettings]) -> Vec<Image> {
        let mut images = Vec::new();
        for (index, image) in settings.iter().enumerate() {
            let src = self.template(&format!("images[{index}].src"), &image.src);
            let href = self.maybe(&format!("images[{index}].href"), &image.href);
            let alt = self.maybe(&format!("images[{index}].alt"), &image.alt);
            images.extend(src.map(|src| Image { src, href, alt }));
        }
        images
    }
}
