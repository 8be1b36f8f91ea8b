//! Renders most wording without the engine: texts, values by their path, calls of our own helpers,
//! `if`, `unless`, `each` and comparisons of numbers. The language is that of the engine; what is
//! saved is its book-keeping.
//!
//! Takes a parsed template and gives a [`Quick`], unless something else is in it. Whatever is
//! unusual while rendering (a value that is missing, a helper that refuses, a text too long) ends
//! it without a result: then the engine renders from the beginning, and it alone finds the words
//! for what is wrong. The tests below let both render the same.

use std::borrow::Cow;

use handlebars::Template;
use handlebars::template::{HelperTemplate, TemplateElement};

use crate::template::escape::Escape;
use crate::template::expression::{Expr, Scene, expression, name_of, shown};
use crate::template::view::View;

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

impl Quick {
    /// The same as `template`, if all of it is known here; `escape` says where it goes.
    pub fn of(template: &Template, escape: Escape) -> Option<Quick> {
        parts(template, escape).map(Quick)
    }

    /// Renders; `None` when it takes the engine to say what is wrong.
    pub fn render<'v>(
        &'v self,
        view: &'v View<'_>,
        escape: Escape,
        bytes_max: usize,
    ) -> Option<Cow<'v, str>> {
        let scene = Scene { view, this: None, index: None };
        let text = match self.0.as_slice() {
            [Part::Text(text)] => Cow::Borrowed(text.as_str()),
            [Part::Show { what, escaped: false }] => what.in_scene(scene)??.into_written(),
            [Part::Show { what, escaped: true }] => escape.apply_to(what.in_scene(scene)??.into_written()),
            parts => {
                let mut out = Out { text: String::new(), escape, bytes_max };
                write(parts, scene, &mut out)?;
                out.text.into()
            }
        };
        (text.len() <= bytes_max).then_some(text)
    }
}

fn parts(template: &Template, escape: Escape) -> Option<Vec<Part>> {
    let wanted = |element: &&TemplateElement| !matches!(element, TemplateElement::Comment(_));
    template.elements.iter().filter(wanted).map(|element| part(element, escape)).collect()
}

fn part(element: &TemplateElement, escape: Escape) -> Option<Part> {
    match element {
        TemplateElement::RawString(text) => Some(Part::Text(text.clone())),
        TemplateElement::Expression(call) => {
            let what = shown(call)?;
            let escaped = !(matches!(what, Expr::Json(_)) && escape.takes_json());
            Some(Part::Show { what, escaped })
        }
        TemplateElement::HtmlExpression(call) => Some(Part::Show { what: shown(call)?, escaped: false }),
        TemplateElement::HelperBlock(call) => block(call, escape),
        _ => None,
    }
}

fn block(call: &HelperTemplate, escape: Escape) -> Option<Part> {
    let [what] = call.params.as_slice() else { return None };
    if !call.hash.is_empty() || call.block_param.is_some() {
        return None;
    }
    let what = expression(what)?;
    let side = |side: &Option<Template>| side.as_ref().map_or(Some(Vec::new()), |side| parts(side, escape));
    let (then, otherwise) = (side(&call.template)?, side(&call.inverse)?);
    match name_of(&call.name)? {
        "if" => Some(Part::Choice { what, wanted: true, then, otherwise }),
        "unless" => Some(Part::Choice { what, wanted: false, then, otherwise }),
        "each" if call.inverse.is_none() => Some(Part::Each { list: what, body: then }),
        _ => None,
    }
}

struct Out {
    text: String,
    escape: Escape,
    bytes_max: usize,
}

impl Out {
    fn push(&mut self, text: &str) -> Option<()> {
        /// As long as most texts of several parts are.
        const USUAL_BYTES: usize = 256;
        if self.text.is_empty() && !text.is_empty() {
            self.text.reserve(USUAL_BYTES);
        }
        (self.text.len() + text.len() <= self.bytes_max).then(|| self.text.push_str(text))
    }
}

fn write(parts: &[Part], scene: Scene<'_>, out: &mut Out) -> Option<()> {
    for part in parts {
        match part {
            Part::Text(text) => out.push(text)?,
            Part::Show { what, escaped } => {
                let value = what.in_scene(scene)??;
                let text = value.written();
                if *escaped { out.push(&out.escape.apply(&text))? } else { out.push(&text)? }
            }
            Part::Choice { what, wanted, then, otherwise } => {
                let is_true = what.in_scene(scene)?.is_some_and(|value| value.is_true());
                write(if is_true == *wanted { then } else { otherwise }, scene, out)?;
            }
            Part::Each { list, body } => {
                let list = list.in_scene(scene)??;
                for (index, this) in list.items()?.iter().enumerate() {
                    write(body, Scene { view: scene.view, this: Some(this), index: Some(index) }, out)?;
                }
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status, common};
    use crate::domain::change::{Change, Sort, Suspect};
    use crate::domain::message::{Action, DedupKey, Message};
    use crate::template::engine::Compiled;

    /// Wording that an operator may write; the last ones take the engine.
    const OWN: [&str; 21] = [
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
        "{{json commonLabels}} {{{json alerts}}} {{toJson changes}} {{json 7}} {{json startedAt}}",
        "{{json this}}",
        "whole: {{{toJson this}}}",
        "{{#each alerts}}{{json this}} {{date \"%s\" startsAt}} {{date \"%s\" endsAt}} {{/each}}{{json counts}}",
        "{{get alerts.[0].labels \"alertname\" \"none\"}}{{#if alerts.0.labels.pod}}pod{{/if}}",
        "{{#with commonLabels}}{{alertname}}{{/with}}",
        "{{#each resolved}}{{../title}}{{else}}none{{/each}}",
        "{{lookup alerts 0}}",
        "{{json @root}}{{json alerts.0.extra}}",
        "{{event.orgId}} {{#each event.said}}{{this}},{{/each}} {{#each changes}}{{json this}} {{before}}{{/each}}",
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
            extra: Map::from_iter(resolved.then(|| ("panel".to_owned(), json!({ "z": [1.5], "a": null })))),
        });
        prop::collection::vec(alert, 1..4)
    }

    fn suspect(title: &str) -> Suspect {
        let change = Change {
            id: "1".into(),
            sort: Sort::Deploy,
            service: "shop".into(),
            environment: String::new(),
            title: format!("{title}  \n more"),
            who: "ada".into(),
            link: "https://ci.example/1".into(),
            at: Timestamp::UNIX_EPOCH,
        };
        Suspect { change, before: Duration::from_secs(90), weight: 1.0 }
    }

    fn message(alerts: Vec<Alert>, truncated: u64, note: Option<String>) -> Message {
        let group = AlertGroup {
            common_labels: common(alerts.iter().map(|alert| &alert.labels)),
            common_annotations: common(alerts.iter().map(|alert| &alert.annotations)),
            truncated,
            event: json!({ "orgId": truncated, "said": [note, 0.5] }),
            changes: note.iter().map(|title| suspect(title)).collect(),
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
                let quick = compiled.render(&view).map(Cow::into_owned);
                prop_assert_eq!(quick, engine, "{}", text);
            }
        }
    }

    #[test]
    fn what_pages_people_needs_no_engine() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/pagerduty");
        for file in std::fs::read_dir(folder).unwrap() {
            let file = file.unwrap().path();
            let template = Template::compile(&std::fs::read_to_string(&file).unwrap()).unwrap();
            assert!(Quick::of(&template, Escape::None).is_some(), "{}", file.display());
        }
    }
}
