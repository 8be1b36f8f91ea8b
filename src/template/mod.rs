//! Wording: handlebars, strict, compiled once, rendered late, without HTML escaping.
//!
//! [`library::Library`] compiles a text, [`view::View`] is what it sees of a message,
//! [`escape::Escape`] says where the result goes. Alert text is data: it is never compiled, and no
//! template can include a file or another template. No clock: "now" comes with the view.

mod engine;
pub mod escape;
mod expression;
pub mod headline;
mod helpers;
mod inspect;
pub mod library;
mod quick;
pub mod seen;
pub mod severity;
pub mod text;
pub mod view;
