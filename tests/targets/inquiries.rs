//! How that stands which a target opened: `inquiries.yaml` holds what the service answers when it is
//! asked, `inquiries.txt` the questions and what is known by them, with the page that people look at.

use std::collections::BTreeMap;
use std::path::Path;

use alert_relay::domain::exchange::Reply;
use alert_relay::domain::message::RemoteRef;
use alert_relay::domain::secret::Redactor;
use alert_relay::target::contract::{Inquiry, Target};

use crate::compare;
use crate::samples::text;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: String,
    remote: String,
    #[serde(default)]
    answers: Vec<Answered>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
}

pub fn compare_all(target: &dyn Target, case: &Path, wrong: &mut Vec<String>) {
    let path = case.join("inquiries.yaml");
    if !path.exists() {
        return;
    }
    let asked: Vec<Asked> = serde_yaml::from_str(&text(&path)).expect("inquiries");
    let mut got = String::new();
    for asked in asked {
        let remote = RemoteRef(asked.remote);
        got.push_str(&format!("== {}\n", asked.name));
        let mut answers = asked.answers.into_iter();
        let mut replies = Vec::new();
        loop {
            match target.inquire(&remote, &replies) {
                Inquiry::Call(request) => got.push_str(&request.to_text()),
                Inquiry::Untold => got.push_str("untold\n"),
                Inquiry::Known(found) => got.push_str(&format!(
                    "{}: {:?}, {:?}{}\n",
                    found.event.as_str(),
                    found.state,
                    found.who,
                    if found.output.is_empty() { String::new() } else { format!(", {:?}", found.output) }
                )),
                Inquiry::Failed(outcome) => got.push_str(&format!("{outcome:?}\n")),
            }
            let Some(Answered { status, headers, body }) = answers.next() else { break };
            replies.push(Reply { status, headers: headers.into_iter().collect(), body: body.into_bytes() });
        }
        got.push_str(&format!("page: {}\n\n", target.page(&remote).unwrap_or_default()));
    }
    compare(&case.join("inquiries.txt"), &Redactor::new(target.secrets()).clean(&got), wrong);
}
