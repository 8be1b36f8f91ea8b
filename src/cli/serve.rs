//! `alert-relay serve`, as far as it is talk: the log on standard error, and what kind `console`
//! and dry runs print on standard output. The daemon itself is a room beside this one.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;

use crate::cli::Surroundings;
use crate::cli::args::{LogFormat, ServeArgs};
use crate::cli::log::Plain;

/// What nobody asked for: the steps of a schema migration. A level that names it wins.
const QUIET: &str = "refinery_core=warn";

/// Starts the log. Control characters in what is logged are escaped, and what turns text around.
pub fn start_log(args: &ServeArgs, surroundings: &Surroundings) {
    // The level was read when the words were; see `args.rs`.
    let levels = format!("{QUIET},{}", args.log_level);
    let levels = EnvFilter::try_new(levels).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_writer(|| Plain(io::stderr())).with_env_filter(levels);
    match args.log_format {
        LogFormat::Text => log.with_ansi(surroundings.colour_err).init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).init(),
    }
}

/// Prints a message. A standard output that has gone is no reason to stop delivering.
pub fn print(text: &str) {
    let _gone = writeln!(Plain(io::stdout().lock()), "{text}");
}
