//! What AWS SNS needs beside a reader: the certificates of its signatures, fetched once and kept,
//! and the confirmation of its subscriptions.
//!
//! The only calls that the relay makes because a sender asks for them. They go to addresses of SNS
//! alone (`domain::aws`), and only for a source that lists the topic under `auth.sns.topics`; the
//! address of a confirmation is part of what SNS has signed. How a call comes to be proven is
//! decided in `auth/sns.rs`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::StatusCode;
use jiff::Timestamp;
use url::Url;

use crate::auth::check::Refused;
use crate::auth::sns::{Certificate, Sns};
use crate::client::Client;
use crate::domain::exchange::{HttpRequest, Method};

/// Certificates that are kept. SNS has one a region, and a new one a year.
const KEPT_MAX: usize = 32;
/// Certificates that are fetched in a minute at most: whoever knows the name of a topic can make up
/// addresses of certificates, but not keep the relay busy with them.
const FETCHES_MAX: u32 = 10;

/// Why a message of SNS is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// It is not proven to be one.
    Refused(Refused),
    /// It could not be checked now; SNS should send it again.
    Unavailable(String),
}

/// Fetches, keeps and confirms.
#[derive(Debug)]
pub struct Notary {
    client: Client,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    certificates: BTreeMap<String, Arc<Certificate>>,
    minute: i64,
    fetches: u32,
}

impl Notary {
    /// Calls go out through this client.
    pub fn new(client: Client) -> Notary {
        Notary { client, known: Mutex::default() }
    }

    /// Whether SNS has signed this body, and its topic is one of those that are listed.
    ///
    /// # Errors
    /// [`Denied`], which never repeats what was sent.
    pub async fn check(&self, asked: &Sns, body: &[u8], now: Timestamp) -> Result<(), Denied> {
        let refuse = |why| Denied::Refused(Refused { status: StatusCode::FORBIDDEN, why, challenge: None });
        let signed = asked.signed(body, now).map_err(refuse)?;
        let certificate = self.certificate(&signed.certificate_url, now).await?;
        signed.verify(&certificate, now).map_err(refuse)
    }

    /// Confirms a subscription: the address is one of SNS, and stands in a message that was checked.
    ///
    /// # Errors
    /// One sentence.
    pub async fn confirm(&self, url: &Url) -> Result<(), String> {
        match self.get(url).await? {
            (200, _) => Ok(()),
            (status, _) => Err(format!("SNS answered {status}")),
        }
    }

    async fn certificate(&self, url: &Url, now: Timestamp) -> Result<Arc<Certificate>, Denied> {
        if let Some(kept) = self.kept_or_allowed(url, now)? {
            return Ok(kept);
        }
        let told = |why: &str| {
            Denied::Unavailable(format!(
                "the certificate of SNS could not be fetched: {why}; please send it again"
            ))
        };
        let (status, pem) = self.get(url).await.map_err(|why| told(&why))?;
        if status != 200 {
            return Err(told(&format!("SNS answered {status}")));
        }
        let certificate = Arc::new(Certificate::read(&pem).map_err(told)?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.certificates.len() >= KEPT_MAX {
            known.certificates.clear();
        }
        known.certificates.insert(url.as_str().to_owned(), Arc::clone(&certificate));
        Ok(certificate)
    }

    /// The certificate that is kept, or leave to fetch it.
    fn kept_or_allowed(&self, url: &Url, now: Timestamp) -> Result<Option<Arc<Certificate>>, Denied> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = known.certificates.get(url.as_str()) {
            return Ok(Some(Arc::clone(kept)));
        }
        let minute = now.as_second().div_euclid(60);
        if known.minute != minute {
            (known.minute, known.fetches) = (minute, 0);
        }
        if known.fetches >= FETCHES_MAX {
            let why = "too many certificates of SNS were asked for; please send it again in a minute";
            return Err(Denied::Unavailable(why.to_owned()));
        }
        known.fetches += 1;
        Ok(None)
    }

    async fn get(&self, url: &Url) -> Result<(u16, Vec<u8>), String> {
        let request = HttpRequest {
            method: Method::Get,
            url: url.as_str().into(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let reply = self.client.send(&request).await.map_err(|error| error.reason)?;
        Ok((reply.status, reply.body))
    }
}
