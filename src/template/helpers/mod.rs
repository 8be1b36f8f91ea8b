//! What templates can call: everything that Alertmanager's template functions do, under the same
//! names, and a few more.
//!
//! A helper is a function from a [`Call`] to a value; the engine escapes what it gives. Missing
//! values are errors (strict mode) except where a helper is made for them: `default`, `get`, `eq`,
//! `ne`, `and`, `or`, `not`, `len`. Nothing here reads a clock, a file or the environment.

use std::borrow::Cow;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError,
    RenderErrorReason, ScopedJson,
};
use serde_json::{Map, Value};

use crate::template::escape::Escape;
use crate::template::seen::Seen;
use crate::template::view::View;

mod collections;
mod logic;
mod moments;
mod strings;

/// What a helper gives.
pub type Answer<'a> = Result<Seen<'a>, RenderErrorReason>;

/// A helper.
pub type Run = for<'a> fn(&Call<'_, 'a>) -> Answer<'a>;

/// A row of the table of helpers.
struct Entry {
    name: &'static str,
    run: Run,
}

const TABLES: [&[Entry]; 4] = [strings::TABLE, collections::TABLE, logic::TABLE, moments::TABLE];

/// Helpers of handlebars itself that stay as they are.
const OF_HANDLEBARS: [&str; 10] = ["if", "unless", "each", "with", "lookup", "raw", "gt", "gte", "lt", "lte"];

/// Names that write JSON.
pub const OF_JSON: [&str; 2] = ["json", "toJson"];

/// Every name that a template may call.
pub fn names() -> impl Iterator<Item = &'static str> {
    let own = TABLES.into_iter().flatten().map(|entry| entry.name);
    own.chain(OF_HANDLEBARS).chain(OF_JSON)
}

/// The helper of this name, if it is one of our own.
pub fn find(name: &str) -> Option<Run> {
    TABLES.into_iter().flatten().find(|entry| entry.name == name).map(|entry| entry.run)
}

/// Makes all helpers known to a registry whose values are escaped by `escape`.
pub fn register(registry: &mut Handlebars<'static>, escape: Escape) {
    for entry in TABLES.into_iter().flatten() {
        registry.register_helper(entry.name, Box::new(Function(entry.run)));
    }
    for name in OF_JSON {
        registry.register_helper(name, Box::new(ToJson { as_is: escape.takes_json() }));
    }
}

/// All that the message has.
#[derive(Clone, Copy)]
pub enum Whole<'a> {
    /// As we know it.
    View(&'a View<'a>),
    /// As the engine knows it.
    Json(&'a Value),
}

impl<'a> Whole<'a> {
    /// A value of the top level.
    fn get(self, name: &str) -> Option<Seen<'a>> {
        match self {
            Whole::View(view) => view.value(name),
            Whole::Json(value) => value.get(name).map(Seen::from),
        }
    }
}

/// The arguments of one call; they may be gone while what they were taken from is still there.
pub struct Call<'c, 'a> {
    name: &'c str,
    /// A value that the message does not have is `None`.
    given: &'c [Option<Seen<'a>>],
    whole: Whole<'a>,
    /// The call as the engine knows it.
    helper: Option<&'c Helper<'c>>,
}

impl<'c, 'a> Call<'c, 'a> {
    /// A call of the helper `name`.
    pub fn new(name: &'c str, given: &'c [Option<Seen<'a>>], whole: Whole<'a>) -> Call<'c, 'a> {
        Call { name, given, whole, helper: None }
    }

    /// The value at `index`; one that the message does not have is `None`.
    fn optional(&self, index: usize) -> Option<&'c Seen<'a>> {
        self.given.get(index).and_then(Option::as_ref)
    }

    /// The value at `index`, which must be there.
    fn value(&self, index: usize) -> Result<&'c Seen<'a>, RenderErrorReason> {
        let given = self.given.get(index).ok_or_else(|| self.wrong("has too few arguments"))?;
        given.as_ref().ok_or_else(|| {
            let parameter = self.helper.and_then(|helper| helper.param(index));
            let path = parameter.and_then(|parameter| parameter.relative_path().cloned());
            RenderErrorReason::MissingVariable(path)
        })
    }

    /// The value at `index` as a text; numbers and the like are written out.
    fn text(&self, index: usize) -> Result<Cow<'c, str>, RenderErrorReason> {
        self.value(index).map(Seen::written)
    }

    /// The value at `index` as JSON.
    fn json(&self, index: usize) -> Result<Cow<'c, Value>, RenderErrorReason> {
        self.value(index).map(Seen::json)
    }

    /// The value at `index` as a map.
    fn map(&self, index: usize) -> Result<Map<String, Value>, RenderErrorReason> {
        match self.json(index)?.into_owned() {
            Value::Object(map) => Ok(map),
            _ => Err(self.not_a_map()),
        }
    }

    /// The value at `index` as a number that counts something.
    fn count(&self, index: usize) -> Result<usize, RenderErrorReason> {
        let count = self.json(index)?.as_u64().and_then(|count| usize::try_from(count).ok());
        count.ok_or_else(|| self.wrong(&format!("wants a whole number as argument {}", index + 1)))
    }

    /// Values from `index` on.
    fn rest(&self, index: usize) -> Result<Vec<Value>, RenderErrorReason> {
        (index..self.given.len()).map(|index| Ok(self.json(index)?.into_owned())).collect()
    }

    fn not_a_map(&self) -> RenderErrorReason {
        self.wrong("wants a label set or another map")
    }

    /// An error of this call.
    fn wrong(&self, what: &str) -> RenderErrorReason {
        RenderErrorReason::Other(format!("`{}` {what}", self.name))
    }
}

/// A helper as the engine calls it.
fn by_the_engine<T>(helper: &Helper<'_>, context: &Context, run: impl FnOnce(&Call<'_, '_>) -> T) -> T {
    let given = helper.params().iter().map(|given| (!given.is_value_missing()).then(|| given.value().into()));
    let given: Vec<Option<Seen<'_>>> = given.collect();
    let whole = Whole::Json(context.data());
    run(&Call { name: helper.name(), given: &given, whole, helper: Some(helper) })
}

struct Function(Run);

impl HelperDef for Function {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let answer = by_the_engine(helper, context, |call| self.0(call).map(Seen::into_json));
        Ok(ScopedJson::Derived(answer?))
    }
}

struct ToJson {
    as_is: bool,
}

impl HelperDef for ToJson {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        state: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let text = by_the_engine(helper, context, |call| collections::json(call.value(0)?, call.whole))?;
        if self.as_is || state.is_disable_escape() {
            out.write(&text)?;
        } else {
            out.write(&registry.get_escape_fn()(&text))?;
        }
        Ok(())
    }
}
