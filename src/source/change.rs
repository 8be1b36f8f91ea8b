//! Changes as pipelines post them: plain JSON, or GitHub's and GitLab's deployment webhooks, told
//! apart by their headers. Pure.
//!
//! GitHub: <https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status>.
//! GitLab: <https://docs.gitlab.com/user/project/integrations/webhook_events/#deployment-events>.

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::change::{Change, Sort};

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

fn plain(body: &Value, now: Timestamp) -> Result<Change, String> {
    if !body.is_object() {
        return Err("write an object: {\"service\": \"checkout\", \"title\": \"release 4.2.1\"}".to_owned());
    }
    let service = text(&body["service"]);
    if service.is_empty() {
        return Err("`service` is missing: say what was changed".to_owned());
    }
    let word = text(&body["kind"]);
    let sort = if word.is_empty() { Some(Sort::Deploy) } else { Sort::parse(&word) };
    let Some(sort) = sort else {
        return Err(format!("there is no kind `{word}`: write deploy, config, traffic or infrastructure"));
    };
    let at = text(&body["at"]);
    let at = if at.is_empty() {
        now
    } else {
        at.parse().map_err(|_| format!("`at` is no time: `{at}`; write 2026-08-01T03:00:00Z"))?
    };
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(header: Option<(&str, &str)>, body: &Value) -> Result<Option<Change>, String> {
        let headers: Vec<(String, String)> =
            header.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        read(&headers, body.to_string().as_bytes(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn plain_json_needs_a_service_and_nothing_else() {
        let change = of(None, &json!({ "service": "checkout" })).unwrap().unwrap();
        assert_eq!(
            (change.title.as_str(), change.sort, change.at),
            ("deploy of checkout", Sort::Deploy, Timestamp::UNIX_EPOCH)
        );
        for (body, expected) in [
            (json!({}), "`service` is missing"),
            (json!([]), "write an object"),
            (json!({ "service": "a", "kind": "magic" }), "there is no kind `magic`"),
            (json!({ "service": "a", "at": "soon" }), "`at` is no time: `soon`"),
        ] {
            let told = of(None, &body).unwrap_err();
            assert!(told.starts_with(expected), "{told}");
        }
        assert!(read(&[], b"{", Timestamp::UNIX_EPOCH).unwrap_err().starts_with("no JSON"));
    }

    #[test]
    fn deployments_of_github_and_gitlab_count_when_they_are_done() {
        let github = |state: &str| {
            of(
                Some(("x-github-event", "deployment_status")),
                &json!({
                    "deployment_status": { "id": 7, "state": state, "created_at": "2026-08-01T03:00:00Z", "target_url": "https://ci.example.com/7" },
                    "deployment": { "ref": "v4.2.1", "environment": "prod", "creator": { "login": "ann" } },
                    "repository": { "name": "checkout" },
                }),
            )
        };
        assert_eq!(github("pending"), Ok(None));
        let change = github("success").unwrap().unwrap();
        assert_eq!(
            (change.id.as_str(), change.title.as_str(), change.who.as_str()),
            ("github 7", "checkout: v4.2.1", "ann")
        );
        assert_eq!(of(Some(("x-github-event", "ping")), &json!({ "zen": "…" })), Ok(None));
        let gitlab = |status: &str| {
            of(
                Some(("x-gitlab-event", "Deployment Hook")),
                &json!({
                    "object_kind": "deployment", "status": status, "deployment_id": 15, "environment": "prod",
                    "project": { "name": "checkout" }, "user": { "username": "bob" }, "commit_title": "Raise the pool",
                }),
            )
        };
        assert_eq!(gitlab("running"), Ok(None));
        assert_eq!(gitlab("success").unwrap().unwrap().title, "checkout: Raise the pool");
    }
}
