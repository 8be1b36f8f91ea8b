//! The template engine, set up once per destination: strict, bounded, without partials or logging.
//!
//! Takes a text, gives something that renders or a [`Flaw`] that says where the text is wrong. What
//! handlebars would find out only while rendering (a helper that does not exist) is found here.

use std::sync::LazyLock;

use handlebars::template::{HelperTemplate, Parameter, TemplateElement};
use handlebars::{
    Context, Handlebars, Output, Path, RenderContext, RenderError, RenderErrorReason, Renderable as _,
    TemplateErrorReason,
};

use crate::template::escape::Escape;
use crate::template::helpers;

/// No rendered text is longer than this.
pub const BYTES_MAX: usize = 1024 * 1024;

static REGISTRIES: LazyLock<[Handlebars<'static>; 6]> = LazyLock::new(|| Escape::ALL.map(registry));

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
    escape: Escape,
}

/// Why a text does not. Line and column count from 1 and stand in the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    pub line: usize,
    pub column: usize,
    pub what: String,
    pub cure: String,
}

impl Compiled {
    pub fn new(source: &str, escape: Escape) -> Result<Compiled, Flaw> {
        let template = handlebars::Template::compile(source).map_err(|error| {
            let (line, column) = error.pos().unwrap_or((1, 1));
            let what = match error.reason() {
                TemplateErrorReason::InvalidSyntax(_) => misread(source, line, column).to_owned(),
                other => other.to_string().lines().next().unwrap_or_default().to_owned(),
            };
            let cure = "close every {{ with }} and every {{#block}} with {{/block}}";
            Flaw { line, column, what, cure: cure.to_owned() }
        })?;
        inspect(&template)?;
        Ok(Compiled { template, escape })
    }

    /// Renders, or says in one line why not.
    pub fn render(&self, context: &Context) -> Result<String, String> {
        let registry = &REGISTRIES[self.escape as usize];
        let mut out = Bounded(String::new());
        let mut state = RenderContext::new(None);
        match self.template.render(registry, context, &mut state, &mut out) {
            Ok(()) => Ok(out.0),
            Err(error) => Err(sentence(&error)),
        }
    }
}

/// What most likely keeps the text from being read: the grammar's own words help nobody.
fn misread(source: &str, line: usize, column: usize) -> &'static str {
    let rest =
        source.split('\n').nth(line.saturating_sub(1)).and_then(|line| line.get(column.saturating_sub(1)..));
    let at_end = line >= source.split('\n').count() && rest.is_none_or(str::is_empty);
    let is_open = source.rfind("{{").is_some_and(|start| !source[start..].contains("}}"));
    match () {
        () if is_open => "a `{{` is never closed",
        () if at_end => "a `{{#block}}` is never closed",
        () => "this is nothing that handlebars reads",
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

fn inspect(template: &handlebars::Template) -> Result<(), Flaw> {
    for (index, element) in template.elements.iter().enumerate() {
        let (line, column) = template.mapping.get(index).map_or((1, 1), |at| (at.0, at.1));
        let flaw = |what: String, cure: String| Flaw { line, column, what, cure };
        match element {
            TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => {
                let is_call = !call.params.is_empty() || !call.hash.is_empty();
                inspect_call(call, is_call).map_err(|(what, cure)| flaw(what, cure))?;
            }
            TemplateElement::HelperBlock(call) => {
                inspect_call(call, true).map_err(|(what, cure)| flaw(what, cure))?;
                for part in [&call.template, &call.inverse].into_iter().flatten() {
                    inspect(part)?;
                }
            }
            TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
            // Decorators and partials; the list may grow with the library.
            _ => {
                return Err(flaw(
                    "templates cannot include other templates or define parts".to_owned(),
                    "write the text out where it is needed".to_owned(),
                ));
            }
        }
    }
    Ok(())
}

fn inspect_call(call: &HelperTemplate, is_call: bool) -> Result<(), (String, String)> {
    if let (true, Some(name)) = (is_call, name_of(&call.name)) {
        if !helpers::names().any(|known| known == name) {
            let cure = match nearest(name) {
                Some(known) => format!("did you mean `{known}`"),
                None => "the list of helpers is in the documentation of templates".to_owned(),
            };
            return Err((format!("there is no helper `{name}`"), cure));
        }
    }
    for parameter in call.params.iter().chain(call.hash.values()) {
        if let Parameter::Subexpression(inner) = parameter {
            if let TemplateElement::Expression(inner) = inner.as_element() {
                inspect_call(inner, true)?;
            }
        }
    }
    Ok(())
}

fn name_of(name: &Parameter) -> Option<&str> {
    match name {
        Parameter::Name(name) => Some(name),
        Parameter::Path(Path::Relative((_, raw)) | Path::Local((_, _, raw))) => Some(raw),
        _ => None,
    }
}

fn nearest(name: &str) -> Option<&'static str> {
    helpers::names()
        .map(|known| (strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}
