//! The template engine, set up once per destination: strict, bounded, without partials or logging.
//!
//! Takes a text, gives something that renders or a [`Flaw`] that says where the text is wrong.

use std::borrow::Cow;
use std::sync::LazyLock;

use handlebars::{
    Context, Handlebars, Output, RenderContext, RenderError, RenderErrorReason, Renderable as _,
    TemplateErrorReason,
};

use crate::template::escape::Escape;
use crate::template::helpers;
use crate::template::inspect::{Flaw, inspect, wants_whole};
use crate::template::quick::Quick;
use crate::template::view::View;

/// No rendered text is longer than this.
pub const BYTES_MAX: usize = 1024 * 1024;

static REGISTRIES: LazyLock<[Handlebars<'static>; Escape::ALL.len()]> =
    LazyLock::new(|| Escape::ALL.map(registry));

fn registry(escape: Escape) -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(move |text| escape.apply(text).into_owned());
    registry.unregister_helper("log");
    helpers::register(&mut registry, escape);
    registry
}

/// A text that parses.
#[derive(Debug, Clone)]
pub struct Compiled {
    template: handlebars::Template,
    /// The same, where it needs no engine.
    quick: Option<Quick>,
    /// It shows something that is not in every context.
    wants_whole: bool,
    escape: Escape,
}

impl Compiled {
    pub fn new(source: &str, escape: Escape) -> Result<Compiled, Flaw> {
        let template = handlebars::Template::compile(source).map_err(|error| {
            let (line, column) = error.pos().unwrap_or((1, 1));
            let what = match error.reason() {
                TemplateErrorReason::InvalidSyntax(_) => misread(source, line, column).to_owned(),
                reason => reason.to_string().lines().next().unwrap_or_default().to_owned(),
            };
            Flaw {
                line,
                column,
                what,
                cure: "close every {{ with }} and every {{#block}} with {{/block}}".into(),
            }
        })?;
        inspect(&template, true)?;
        Ok(Compiled {
            quick: Quick::of(&template, escape),
            wants_whole: wants_whole(&template),
            template,
            escape,
        })
    }

    /// Renders, or says in one line why not. What is a text or a value as it stands is not copied.
    pub fn render<'v>(&'v self, view: &'v View<'_>) -> Result<Cow<'v, str>, String> {
        let quick = self.quick.as_ref();
        match quick.and_then(|quick| quick.render(view, self.escape, BYTES_MAX)) {
            Some(text) => Ok(text),
            None => self.by_the_engine(view.context(self.wants_whole)).map(Cow::Owned),
        }
    }

    /// The long way, which knows all of the language and says what is wrong.
    pub fn by_the_engine(&self, context: &Context) -> Result<String, String> {
        let registry = &REGISTRIES[self.escape as usize];
        let mut out = Bounded(String::new());
        let mut state = RenderContext::new(None);
        match self.template.render(registry, context, &mut state, &mut out) {
            Ok(()) => Ok(out.0),
            Err(error) => Err(sentence(&error)),
        }
    }
}

/// What most likely keeps the text from being read: the grammar's rules that would have fitted
/// here help nobody.
fn misread(source: &str, line: usize, column: usize) -> &'static str {
    let rest = source.split('\n').nth(line.saturating_sub(1));
    let rest = rest.and_then(|line| line.get(column.saturating_sub(1)..));
    let at_end = line >= source.split('\n').count() && rest.is_none_or(str::is_empty);
    let is_open = source.rfind("{{").is_some_and(|start| !source[start..].contains("}}"));
    match () {
        () if is_open => "a `{{` is never closed",
        () if at_end => "a `{{#block}}` is never closed",
        () => "this cannot be read as a template",
    }
}

struct Bounded(String);

impl Output for Bounded {
    fn write(&mut self, text: &str) -> std::io::Result<()> {
        if self.0.len() + text.len() > BYTES_MAX {
            return Err(std::io::Error::other("the text grows beyond 1 MiB"));
        }
        self.0.push_str(text);
        Ok(())
    }
}

fn sentence(error: &RenderError) -> String {
    let what = match error.reason() {
        RenderErrorReason::MissingVariable(Some(path)) => format!("there is no `{path}` in this message"),
        RenderErrorReason::MissingVariable(None) => "a value is not in this message".to_owned(),
        RenderErrorReason::IOError(error) => error.to_string(),
        RenderErrorReason::Other(text) => text.clone(),
        other => other.to_string(),
    };
    match (error.line_no, error.column_no) {
        (Some(line), Some(column)) => format!("line {line} column {column}: {what}"),
        _ => what,
    }
}
