//! `alert-relay schema`: the JSON Schema of relay.yaml. `tests/schema.rs` makes it of what the reader
//! accepts and of the documentation, and keeps it true.

use crate::cli::Answer;
use crate::cli::args::tools::SchemaArgs;

/// JSON Schema, draft 7.
const SCHEMA: &str = include_str!("../../relay.schema.json");

/// Prints it, or writes it into a file.
pub fn run(args: &SchemaArgs) -> Answer {
    let Some(file) = &args.output else { return Answer::good(SCHEMA.to_owned()) };
    match std::fs::write(file, SCHEMA) {
        Ok(()) => Answer::good(format!("{} is written\n", file.display())),
        Err(error) => Answer::refused(&format!("{} cannot be written: {error}", file.display())),
    }
}
