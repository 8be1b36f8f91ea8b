//! Compiles wording: the operator's line in relay.yaml, else the operator's file, else ours.

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
pub struct Library {}
