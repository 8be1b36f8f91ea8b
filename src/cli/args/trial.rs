//! The words of `test` and `send`, and the help that explains them.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::args::look::{LookArgs, label};

/// For `test`.
pub const TEST_EXAMPLES: &str = "\
Examples:
  mkdir -p cases/disk-full && cp payload.json cases/disk-full/
  echo 'source: alertmanager' > cases/disk-full/case.yaml
  alert-relay test --config relay.yaml cases --update      # writes expected.txt: read it
  alert-relay test --config relay.yaml cases --no-secrets  # in CI

A case.yaml may say:
  source: alertmanager          # by its name; may be left out when there is one only
  at: 2026-01-05T12:00:00Z      # what is taken for now; --update writes it if it is missing
  headers: { content-type: text/plain }   # that came with the payload

Exit codes:
  0  every case came out as expected, or was updated
  1  a case differs, lacks something or cannot be tried; or the configuration has an error
  2  the command line itself is wrong";

/// For `send`.
pub const SEND_EXAMPLES: &str = "\
Examples:
  alert-relay send --config relay.yaml --target slack-ops --dry-run   # sends nothing
  alert-relay send --config relay.yaml --target pagerduty-core --resolve
  alert-relay send --config relay.yaml --target jira-ops --label service=checkout
  alert-relay send --config relay.yaml --target repair --yes          # starts a job, for real

Exit codes:
  0  the target has it
  1  the target does not have it, or may not; or the configuration has an error
  2  the command line itself is wrong";

/// `test`
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Configuration and output.
    #[command(flatten)]
    pub look: LookArgs,

    /// Write what comes out as what is expected, where it differs or is missing
    #[arg(long)]
    pub update: bool,

    /// The folder of the cases
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// `send`
#[derive(Debug, Args)]
pub struct SendArgs {
    /// Configuration and output.
    #[command(flatten)]
    pub look: LookArgs,

    /// The target, by its name in the configuration
    #[arg(long, value_name = "NAME")]
    pub target: String,

    /// What to say
    #[arg(long, value_name = "ACTION", value_enum, default_value_t)]
    pub action: SentAction,

    /// Say afterwards that it is over, so that nothing stays open
    #[arg(long)]
    pub resolve: bool,

    /// How severe the test alert is, for targets that act on it
    #[arg(long, value_name = "WORD", default_value = "info")]
    pub severity: String,

    /// A label of the test alert, as in service=checkout; may be repeated
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,

    /// Show the request, secrets starred, and send nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Start a job, at targets whose kind starts jobs
    #[arg(long)]
    pub yes: bool,
}

/// What a test says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum SentAction {
    /// There is a problem
    #[default]
    Trigger,
    /// Somebody looks after it
    Acknowledge,
    /// It is over
    Resolve,
}
