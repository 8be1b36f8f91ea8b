//! Events as PagerDuty's Events API v2 reads them, kept within its limits.
//!
//! Takes what was worded, gives bytes. Texts are borrowed from the message and its wording where
//! they stand there as such.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::template::seen::Seen;
use crate::template::text::cut;

/// "512 KB", read in the narrow sense.
const BODY_BYTES: usize = 512_000;
/// Details longer than this are the first to be cut when the body is too large.
const DETAIL_CHARS: usize = 16_384;
/// As many links and as many images as an incident can show with profit.
const LINKS_MAX: usize = 20;

/// An event. Here and below, fields stand in the order of their names, as all JSON of ours does.
#[derive(Debug, Default, Serialize)]
pub struct Event<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_url: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_action: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Picture>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Anchor<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload<'a>>,
    pub routing_key: &'a str,
}

/// What an event is about.
#[derive(Debug, Default, Serialize)]
pub struct Payload<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<Cow<'a, str>>,
    pub custom_details: BTreeMap<&'a str, Seen<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Cow<'a, str>>,
}

/// One of `links`.
#[derive(Debug, Serialize)]
pub struct Anchor<'a> {
    pub href: Cow<'a, str>,
    pub text: Cow<'a, str>,
}

/// One of `images`.
#[derive(Debug, Serialize)]
pub struct Picture {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub href: Option<String>,
    pub src: String,
}

impl Event<'_> {
    /// The event as bytes within the limit. What gives way, in this order: the ends of long details,
    /// all details (a note says so), links and images. The rest is short by construction.
    pub fn fitted(mut self) -> Vec<u8> {
        self.links.truncate(LINKS_MAX);
        self.images.truncate(LINKS_MAX);
        let body = bytes(&self);
        if body.len() <= BODY_BYTES { body } else { shrunk(&body) }
    }
}

/// Writing an event into memory cannot fail.
fn bytes(event: &impl Serialize) -> Vec<u8> {
    /// As long as most are.
    const USUAL_BYTES: usize = 2048;
    let mut body = Vec::with_capacity(USUAL_BYTES);
    let _written = serde_json::to_writer(&mut body, event);
    body
}

fn shrunk(whole: &[u8]) -> Vec<u8> {
    // It was made of JSON a moment ago.
    let mut event: Map<String, Value> = serde_json::from_slice(whole).unwrap_or_default();
    let mut body = Vec::new();
    for step in 0..3 {
        match (step, details(&mut event)) {
            (0, Some(details)) => shorten(details),
            (1, Some(details)) => {
                let size = whole.len();
                let note = format!("left out: the event had {size} bytes, PagerDuty takes {BODY_BYTES}");
                *details = Map::from_iter([("custom_details".to_owned(), note.into())]);
            }
            _ => event.retain(|name, _| name != "links" && name != "images"),
        }
        body = bytes(&event);
        if body.len() <= BODY_BYTES {
            break;
        }
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
