//! Tries of several calls, with the service's part written down: `dialogues.yaml` names dialogues
//! and the replies in each; `dialogues.txt` shows the requests after each reply and the end.

use std::collections::BTreeMap;
use std::path::Path;

use alert_relay::domain::exchange::Reply;
use alert_relay::domain::message::Message;
use alert_relay::target::contract::{Target, Turn};
use alert_relay::template::view::View;

use crate::compare;
use crate::samples::{shown, text};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Played {
    name: String,
    replies: Vec<Line>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
}

pub fn compare_all(
    target: &dyn Target,
    message: &Message,
    view: &View,
    case: &Path,
    wrong: &mut Vec<String>,
) {
    let path = case.join("dialogues.yaml");
    if !path.exists() {
        return;
    }
    let all: Vec<Played> = serde_yaml::from_str(&text(&path)).expect("dialogues");
    let got: String = all.into_iter().map(|played| play(target, message, view, played)).collect();
    compare(&case.join("dialogues.txt"), &got, wrong);
}

fn play(target: &dyn Target, message: &Message, view: &View, played: Played) -> String {
    let mut shown_so_far = format!("== {}\n", played.name);
    let mut replies = Vec::new();
    let mut said = played.replies.into_iter().peekable();
    while let Some(Line { status, headers, body }) = said.next() {
        shown_so_far.push_str(&format!("<- {status} {}\n", body.replace('\n', " ")));
        replies.push(Reply { status, headers: headers.into_iter().collect(), body: body.into_bytes() });
        match target.follow(message, view, &replies) {
            Turn::Over(outcome) => {
                shown_so_far.push_str(&format!("== {outcome:?}\n\n"));
                assert!(said.peek().is_none(), "{}: replies after its end", played.name);
                return shown_so_far;
            }
            Turn::Call(step) => {
                let keep = step.keep.as_ref().map(|kept| format!(" (keeping {:?})", kept.0));
                let wait = (!step.wait.is_zero()).then(|| format!(" (after {:?})", step.wait));
                let request = shown(target, &Ok(step.worded));
                let (keep, wait) = (keep.unwrap_or_default(), wait.unwrap_or_default());
                shown_so_far.push_str(&format!("->{wait}{keep}\n{request}\n"));
            }
        }
    }
    shown_so_far.push_str("== more would follow\n\n");
    shown_so_far
}
