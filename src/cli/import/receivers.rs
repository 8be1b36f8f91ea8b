//! Receivers: each integration that has a kind here becomes a target, the others are left out.

use crate::cli::import::draft::Draft;
use crate::cli::import::go::Defines;
use crate::cli::import::notes::{Notes, keys_of, list_of, text_at};
use crate::cli::import::sheet::Out;
use crate::cli::import::{jira, mail, pagers, slack, webhook};
use crate::document::node::Node;

/// Makes the settings of a kind of one integration; `None` when it cannot be one.
type Make = fn(&mut Draft<'_>) -> Option<()>;

/// Integrations that have a kind here.
const KINDS: [(&str, &str, Make); 6] = [
    ("pagerduty_configs", "pagerduty", pagers::pagerduty),
    ("opsgenie_configs", "opsgenie", pagers::opsgenie),
    ("slack_configs", "slack", slack::slack),
    ("email_configs", "email", mail::email),
    ("webhook_configs", "webhook", webhook::webhook),
    ("jira_configs", "jira", jira::jira),
];

/// Why others have none.
const OTHERS: [(&str, &str); 3] = [
    ("wechat_configs", "sends as an app of WeCom; make a group robot and a target of kind wecom"),
    ("msteams_configs", "has no kind here; a workflow that takes JSON can be called by kind webhook"),
    ("msteamsv2_configs", "has no kind here; a workflow that takes JSON can be called by kind webhook"),
];

/// What the receivers have become.
#[derive(Debug, Default)]
pub struct Receivers {
    /// Elements of `receivers`.
    pub receivers: Vec<Out>,
    /// Elements of `targets`.
    pub targets: Vec<Out>,
}

/// The target that takes what has nowhere to go, so that it shows.
const NOT_CARRIED_OVER: &str = "not-carried-over";

/// All of them.
pub fn receivers(root: &Node, defines: &Defines, notes: &mut Notes) -> Receivers {
    let global = root.get("global");
    let mut made = Receivers::default();
    let mut names: Vec<String> = vec![NOT_CARRIED_OVER.to_owned()];
    let mut needs_a_place = false;
    for receiver in list_of(root.get("receivers")) {
        let name = text_at(receiver, "name").unwrap_or_default();
        let (mut targets, mut lost) = (Vec::new(), false);
        for (key, line) in keys_of(receiver) {
            let Some(integration) = key.strip_suffix("_configs") else {
                if key != "name" {
                    notes.leave(line, format!("receiver {name}: `{key}` has no counterpart"));
                }
                continue;
            };
            let known = KINDS.iter().find(|(have, ..)| *have == key);
            for node in list_of(receiver.get(key)) {
                let line = node.place.line;
                let Some((_, kind, make)) = known else {
                    let why = OTHERS.iter().find(|(have, _)| *have == key).map(|(_, why)| *why);
                    let why = why.unwrap_or("has no kind here");
                    notes.leave(line, format!("receiver {name}: {integration} {why}"));
                    lost = true;
                    continue;
                };
                let mut draft = Draft::new(node, global, &name, kind, defines, notes);
                match make(&mut draft) {
                    Some(()) => {
                        let target = draft.finish(&mut names);
                        targets.push(Out::text(target.0));
                        made.targets.push(target.1);
                    }
                    None => lost = true,
                }
            }
        }
        // Alerts of a receiver that has lost all it had must not vanish without a trace.
        if lost && targets.is_empty() {
            needs_a_place = true;
            targets.push(Out::text(NOT_CARRIED_OVER));
        }
        let entries = vec![("name".to_owned(), Out::text(name)), ("targets".to_owned(), Out::List(targets))];
        made.receivers.push(Out::Map(entries));
    }
    // A relay without any target cannot be.
    if needs_a_place || made.targets.is_empty() {
        let about = "what could not be carried over, or had nowhere to go: printed, so that it shows";
        made.targets.push(Out::Map(vec![
            ("name".to_owned(), Out::text(NOT_CARRIED_OVER)),
            ("about".to_owned(), Out::text(about)),
            ("console".to_owned(), Out::Map(Vec::new())),
        ]));
    }
    made
}
