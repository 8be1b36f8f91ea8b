//! Renders most wording without the engine: texts, values by their path, calls of our own helpers,
//! `if`, `unless`, `each` and comparisons of numbers. The language is that of the engine; what is
//! saved is its book-keeping.
//!
//! Takes a parsed template and gives a [`Quick`], unless something else is in it. Whatever is
//! unusual while rendering (a value that is missing, a helper that refuses, a text too long) ends
//! it without a result: then the engine renders from the beginning, and it alone finds the words
//! for what is wrong. The tests below let both render the same.

use std::borrow::Cow;
use std::cmp::Ordering;

use handlebars::template::{HelperTemplate, Parameter, TemplateElement};
use handlebars::{JsonRender as _, JsonTruthy as _, Path, PathSeg, Template};
use serde_json::Value;

use crate::template::escape::Escape;
use crate::template::helpers::{self, Call, Run};

/// A template that needs no engine.
#[derive(Debug, Clone)]
pub struct Quick(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Show { what: Expr, escaped: bool },
    Choice { what: Expr, wanted: bool, then: Vec<Part>, otherwise: Vec<Part> },
    Each { list: Expr, body: Vec<Part> },
}

#[derive(Debug, Clone)]
enum Expr {
    /// A value below the present one.
    Path(Vec<String>),
    /// `@index` of the innermost `each`.
    Index,
    Literal(Value),
    Call {
        name: String,
        run: Run,
        given: Vec<Expr>,
    },
    /// Two numbers that stand to each other in one of these ways.
    Compare {
        ways: &'static [Ordering],
        two: Box<[Expr; 2]>,
    },
}

/// What an expression stands for; `None`: there is no such value.
type Found<'a> = Option<Cow<'a, Value>>;

impl Quick {
    /// The same as `template`, if all of it is known here.
    pub fn of(template: &Template) -> Option<Quick> {
        parts(template).map(Quick)
    }

    /// Renders; `None` when it takes the engine to say what is wrong.
    pub fn render(&self, whole: &Value, escape: Escape, bytes_max: usize) -> Option<String> {
        let mut out = Out { text: String::new(), escape, bytes_max };
        write(&self.0, Scene { whole, this: whole, index: None }, &mut out)?;
        Some(out.text)
    }
}

fn parts(template: &Template) -> Option<Vec<Part>> {
    let wanted = |element: &&TemplateElement| !matches!(element, TemplateElement::Comment(_));
    template.elements.iter().filter(wanted).map(part).collect()
}

fn part(element: &TemplateElement) -> Option<Part> {
    match element {
        TemplateElement::RawString(text) => Some(Part::Text(text.clone())),
        TemplateElement::Expression(call) => Some(Part::Show { what: shown(call)?, escaped: true }),
        TemplateElement::HtmlExpression(call) => Some(Part::Show { what: shown(call)?, escaped: false }),
        TemplateElement::HelperBlock(call) => block(call),
        _ => None,
    }
}

fn shown(call: &HelperTemplate) -> Option<Expr> {
    if !call.params.is_empty() || helpers::names().any(|name| Some(name) == name_of(&call.name)) {
        return called(call);
    }
    let has_hash = !call.hash.is_empty();
    (!has_hash).then(|| expression(&call.name))?
}

fn block(call: &HelperTemplate) -> Option<Part> {
    let [what] = call.params.as_slice() else { return None };
    if !call.hash.is_empty() || call.block_param.is_some() {
        return None;
    }
    let what = expression(what)?;
    let side = |side: &Option<Template>| side.as_ref().map_or(Some(Vec::new()), parts);
    let (then, otherwise) = (side(&call.template)?, side(&call.inverse)?);
    match name_of(&call.name)? {
        "if" => Some(Part::Choice { what, wanted: true, then, otherwise }),
        "unless" => Some(Part::Choice { what, wanted: false, then, otherwise }),
        "each" if call.inverse.is_none() => Some(Part::Each { list: what, body: then }),
        _ => None,
    }
}

fn expression(parameter: &Parameter) -> Option<Expr> {
    match parameter {
        Parameter::Path(Path::Relative((parts, _))) => {
            let named = |part: &PathSeg| match part {
                PathSeg::Named(name) => Some(name.clone()),
                _ => None,
            };
            parts.iter().map(named).collect::<Option<_>>().map(Expr::Path)
        }
        Parameter::Path(Path::Local((0, name, _))) if name == "index" => Some(Expr::Index),
        Parameter::Name(name) => Some(Expr::Path(vec![name.clone()])),
        Parameter::Literal(value) => Some(Expr::Literal(value.clone())),
        Parameter::Subexpression(inner) => match inner.as_element() {
            TemplateElement::Expression(call) => called(call),
            _ => None,
        },
        _ => None,
    }
}

fn called(call: &HelperTemplate) -> Option<Expr> {
    if !call.hash.is_empty() {
        return None;
    }
    let name = name_of(&call.name)?;
    let given = call.params.iter().map(expression).collect::<Option<Vec<_>>>()?;
    let ways: &[Ordering] = match name {
        "lt" => &[Ordering::Less],
        "lte" => &[Ordering::Less, Ordering::Equal],
        "gt" => &[Ordering::Greater],
        "gte" => &[Ordering::Greater, Ordering::Equal],
        _ => return Some(Expr::Call { name: name.to_owned(), run: helpers::find(name)?, given }),
    };
    Some(Expr::Compare { ways, two: Box::new(given.try_into().ok()?) })
}

fn name_of(name: &Parameter) -> Option<&str> {
    match name {
        Parameter::Name(name) | Parameter::Path(Path::Relative((_, name))) => Some(name),
        _ => None,
    }
}

/// What can be seen at one place of a template.
#[derive(Clone, Copy)]
struct Scene<'a> {
    whole: &'a Value,
    this: &'a Value,
    index: Option<usize>,
}

struct Out {
    text: String,
    escape: Escape,
    bytes_max: usize,
}

impl Out {
    fn push(&mut self, text: &str) -> Option<()> {
        (self.text.len() + text.len() <= self.bytes_max).then(|| self.text.push_str(text))
    }
}

fn write(parts: &[Part], scene: Scene<'_>, out: &mut Out) -> Option<()> {
    for part in parts {
        match part {
            Part::Text(text) => out.push(text)?,
            Part::Show { what, escaped } => {
                let value = what.in_scene(scene)??;
                let text = match &*value {
                    Value::String(text) => Cow::Borrowed(text.as_str()),
                    other => Cow::Owned(other.render()),
                };
                if *escaped { out.push(&out.escape.apply(&text))? } else { out.push(&text)? }
            }
            Part::Choice { what, wanted, then, otherwise } => {
                let is_true = what.in_scene(scene)?.is_some_and(|value| value.is_truthy(false));
                write(if is_true == *wanted { then } else { otherwise }, scene, out)?;
            }
            Part::Each { list, body } => {
                let list = list.in_scene(scene)??;
                let Value::Array(list) = &*list else { return None };
                for (index, this) in list.iter().enumerate() {
                    write(body, Scene { whole: scene.whole, this, index: Some(index) }, out)?;
                }
            }
        }
    }
    Some(())
}

impl Expr {
    /// The outer `None`: this takes the engine.
    fn in_scene<'a>(&'a self, scene: Scene<'a>) -> Option<Found<'a>> {
        match self {
            Expr::Path(path) => {
                let found = path.iter().try_fold(scene.this, |value, name| match value {
                    Value::Array(list) => list.get(name.parse::<usize>().ok()?),
                    value => value.as_object()?.get(name),
                });
                Some(found.map(Cow::Borrowed))
            }
            Expr::Index => Some(Some(Cow::Owned(scene.index?.into()))),
            Expr::Literal(value) => Some(Some(Cow::Borrowed(value))),
            Expr::Call { name, run, given } => {
                let given: Vec<Found<'_>> =
                    given.iter().map(|given| given.in_scene(scene)).collect::<Option<_>>()?;
                let given: Vec<Option<&Value>> = given.iter().map(Option::as_deref).collect();
                run(&Call::new(name, &given, scene.whole)).ok().map(|value| Some(Cow::Owned(value)))
            }
            Expr::Compare { ways, two: both } => {
                let [a, b] = [&both[0], &both[1]].map(|one| one.in_scene(scene)?.as_deref()?.as_i64());
                Some(Some(Cow::Owned(ways.contains(&a?.cmp(&b?)).into())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status, common};
    use crate::domain::message::{Action, DedupKey, Message};
    use crate::template::engine::Compiled;
    use crate::template::view::View;

    /// Wording that an operator may write; the last ones take the engine.
    const OWN: [&str; 17] = [
        "{{title}} {{severity}}\n{{#if note}}({{note}}){{else}}-{{/if}}",
        "{{{link}}} {{{toUpper title}}} {{truncatedAlerts}}",
        "{{#each firing}}{{@index}}: {{labels.alertname}} {{get labels \"pod\" \"none\"}}\n{{/each}}",
        "{{#each firing}}{{#each labels}}{{this}}{{/each}}{{/each}}",
        "{{#each alerts}}{{#unless annotations.summary}}bare{{/unless}}{{~#if (gt @index 0)}} , {{/if}}{{/each}}",
        "{{#if (and (eq status \"firing\") commonLabels.service)}}{{commonLabels.service}}{{/if}}",
        "{{commonLabels.service}}",
        "{{join \", \" (values commonLabels)}} {{len alerts}} {{since startedAt}}",
        "{{default commonLabels.pod (default commonLabels.host \"?\")}}{{!-- not said --}}",
        "{{#if (lte counts.total 1)}}one{{else if (gte counts.total 3)}}many{{else}}two{{/if}}",
        "{{json commonLabels}}",
        "{{get alerts.[0].labels \"alertname\" \"none\"}}{{#if alerts.0.labels.pod}}pod{{/if}}",
        "{{#with commonLabels}}{{alertname}}{{/with}}",
        "{{#each resolved}}{{../title}}{{else}}none{{/each}}",
        "{{lookup alerts 0}}",
        "{{json this}}",
        "{{#each firing as |alert|}}{{alert.status}}{{/each}}",
    ];

    fn ours() -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let kinds = std::fs::read_dir(folder).unwrap().map(|kind| kind.unwrap().path());
        let files = kinds.flat_map(|kind| std::fs::read_dir(kind).unwrap());
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }

    fn labels(names: &'static [&'static str]) -> impl Strategy<Value = Labels> {
        let name = proptest::sample::select(names).prop_map(str::to_owned);
        prop::collection::btree_map(name, r#"[a-z <>&"{}@/\\\n-]{0,12}"#, 0..5)
    }

    fn alerts() -> impl Strategy<Value = Vec<Alert>> {
        let named = labels(&["alertname", "service", "job", "instance", "cluster", "pod", "severity"]);
        let said = labels(&["summary", "description", "runbook_url"]);
        let alert = (named, said, any::<bool>(), prop::option::of(0..2_000_000_000_i64));
        let alert = alert.prop_map(|(labels, annotations, resolved, starts)| Alert {
            status: if resolved { Status::Resolved } else { Status::Firing },
            fingerprint: Fingerprint::of(&labels),
            labels,
            annotations,
            starts_at: starts.map(|at| Timestamp::from_second(at).unwrap()),
            ends_at: resolved.then_some(Timestamp::UNIX_EPOCH),
            generator_url: if resolved { String::new() } else { "http://prometheus.example/g".into() },
            extra: serde_json::Map::new(),
        });
        prop::collection::vec(alert, 1..4)
    }

    fn message(alerts: Vec<Alert>, truncated: u64, note: Option<String>) -> Message {
        let group = AlertGroup {
            common_labels: common(alerts.iter().map(|alert| &alert.labels)),
            common_annotations: common(alerts.iter().map(|alert| &alert.annotations)),
            truncated,
            ..AlertGroup::of_one("am", "key".into(), alerts[0].clone())
        };
        Message {
            id: "id".into(),
            target: "pager".into(),
            action: Action::Trigger,
            dedup_key: DedupKey::hash(&["key"]),
            group: Arc::new(AlertGroup { alerts, ..group }),
            remote: None,
            may_exist: false,
            begun: None,
            note,
            proposal: None,
            digest: Vec::new(),
            accepted_at: Timestamp::UNIX_EPOCH,
        }
    }

    proptest! {
        // Each case compiles all wording of ours.
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn both_say_the_same(
            alerts in alerts(),
            truncated in 0..2_u64,
            note in prop::option::of("[a-z&]{1,9}"),
            escape in proptest::sample::select(&Escape::ALL[..]),
        ) {
            let message = message(alerts, truncated, note);
            let view = View::of(&message, "https://relay.example", Timestamp::UNIX_EPOCH);
            for text in ours().into_iter().chain(OWN.map(str::to_owned)) {
                let Ok(compiled) = Compiled::new(&text, escape) else { continue };
                let engine = compiled.by_the_engine(view.context(true));
                prop_assert_eq!(compiled.render(&view), engine, "{}", text);
            }
        }
    }

    #[test]
    fn what_pages_people_needs_no_engine() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/pagerduty");
        for file in std::fs::read_dir(folder).unwrap() {
            let file = file.unwrap().path();
            let template = Template::compile(&std::fs::read_to_string(&file).unwrap()).unwrap();
            assert!(Quick::of(&template).is_some(), "{}", file.display());
        }
    }
}
