//! From `tracing` to a collector.

use crate::config::traces::{OtlpFile, TracingFile};
use crate::domain::problem::Problem;
use crate::domain::secret::Secret;
use crate::target::address;
use crate::trace::ids::Sample;
use crate::trace::otlp::PATH;

/// A collector of spans.
#[derive(Debug, Clone, PartialEq)]
pub struct Collector {
    /// What is called.
    pub url: String,
    /// Headers of each call.
    pub headers: Vec<(String, Secret)>,
    /// Who is recorded.
    pub sample: Sample,
}

/// Events whose traces are recorded when nothing is said: all of them, they are few beside requests.
const SHARE: f64 = 1.0;

/// Names that a header may not have here: the call sets them.
const OWN: &[&str] = &["content-type", "content-length", "host", "connection", "transfer-encoding"];

/// The collector of the file, if it names one and nothing is wrong with it.
pub(super) fn collector(file: &TracingFile, problems: &mut Vec<Problem>) -> Option<Collector> {
    let OtlpFile { endpoint, headers, sample } = file.otlp.as_ref()?;
    let before = problems.len();
    let url = address::base(endpoint, "tracing.otlp.endpoint").map_err(|problem| problems.push(problem)).ok();
    if url.as_ref().is_some_and(|url| url.ends_with(PATH)) {
        let cure = "leave `/v1/traces` out";
        let what = "the relay puts the path behind the endpoint itself";
        problems.push(Problem::error("tracing.otlp.endpoint", endpoint.place, what, cure));
    }
    let share = sample.as_ref().map_or(SHARE, |sample| sample.value);
    if let Some(sample) = sample
        && !(0.0..=1.0).contains(&sample.value)
    {
        let what = "is no share";
        problems.push(Problem::error(
            "tracing.otlp.sample",
            sample.place,
            what,
            "write a number from 0 to 1, as in 0.1",
        ));
    }
    for (name, value) in headers {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let fine_value = value.value.expose().chars().all(|c| c == '\t' || (' '..='~').contains(&c));
        if name.is_empty()
            || !name.chars().all(is_token)
            || OWN.contains(&name.to_ascii_lowercase().as_str())
            || !fine_value
        {
            let what = "is no header that can be sent";
            let cure = "write a name such as Authorization and a value in one line of ASCII";
            problems.push(Problem::error(format!("tracing.otlp.headers.{name}"), value.place, what, cure));
        }
    }
    let headers = headers.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect();
    let url = format!("{}{PATH}", url?);
    (problems.len() == before).then_some(Collector { url, headers, sample: Sample::of(share) })
}
