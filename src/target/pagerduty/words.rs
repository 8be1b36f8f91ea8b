//! Wording of PagerDuty's events.
//!
//! Takes a view and compiled wording, gives events. Optional parts that fail are left out and
//! reported; summary, source and severity are always there. Which key and which address is not
//! decided here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::target::pagerduty::event::{Anchor, Event, Payload, Picture};
use crate::template::headline::is_web;
use crate::template::library::{Fault, Language, Template, Wording};
use crate::template::seen::Seen;
use crate::template::severity::Severity;
use crate::template::text::{cut, cut_to};
use crate::template::view::View;

/// Longest summary, in characters.
const SUMMARY_CHARS: usize = 1024;
/// The API names no limit for the other texts; these keep them readable.
const FIELD_CHARS: usize = 255;
const URL_CHARS: usize = 2048;

/// Annotations that become links when the operator lists none, and what they are called.
const LINKS: [(&str, &str, &str); 2] =
    [("runbook_url", "Runbook", "处置手册"), ("dashboard_url", "Dashboard", "监控面板")];

/// `links[]`.
#[derive(Debug)]
pub struct Link {
    pub href: Template,
    pub text: Option<Template>,
}

/// `images[]`.
#[derive(Debug)]
pub struct Image {
    pub src: Template,
    pub href: Option<Template>,
    pub alt: Option<Template>,
}

/// All wording of a target.
#[derive(Debug)]
pub struct Words {
    pub language: Language,
    pub summary: Wording,
    pub source: Wording,
    pub severity: Wording,
    pub component: Wording,
    pub group: Wording,
    pub class: Wording,
    pub client: Wording,
    pub client_url: Wording,
    pub firing: Wording,
    pub resolved: Wording,
    pub timestamp: Option<Template>,
    pub links: Option<Vec<Link>>,
    pub images: Vec<Image>,
    pub details: Vec<(String, Template)>,
}

impl Words {
    /// What a trigger says besides key and action.
    pub fn trigger<'v>(&'v self, view: &'v View<'_>, faults: &mut Vec<Fault>) -> Event<'v> {
        let mut payload = self.payload(view, faults);
        let severity = self.severity.say(view).noting(faults);
        payload.severity = Some(Severity::parse(&severity).unwrap_or(Severity::ASSUMED).as_str());
        payload.component = short(self.component.say(view).noting(faults), FIELD_CHARS);
        payload.group = short(self.group.say(view).noting(faults), FIELD_CHARS);
        payload.class = short(self.class.say(view).noting(faults), FIELD_CHARS);
        let client = self.client.say(view).noting(faults);
        let client_url = self.client_url.say(view).noting(faults);
        Event {
            payload: Some(payload),
            client: short(client, FIELD_CHARS),
            client_url: short(client_url, usize::MAX)
                .filter(|url| is_web(url))
                .map(|url| cut_to(url, URL_CHARS)),
            links: self.links(view, faults),
            images: self.images(view, faults),
            ..Event::default()
        }
    }

    /// What a change event says besides key.
    pub fn change<'v>(&'v self, view: &'v View<'_>, faults: &mut Vec<Fault>) -> Event<'v> {
        let payload = self.payload(view, faults);
        Event { payload: Some(payload), links: self.links(view, faults), ..Event::default() }
    }

    fn payload<'v>(&'v self, view: &'v View<'_>, faults: &mut Vec<Fault>) -> Payload<'v> {
        let summary = self.summary.say(view).noting(faults);
        let summary = if summary.trim().is_empty() { view.plain().into() } else { summary };
        let source = self.source.say(view).noting(faults);
        Payload {
            summary: short(summary, SUMMARY_CHARS),
            source: short(source, FIELD_CHARS).or(Some("alert-relay".into())),
            timestamp: Some(self.timestamp(view, faults)),
            custom_details: self.details(view, faults),
            ..Payload::default()
        }
    }

    fn timestamp<'v>(&self, view: &'v View<'_>, faults: &mut Vec<Fault>) -> Cow<'v, str> {
        let started = view.text("startedAt");
        let Some(template) = &self.timestamp else { return started };
        match template.render(view) {
            Ok(text) if text.trim().is_empty() => started,
            Ok(text) => match text.trim().parse::<jiff::Timestamp>() {
                Ok(at) => at.to_string().into(),
                Err(_) => {
                    let what = format!("{:?} is no time, as in 2026-01-31T12:00:00Z", cut(text.trim(), 60));
                    faults.push(template.fault(what));
                    started
                }
            },
            Err(fault) => {
                faults.push(fault);
                started
            }
        }
    }

    fn details<'v>(&'v self, view: &'v View<'_>, faults: &mut Vec<Fault>) -> BTreeMap<&'v str, Seen<'v>> {
        let mut details = BTreeMap::new();
        for (name, wording) in [("firing", &self.firing), ("resolved", &self.resolved)] {
            let text = short(wording.say(view).noting(faults), usize::MAX);
            details.extend(text.map(|text| (name, Seen::Text(text))));
        }
        let counts = view.value("counts");
        let count = |name: &str| counts.as_ref()?.get(name);
        for (name, value) in [
            ("num_firing", count("firing")),
            ("num_resolved", count("resolved")),
            ("labels", view.value("commonLabels")),
            ("annotations", view.value("commonAnnotations")),
            ("note", view.value("note")),
            ("changes", view.value("changes")),
        ] {
            details.extend(value.map(|value| (name, value)));
        }
        for (name, template) in &self.details {
            match template.render(view) {
                Ok(text) => drop(details.insert(name, text.trim().to_owned().into())),
                Err(fault) => faults.push(fault),
            }
        }
        details.retain(|_, value| value.is_true() || matches!(value, Seen::Number(_)));
        details
    }

    fn links<'v>(&self, view: &'v View<'_>, faults: &mut Vec<Fault>) -> Vec<Anchor<'v>> {
        let Some(links) = &self.links else { return self.usual_links(view) };
        let mut shown = Vec::new();
        for link in links {
            let Some(href) = optional(Some(&link.href), view, faults).filter(|href| is_web(href)) else {
                continue;
            };
            let text = optional(link.text.as_ref(), view, faults).unwrap_or_else(|| href.clone());
            shown.push(anchor(href.into(), text.into()));
        }
        shown
    }

    fn usual_links<'v>(&self, view: &'v View<'_>) -> Vec<Anchor<'v>> {
        let mut shown = Vec::new();
        for (annotation, en, zh) in LINKS {
            let href = view.annotation(annotation);
            let text = match self.language {
                Language::En => en,
                Language::Zh => zh,
            };
            if is_web(href) {
                shown.push(anchor(href.into(), text.into()));
            }
        }
        for change in view.changes() {
            let word = |name: &str| change.get(name).and_then(Seen::into_text).unwrap_or_default();
            let link = word("link");
            if is_web(&link) {
                shown.push(anchor(link, format!("{} {}", word("kind"), word("what")).into()));
            }
        }
        shown
    }

    fn images(&self, view: &View, faults: &mut Vec<Fault>) -> Vec<Picture> {
        let mut shown = Vec::new();
        for image in &self.images {
            let src = optional(Some(&image.src), view, faults);
            // Anything else makes PagerDuty refuse the whole event.
            let Some(src) = src.filter(|src| is_web(src) && src.starts_with("https://")) else { continue };
            let href = optional(image.href.as_ref(), view, faults).filter(|href| is_web(href));
            let alt = optional(image.alt.as_ref(), view, faults);
            shown.push(Picture {
                alt: alt.map(|alt| cut(&alt, FIELD_CHARS).into_owned()),
                href: href.map(|href| cut(&href, URL_CHARS).into_owned()),
                src: cut(&src, URL_CHARS).into_owned(),
            });
        }
        shown
    }
}

/// The change event of a change that was told to the relay.
pub fn announced<'v>(view: &'v View<'_>) -> Event<'v> {
    let change = view.value("event");
    let word = |name: &str| -> Cow<'v, str> {
        let value = change.as_ref().and_then(|change| change.get(name));
        value.and_then(Seen::into_text).unwrap_or_default()
    };
    let field = |name: &'static str, chars_max: usize| short(word(name), chars_max);
    let details = ["kind", "service", "environment", "who"];
    let details = details.into_iter().filter_map(|name| Some((name, Seen::Text(field(name, FIELD_CHARS)?))));
    let payload = Payload {
        summary: field("title", SUMMARY_CHARS),
        source: field("service", FIELD_CHARS),
        timestamp: field("at", FIELD_CHARS),
        custom_details: details.collect(),
        ..Payload::default()
    };
    let href = Some(word("link")).filter(|href| is_web(href));
    let links = href.map(|href| anchor(href, word("title"))).into_iter().collect();
    Event { payload: Some(payload), links, ..Event::default() }
}

fn anchor<'v>(href: Cow<'v, str>, text: Cow<'v, str>) -> Anchor<'v> {
    Anchor { href: cut_to(href, URL_CHARS), text: cut_to(text, FIELD_CHARS) }
}

/// The text without blanks around it, cut; `None` when nothing is left.
fn short(text: Cow<'_, str>, chars_max: usize) -> Option<Cow<'_, str>> {
    let trimmed = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) if text.trim().len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    };
    Some(cut_to(trimmed, chars_max)).filter(|text| !text.is_empty())
}

fn optional(template: Option<&Template>, view: &View, faults: &mut Vec<Fault>) -> Option<String> {
    match template?.render(view) {
        Ok(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Err(fault) => {
            faults.push(fault);
            None
        }
    }
}
