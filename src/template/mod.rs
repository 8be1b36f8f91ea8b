//! Handlebars, strict, without HTML escaping: wording compiled once, rendered late.

pub mod library;
pub mod view;
