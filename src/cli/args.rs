//! The words of the command line: what may be typed, and the help that explains it.
//!
//! Takes the arguments of the process, gives a [`Cli`]; what cannot be read ends the process with
//! usage and exit code 2, as clap does it. What the words lead to is not here: one file a command.

pub mod look;
pub mod tools;
pub mod trial;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use tracing_subscriber::EnvFilter;

use crate::cli::args::look::{ConfigArgs, LookArgs, header, time};
use crate::cli::args::tools::{CompletionsArgs, ImportArgs, ManArgs, SchemaArgs};
use crate::cli::args::trial::{SendArgs, TestArgs};
use crate::cli::freeze::args::{self as freeze, FreezeArgs};
use crate::cli::incident::args::{self as incident, GateArgs, IncidentArgs, ReportArgs};
use crate::cli::queue::args::{self as queue, QueueArgs};
use crate::cli::replay_diff::args::{self as replay_diff, ReplayDiffArgs};

const EXIT_CODES: &str = "\
Exit codes:
  0  good
  1  problems were found; they have been told
  2  the command line itself is wrong";

/// Those of the whole: what one command alone has is said there.
const ALL_EXIT_CODES: &str = "\
Exit codes:
  0  good
  1  problems were found; they have been told
  2  the command line itself is wrong
  3  replay-diff only: something would change";

/// Takes alerts in, keeps them, routes and words them, and delivers them in order.
///
/// Alertmanager, Guance, Grafana and others post to it; it answers once an alert is on disk, and
/// brings it to PagerDuty and others at their pace, again and again until it is in.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = ALL_EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the relay until it is told to stop
    ///
    /// Reads the configuration, opens the store, listens, takes alerts in and delivers them. The log
    /// goes to standard error; what targets of kind console and dry runs say goes to standard
    /// output. SIGHUP reads the configuration again: on any problem the old one stays in force.
    /// SIGTERM or SIGINT stops: what is under way is finished, what waits is kept for the next start.
    #[command(after_help = EXIT_CODES, after_long_help = SERVE_EXAMPLES)]
    Serve(ServeArgs),

    /// Check the configuration, and tell everything that is wrong with it at once
    ///
    /// Reads the file as the daemon would: form, secrets, names, matchers, templates, tables. Every
    /// problem is told with its place and what to do about it. Sends nothing and opens no port.
    #[command(after_help = EXIT_CODES, after_long_help = CHECK_EXAMPLES)]
    Check(CheckArgs),

    /// Show what would become of a payload: routes, deliveries, and the very requests
    ///
    /// Reads the payload as the source would and shows, alert by alert, its labels, every route that
    /// was asked and why it took the alert or not, which deliveries would be made, and for each of
    /// them the exact request, secrets starred. Sends nothing, keeps nothing, asks no running relay:
    /// of inhibition it knows only the alerts of this payload, and of earlier news nothing. Who may
    /// post is not checked.
    #[command(after_help = EXIT_CODES, after_long_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),

    /// Try the configuration on payloads of your own, and compare with what was agreed
    ///
    /// DIR holds a folder for each case: `payload.json` (any ending will do), if need be `case.yaml` with
    /// `source`, `at` and `headers`, and `expected.txt`: where each alert goes, which deliveries are
    /// made, and the exact requests, secrets starred. Every case is run as `explain` would, and what
    /// differs is shown. Sends nothing, needs no running relay; made for the CI that guards your
    /// configuration.
    #[command(after_help = EXIT_CODES, after_long_help = trial::TEST_EXAMPLES)]
    Test(TestArgs),

    /// Send one test alert to one target, for real, and show what it answered
    ///
    /// The text says that it is a test. It goes out at once through the target's own kind and settings,
    /// beside the queue of a running relay: nothing is recorded, retried, or counted against the pace
    /// or quota of the target. Every test of a target has the same dedup key, so that a later
    /// `--action resolve` closes what a trigger opened.
    #[command(after_help = EXIT_CODES, after_long_help = trial::SEND_EXAMPLES)]
    Send(SendArgs),

    /// Work on deliveries: find, show, retry, drop; close orphans; replay recorded events
    ///
    /// Asks a running relay through its admin interface. Whatever is changed is written to an
    /// audit with the one who changed it.
    #[command(after_help = EXIT_CODES, after_long_help = queue::EXAMPLES, arg_required_else_help = true)]
    Queue(QueueArgs),

    /// Work on incidents: find, show, take, assign, note, resolve, review, close; who is on call
    ///
    /// An incident is one problem at all of its targets. Asks a running relay through its admin
    /// interface; whatever is changed stands on the time line, and in the audit.
    #[command(after_help = EXIT_CODES, after_long_help = incident::EXAMPLES, arg_required_else_help = true)]
    Incident(IncidentArgs),

    /// The numbers: how soon incidents are taken and over, where the time goes, what makes noise
    ///
    /// Over the incidents of a time, by level, service and day, with percentiles, and with advice
    /// where something is beyond its threshold.
    #[command(after_help = EXIT_CODES, after_long_help = incident::REPORT_EXAMPLES)]
    Report(ReportArgs),

    /// May a pipeline deploy now? Says why not, and answers by its exit code
    ///
    /// Not while an incident of that service goes on, or in a time of freeze (`gate` in relay.yaml).
    #[command(after_help = incident::GATE_EXIT_CODES, after_long_help = incident::GATE_EXAMPLES)]
    Gate(GateArgs),

    /// Set, list and end times in which nothing is to be deployed
    ///
    /// They stand beside those of the configuration (`gate.freeze`). Asks a running relay through its
    /// admin interface; whatever is changed is written to the audit.
    #[command(after_help = EXIT_CODES, after_long_help = freeze::EXAMPLES, arg_required_else_help = true)]
    Freeze(FreezeArgs),

    /// Show what another configuration would have made differently of recorded events
    ///
    /// Reads both configurations here and the events from a running relay, and plans each event with
    /// both: targets, dedup keys, receivers, routes and labels that differ are counted, with examples.
    /// Wording, pace and retries are not compared. Sends nothing and changes nothing.
    #[command(after_help = ALL_EXIT_CODES, after_long_help = replay_diff::EXAMPLES)]
    ReplayDiff(ReplayDiffArgs),

    /// Turn an Alertmanager configuration into a relay.yaml
    ///
    /// Carries over routes, receivers, time intervals, inhibition and simple templates, so that every
    /// alert reaches the same receivers. Secrets are not copied: each becomes `${NAME}`, and the
    /// variables to set are listed. What cannot be carried over is listed with its line, on standard
    /// error and as comments in the result.
    #[command(after_help = EXIT_CODES, after_long_help = tools::IMPORT_EXAMPLES)]
    Import(ImportArgs),

    /// Print the JSON Schema of relay.yaml, for editors
    ///
    /// Draft 7, which YAML language servers read: completion, descriptions and checks while you type.
    #[command(after_help = EXIT_CODES, after_long_help = tools::SCHEMA_EXAMPLES)]
    Schema(SchemaArgs),

    /// Print a script that completes commands and options in your shell
    #[command(after_help = EXIT_CODES, after_long_help = tools::COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),

    /// Print the manual page, or write one for every command into a folder
    #[command(after_help = EXIT_CODES, after_long_help = tools::MAN_EXAMPLES)]
    Man(ManArgs),
}

const SERVE_EXAMPLES: &str = "\
Examples:
  alert-relay serve --config relay.yaml
  alert-relay serve --log-format json --log-level info,alert_relay::deliver=debug

Exit codes:
  0  it was told to stop, and stopped in good order
  1  it could not start: the configuration, the store or the address; it says which
  2  the command line itself is wrong";

const CHECK_EXAMPLES: &str = "\
Examples:
  alert-relay check --config relay.yaml
  alert-relay check --config relay.yaml --no-secrets --json   # in CI, where the secrets are not

Exit codes:
  0  good; there may be warnings
  1  there is an error, or the file cannot be read
  2  the command line itself is wrong";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  alert-relay explain --config relay.yaml --source alertmanager payload.json
  curl -s https://example.com/last-webhook | alert-relay explain --source guance -
  alert-relay explain --source guance --header 'Content-Type: text/plain' message.txt
  alert-relay explain --source grafana --at 2026-08-01T03:00:00+08:00 payload.json   # at night

Exit codes:
  0  the payload was read; where it leads has been shown
  1  the payload cannot be read, there is no such source, or the configuration has an error
  2  the command line itself is wrong";

/// `serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Show every event to this configuration as well, and tell what it would make of it differently
    ///
    /// Nothing is sent for it, and alerts never wait for it. What differs is counted in the metrics
    /// (alert_relay_shadow_*) and shown by GET /api/v1/shadow. A good reload reads it again,
    /// and so does any reload once the file has changed.
    #[arg(long, value_name = "FILE")]
    pub shadow: Option<PathBuf>,

    /// How the log is written: text for people, json for log shippers
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,

    /// What is logged: a level, or levels by module as in `info,alert_relay::deliver=debug`
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = level)]
    pub log_level: String,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// One line an event, for people
    #[default]
    Text,
    /// One JSON object an event, for log shippers
    Json,
}

/// `check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Configuration and output.
    #[command(flatten)]
    pub look: LookArgs,
}

/// `explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Configuration and output.
    #[command(flatten)]
    pub look: LookArgs,

    /// The source that the payload comes to, by its name in the configuration
    #[arg(long, value_name = "NAME")]
    pub source: String,

    /// Explain as if it were this time, as in 2026-08-01T03:00:00Z; now when left out
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub at: Option<Timestamp>,

    /// A header that comes with the payload, as in 'Content-Type: text/plain'; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,

    /// The file that holds the body of the call; `-` for standard input
    #[arg(value_name = "PAYLOAD")]
    pub payload: PathBuf,
}

fn level(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => {
            Err("write error, warn, info, debug or trace, as in info,alert_relay::deliver=debug".to_owned())
        }
    }
}
