//! Shapes of the wire: where to listen, `tls` of a listener, and `outbound`, how the relay calls out.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer};

use crate::config::sources::Network;
use crate::config::units::written;
use crate::document::node::At;
use crate::domain::secret::Secret;

/// Where the relay listens when nothing is said: reachable from this machine only.
pub const LISTEN: Listen = Listen(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9095));

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

impl Default for Listen {
    fn default() -> Listen {
        LISTEN
    }
}

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Listen, &'static str> {
        const EXAMPLE: &str =
            "is not an address with a port; write one such as 127.0.0.1:9095, 0.0.0.0:9095 or [::]:9095";
        text.parse().map(Listen).map_err(|_| EXAMPLE)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Listen, D::Error> {
        written(deserializer, "an address such as 127.0.0.1:9095")
    }
}

/// `tls` of a listener. Files are PEM; a relative path begins in systemd's credentials directory, or
/// else beside the configuration file. They are read again when they change.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFile {
    /// The certificate, and after it those of the authorities between it and the root.
    pub cert: At<PathBuf>,
    /// Its private key (PKCS #8, PKCS #1 or SEC1).
    pub key: At<PathBuf>,
    /// Certificates of the authorities whose clients are known. Left out: clients show none.
    #[serde(default)]
    pub client_ca: Option<At<PathBuf>>,
    /// Whether a client without a certificate is let in.
    #[serde(default)]
    pub client_auth: ClientAuthFile,
}

/// `tls.client_auth`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthFile {
    /// Nobody comes in without a certificate.
    #[default]
    Required,
    /// Only sources with `auth.client_cert` ask for one.
    Optional,
}

/// `outbound`: how the relay calls targets and mail servers.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutboundFile {
    /// Whether addresses of private networks and of this machine are never called.
    pub deny_private: bool,
    /// Networks that are never called.
    pub deny: Vec<At<Network>>,
    /// Networks that are called all the same.
    pub allow: Vec<At<Network>>,
    /// The HTTP proxy that calls go through, as in `http://proxy.example.com:3128`; mail does not.
    pub proxy: Option<At<Secret>>,
    /// Hosts, domains and networks that are called without the proxy.
    pub no_proxy: Vec<String>,
    /// Certificates (PEM) of authorities that are trusted besides those of the machine.
    pub ca_file: Option<At<PathBuf>>,
}
