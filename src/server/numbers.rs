//! The numbers over many incidents, over the admin interface.

use hyper::StatusCode;
use jiff::tz::TimeZone;

use crate::domain::incident::Level;
use crate::incident::forms;
use crate::incident::tally::Tally;
use crate::rulebook::TargetRule;
use crate::server::answer::{self, Answer};
use crate::server::ordering::stumbled;
use crate::server::query::{Query, Refusal, unknown_word, wrong};
use crate::server::state::{Head, State};
use crate::store::incidents::IncidentFilter;
use crate::target::JOB_KINDS;

/// Incidents that one report is about.
const INCIDENTS_MAX: usize = 500_000;
/// What is reported when nothing is said.
const SINCE: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);

/// Answers `GET /api/v1/report`; whoever asks has been admitted.
pub(super) async fn report(app: &State, head: &Head<'_>, query: &str) -> Result<Answer, Refusal> {
    let names = ["since", "until", "service", "owner", "level", "location", "format"];
    let query = Query::read(query, &names)?;
    let since = match query.time("since", head.now)? {
        Some(since) => since,
        None => head.now.saturating_sub(SINCE).unwrap_or(head.now),
    };
    let until = query.time("until", head.now)?.unwrap_or(head.now);
    let level = |word: &str| {
        Level::parse(word).ok_or_else(|| unknown_word("level", word, Level::ALL.map(Level::as_str)))
    };
    let mut levels = query.words("level").map(level).collect::<Result<Vec<_>, _>>()?;
    levels.sort_unstable();
    levels.dedup();
    let zone = query.text("location").map(|name| {
        TimeZone::get(name)
            .map_err(|_| wrong("location: write a name of the IANA time zone database, as in Asia/Shanghai"))
    });
    let zone = zone.transpose()?.unwrap_or(TimeZone::UTC);
    let format = query.text("format").unwrap_or("json");
    const FORMATS: [&str; 4] = ["json", "table", "markdown", "csv"];
    if !FORMATS.contains(&format) {
        return Err(unknown_word("format", format, FORMATS));
    }
    let filter = IncidentFilter {
        levels,
        service: query.text("service").map(str::to_owned),
        owner: query.text("owner").map(str::to_owned),
        since: Some(since),
        until: Some(until),
        limit: INCIDENTS_MAX,
        ..IncidentFilter::default()
    };
    let book = app.books.current();
    let starts_jobs = |rule: &TargetRule| JOB_KINDS.contains(&rule.kind);
    let jobs = book.targets.iter().filter(|(_, rule)| starts_jobs(rule));
    let jobs: Vec<String> = jobs.map(|(name, _)| name.to_string()).collect();
    // Computed where it is read: off the threads that answer.
    let computed = app
        .store
        .read(move |reader| {
            let mut tally = Tally::of_days_in(zone);
            reader.figures(&filter, &jobs, &mut |figure| tally.take(figure))?;
            Ok(tally.numbers(since, until))
        })
        .await
        .map_err(stumbled)?;
    Ok(match format {
        "table" => answer::text(StatusCode::OK, forms::text(&computed)),
        "markdown" => {
            answer::with_type(StatusCode::OK, "text/markdown; charset=utf-8", forms::markdown(&computed))
        }
        "csv" => answer::with_type(StatusCode::OK, "text/csv; charset=utf-8", forms::csv(&computed)),
        _ => answer::json(StatusCode::OK, &forms::json(&computed)),
    })
}
