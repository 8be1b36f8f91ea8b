//! The words of `alert-relay replay-diff`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::queue::args::ReachArgs;

/// Where the configuration in force is when nothing is said.
const AGAINST: &str = "/etc/alert-relay/relay.yaml";

/// Below the help.
pub const EXAMPLES: &str = "\
Examples:
  alert-relay replay-diff --config new.yaml --since 24h
  alert-relay replay-diff --config new.yaml --against relay.yaml --since 7d --source guance --json
  alert-relay replay-diff --config new.yaml --since 24h --no-secrets   # in CI, where the secrets are not

Exit codes:
  0  nothing would change
  1  it cannot be said: a configuration has errors, or the relay cannot be asked
  2  the command line itself is wrong
  3  something would change; what has been shown";

/// `replay-diff`
#[derive(Debug, Args)]
pub struct ReplayDiffArgs {
    /// The configuration that is to come
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// The configuration as it is
    #[arg(long, value_name = "FILE", default_value = AGAINST)]
    pub against: PathBuf,

    /// Events received at this time or later: 2026-08-01T03:00:00Z, or 24h for that long ago
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub since: String,

    /// Events received before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,

    /// Events of this source
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,

    /// Put placeholders where an environment variable or a secret file is missing
    #[arg(long)]
    pub no_secrets: bool,

    /// Which relay has the events.
    #[command(flatten)]
    pub reach: ReachArgs,
}
