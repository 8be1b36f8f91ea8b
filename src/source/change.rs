//! Changes as pipelines post them: plain JSON, PagerDuty's change events, what Argo CD's notifications
//! send, or GitHub's and GitLab's deployment webhooks; told apart by their headers and by the outermost
//! keys. Pure.
//!
//! GitHub: <https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status>.
//! GitLab: <https://docs.gitlab.com/user/project/integrations/webhook_events/#deployment-events>.

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::change::{Change, Sort};

mod argo_cd;
mod pagerduty;

/// Reads one call. `Ok(None)`: it tells of nothing that has changed (a deployment that began, a ping).
///
/// # Errors
/// A sentence that says what is missing.
pub fn read(headers: &[(String, String)], body: &[u8], now: Timestamp) -> Result<Option<Change>, String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}"))?;
    let header = |name: &str| headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str());
    match (header("x-github-event"), header("x-gitlab-event")) {
        (Some("deployment_status"), _) => Ok(github(&body, now)),
        (Some(_), _) => Ok(None),
        (None, Some(_)) if body["object_kind"] == "deployment" => Ok(gitlab(&body, now)),
        (None, Some(_)) => Ok(None),
        (None, None) if body["argocd"].is_object() => argo_cd::read(&body["argocd"], now),
        (None, None) if body["payload"].is_object() => pagerduty::read(&body, now).map(Some),
        (None, None) => plain(&body, now).map(Some),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// Deploy, unless it says otherwise.
fn sort(value: &Value) -> Result<Sort, String> {
    let word = text(value);
    if word.is_empty() {
        return Ok(Sort::Deploy);
    }
    let unknown = || format!("there is no kind `{word}`: write deploy, config, traffic or infrastructure");
    Sort::parse(&word).ok_or_else(unknown)
}

/// Now, unless it says otherwise.
fn time(name: &str, value: &Value, now: Timestamp) -> Result<Timestamp, String> {
    let word = text(value);
    if word.is_empty() {
        return Ok(now);
    }
    word.parse().map_err(|_| format!("`{name}` is no time: `{word}`; write 2026-08-01T03:00:00Z"))
}

/// The first that has a value.
fn first<'v>(values: impl IntoIterator<Item = &'v Value>) -> String {
    values.into_iter().map(text).find(|text| !text.is_empty()).unwrap_or_default()
}

fn plain(body: &Value, now: Timestamp) -> Result<Change, String> {
    if !body.is_object() {
        return Err("write an object: {\"service\": \"checkout\", \"title\": \"release 4.2.1\"}".to_owned());
    }
    let service = text(&body["service"]);
    if service.is_empty() {
        return Err("`service` is missing: say what was changed".to_owned());
    }
    let sort = sort(&body["kind"])?;
    let at = time("at", &body["at"], now)?;
    let title = text(&body["title"]);
    let title = if title.is_empty() { format!("{} of {service}", sort.as_str()) } else { title };
    let id = text(&body["id"]);
    let id = if id.is_empty() { format!("{} {service} {at} {title}", sort.as_str()) } else { id };
    let environment = text(&body["environment"]);
    let (who, link) = (text(&body["who"]), text(&body["link"]));
    Ok(Change { id, sort, service, environment, title, who, link, at })
}

fn github(body: &Value, now: Timestamp) -> Option<Change> {
    let (status, deployment) = (&body["deployment_status"], &body["deployment"]);
    if status["state"] != "success" {
        return None;
    }
    let service = text(&body["repository"]["name"]);
    let said = text(&deployment["description"]);
    let what = if said.is_empty() { text(&deployment["ref"]) } else { said };
    Some(Change {
        id: format!("github {}", text(&status["id"])),
        sort: Sort::Deploy,
        title: format!("{service}: {what}"),
        environment: text(&deployment["environment"]),
        who: text(&deployment["creator"]["login"]),
        link: text(&status["target_url"]),
        at: text(&status["created_at"]).parse().unwrap_or(now),
        service,
    })
}

fn gitlab(body: &Value, now: Timestamp) -> Option<Change> {
    if body["status"] != "success" {
        return None;
    }
    let service = text(&body["project"]["name"]);
    Some(Change {
        id: format!("gitlab {}", text(&body["deployment_id"])),
        sort: Sort::Deploy,
        title: format!("{service}: {}", text(&body["commit_title"])),
        environment: text(&body["environment"]),
        who: text(&body["user"]["username"]),
        link: text(&body["deployable_url"]),
        at: now,
        service,
    })
}
