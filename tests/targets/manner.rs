//! What the contract suite must know of a service.

use std::collections::BTreeMap;
use std::path::PathBuf;

use alert_relay::domain::exchange::Reply;
use alert_relay::target::contract::Kind;

use crate::samples::text;

/// `contract.yaml` of a kind; all of it has a default.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Manner {
    /// What the status of a reply is.
    pub speaks: Speaks,
    /// How the service says yes to the first call of a trigger.
    pub success: Success,
    /// How alert text is enclosed.
    pub body: Enclosed,
    /// What ties a resolve to its trigger.
    pub correlates: Correlates,
    /// Fields that only the operator can word, so that alert text may make them unusable.
    pub may_fault: Vec<String>,
    /// How `{{groupKey}}` in the text of an alert goes over the wire, where the service would take
    /// it for a template of its own.
    pub braces: String,
}

#[derive(serde::Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub enum Speaks {
    /// A status code of HTTP (RFC 9110).
    Http,
    /// A reply code of SMTP (RFC 5321).
    Smtp,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Success {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

#[derive(serde::Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub enum Enclosed {
    /// A JSON object.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Text as it is.
    Text,
}

#[derive(serde::Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub enum Correlates {
    /// Our key, in both requests.
    Key,
    /// What the service gave back for the trigger, in the resolve.
    Remote,
    /// Nothing: the service knows messages only.
    Nothing,
}

impl Default for Manner {
    fn default() -> Manner {
        Manner {
            speaks: Speaks::Http,
            success: Success::default(),
            body: Enclosed::Json,
            correlates: Correlates::Key,
            may_fault: Vec::new(),
            braces: "{{groupKey}}".into(),
        }
    }
}

impl Default for Success {
    fn default() -> Success {
        Success { status: 202, headers: BTreeMap::new(), body: "{}".into() }
    }
}

impl Success {
    pub fn reply(&self) -> Reply {
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Reply { status: self.status, headers, body: self.body.clone().into_bytes() }
    }
}

pub fn manner(kind: &Kind) -> Manner {
    let path = PathBuf::from(format!("tests/targets/{}/contract.yaml", kind.name));
    if path.exists() { serde_yaml::from_str(&text(&path)).expect("a contract") } else { Manner::default() }
}
