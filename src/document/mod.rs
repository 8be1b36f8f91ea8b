//! YAML with a memory of its places: every value knows its line and column, so that whatever is
//! wrong with it, in syntax or in meaning, can be shown where it stands.

pub mod node;
