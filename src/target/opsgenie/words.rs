//! The bodies of calls to Opsgenie and JSM Operations, worded and kept within the vendor's limits.
//!
//! Takes a view and compiled wording, gives JSON. Optional parts that fail are left out and
//! reported; message and priority are always there. Limits are in characters.

use serde_json::{Map, Value, json};

use crate::template::library::{Fault, Template, Wording};
use crate::template::severity::Severity;
use crate::template::text::cut;
use crate::template::view::View;

/// Which of two APIs with the same words is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Opsgenie's alert API, which is also JSM's integration API: alerts go by their alias.
    Alias,
    /// JSM's management API: alerts go by their id only.
    Id,
}

/// Longest `message`.
pub const MESSAGE_CHARS: usize = 130;
const DESCRIPTION_CHARS: usize = 15_000;
const NOTE_CHARS: usize = 25_000;
const ENTITY_CHARS: usize = 512;
/// Longest `source` and `user`.
pub const NAME_CHARS: usize = 100;
/// Names and values together.
const DETAILS_CHARS: usize = 8_000;
/// Most tags.
pub const TAGS_MAX: usize = 20;
/// Longest tag and longest action.
pub const TAG_CHARS: usize = 50;
/// Most actions.
pub const ACTIONS_MAX: usize = 10;
/// Most responders, and most of those who may see it.
pub const RESPONDERS_MAX: usize = 50;

/// `responders[]` and `visible_to[]`: whom an alert is for. One of the names is written.
#[derive(Debug)]
pub struct Responder {
    /// `team`, `user`, `escalation` or `schedule`.
    pub role: String,
    /// `id`, `name` or `username`.
    pub by: &'static str,
    pub who: Template,
}

/// All wording of a target.
#[derive(Debug)]
pub struct Words {
    pub message: Wording,
    pub description: Wording,
    pub priority: Wording,
    pub entity: Wording,
    pub source: Wording,
    pub note: Wording,
    /// Who does what is done, in the vendor's log.
    pub user: String,
    pub responders: Vec<Responder>,
    pub visible_to: Vec<Responder>,
    pub tags: Vec<Template>,
    pub details: Vec<(String, Template)>,
    pub actions: Vec<String>,
}

impl Words {
    /// A new alert, or one more count of an open one.
    pub fn create(&self, key: &str, dialect: Dialect, view: &View, faults: &mut Vec<Fault>) -> Value {
        let mut alert = Map::new();
        alert.insert("message".to_owned(), self.message(view, faults).into());
        alert.insert("alias".to_owned(), key.into());
        alert.insert("priority".to_owned(), self.priority(view, faults).into());
        put(&mut alert, "description", &self.description(view, faults), DESCRIPTION_CHARS);
        put(&mut alert, "entity", &self.entity.say(view).noting(faults), ENTITY_CHARS);
        put(&mut alert, "source", &self.source.say(view).noting(faults), NAME_CHARS);
        put(&mut alert, "note", &self.note(view, faults), NOTE_CHARS);
        put_list(&mut alert, "responders", responders(&self.responders, view, faults), RESPONDERS_MAX);
        put_list(&mut alert, "visibleTo", responders(&self.visible_to, view, faults), RESPONDERS_MAX);
        put_list(&mut alert, "tags", self.tags(view, faults), TAGS_MAX);
        put_list(
            &mut alert,
            "actions",
            self.actions.iter().map(|name| name.as_str().into()).collect(),
            ACTIONS_MAX,
        );
        let details = self.details(view, faults);
        if !details.is_empty() {
            let name = match dialect {
                Dialect::Alias => "details",
                Dialect::Id => "extraProperties",
            };
            alert.insert(name.to_owned(), Value::Object(details));
        }
        if dialect == Dialect::Alias {
            alert.insert("user".to_owned(), self.user.as_str().into());
        }
        Value::Object(alert)
    }

    /// What an acknowledge or a close says.
    pub fn change(&self, view: &View, faults: &mut Vec<Fault>) -> Value {
        let mut body = Map::from_iter([("user".to_owned(), json!(self.user))]);
        put(&mut body, "source", &self.source.say(view).noting(faults), NAME_CHARS);
        put(&mut body, "note", &self.note(view, faults), NOTE_CHARS);
        Value::Object(body)
    }

    /// The one line; never empty, or the vendor refuses the alert.
    pub fn message(&self, view: &View, faults: &mut Vec<Fault>) -> String {
        let text = self.message.say(view).noting(faults);
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = if line.is_empty() { view.plain() } else { line };
        cut(&line, MESSAGE_CHARS).into_owned()
    }

    /// The long text.
    pub fn description(&self, view: &View, faults: &mut Vec<Fault>) -> String {
        cut(self.description.say(view).noting(faults).trim(), DESCRIPTION_CHARS).into_owned()
    }

    /// A note; often empty.
    pub fn note(&self, view: &View, faults: &mut Vec<Fault>) -> String {
        cut(self.note.say(view).noting(faults).trim(), NOTE_CHARS).into_owned()
    }

    /// `P1` to `P5`. A severity word is understood too; what is neither is never passed through.
    pub fn priority(&self, view: &View, faults: &mut Vec<Fault>) -> &'static str {
        let said = self.priority.say(view).noting(faults);
        if let Some(priority) = priority(&said) {
            return priority;
        }
        let what = format!("{:?} is no priority; write P1 to P5 or a severity", cut(said.trim(), 60));
        let ours = self.priority.instead(view, what).noting(faults);
        priority(&ours).unwrap_or_else(|| of_severity(view.severity()))
    }

    fn tags(&self, view: &View, faults: &mut Vec<Fault>) -> Vec<Value> {
        let mut tags: Vec<Value> = Vec::new();
        for template in &self.tags {
            let Some(text) = rendered(template, view, faults) else { continue };
            let tag = Value::from(cut(&text, TAG_CHARS));
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        tags
    }

    /// A flat map of texts: the operator's own first, then the labels that all alerts share, as
    /// much as there is room for.
    fn details(&self, view: &View, faults: &mut Vec<Fault>) -> Map<String, Value> {
        let own = self
            .details
            .iter()
            .filter_map(|(name, template)| rendered(template, view, faults).map(|text| (name.clone(), text)));
        let mut all: Vec<(String, String)> = own.collect();
        for (name, value) in view.common_labels() {
            if !all.iter().any(|(have, _)| have == name) {
                all.push((name.clone(), value.clone()));
            }
        }
        let mut left = DETAILS_CHARS;
        let mut details = Map::new();
        for (name, value) in all {
            let Some(room) = left.checked_sub(name.chars().count()).filter(|room| *room > 0) else {
                continue;
            };
            let value = cut(&value, room).into_owned();
            left = room.saturating_sub(value.chars().count());
            details.insert(name, value.into());
        }
        details
    }
}

/// Reads a priority, or a severity word as one.
fn priority(text: &str) -> Option<&'static str> {
    let text = text.trim();
    let known = ["P1", "P2", "P3", "P4", "P5"].into_iter().find(|name| name.eq_ignore_ascii_case(text));
    known.or_else(|| Severity::parse(text).map(of_severity))
}

fn of_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "P1",
        Severity::Error => "P2",
        Severity::Warning => "P3",
        Severity::Info => "P5",
    }
}

fn responders(list: &[Responder], view: &View, faults: &mut Vec<Fault>) -> Vec<Value> {
    let mut shown = Vec::new();
    for Responder { role, by, who } in list {
        shown.extend(rendered(who, view, faults).map(|who| json!({ "type": role, (*by): who })));
    }
    shown
}

fn rendered(template: &Template, view: &View, faults: &mut Vec<Fault>) -> Option<String> {
    match template.render(view) {
        Ok(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Err(fault) => {
            faults.push(fault);
            None
        }
    }
}

fn put(map: &mut Map<String, Value>, name: &str, text: &str, chars_max: usize) {
    let text = text.trim();
    if !text.is_empty() {
        map.insert(name.to_owned(), cut(text, chars_max).into());
    }
}

fn put_list(map: &mut Map<String, Value>, name: &str, mut list: Vec<Value>, most: usize) {
    list.truncate(most);
    if !list.is_empty() {
        map.insert(name.to_owned(), Value::Array(list));
    }
}
