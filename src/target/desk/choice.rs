//! One word of a ticket (priority, type, assignee) chosen by rule: by severity, by a label, or by a
//! template.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::document::node::{At, Node, Value};
use crate::target::bench::Bench;
use crate::template::escape::Escape;
use crate::template::library::{Fault, Template};
use crate::template::severity::Severity;
use crate::template::text::cut;
use crate::template::view::View;

/// No word of a ticket is longer.
const CHARS: usize = 255;

/// Words for the four severities, the worst first.
pub type BySeverity<T> = [T; 4];

/// How the word is chosen.
#[derive(Debug)]
pub enum Choice {
    /// By how bad it is.
    Severity(BySeverity<Option<String>>),
    /// By the value of a label that all alerts share.
    Label {
        /// Which label.
        label: String,
        /// Words by value.
        map: BTreeMap<String, String>,
        /// For all other values.
        default: Option<String>,
    },
    /// As the operator words it; `usual` when that fails or gives nothing.
    Template {
        /// The wording.
        template: Template,
        /// The word by severity instead.
        usual: BySeverity<Option<String>>,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SeverityFile {
    critical: Option<At<String>>,
    error: Option<At<String>>,
    warning: Option<At<String>>,
    info: Option<At<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelFile {
    label: At<String>,
    map: BTreeMap<String, At<String>>,
    #[serde(default)]
    default: Option<At<String>>,
}

impl Choice {
    /// Builds one. `usual` are the words where the operator gives none; all empty: no word.
    pub fn build(
        bench: &mut Bench<'_>,
        field: &str,
        node: Option<&Node>,
        usual: BySeverity<&str>,
    ) -> Option<Choice> {
        let usual = usual.map(|word| Some(word.to_owned()).filter(|word| !word.is_empty()));
        match node {
            None => usual.iter().any(Option::is_some).then_some(Choice::Severity(usual)),
            Some(node) if matches!(node.value, Value::Map(_)) && node.get("label").is_some() => {
                let file: LabelFile = bench.part(node, field)?;
                let map = file.map.into_iter().map(|(value, word)| (value, word.value)).collect();
                let default = file.default.map(|word| word.value);
                Some(Choice::Label { label: file.label.value, map, default })
            }
            Some(node) if matches!(node.value, Value::Map(_)) => {
                let file: SeverityFile = bench.part(node, field)?;
                let mut words = usual;
                for (place, word) in
                    [file.critical, file.error, file.warning, file.info].into_iter().enumerate()
                {
                    words[place] = word.map(|word| word.value).or(words[place].take());
                }
                Some(Choice::Severity(words))
            }
            Some(node) => {
                let template = bench.part::<At<String>>(node, field)?;
                let template = bench.template(field, &template, Escape::None)?;
                Some(Choice::Template { template, usual })
            }
        }
    }

    /// The word for this message, in one line; `None`: the ticket goes without.
    pub fn word(&self, view: &View, faults: &mut Vec<Fault>) -> Option<String> {
        let word = match self {
            Choice::Severity(words) => words[rank(view.severity())].clone(),
            Choice::Label { label, map, default } => {
                let value = view.common_labels().get(label);
                value.and_then(|value| map.get(value)).or(default.as_ref()).cloned()
            }
            Choice::Template { template, usual } => {
                let text = template.render(view).unwrap_or_else(|fault| {
                    faults.push(fault);
                    String::new()
                });
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                Some(text).filter(|text| !text.is_empty()).or_else(|| usual[rank(view.severity())].clone())
            }
        }?;
        Some(cut(word.trim(), CHARS).into_owned()).filter(|word| !word.is_empty())
    }
}

/// Its place in [`BySeverity`].
pub fn rank(severity: Severity) -> usize {
    match severity {
        Severity::Critical => 0,
        Severity::Error => 1,
        Severity::Warning => 2,
        Severity::Info => 3,
    }
}
