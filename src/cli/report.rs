//! `alert-relay report`: the numbers over many incidents, through the admin interface of a running
//! relay.

use crate::cli::Answer;
use crate::cli::incident::args::{Format, ReportArgs};
use crate::cli::queue::call::Relay;

/// Does it.
pub fn run(args: &ReportArgs) -> Answer {
    let json = args.reach.json || args.format == Format::Json;
    done(args).unwrap_or_else(|why| Answer::refused_in(json, &why))
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
