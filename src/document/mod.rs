//! YAML with a memory of its places: every value knows its line and column, so that whatever is
//! wrong with it, in syntax or in meaning, can be shown where it stands.
//!
//! Text goes in through `parse`, typed shapes come out of `read`, and both say what is wrong as
//! [`Problem`](crate::domain::problem::Problem)s. No file is opened here and no key is known here.

mod access;
mod cursor;
mod fault;
mod keep;
pub mod nearest;
pub mod node;
pub mod parse;
pub mod read;
mod reader;
mod syntax;
