//! Words that several commands have in common: which configuration, and how to show what came of it.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

/// Where the configuration is when nothing is said.
pub const CONFIG: &str = "/etc/alert-relay/relay.yaml";

/// Which configuration.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    pub config: PathBuf,
}

/// How to read the configuration and how to show what came of it.
#[derive(Debug, Args)]
pub struct LookArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Put placeholders where an environment variable or a secret file is missing
    ///
    /// For a machine that must not know the secrets. Everything else is checked all the same.
    #[arg(long)]
    pub no_secrets: bool,

    /// Write JSON, for programs
    #[arg(long)]
    pub json: bool,

    /// Write no colours, not even to a terminal (so does the environment variable NO_COLOR, or TERM=dumb)
    #[arg(long)]
    pub no_color: bool,
}

/// Reads `--at`.
///
/// # Errors
/// How to write it.
pub fn time(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| "write it with its offset, as in 2026-08-01T03:00:00Z or …T11:00:00+08:00".to_owned())
}

/// Reads `--header`: name in lower case, and value.
///
/// # Errors
/// How to write it.
pub fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        }
        _ => Err("write name and value, as in 'Content-Type: text/plain'".to_owned()),
    }
}

/// Reads `--label`: name and value.
///
/// # Errors
/// How to write it.
pub fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("write name and value, as in service=checkout".to_owned()),
    }
}
