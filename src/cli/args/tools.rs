//! The words of `import`, `schema`, `completions` and `man`, and the help that explains them.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// For `import`.
pub const IMPORT_EXAMPLES: &str = "\
Examples:
  alert-relay import /etc/prometheus/alertmanager.yml --output relay.yaml
  alert-relay check --config relay.yaml --no-secrets
  alert-relay import alertmanager.yml | less

Exit codes:
  0  carried over; what could not be is listed on standard error
  1  the file cannot be read, is no Alertmanager configuration, or the result cannot be written
  2  the command line itself is wrong";

/// For `schema`.
pub const SCHEMA_EXAMPLES: &str = "\
Examples:
  alert-relay schema > relay.schema.json
  # and as the first line of relay.yaml:
  # yaml-language-server: $schema=relay.schema.json

Exit codes:
  0  good
  1  the file cannot be written
  2  the command line itself is wrong";

/// For `completions`.
pub const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  alert-relay completions bash > /etc/bash_completion.d/alert-relay
  alert-relay completions zsh > /usr/share/zsh/vendor-completions/_alert-relay
  alert-relay completions fish > ~/.config/fish/completions/alert-relay.fish

Exit codes:
  0  good
  2  the command line itself is wrong";

/// For `man`.
pub const MAN_EXAMPLES: &str = "\
Examples:
  alert-relay man | man -l -
  alert-relay man --output /usr/local/share/man/man1

Exit codes:
  0  good
  1  a page cannot be written
  2  the command line itself is wrong";

/// `import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Write the result here instead of to standard output; a file that is there is not overwritten
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Overwrite the file that is there
    #[arg(long, requires = "output")]
    pub force: bool,

    /// Write JSON, for programs: the result, what could not be carried over, and the variables to set
    #[arg(long)]
    pub json: bool,

    /// The Alertmanager configuration; `-` for standard input
    #[arg(value_name = "ALERTMANAGER_YML")]
    pub file: PathBuf,
}

/// `schema`
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Write it here instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `completions`
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

/// `man`
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write alert-relay.1 and one page for each command into this folder
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
}
