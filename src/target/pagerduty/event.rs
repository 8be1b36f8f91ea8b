//! The bodies of PagerDuty's Events API v2, worded and kept within its limits.
//!
//! Takes a view and compiled wording, gives JSON. Optional parts that fail are left out and
//! reported; summary, source and severity are always there. Which key and which address is not
//! decided here.

use serde_json::{Map, Value, json};

use crate::template::library::{Fault, Language, Template, Wording};
use crate::template::severity::Severity;
use crate::template::text::cut;
use crate::template::view::{View, is_web};

/// Longest summary, in characters.
pub const SUMMARY_CHARS: usize = 1024;
/// The API names no limit for the other texts; these keep them readable.
const FIELD_CHARS: usize = 255;
const URL_CHARS: usize = 2048;
/// "512 KB", read in the narrow sense.
pub const BODY_BYTES: usize = 512_000;
/// Details longer than this are the first to be cut when the body is too large.
const DETAIL_CHARS: usize = 16_384;
/// As many links and as many images as an incident can show with profit.
const LINKS_MAX: usize = 20;

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
    pub fn trigger(&self, view: &View, faults: &mut Vec<Fault>) -> Map<String, Value> {
        let mut payload = self.payload(view, faults);
        let severity = self.severity.say(view).noting(faults);
        let severity = Severity::parse(&severity).unwrap_or(Severity::ASSUMED);
        payload.insert("severity".to_owned(), severity.as_str().into());
        for (name, wording) in
            [("component", &self.component), ("group", &self.group), ("class", &self.class)]
        {
            put(&mut payload, name, &wording.say(view).noting(faults), FIELD_CHARS);
        }
        let mut event = Map::from_iter([("payload".to_owned(), Value::Object(payload))]);
        put(&mut event, "client", &self.client.say(view).noting(faults), FIELD_CHARS);
        let client_url = self.client_url.say(view).noting(faults);
        if is_web(client_url.trim()) {
            put(&mut event, "client_url", &client_url, URL_CHARS);
        }
        put_list(&mut event, "links", self.links(view, faults));
        put_list(&mut event, "images", self.images(view, faults));
        event
    }

    /// What a change event says besides key.
    pub fn change(&self, view: &View, faults: &mut Vec<Fault>) -> Map<String, Value> {
        let payload = self.payload(view, faults);
        let mut event = Map::from_iter([("payload".to_owned(), Value::Object(payload))]);
        put_list(&mut event, "links", self.links(view, faults));
        event
    }

    fn payload(&self, view: &View, faults: &mut Vec<Fault>) -> Map<String, Value> {
        let mut payload = Map::new();
        let summary = self.summary.say(view).noting(faults);
        let summary = if summary.trim().is_empty() { view.plain() } else { summary };
        put(&mut payload, "summary", &summary, SUMMARY_CHARS);
        put(&mut payload, "source", &self.source.say(view).noting(faults), FIELD_CHARS);
        payload.entry("source").or_insert_with(|| "alert-relay".into());
        payload.insert("timestamp".to_owned(), self.timestamp(view, faults).into());
        payload.insert("custom_details".to_owned(), Value::Object(self.details(view, faults)));
        payload
    }

    fn timestamp(&self, view: &View, faults: &mut Vec<Fault>) -> String {
        let started = view.text("startedAt").to_owned();
        let Some(template) = &self.timestamp else { return started };
        match template.render(view) {
            Ok(text) if text.trim().is_empty() => started,
            Ok(text) => match text.trim().parse::<jiff::Timestamp>() {
                Ok(at) => at.to_string(),
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

    fn details(&self, view: &View, faults: &mut Vec<Fault>) -> Map<String, Value> {
        let counts = view.value("counts");
        let mut details = Map::new();
        for (name, wording) in [("firing", &self.firing), ("resolved", &self.resolved)] {
            details.insert(name.to_owned(), wording.say(view).noting(faults).trim().into());
        }
        for (name, value) in [
            ("num_firing", &counts["firing"]),
            ("num_resolved", &counts["resolved"]),
            ("labels", view.value("commonLabels")),
            ("annotations", view.value("commonAnnotations")),
            ("note", view.value("note")),
            ("changes", view.value("changes")),
        ] {
            details.insert(name.to_owned(), value.clone());
        }
        for (name, template) in &self.details {
            match template.render(view) {
                Ok(text) => drop(details.insert(name.clone(), text.trim().into())),
                Err(fault) => faults.push(fault),
            }
        }
        details.retain(|_, value| match value {
            Value::String(text) => !text.is_empty(),
            Value::Object(map) => !map.is_empty(),
            Value::Array(list) => !list.is_empty(),
            _ => true,
        });
        details
    }

    fn links(&self, view: &View, faults: &mut Vec<Fault>) -> Vec<Value> {
        let Some(links) = &self.links else { return self.usual_links(view) };
        let mut shown = Vec::new();
        for link in links {
            let Some(href) = optional(Some(&link.href), view, faults).filter(|href| is_web(href)) else {
                continue;
            };
            let text = optional(link.text.as_ref(), view, faults).unwrap_or_else(|| href.clone());
            shown.push(json!({ "href": cut(&href, URL_CHARS), "text": cut(&text, FIELD_CHARS) }));
        }
        shown
    }

    fn usual_links(&self, view: &View) -> Vec<Value> {
        let mut shown = Vec::new();
        for (annotation, en, zh) in LINKS {
            let href = view.value("commonAnnotations")[annotation].as_str().unwrap_or_default().trim();
            let text = match self.language {
                Language::En => en,
                Language::Zh => zh,
            };
            if is_web(href) {
                shown.push(json!({ "href": cut(href, URL_CHARS), "text": text }));
            }
        }
        for change in view.value("changes").as_array().into_iter().flatten() {
            let word = |name: &str| change[name].as_str().unwrap_or_default();
            if is_web(word("link")) {
                let text = format!("{} {}", word("kind"), word("what"));
                shown.push(json!({ "href": cut(word("link"), URL_CHARS), "text": cut(&text, FIELD_CHARS) }));
            }
        }
        shown
    }

    fn images(&self, view: &View, faults: &mut Vec<Fault>) -> Vec<Value> {
        let mut shown = Vec::new();
        for image in &self.images {
            let src = optional(Some(&image.src), view, faults);
            // Anything else makes PagerDuty refuse the whole event.
            let Some(src) = src.filter(|src| is_web(src) && src.starts_with("https://")) else { continue };
            let mut one = Map::from_iter([("src".to_owned(), cut(&src, URL_CHARS).into())]);
            if let Some(href) = optional(image.href.as_ref(), view, faults).filter(|href| is_web(href)) {
                put(&mut one, "href", &href, URL_CHARS);
            }
            if let Some(alt) = optional(image.alt.as_ref(), view, faults) {
                put(&mut one, "alt", &alt, FIELD_CHARS);
            }
            shown.push(Value::Object(one));
        }
        shown
    }
}

/// The change event of a change that was told to the relay.
pub fn announced(view: &View) -> Map<String, Value> {
    let change = view.value("event");
    let word = |name: &str| change[name].as_str().unwrap_or_default();
    let mut payload = Map::new();
    put(&mut payload, "summary", word("title"), SUMMARY_CHARS);
    put(&mut payload, "source", word("service"), FIELD_CHARS);
    put(&mut payload, "timestamp", word("at"), FIELD_CHARS);
    let mut details = Map::new();
    for name in ["kind", "service", "environment", "who"] {
        put(&mut details, name, word(name), FIELD_CHARS);
    }
    payload.insert("custom_details".to_owned(), Value::Object(details));
    let mut event = Map::from_iter([("payload".to_owned(), Value::Object(payload))]);
    let href = word("link");
    if is_web(href) {
        let link = json!({ "href": cut(href, URL_CHARS), "text": cut(word("title"), FIELD_CHARS) });
        put_list(&mut event, "links", vec![link]);
    }
    event
}

/// The event as bytes within the limit. What gives way, in this order: the ends of long details,
/// all details (a note says so), links and images. The rest is short by construction.
pub fn fitted(mut event: Map<String, Value>) -> Vec<u8> {
    // Writing a JSON value into memory cannot fail.
    let bytes = |event: &Map<String, Value>| serde_json::to_vec(event).unwrap_or_default();
    let mut body = bytes(&event);
    let whole = body.len();
    for step in 0..3 {
        if body.len() <= BODY_BYTES {
            break;
        }
        match (step, details(&mut event)) {
            (0, Some(details)) => shorten(details),
            (1, Some(details)) => {
                let note = format!("left out: the event had {whole} bytes, PagerDuty takes {BODY_BYTES}");
                *details = Map::from_iter([("custom_details".to_owned(), note.into())]);
            }
            _ => event.retain(|name, _| name != "links" && name != "images"),
        }
        body = bytes(&event);
    }
    body
}

fn details(event: &mut Map<String, Value>) -> Option<&mut Map<String, Value>> {
    event.get_mut("payload")?.get_mut("custom_details")?.as_object_mut()
}

fn shorten(details: &mut Map<String, Value>) {
    for value in details.values_mut() {
        match value {
            Value::String(text) => *value = cut(text, DETAIL_CHARS).into(),
            Value::Object(map) => shorten(map),
            _ => {}
        }
    }
}

fn put(map: &mut Map<String, Value>, name: &str, text: &str, chars_max: usize) {
    let text = text.trim();
    if !text.is_empty() {
        map.insert(name.to_owned(), cut(text, chars_max).into());
    }
}

fn put_list(map: &mut Map<String, Value>, name: &str, mut list: Vec<Value>) {
    list.truncate(LINKS_MAX);
    if !list.is_empty() {
        map.insert(name.to_owned(), Value::Array(list));
    }
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
