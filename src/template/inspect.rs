//! Looks for what is wrong with a template before a message does.
//!
//! Takes a parsed template; refuses partials, helpers that do not exist and, outside of `each` and
//! `with` (whose data is not known here), names that no message has. Handlebars itself would find
//! these only while rendering: at 3 am.

use handlebars::template::{HelperTemplate, Parameter, TemplateElement};
use handlebars::{Path, PathSeg, Template};

use crate::template::helpers;
use crate::template::view::{NAMES, OF_THE_WHOLE};

/// Why a text is no template. Line and column count from 1 and stand in the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub cure: String,
}

/// What is wrong, and what to do.
type Wrong = (String, String);

/// Finds the first flaw. `knows_names`: the data of this part is the message itself.
pub fn inspect(template: &Template, knows_names: bool) -> Result<(), Flaw> {
    for (index, element) in template.elements.iter().enumerate() {
        let (line, column) = template.mapping.get(index).map_or((1, 1), |at| (at.0, at.1));
        let flaw = |(what, cure): Wrong| Flaw { line, column, what, cure };
        match element {
            TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => {
                let is_call = !call.params.is_empty() || !call.hash.is_empty();
                inspect_call(call, is_call, knows_names).map_err(flaw)?;
            }
            TemplateElement::HelperBlock(call) => {
                inspect_call(call, true, knows_names).map_err(flaw)?;
                let keeps_data = !matches!(text_of(&call.name), Some("each" | "with"));
                for part in call.template.iter() {
                    inspect(part, knows_names && keeps_data)?;
                }
                for part in call.inverse.iter() {
                    inspect(part, knows_names)?;
                }
            }
            TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
            // Decorators and partials; the list may grow with the library.
            _ => {
                return Err(flaw((
                    "templates cannot include other templates or define parts".to_owned(),
                    "write the text out where it is needed".to_owned(),
                )));
            }
        }
    }
    Ok(())
}

fn inspect_call(call: &HelperTemplate, is_call: bool, knows_names: bool) -> Result<(), Wrong> {
    if is_call {
        match text_of(&call.name) {
            Some(name) if !helpers::names().any(|known| known == name) => {
                return Err(unknown(
                    "helper",
                    name,
                    helpers::names(),
                    "the list of helpers is in the documentation of templates",
                ));
            }
            _ => {}
        }
    } else if knows_names
        && !text_of(&call.name).is_some_and(|name| helpers::names().any(|known| known == name))
    {
        inspect_name(&call.name)?;
    }
    for parameter in call.params.iter().chain(call.hash.values()) {
        if let Parameter::Subexpression(inner) = parameter {
            if let TemplateElement::Expression(inner) = inner.as_element() {
                inspect_call(inner, true, knows_names)?;
            }
        } else if knows_names {
            inspect_name(parameter)?;
        }
    }
    Ok(())
}

/// The first part of a name must be one that every message has; the rest depends on the message.
fn inspect_name(parameter: &Parameter) -> Result<(), Wrong> {
    let first = match parameter {
        Parameter::Path(Path::Relative((parts, _))) => match parts.first() {
            Some(PathSeg::Named(name)) => name,
            _ => return Ok(()),
        },
        Parameter::Name(name) => name,
        _ => return Ok(()),
    };
    if NAMES.contains(&first.as_str()) {
        return Ok(());
    }
    let cure =
        "labels are in `commonLabels`, annotations in `commonAnnotations`, both also in each of `alerts`";
    Err(unknown("value", first, NAMES.into_iter(), cure))
}

/// Whether it may show the message as a whole, or a part that only the whole has.
pub fn wants_whole(template: &Template) -> bool {
    template.elements.iter().any(|element| match element {
        TemplateElement::RawString(_) | TemplateElement::Comment(_) => false,
        TemplateElement::Expression(call)
        | TemplateElement::HtmlExpression(call)
        | TemplateElement::HelperBlock(call) => {
            let parts = call.template.iter().chain(&call.inverse);
            call_wants_whole(call) || parts.into_iter().any(wants_whole)
        }
        _ => true,
    })
}

fn call_wants_whole(call: &HelperTemplate) -> bool {
    let shows = |parameter: &Parameter| match parameter {
        Parameter::Path(Path::Relative((parts, _))) => match parts.first() {
            Some(PathSeg::Named(name)) => OF_THE_WHOLE.contains(&name.as_str()),
            // `this`, `../` and `@root` may be all of it.
            _ => true,
        },
        Parameter::Name(name) => OF_THE_WHOLE.contains(&name.as_str()),
        Parameter::Subexpression(inner) => match inner.as_element() {
            TemplateElement::Expression(inner) => call_wants_whole(inner),
            _ => true,
        },
        Parameter::Path(Path::Local(_)) | Parameter::Literal(_) => false,
        _ => true,
    };
    shows(&call.name) || call.params.iter().chain(call.hash.values()).any(shows)
}

fn unknown(sort: &str, name: &str, all: impl Iterator<Item = &'static str>, cure: &str) -> Wrong {
    let likeness = |known: &str| strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase());
    let nearest = all.map(|known| (likeness(known), known)).filter(|(likeness, _)| *likeness > 0.8);
    let cure = match nearest.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((_, known)) => format!("did you mean `{known}`"),
        None => cure.to_owned(),
    };
    (format!("there is no {sort} `{name}`"), cure)
}

fn text_of(name: &Parameter) -> Option<&str> {
    match name {
        Parameter::Name(name) => Some(name),
        Parameter::Path(Path::Relative((_, raw)) | Path::Local((_, _, raw))) => Some(raw),
        _ => None,
    }
}
