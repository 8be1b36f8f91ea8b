//! Settings of a Jenkins target: what an operator may write, checked and compiled.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::document::node::{At, Node};
use crate::domain::secret::Secret;
use crate::target::bench::Bench;
use crate::target::contract::{Built, Workshop};
use crate::target::jenkins::{Jenkins, WORDINGS};
use crate::target::run::parameters;
use crate::target::run::platform::Runs;
use crate::target::run::settings::{fixed, habits, name};
use crate::template::escape::Escape;

type Text = Option<At<String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    base_url: Text,
    username: Text,
    api_token: Option<At<Secret>>,
    job: Text,
    parameters: BTreeMap<String, Node>,
    crumb: bool,
    reason: Text,
    reason_parameter: Text,
    marker: Text,
    on_resolve: Text,
    callback_tokens: Vec<At<Secret>>,
}

/// Builds a target, or says all that is wrong.
pub fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<Runs<Jenkins>>) };
    let base_url = bench.own_base_url(settings.base_url.as_ref(), "https://jenkins.example.com");
    let cure = "add the user that starts the builds, as in `username: relay`";
    let username = bench.needed("username", settings.username.as_ref(), cure);
    let cure = "add `api_token: \"${JENKINS_TOKEN}\"`, made on the user's page under Security";
    let token = bench.needed_secret("api_token", settings.api_token.as_ref(), cure);
    let authorization = bench.basic(&username, &token);
    let job = job(&mut bench, settings.job.as_ref());
    let parameters = parameters::named(&mut bench, "parameters", settings.parameters);
    let reason = bench.wording("reason", settings.reason.as_ref(), Escape::None);
    let reason_parameter =
        settings.reason_parameter.as_ref().map(|at| name(&mut bench, "reason_parameter", at));
    let habits = habits(
        &mut bench,
        settings.on_resolve.as_ref(),
        settings.marker.as_ref(),
        &settings.callback_tokens,
        &[],
    );
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let jenkins = reason.map(|reason| Jenkins {
        base_url,
        authorization,
        job,
        parameters,
        crumb: settings.crumb,
        reason,
        reason_parameter,
        habits,
        secrets,
        redactor,
    });
    bench.finish(jenkins.map(Runs))
}

/// `folder/name`, or the path of the job's page (`/job/folder/job/name`), as a path of the API.
fn job(bench: &mut Bench<'_>, at: Option<&At<String>>) -> String {
    let cure = "add the job with its folders, as in `job: ops/restart-service`";
    let text = fixed(bench, "job", at, cure);
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    let is_path = text.starts_with('/') && parts.iter().step_by(2).all(|part| *part == "job");
    let names = if is_path { parts.into_iter().skip(1).step_by(2).collect() } else { parts };
    if let Some(at) = at
        && (text.contains("://") || names.iter().any(|name| matches!(*name, "." | "..")))
    {
        bench.wrong(
            "job",
            at,
            "this is no path of a job",
            "write folders and name, as in ops/restart-service",
        );
    }
    names.iter().map(|name| format!("/job/{}", Escape::Url.apply(name))).collect()
}
