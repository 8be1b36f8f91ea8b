//! What templates can call: everything that Alertmanager's template functions do, under the same
//! names, and a few more.
//!
//! A helper is a function from a [`Call`] to a JSON value; the engine escapes what it gives. Missing
//! values are errors (strict mode) except where a helper is made for them: `default`, `get`, `eq`,
//! `ne`, `and`, `or`, `not`, `len`. Nothing here reads a clock, a file or the environment.

use std::borrow::Cow;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, JsonRender as _, Output, RenderContext,
    RenderError, RenderErrorReason, ScopedJson,
};
use serde_json::Value;

use crate::template::escape::Escape;

mod collections;
mod logic;
mod moments;
mod strings;

/// What a helper gives.
pub type Answer = Result<Value, RenderErrorReason>;

/// A helper.
pub type Run = fn(&Call<'_>) -> Answer;

/// A row of the table of helpers.
struct Entry {
    name: &'static str,
    run: Run,
}

const TABLES: [&[Entry]; 4] = [strings::TABLE, collections::TABLE, logic::TABLE, moments::TABLE];

/// Helpers of handlebars itself that stay as they are.
const OF_HANDLEBARS: [&str; 10] = ["if", "unless", "each", "with", "lookup", "raw", "gt", "gte", "lt", "lte"];

/// Names that write JSON.
const OF_JSON: [&str; 2] = ["json", "toJson"];

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
    // In JSON, and in plain text, JSON is written as it is. Elsewhere it is a text like any other.
    let as_is = matches!(escape, Escape::None | Escape::Json);
    for name in OF_JSON {
        registry.register_helper(name, Box::new(ToJson { as_is }));
    }
}

/// The arguments of one call.
pub struct Call<'a> {
    name: &'a str,
    /// A value that the message does not have is `None`.
    given: &'a [Option<&'a Value>],
    /// All that the message has.
    whole: &'a Value,
    /// The call as the engine knows it.
    helper: Option<&'a Helper<'a>>,
}

impl<'a> Call<'a> {
    /// A call of the helper `name`.
    pub fn new(name: &'a str, given: &'a [Option<&'a Value>], whole: &'a Value) -> Call<'a> {
        Call { name, given, whole, helper: None }
    }

    /// The value at `index`; one that the message does not have is `None`.
    fn optional(&self, index: usize) -> Option<&'a Value> {
        self.given.get(index).copied().flatten()
    }

    /// The value at `index`, which must be there.
    fn value(&self, index: usize) -> Result<&'a Value, RenderErrorReason> {
        let given = self.given.get(index).ok_or_else(|| self.wrong("has too few arguments"))?;
        given.ok_or_else(|| {
            let parameter = self.helper.and_then(|helper| helper.param(index));
            let path = parameter.and_then(|parameter| parameter.relative_path().cloned());
            RenderErrorReason::MissingVariable(path)
        })
    }

    /// The value at `index` as a text; numbers and the like are written out.
    fn text(&self, index: usize) -> Result<Cow<'_, str>, RenderErrorReason> {
        Ok(match self.value(index)? {
            Value::String(text) => Cow::Borrowed(text.as_str()),
            other => Cow::Owned(other.render()),
        })
    }

    /// The value at `index` as a number that counts something.
    fn count(&self, index: usize) -> Result<usize, RenderErrorReason> {
        let count = self.value(index)?.as_u64().and_then(|count| usize::try_from(count).ok());
        count.ok_or_else(|| self.wrong(&format!("wants a whole number as argument {}", index + 1)))
    }

    /// Values from `index` on.
    fn rest(&self, index: usize) -> Result<Vec<Value>, RenderErrorReason> {
        (index..self.given.len()).map(|index| self.value(index).cloned()).collect()
    }

    /// An error of this call.
    fn wrong(&self, what: &str) -> RenderErrorReason {
        RenderErrorReason::Other(format!("`{}` {what}", self.name))
    }
}

/// A helper as the engine calls it.
fn by_the_engine<T>(helper: &Helper<'_>, context: &Context, run: impl FnOnce(&Call<'_>) -> T) -> T {
    let given = helper.params().iter().map(|given| (!given.is_value_missing()).then(|| given.value()));
    let given: Vec<Option<&Value>> = given.collect();
    run(&Call { name: helper.name(), given: &given, whole: context.data(), helper: Some(helper) })
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
        Ok(ScopedJson::Derived(by_the_engine(helper, context, self.0)?))
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
