//! Argo CD: what its notifications send by the template that `docs/incidents.md` shows. Argo CD has no
//! body of its own for webhooks, so the template chooses it; it hands over parts of the application as
//! they are, because a template that reaches for what is not there sends nothing at all. Pure.
//!
//! <https://argo-cd.readthedocs.io/en/stable/operator-manual/notifications/services/webhook/>

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::change::{Change, Sort};
use crate::source::change::{first, text};

/// Labels of the application that name the service, as the rest of the world calls it.
const SERVICE: [&str; 3] = ["service", "app", "app.kubernetes.io/name"];
/// Labels that say where. A namespace or a cluster is no environment: a wrong guess would keep the
/// change away from the incidents that it is behind.
const ENVIRONMENT: [&str; 2] = ["environment", "env"];
/// Characters of a commit that tell it from others.
const COMMIT_CHARS: usize = 8;

/// Reads the inner object. `Ok(None)`: the sync is under way, or it failed.
pub(super) fn read(body: &Value, now: Timestamp) -> Result<Option<Change>, String> {
    let app = text(&body["app"]);
    if app.is_empty() {
        return Err("`argocd.app` is missing: use the template in the documentation".to_owned());
    }
    let state = &body["state"];
    match text(&state["phase"]).as_str() {
        "Succeeded" => {}
        "Running" | "Terminating" | "Failed" | "Error" => return Ok(None),
        other => return Err(format!("`argocd.state.phase` is `{other}`, which is no phase of a sync")),
    }
    let labels = &body["labels"];
    let service = first(SERVICE.iter().map(|name| &labels[*name]));
    let service = if service.is_empty() { app.clone() } else { service };
    let several = body["revisions"].as_array().into_iter().flatten();
    let revision = first(std::iter::once(&body["revision"]).chain(several));
    let ended = text(&state["finishedAt"]);
    let by = &state["operation"]["initiatedBy"];
    let who = if by["automated"] == true { "Argo CD".to_owned() } else { text(&by["username"]) };
    Ok(Some(Change {
        id: format!("argocd {app} {revision} {ended}"),
        sort: Sort::Deploy,
        title: titled(&app, &revision, &body["destination"]),
        environment: first(ENVIRONMENT.iter().map(|name| &labels[*name])),
        who,
        link: text(&body["link"]),
        at: ended.parse().unwrap_or(now),
        service,
    }))
}

/// `checkout: 4f2c1ab0 to shop on prod-eu`; a tag or the version of a chart stays whole.
fn titled(app: &str, revision: &str, destination: &Value) -> String {
    let is_commit = revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    let revision = if is_commit { &revision[..COMMIT_CHARS] } else { revision };
    let namespace = text(&destination["namespace"]);
    let cluster = first([&destination["name"], &destination["server"]]);
    // The cluster that Argo CD itself is in goes without saying.
    let cluster = if cluster == "https://kubernetes.default.svc" { String::new() } else { cluster };
    let mut title = app.to_owned();
    for (word, value) in [(": ", revision), (" to ", namespace.as_str()), (" on ", cluster.as_str())] {
        if !value.is_empty() {
            title.push_str(word);
            title.push_str(value);
        }
    }
    title
}
