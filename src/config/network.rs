//! Shapes of what secures the wire: `tls` of a listener, and `outbound`, how the relay calls out.

use std::path::PathBuf;

use crate::config::sources::Network;
use crate::document::node::At;
use crate::domain::secret::Secret;

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
