//! An authority of a test, that makes out certificates, and a relay that shows them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use reqwest::{Certificate, ClientBuilder, Identity};

use crate::support::ports::free_port;
use crate::support::relay::{self, Relay};
use crate::support::vendor::PagerDuty;

/// Signs what it is asked to sign.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate with its key, in PEM.
#[derive(Clone)]
pub struct Made {
    pub cert: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// For a host, or for a client of that name; good from the one year to the other.
    pub fn makes(&self, common: &str, host: &str, years: (i32, i32)) -> Made {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, common);
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        Made { cert: params.signed_by(&key, &self.issuer).unwrap().pem(), key: key.serialize_pem() }
    }

    pub fn host(&self, common: &str) -> Made {
        self.makes(common, "127.0.0.1", (2020, 2090))
    }

    pub fn client(&self, common: &str) -> Made {
        self.makes(common, &format!("{common}.example.com"), (2020, 2090))
    }

    /// A client that trusts this authority only.
    pub fn trusting(&self) -> ClientBuilder {
        let root = Certificate::from_pem(self.pem.as_bytes()).unwrap();
        reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).tls_certs_only([root])
    }
}

impl Made {
    /// For a client.
    pub fn identity(&self) -> Identity {
        Identity::from_pem(format!("{}{}", self.cert, self.key).as_bytes()).unwrap()
    }

    /// Writes `<name>.pem` and `<name>.key`.
    pub fn write(&self, folder: &Path, name: &str) {
        std::fs::write(folder.join(format!("{name}.pem")), &self.cert).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), &self.key).unwrap();
    }
}

/// A relay whose senders' listener speaks TLS; its admin listener, on which it is asked whether it
/// is ready, does not.
pub struct Stage {
    pub pagerduty: PagerDuty,
    pub relay: Relay,
    pub files: tempfile::TempDir,
    pub port: u16,
}

impl Stage {
    /// Shows `made`. `tls` are more keys beside `cert` and `key`, each with a comma before; FILES is
    /// the folder of all of them.
    pub async fn open(made: &Made, tls: &str, sources: &str) -> Stage {
        let pagerduty = PagerDuty::start().await;
        let files = tempfile::tempdir().unwrap();
        let port = free_port();
        made.write(files.path(), "relay");
        let folder = files.path().display();
        let server = format!(
            "listen: 127.0.0.1:{port}, header_timeout: 1s, tls: {{ cert: {folder}/relay.pem, key: {folder}/relay.key{} }}, \
             admin: {{ listen: LISTEN, tokens: [] }}",
            tls.replace("FILES", &folder.to_string())
        );
        let config = relay::config(&pagerduty, "")
            .replace("listen: LISTEN", &server)
            .replace("auth: none }", &format!("auth: none }}\n{sources}"));
        let relay = Relay::start(&config).await;
        Stage { pagerduty, relay, files, port }
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }
}
