//! Prometheus Alertmanager's webhook, version 4, as 0.34 writes it and as older and foreign
//! senders nearly do.
//!
//! The body is one group. A list instead of it is the push form of the same project and read as
//! such. Every alert keeps its own status. Values are plain text, whatever braces they hold.

use serde_json::Value;

use crate::source::contract::{Arrival, Reading, Source, Unreadable};
use crate::source::notes::{Notes, kind_of};
use crate::source::push::Push;
use crate::source::{body, quick, webhook};

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct Alertmanager;

impl Source for Alertmanager {
    fn read(&self, arrival: &Arrival<'_>) -> Result<Reading, Unreadable> {
        let mut notes = Notes::default();
        let text = body::text(arrival.body, &mut notes)?;
        if let Some(group) = quick::group(arrival.source, &text) {
            return Ok(Reading { groups: vec![group], notes: notes.into_lines(), ..Reading::default() });
        }
        let group = match body::parse(&text)? {
            Value::Object(map) => webhook::group(arrival, map, &mut notes)?,
            Value::Array(items) => return Ok(Push::default().list(arrival, items, notes)),
            other => {
                let why = format!("the body is {} where an object is expected", kind_of(&other));
                return Err(body::whole(&why));
            }
        };
        Ok(Reading { groups: group.into_iter().collect(), notes: notes.into_lines(), ..Reading::default() })
    }
}
