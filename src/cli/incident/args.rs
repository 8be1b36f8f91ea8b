//! The words of `alert-relay incident` and `report`, and the help that explains them.

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::queue::args::ReachArgs;

/// For `incident` as a whole.
pub const EXAMPLES: &str = "\
Examples:
  alert-relay incident list --state open                      # what goes on
  alert-relay incident show 12                                # its time line
  alert-relay incident ack 12                                 # taken: every target hears it
  alert-relay incident note 12 'failover began'
  alert-relay incident resolve 12 --note 'rolled back 4.2.1'  # closes it at every target
  alert-relay incident approve 12 --job 3                     # starts what is proposed
  alert-relay incident review 12 --note 'the pool was too small'
  alert-relay incident report 12 > incident-12.md
  alert-relay incident on-call --at 2026-08-01T03:00:00Z

Exit codes:
  0  done
  1  it could not be done, at least not for all; what and why has been told
  2  the command line itself is wrong";

/// `incident`
#[derive(Debug, Args)]
pub struct IncidentArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: IncidentCommand,
}

/// The commands of `incident`.
#[derive(Debug, Subcommand)]
pub enum IncidentCommand {
    /// List incidents, newest first
    List(ListArgs),

    /// Show one with its time line
    Show(OneArgs),

    /// Take it: every target that can say so hears it, and escalation stops
    Ack(ActArgs),

    /// Give it back: escalation begins anew
    Unack(ActArgs),

    /// It hurts no longer, and its cause is still there
    Mitigate(ActArgs),

    /// It is over: closes it at every target
    ///
    /// When its alert goes on, the next news of it opens it again.
    Resolve(ActArgs),

    /// It was looked at afterwards; the note is the root cause in the report
    Review(ActArgs),

    /// Nothing will happen to it any more; a P0 or P1 is reviewed first
    Close(ActArgs),

    /// Make it somebody's
    Assign(AssignArgs),

    /// Say how bad it is: P0, P1 or P2
    Rate(RateArgs),

    /// Write on its time line
    Note(NoteArgs),

    /// Say yes to a job that is proposed: it is started
    Approve(JobArgs),

    /// Say no to it; of one whose start is unknown: give it up
    Decline(JobArgs),

    /// Its report in Markdown
    Report(OneReportArgs),

    /// Who is on call, by each rota
    OnCall(OnCallArgs),
}

impl IncidentCommand {
    /// Which relay, and how the answer is wanted.
    pub fn reach(&self) -> &ReachArgs {
        match self {
            IncidentCommand::List(args) => &args.reach,
            IncidentCommand::Show(args) => &args.reach,
            IncidentCommand::Ack(args)
            | IncidentCommand::Unack(args)
            | IncidentCommand::Mitigate(args)
            | IncidentCommand::Resolve(args)
            | IncidentCommand::Review(args)
            | IncidentCommand::Close(args) => &args.reach,
            IncidentCommand::Assign(args) => &args.reach,
            IncidentCommand::Rate(args) => &args.reach,
            IncidentCommand::Note(args) => &args.reach,
            IncidentCommand::Approve(args) | IncidentCommand::Decline(args) => &args.reach,
            IncidentCommand::Report(args) => &args.reach,
            IncidentCommand::OnCall(args) => &args.reach,
        }
    }
}

/// `incident list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// In one of these states: detected, acknowledged, mitigated, resolved, reviewed, closed; or open
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub state: Vec<String>,

    /// Of one of these levels: P0, P1, P2
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    pub level: Vec<String>,

    /// Of this service
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,

    /// Whose
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,

    /// Opened at this time or later: 2026-08-01T03:00:00Z, or 24h for that long ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,

    /// Opened before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,

    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `incident show`
#[derive(Debug, Args)]
pub struct OneArgs {
    /// Number of the incident
    #[arg(value_name = "INCIDENT")]
    pub id: i64,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// What is done to several.
#[derive(Debug, Args)]
pub struct ActArgs {
    /// Numbers of incidents
    #[arg(value_name = "INCIDENT", required = true)]
    pub ids: Vec<i64>,

    /// A sentence for the time line
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `incident approve` and `decline`
#[derive(Debug, Args)]
pub struct JobArgs {
    /// Number of the incident
    #[arg(value_name = "INCIDENT")]
    pub id: i64,

    /// Number of the job; the one that is proposed when left out
    #[arg(long, value_name = "JOB")]
    pub job: Option<i64>,

    /// A sentence for the time line
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `incident assign`
#[derive(Debug, Args)]
pub struct AssignArgs {
    /// Number of the incident
    #[arg(value_name = "INCIDENT")]
    pub id: i64,

    /// Whose it is from now on
    #[arg(value_name = "OWNER")]
    pub owner: String,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `incident rate`
#[derive(Debug, Args)]
pub struct RateArgs {
    /// Number of the incident
    #[arg(value_name = "INCIDENT")]
    pub id: i64,

    /// P0, P1 or P2
    #[arg(value_name = "LEVEL")]
    pub level: String,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `incident note`
#[derive(Debug, Args)]
pub struct NoteArgs {
    /// Number of the incident
    #[arg(value_name = "INCIDENT")]
    pub id: i64,

    /// What to write
    #[arg(value_name = "TEXT")]
    pub text: String,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `incident report`
#[derive(Debug, Args)]
pub struct OneReportArgs {
    /// Number of the incident
    #[arg(value_name = "INCIDENT")]
    pub id: i64,

    /// Language of its headings
    #[arg(long, value_name = "LANGUAGE", value_enum, default_value_t)]
    pub language: Language,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Language {
    /// English
    #[default]
    En,
    /// Chinese
    Zh,
}

/// `incident on-call`
#[derive(Debug, Args)]
pub struct OnCallArgs {
    /// At this time; now when left out
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// For `report`.
pub const REPORT_EXAMPLES: &str = "\
Examples:
  alert-relay report --since 30d
  alert-relay report --since 7d --service checkout --format markdown > week.md
  alert-relay report --since 90d --location Asia/Shanghai --format csv > quarter.csv
  alert-relay report --since 24h --json

Exit codes:
  0  done
  1  it could not be done; why has been told
  2  the command line itself is wrong";

/// `report`
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Incidents opened at this time or later: 2026-08-01T03:00:00Z, or 30d for that long ago
    #[arg(long, value_name = "TIME", default_value = "30d")]
    pub since: String,

    /// Incidents opened before this time; now when left out
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,

    /// Of this service only
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,

    /// Of these levels only: P0, P1, P2
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    pub level: Vec<String>,

    /// Whose days are counted, by the IANA name of the time zone; UTC when left out
    #[arg(long, value_name = "ZONE")]
    pub location: Option<String>,

    /// How it is written; `--json` is the same as `--format json`
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Tables, for a terminal
    #[default]
    Table,
    /// Tables, for a page
    Markdown,
    /// One line an element, for a spreadsheet
    Csv,
    /// For programs
    Json,
}

/// Exit codes of `gate`.
pub const GATE_EXIT_CODES: &str = "\
Exit codes:
  0  it may deploy
  1  it may not, or nobody could be asked
  2  the command line itself is wrong";

/// For `gate`.
pub const GATE_EXAMPLES: &str = "\
Examples:
  alert-relay gate --service checkout --environment prod && ./deploy.sh

Exit codes:
  0  it may deploy
  1  it may not, or nobody could be asked
  2  the command line itself is wrong";

/// `gate`
#[derive(Debug, Args)]
pub struct GateArgs {
    /// What is to be deployed
    #[arg(long, value_name = "NAME")]
    pub service: String,

    /// Where; anywhere when left out
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}
