//! What goes into a ticket: title, description, priority, type, assignee, due time, labels and
//! custom fields, and the comments that follow.
//!
//! Takes settings, gives values for a message; how they are spelled on the wire is each kind's
//! business.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use crate::config::units;
use crate::document::node::{At, Node, path_to_element};
use crate::target::bench::Bench;
use crate::target::desk::choice::{BySeverity, Choice, rank};
use crate::target::desk::prose::Prose;
use crate::target::desk::shape::Fields;
use crate::template::escape::Escape;
use crate::template::library::{Fault, Language, Template, Wording};
use crate::template::text::cut;
use crate::template::view::View;

/// Longest label or tag.
const LABEL_CHARS: usize = 100;

/// `due`: how long work may take, by severity. What is left out has no due time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Due {
    critical: Option<units::Duration>,
    error: Option<units::Duration>,
    warning: Option<units::Duration>,
    info: Option<units::Duration>,
}

impl Due {
    /// Times in seconds by severity, the worst first.
    pub const fn after(seconds: BySeverity<u64>) -> Due {
        let [critical, error, warning, info] = seconds;
        Due {
            critical: Some(units::Duration::from_secs(critical)),
            error: Some(units::Duration::from_secs(error)),
            warning: Some(units::Duration::from_secs(warning)),
            info: Some(units::Duration::from_secs(info)),
        }
    }
}

/// What the operator wrote, with the names that the fields have in this kind.
#[derive(Debug, Clone, Copy)]
pub struct Written<'s> {
    /// Name and text of the one line that says what.
    pub title: (&'static str, Option<&'s At<String>>),
    /// `description`
    pub description: Option<&'s At<String>>,
    /// `comment`
    pub comment: Option<&'s At<String>>,
    /// Name and rule of the type of ticket, and the usual type.
    pub sort: (&'static str, Option<&'s Node>, &'static str),
    /// `priority`, and the usual words.
    pub priority: (Option<&'s Node>, BySeverity<&'static str>),
    /// Name and rule of the one who is to work on it.
    pub assignee: (&'static str, Option<&'s Node>),
    /// `due`
    pub due: Option<Due>,
    /// Name and texts of the labels.
    pub labels: (&'static str, &'s [At<String>]),
    /// Name and values of the custom fields.
    pub fields: (&'static str, &'s BTreeMap<String, Node>),
}

/// The form of a target.
#[derive(Debug)]
pub struct Form {
    /// The language of our own words.
    pub language: Language,
    title: Wording,
    description: Wording,
    comment: Wording,
    sort: Option<Choice>,
    priority: Option<Choice>,
    assignee: Option<Choice>,
    due: BySeverity<Option<Duration>>,
    labels: Vec<Template>,
    /// Custom fields.
    pub fields: Fields,
}

impl Form {
    /// Builds it; every field is compiled before the first missing one is noticed, so that all
    /// problems show.
    pub fn build(bench: &mut Bench<'_>, written: &Written<'_>) -> Option<Form> {
        let title = bench.wording(written.title.0, written.title.1, Escape::None);
        let description = bench.wording("description", written.description, Escape::Prose);
        let comment = bench.wording("comment", written.comment, Escape::Prose);
        let (name, rule, usual) = written.sort;
        let sort = Choice::build(bench, name, rule, [usual; 4]);
        let priority = Choice::build(bench, "priority", written.priority.0, written.priority.1);
        let assignee = Choice::build(bench, written.assignee.0, written.assignee.1, [""; 4]);
        let Due { critical, error, warning, info } = written.due.unwrap_or_default();
        let mut labels = Vec::new();
        for (place, at) in written.labels.1.iter().enumerate() {
            labels.extend(bench.template(&path_to_element(written.labels.0, place), at, Escape::None));
        }
        let fields = Fields::build(bench, written.fields.0, written.fields.1);
        Some(Form {
            language: bench.workshop.templates.language(),
            title: title?,
            description: description?,
            comment: comment?,
            sort,
            priority,
            assignee,
            due: [critical, error, warning, info].map(|time| time.map(|time| time.0)),
            labels,
            fields,
        })
    }

    /// One line that says what, of at most so many characters.
    pub fn title(&self, view: &View, faults: &mut Vec<Fault>, chars: usize) -> String {
        let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut said = line(&self.title.say(view).noting(faults));
        if said.is_empty() {
            said = line(&view.plain());
        }
        // Nothing in it may drive a terminal or a mail header.
        said.retain(|c| !c.is_control());
        cut(&said, chars).into_owned()
    }

    /// What somebody who is to work on it must know.
    pub fn description(&self, view: &View, faults: &mut Vec<Fault>) -> Prose {
        Prose::read(&self.description.say(view).noting(faults))
    }

    /// What has happened since; `None` when the operator's template gives nothing, which means that
    /// no comment is wanted.
    pub fn comment(&self, view: &View, faults: &mut Vec<Fault>) -> Option<Prose> {
        Some(Prose::read(&self.comment.say(view).noting(faults))).filter(|prose| !prose.is_empty())
    }

    /// The type.
    pub fn sort(&self, view: &View, faults: &mut Vec<Fault>) -> Option<String> {
        self.sort.as_ref()?.word(view, faults)
    }

    /// The priority.
    pub fn priority(&self, view: &View, faults: &mut Vec<Fault>) -> Option<String> {
        self.priority.as_ref()?.word(view, faults)
    }

    /// Whose it is.
    pub fn assignee(&self, view: &View, faults: &mut Vec<Fault>) -> Option<String> {
        self.assignee.as_ref()?.word(view, faults)
    }

    /// When it has to be done, counted from when the relay heard of it: the same over all tries.
    pub fn due(&self, view: &View, accepted_at: Timestamp) -> Option<Timestamp> {
        let due = accepted_at.checked_add(self.due[rank(view.severity())]?).ok()?;
        due.round(jiff::Unit::Second).ok()
    }

    /// Labels without blanks, each once.
    pub fn labels(&self, view: &View, faults: &mut Vec<Fault>) -> Vec<String> {
        let mut labels = Vec::new();
        for template in &self.labels {
            match template.render(view) {
                Ok(text) => {
                    let word = text.split_whitespace().collect::<Vec<_>>().join("-");
                    let word = cut(&word, LABEL_CHARS).into_owned();
                    if !word.is_empty() && !labels.contains(&word) {
                        labels.push(word);
                    }
                }
                Err(fault) => faults.push(fault),
            }
        }
        labels
    }
}
