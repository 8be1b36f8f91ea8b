//! What a service posts by itself: `callbacks.yaml` holds the calls, `callbacks.txt` what was heard.

use std::collections::BTreeMap;
use std::path::Path;

use alert_relay::domain::secret::Redactor;
use alert_relay::target::contract::{Callback, Heard, Target};

use crate::compare;
use crate::samples::text;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    name: String,
    #[serde(default = "usual_url")]
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    now: String,
}

fn usual_url() -> String {
    "https://relay.example.com/callbacks/sample".into()
}

pub fn compare_all(target: &dyn Target, case: &Path, wrong: &mut Vec<String>) {
    let path = case.join("callbacks.yaml");
    if !path.exists() {
        return;
    }
    let calls: Vec<Call> = serde_yaml::from_str(&text(&path)).expect("callbacks");
    let mut got = String::new();
    for call in calls {
        let headers: Vec<(String, String)> = call.headers.into_iter().collect();
        let heard = target.callback(&Callback {
            url: &call.url,
            headers: &headers,
            body: call.body.as_bytes(),
            now: call.now.parse().expect("a time"),
        });
        got.push_str(&format!("== {}\n", call.name));
        match heard {
            Ok(Heard { signals, answer }) => {
                for signal in signals {
                    got.push_str(&format!(
                        "{} of {} by {:?} at {} (id {}): {:?}\n",
                        signal.event.as_str(),
                        signal.about,
                        signal.who,
                        signal.at,
                        signal.id,
                        signal.text
                    ));
                }
                got.push_str(&format!("answer {:?}: {}\n\n", answer.content_type, answer.body));
            }
            Err(refusal) => got.push_str(&format!("{refusal:?}\n\n")),
        }
    }
    compare(&case.join("callbacks.txt"), &Redactor::new(target.secrets()).clean(&got), wrong);
}
