//! Shapes of `sources` and `enrich`: who may send, how they prove it, and what is added to what
//! they say. Whether a kind of source exists is asked where the sources are built.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::config::units::written;
use crate::document::node::{At, Node};
use crate::domain::secret::Secret;

/// An element of `sources`: senders that post to `/hooks/{name}`.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceFile {
    /// Its name in the path, in routes and in messages.
    pub name: At<String>,
    /// The dialect it speaks: `alertmanager`, `guance`, `grafana`, `json` …
    pub kind: At<String>,
    /// How a sender proves who it is. Left out is not the same as `none`: it was forgotten.
    #[serde(default)]
    pub auth: Option<At<AuthFile>>,
    /// Settings of the kind `json`: where in the body things are.
    #[serde(default)]
    pub json: Option<Node>,
}

/// `auth` of a source: the word `none`, or one or several ways. A sender must satisfy
/// `addresses`, `client_cert`, `hmac` and `sns` where given, and one of `bearer`, `basic` and `path_token`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AuthFile {
    /// `auth: none`: everybody may send.
    pub none: bool,
    /// The ways.
    pub ways: AuthWays,
}

/// The keys of `auth`.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthWays {
    /// Bearer tokens; any of them opens. Several at once, so that they can be changed in turn.
    pub bearer: Option<Vec<At<Secret>>>,
    /// User name and password.
    pub basic: Option<BasicFile>,
    /// A token at the end of the path, `/hooks/{name}/{token}`, for senders that cannot set a header.
    pub path_token: Option<At<Secret>>,
    /// A signature over the body.
    pub hmac: Option<HmacFile>,
    /// Networks or addresses that may send, as in `10.0.0.0/8`.
    pub addresses: Option<Vec<At<Network>>>,
    /// A signature of AWS SNS.
    pub sns: Option<SnsFile>,
    /// Names that the client's certificate may be made out to; the listener has to ask for one
    /// (`server.tls.client_ca`).
    pub client_cert: Option<Vec<At<String>>>,
}

/// `auth.basic`
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicFile {
    /// User name.
    pub username: String,
    /// Password.
    pub password: At<Secret>,
}

/// `auth.sns`
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnsFile {
    /// ARNs of the topics that may send, and whose subscriptions are confirmed.
    pub topics: Vec<At<String>>,
}

/// `auth.hmac`
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HmacFile {
    /// Header that holds the signature, as in `X-Grafana-Alerting-Signature`.
    pub header: At<String>,
    /// The shared key.
    pub secret: At<Secret>,
    /// Header that holds the time the signature covers, against replays.
    #[serde(default)]
    pub timestamp_header: Option<At<String>>,
}

impl<'de> Deserialize<'de> for AuthFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AuthFile, D::Error> {
        deserializer.deserialize_any(AuthVisitor)
    }
}

struct AuthVisitor;

impl<'de> Visitor<'de> for AuthVisitor {
    type Value = AuthFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of ways such as `bearer: [\"${TOKEN}\"]`, or `none`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<AuthFile, E> {
        match text {
            "none" => Ok(AuthFile { none: true, ways: AuthWays::default() }),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<AuthFile, A::Error> {
        let ways = AuthWays::deserialize(MapAccessDeserializer::new(access))?;
        Ok(AuthFile { none: false, ways })
    }
}

/// A network, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(pub IpNet);

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Network, &'static str> {
        const EXAMPLE: &str = "is not a network; write one such as 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32";
        let single = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse().or_else(|_| single()).map(Network).map_err(|_| EXAMPLE)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Network, D::Error> {
        written(deserializer, "a network such as 10.0.0.0/8")
    }
}

/// An element of `enrich`, in the order they are done: exactly one key each.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnrichFile {
    /// Adds the columns of the row that a label names.
    Lookup(LookupFile),
    /// Brings the severities of all senders to one set of words.
    Severity(SeverityFile),
}

/// `enrich[].lookup`
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookupFile {
    /// A CSV file (first line: names) or YAML file; relative to the configuration file.
    pub file: At<PathBuf>,
    /// The label, and the column of the same name, that find the row. The other columns become
    /// labels; a label that the alert has already is kept.
    pub key: At<String>,
}

/// `enrich[].severity`
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeverityFile {
    /// The label to read.
    pub from: At<String>,
    /// Its values, and what `severity` becomes. Other values are kept as they are.
    pub map: BTreeMap<String, String>,
}
