//! What stands between the braces of a template: values by their path, calls of our own helpers,
//! comparisons of numbers.
//!
//! Takes a parsed parameter and gives an [`Expr`], unless something else is in it; an expression and
//! a [`Scene`] give a value. What is unusual gives none: `quick.rs` says what follows.

use std::cmp::Ordering;

use handlebars::template::{HelperTemplate, Parameter, TemplateElement};
use handlebars::{Path, PathSeg};
use serde_json::Value;

use crate::template::helpers::{self, Call, Run, Whole};
use crate::template::seen::Seen;
use crate::template::view::View;

/// An expression.
#[derive(Debug, Clone)]
pub enum Expr {
    /// A value below the present one.
    Path(Vec<String>),
    /// `@index` of the innermost `each`.
    Index,
    /// What the template says itself.
    Literal(Value),
    /// Another one, written as JSON.
    Json(Box<Expr>),
    /// A call of a helper of our own.
    Call { name: String, run: Run, given: Vec<Expr> },
    /// Two numbers that stand to each other in one of these ways.
    Compare { ways: &'static [Ordering], two: Box<[Expr; 2]> },
}

/// What an expression stands for; `None`: there is no such value.
pub type Found<'a> = Option<Seen<'a>>;

/// What can be seen at one place of a template.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// All that the message has.
    pub view: &'a View<'a>,
    /// `None`: the message itself.
    pub this: Option<&'a Seen<'a>>,
    /// Which one of a list it is.
    pub index: Option<usize>,
}

/// What `{{…}}` shows.
pub fn shown(call: &HelperTemplate) -> Option<Expr> {
    match name_of(&call.name) {
        Some(name) if helpers::OF_JSON.contains(&name) => {
            let [what] = call.params.as_slice() else { return None };
            let what = expression(what).filter(|_| call.hash.is_empty())?;
            Some(Expr::Json(Box::new(what)))
        }
        name if !call.params.is_empty() || helpers::names().any(|known| Some(known) == name) => called(call),
        _ => expression(&call.name).filter(|_| call.hash.is_empty()),
    }
}

/// A parameter, if all of it is known here.
pub fn expression(parameter: &Parameter) -> Option<Expr> {
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

/// The name of what is called.
pub fn name_of(name: &Parameter) -> Option<&str> {
    match name {
        Parameter::Name(name) | Parameter::Path(Path::Relative((_, name))) => Some(name),
        _ => None,
    }
}

impl Expr {
    /// Its value; the outer `None`: this takes the engine.
    pub fn in_scene<'a>(&'a self, scene: Scene<'a>) -> Option<Found<'a>> {
        match self {
            Expr::Path(path) => {
                let mut names = path.iter();
                let first = match (scene.this, names.next()) {
                    (None, Some(name)) => scene.view.value(name),
                    (Some(this), Some(name)) => this.get(name),
                    (Some(this), None) => Some(this.clone()),
                    (None, None) => return None,
                };
                Some(names.fold(first, |found, name| found?.get(name)))
            }
            Expr::Index => Some(Some(scene.index?.into())),
            Expr::Literal(value) => Some(Some(value.into())),
            Expr::Json(what) => {
                let is_whole = scene.this.is_none() && matches!(&**what, Expr::Path(path) if path.is_empty());
                let text = match is_whole {
                    true => serde_json::to_string(scene.view),
                    false => serde_json::to_string(&what.in_scene(scene)??),
                };
                Some(Some(text.ok()?.into()))
            }
            Expr::Call { name, run, given } => {
                let given: Vec<Found<'_>> =
                    given.iter().map(|given| given.in_scene(scene)).collect::<Option<_>>()?;
                run(&Call::new(name, &given, Whole::View(scene.view))).ok().map(Some)
            }
            Expr::Compare { ways, two: both } => {
                let [a, b] = [&both[0], &both[1]].map(|one| one.in_scene(scene)??.as_i64());
                Some(Some(ways.contains(&a?.cmp(&b?)).into()))
            }
        }
    }
}
