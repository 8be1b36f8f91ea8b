//! What a listener shows and asks for in TLS: takes PEM texts, gives a configuration for rustls with
//! the time it is good for, or says which of the texts is wrong. TLS 1.2 and 1.3, HTTP/1.1 and
//! HTTP/2 (ALPN, RFC 7301).

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// ALPN's name of HTTP/2.
pub const H2: &[u8] = b"h2";
/// ALPN's name of HTTP/1.1.
const HTTP_1: &[u8] = b"http/1.1";
/// So long before its end a certificate should have been replaced: half of what is usual for those
/// of 90 days.
const NEAR_END: Duration = Duration::from_secs(14 * 24 * 3600);

/// The texts. PEM, as `openssl` and `certbot` write them.
#[derive(Debug, Clone, Copy)]
pub struct Pem<'a> {
    /// The certificate, and those of the authorities between it and the root.
    pub cert: &'a str,
    /// Its private key.
    pub key: &'a str,
    /// The authorities of clients.
    pub client_ca: Option<&'a str>,
    /// Whether every client must show a certificate.
    pub client_required: bool,
}

/// One of the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `cert`
    Cert,
    /// `key`
    Key,
    /// `client_ca`
    ClientCa,
}

impl Part {
    /// The key in relay.yaml.
    pub fn as_str(self) -> &'static str {
        match self {
            Part::Cert => "cert",
            Part::Key => "key",
            Part::ClientCa => "client_ca",
        }
    }
}

/// What is wrong with which text. Holds nothing of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which.
    pub part: Part,
    /// What.
    pub what: String,
    /// What to do.
    pub cure: &'static str,
}

/// What a listener shows and asks for.
#[derive(Debug, Clone)]
pub struct Identity {
    /// For rustls.
    pub config: Arc<ServerConfig>,
    /// From when the certificate is good.
    pub begins: Timestamp,
    /// Until when.
    pub expires: Timestamp,
}

impl Identity {
    /// Reads the texts.
    ///
    /// # Errors
    /// [`Fault`] when one cannot be read, or they do not belong together.
    pub fn read(pem: &Pem<'_>) -> Result<Identity, Fault> {
        let fault = |part, what: &str, cure| Fault { part, what: what.to_owned(), cure };
        let chain = certificates(pem.cert, Part::Cert)?;
        let first = chain.first().map(|first| first.to_vec()).unwrap_or_default();
        let unreadable = || fault(Part::Cert, "holds a certificate that cannot be read", "write it anew");
        let (_, leaf) = parse_x509_certificate(&first).map_err(|_| unreadable())?;
        let second = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp());
        let begins = second(leaf.validity().not_before).map_err(|_| unreadable())?;
        let expires = second(leaf.validity().not_after).unwrap_or(Timestamp::MAX);
        let key = PrivateKeyDer::from_pem_slice(pem.key.as_bytes()).map_err(|_| {
            let cure = "give the file with -----BEGIN PRIVATE KEY-----, without a password";
            fault(Part::Key, "holds no private key in PEM that can be read", cure)
        })?;
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| fault(Part::Cert, &format!("cannot be used: {error}"), ""))?;
        let builder = match pem.client_ca {
            None => builder.with_no_client_auth(),
            Some(text) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(certificates(text, Part::ClientCa)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = if pem.client_required { verifier } else { verifier.allow_unauthenticated() };
                let cure = "give the certificates of the authorities that sign those of your clients";
                let verifier = verifier
                    .build()
                    .map_err(|error| fault(Part::ClientCa, &format!("cannot be used: {error}"), cure))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                let cure = "give the key that the certificate was made with";
                fault(Part::Key, "does not belong to the certificate under `cert`", cure)
            }
            error => fault(Part::Key, &format!("cannot be used: {error}"), "give another one"),
        })?;
        config.alpn_protocols = vec![H2.to_vec(), HTTP_1.to_vec()];
        Ok(Identity { config: Arc::new(config), begins, expires })
    }

    /// What is to be said of its age; `None`: nothing.
    pub fn age_fault(&self, now: Timestamp) -> Option<String> {
        let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
        let lifetime = self.expires.duration_since(self.begins).unsigned_abs();
        // Some live for a day only.
        let near = NEAR_END.min(lifetime / 4);
        if now >= self.expires {
            return Some(format!("holds a certificate that has expired on {}", day(self.expires)));
        }
        if now < self.begins {
            return Some(format!("holds a certificate that is not valid before {}", day(self.begins)));
        }
        let left = self.expires.duration_since(now).unsigned_abs();
        (left < near).then(|| format!("holds a certificate that expires soon, on {}", day(self.expires)))
    }
}

fn certificates(pem: &str, part: Part) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let cure = "give a file in PEM, with -----BEGIN CERTIFICATE-----";
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => {
            Err(Fault { part, what: "holds no certificate in PEM that can be read".to_owned(), cure })
        }
    }
}

/// Whether a text holds certificates in PEM, all of them readable.
pub fn has_certificates(pem: &str) -> bool {
    certificates(pem, Part::ClientCa).is_ok()
}

/// The names that a client's certificate (DER) is made out to: of its subject (CN), and of its
/// alternative names (RFC 5280, 4.2.1.6) those of hosts, mail addresses and URIs.
pub fn names(certificate: &[u8]) -> Vec<String> {
    let Ok((_, read)) = parse_x509_certificate(certificate) else { return Vec::new() };
    let common = read.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let mut names: Vec<String> = common.map(str::to_owned).collect();
    if let Ok(Some(others)) = read.subject_alternative_name() {
        names.extend(others.value.general_names.iter().filter_map(|name| match name {
            GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
                Some((*name).to_owned())
            }
            _ => None,
        }));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(from: i32, to: i32) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["relay.example.com".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        params.distinguished_name.push(rcgen::DnType::CommonName, "robot");
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn read(cert: &str, key: &str, client_ca: Option<&str>) -> Result<Identity, Fault> {
        Identity::read(&Pem { cert, key, client_ca, client_required: true })
    }

    #[test]
    fn each_text_that_is_wrong_is_named() {
        let (cert, key) = made(2026, 2027);
        let (_, other_key) = made(2026, 2027);
        assert!(read(&cert, &key, Some(&cert)).is_ok());
        for (cert, key, ca, part, what) in [
            ("", key.as_str(), None, Part::Cert, "holds no certificate"),
            (key.as_str(), &key, None, Part::Cert, "holds no certificate"),
            (&cert[..cert.len() / 2], &key, None, Part::Cert, "holds no certificate"),
            (&cert, "", None, Part::Key, "holds no private key"),
            (&cert, &cert, None, Part::Key, "holds no private key"),
            (&cert, &other_key, None, Part::Key, "does not belong to the certificate"),
            (&cert, &key, Some(""), Part::ClientCa, "holds no certificate"),
        ] {
            let fault = read(cert, key, ca).unwrap_err();
            assert_eq!(fault.part, part);
            assert!(fault.what.contains(what), "{fault:?}");
        }
    }

    #[test]
    fn age_is_told_before_and_after_the_end() {
        let (cert, key) = made(2026, 2027);
        let identity = read(&cert, &key, None).unwrap();
        for (now, said) in [
            ("2025-12-31T23:00:00Z", Some("is not valid before 2026-01-01")),
            ("2026-06-01T00:00:00Z", None),
            ("2026-12-17T00:00:00Z", None),
            ("2026-12-19T00:00:00Z", Some("expires soon, on 2027-01-01")),
            ("2027-01-01T00:00:00Z", Some("has expired on 2027-01-01")),
        ] {
            let told = identity.age_fault(now.parse().unwrap());
            assert_eq!(told.is_some(), said.is_some(), "{now}: {told:?}");
            assert!(told.unwrap_or_default().contains(said.unwrap_or_default()), "{now}");
        }
    }

    #[test]
    fn a_client_is_called_by_its_subject_and_its_other_names() {
        let (cert, _) = made(2026, 2027);
        let der = CertificateDer::from_pem_slice(cert.as_bytes()).unwrap();
        assert_eq!(names(&der), ["robot", "relay.example.com"]);
        assert_eq!(names(b"no certificate"), Vec::<String>::new());
    }
}
