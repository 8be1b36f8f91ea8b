//! `alert-relay report`: the numbers over many incidents, through the admin interface of a running
//! relay.

use clap::{Args, ValueEnum};

use crate::cli::Answer;
use crate::cli::queue::args::ReachArgs;
use crate::cli::queue::call::Relay;

/// What may be typed.
pub const EXAMPLES: &str = "\
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

/// Does it.
pub fn run(args: &ReportArgs) -> Answer {
    done(args).unwrap_or_else(|why| Answer::refused(&why))
}

fn done(args: &ReportArgs) -> Result<Answer, String> {
    let levels = args.level.join(",");
    let format = match (args.reach.json, args.format) {
        (true, _) | (_, Format::Json) => "json",
        (_, Format::Table) => "table",
        (_, Format::Markdown) => "markdown",
        (_, Format::Csv) => "csv",
    };
    let mut query = vec![("since", args.since.as_str()), ("level", levels.as_str()), ("format", format)];
    let filters = [("until", &args.until), ("service", &args.service), ("location", &args.location)];
    query.extend(filters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
    if format == "json" {
        return Relay::at(&args.reach)?
            .get("/api/v1/report", &query)
            .map(|found| Answer::good(format!("{found:#}\n")));
    }
    Relay::at(&args.reach)?.text("/api/v1/report", &query).map(Answer::good)
}
