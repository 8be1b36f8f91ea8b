//! Compiles wording: the operator's line in relay.yaml, else the operator's file, else ours.
//!
//! [`Library`] gives a [`Wording`] for a field that has a text of ours to fall back on, and a
//! [`Template`] for one that has none. Rendering a wording never fails: a broken template must not
//! swallow a page. Files are read by the caller; no template can include another.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::document::node::At;
use crate::domain::problem::{Place, Problem};
use crate::template::engine::Compiled;
use crate::template::escape::Escape;
use crate::template::inspect::Flaw;
use crate::template::view::View;

/// The language of our own wording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 2] = [Language::En, Language::Zh];

    /// Reads `templates.language`: `en` or `zh`.
    pub fn parse(text: &str) -> Option<Language> {
        match text {
            "en" => Some(Language::En),
            "zh" => Some(Language::Zh),
            _ => None,
        }
    }
}

/// Default wording of one templated field of one kind.
#[derive(Debug, Clone, Copy)]
pub struct Builtin {
    /// Kind, which is also the folder under `templates/`.
    pub kind: &'static str,
    /// Field, which is also the file name: `templates/<kind>/<field>.hbs`.
    pub field: &'static str,
    /// English text.
    pub en: &'static str,
    /// Chinese text.
    pub zh: &'static str,
}

/// The [`Builtin`] of a field, compiled in from `templates/<kind>/<field>.hbs` and `….zh.hbs`.
macro_rules! builtin {
    ($kind:literal, $field:literal) => {
        $crate::template::library::Builtin {
            kind: $kind,
            field: $field,
            en: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/", $kind, "/", $field, ".hbs")),
            zh: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/templates/",
                $kind,
                "/",
                $field,
                ".zh.hbs"
            )),
        }
    };
}
pub(crate) use builtin;

/// A template that failed while rendering, replaced by the built-in wording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which field.
    pub field: String,
    /// What handlebars said, with line and column.
    pub what: String,
}

/// The compiler of wording.
#[derive(Debug, Default)]
pub struct Library {
    language: Language,
    overrides: BTreeMap<(String, String), String>,
}

impl Library {
    /// A library that speaks `language` where the operator says nothing. `overrides` holds the
    /// operator's files by kind and field, as they were read.
    pub fn new(language: Language, overrides: BTreeMap<(String, String), String>) -> Library {
        Library { language, overrides }
    }

    /// The language of our own wording.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Compiles a field: the inline setting if there is one, else the operator's file, else ours.
    ///
    /// # Errors
    /// A problem without a path (the caller knows it) when the operator's text does not parse.
    pub fn wording(
        &self,
        builtin: &'static Builtin,
        inline: Option<&At<String>>,
        escape: Escape,
    ) -> Result<Wording, Problem> {
        self.wording_in(self.language, builtin, inline, escape)
    }

    /// The same in another language than the library's, for a target that speaks its own.
    ///
    /// # Errors
    /// As [`Library::wording`].
    pub fn wording_in(
        &self,
        language: Language,
        builtin: &'static Builtin,
        inline: Option<&At<String>>,
        escape: Escape,
    ) -> Result<Wording, Problem> {
        let ours = match language {
            Language::En => builtin.en,
            Language::Zh => builtin.zh,
        };
        let ours = Compiled::new(without_last_newline(ours), escape).map_err(|flaw| {
            problem(
                Place::default(),
                &format!("the built-in templates/{}/{}.hbs: ", builtin.kind, builtin.field),
                flaw,
            )
        })?;
        let file = self.overrides.get(&(builtin.kind.to_owned(), builtin.field.to_owned()));
        let chosen = match (inline, file) {
            (Some(inline), _) => Some(compile(inline, escape)?),
            (None, Some(text)) => {
                Some(Compiled::new(without_last_newline(text), escape).map_err(|flaw| {
                    problem(
                        Place::default(),
                        &format!("templates/{}/{}.hbs: ", builtin.kind, builtin.field),
                        flaw,
                    )
                })?)
            }
            (None, None) => None,
        };
        Ok(Wording { field: builtin.field, chosen, ours, escape })
    }

    /// Compiles a text that has no wording of ours behind it (`dedup_key`, job parameters).
    ///
    /// # Errors
    /// A problem without a path (the caller knows it) when the text does not parse.
    pub fn template(&self, field: &str, inline: &At<String>, escape: Escape) -> Result<Template, Problem> {
        Ok(Template { field: field.to_owned(), compiled: compile(inline, escape)? })
    }
}

/// A field that always has something to say.
#[derive(Debug, Clone)]
pub struct Wording {
    field: &'static str,
    chosen: Option<Compiled>,
    ours: Compiled,
    escape: Escape,
}

/// A text, and what went wrong on the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said<'v> {
    /// What to send.
    pub text: Cow<'v, str>,
    /// Why it is not what the operator wrote.
    pub fault: Option<Fault>,
}

impl<'v> Said<'v> {
    /// The text; a fault goes to the others of its message.
    pub fn noting(self, faults: &mut Vec<Fault>) -> Cow<'v, str> {
        faults.extend(self.fault);
        self.text
    }
}

impl Wording {
    /// Renders. The operator's template first; ours when that fails; a plain sentence when even
    /// that does.
    pub fn say<'v>(&'v self, view: &'v View<'_>) -> Said<'v> {
        match self.chosen.as_ref().map(|chosen| chosen.render(view)) {
            Some(Ok(text)) => Said { text, fault: None },
            Some(Err(what)) => self.instead(view, what),
            None => self.ours(view, None),
        }
    }

    /// Our wording in place of the operator's, for a target that cannot use what was rendered.
    pub fn instead<'v>(&'v self, view: &'v View<'_>, what: String) -> Said<'v> {
        self.ours(view, Some(Fault { field: self.field.to_owned(), what }))
    }

    fn ours<'v>(&'v self, view: &'v View<'_>, fault: Option<Fault>) -> Said<'v> {
        match self.ours.render(view) {
            Ok(text) => Said { text, fault },
            Err(what) => Said {
                text: self.escape.apply_to(view.plain().into()),
                fault: fault.or(Some(Fault { field: self.field.to_owned(), what })),
            },
        }
    }
}

/// A text of the operator alone.
#[derive(Debug, Clone)]
pub struct Template {
    field: String,
    compiled: Compiled,
}

impl Template {
    /// Renders.
    ///
    /// # Errors
    /// A fault that names the field; the caller decides what to do without the text.
    pub fn render(&self, view: &View) -> Result<String, Fault> {
        self.compiled.render(view).map(Cow::into_owned).map_err(|what| self.fault(what))
    }

    /// A fault of this field.
    pub fn fault(&self, what: impl Into<String>) -> Fault {
        Fault { field: self.field.clone(), what: what.into() }
    }
}

fn compile(inline: &At<String>, escape: Escape) -> Result<Compiled, Problem> {
    Compiled::new(&inline.value, escape).map_err(|flaw| problem(inline.place, "", flaw))
}

/// The place is that of the value: where its first character stands depends on how YAML quotes it,
/// so the sentence counts within the template.
fn problem(place: Place, file: &str, flaw: Flaw) -> Problem {
    let what = format!("{file}template line {} column {}: {}", flaw.line, flaw.column, flaw.what);
    Problem::error("", place, what, flaw.cure)
}

/// A file ends with a newline, the text in it does not.
fn without_last_newline(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text)
}
