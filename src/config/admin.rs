//! Shape of `server.admin`: where the admin interface listens, and who may use it.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::config::network::{Listen, TlsFile};
use crate::config::sources::Network;
use crate::document::node::At;
use crate::domain::secret::Secret;

/// `server.admin`
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminFile {
    /// Address and port of its own listener. Left out: the one for senders.
    #[serde(default)]
    pub listen: Option<At<Listen>>,
    /// TLS of its own listener.
    #[serde(default)]
    pub tls: Option<At<TlsFile>>,
    /// Bearer tokens; any of them opens. Several at once, so that they can be changed in turn.
    pub tokens: Vec<At<TokenFile>>,
    /// Networks or addresses that may use it, as in `10.0.0.0/8`. Left out: all.
    #[serde(default)]
    pub addresses: Vec<At<Network>>,
}

/// An element of `server.admin.tokens`: the token alone, or with a role and a name.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenFile {
    /// The token.
    pub token: Secret,
    /// What its bearer may do.
    pub role: RoleFile,
    /// Whose it is, for the audit; empty: not told.
    pub name: String,
}

/// What the bearer of a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleFile {
    /// Look at everything.
    Read,
    /// Look and change: retry, drop, replay, reload.
    #[default]
    Operate,
}

/// The map form.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenMap {
    token: Secret,
    #[serde(default)]
    role: RoleFile,
    #[serde(default)]
    name: String,
}

impl<'de> Deserialize<'de> for TokenFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TokenFile, D::Error> {
        deserializer.deserialize_any(TokenVisitor)
    }
}

struct TokenVisitor;

impl<'de> Visitor<'de> for TokenVisitor {
    type Value = TokenFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a token in quotes, or a map such as `{ token: \"${TOKEN}\", role: read, name: grafana }`",
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<TokenFile, E> {
        Ok(TokenFile { token: text.into(), role: RoleFile::default(), name: String::new() })
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<TokenFile, A::Error> {
        let TokenMap { token, role, name } = TokenMap::deserialize(MapAccessDeserializer::new(access))?;
        Ok(TokenFile { token, role, name })
    }
}
