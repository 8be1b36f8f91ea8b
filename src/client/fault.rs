//! A failed call in our own words: who can have the request, why it failed, whether a person must
//! act. Takes reqwest's or lettre's error, gives a `SendError`.
//!
//! The texts of the libraries are never shown: they print URLs and names of hosts. What is known
//! is read from the typed errors of the source chain instead.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustls::CertificateError;

use crate::client::Limits;
use crate::client::address::{DENIED, Denied};
use crate::domain::exchange::{Reached, SendError};

/// No headers within the limit for them.
pub(super) fn no_answer_in(limit: Duration, limits: &Limits) -> SendError {
    let did_not = if limit < limits.whole { "began" } else { "came" };
    perhaps(format!("the request was sent and no answer {did_not} within {limit:?}"))
}

/// Reads the chain of causes.
pub(super) fn classify(error: &reqwest::Error, limits: &Limits) -> SendError {
    let chain = Chain::of(error.source());
    if chain.denied {
        return nobody(DENIED.to_owned(), true);
    }
    if error.is_builder() {
        return nobody(
            "the request cannot be put on the wire: its URL or a header is not valid".into(),
            true,
        );
    }
    if error.is_connect() {
        return never_connected(error, &chain, limits);
    }
    if chain.not_begun {
        return nobody("the connection closed before the request was begun".into(), false);
    }
    perhaps(if error.is_timeout() {
        format!("the request was sent and no answer came within {:?}", limits.whole)
    } else if let Some(kind) = chain.io {
        format!("the connection broke before an answer came: {kind}")
    } else if chain.closed {
        "the host closed the connection without an answer".into()
    } else if chain.nonsense {
        "what came back is not an HTTP answer".into()
    } else {
        "the call broke off before an answer came".into()
    })
}

fn never_connected(error: &reqwest::Error, chain: &Chain<'_>, limits: &Limits) -> SendError {
    if let Some(tls) = chain.tls {
        return match tls {
            rustls::Error::InvalidCertificate(why) => {
                nobody(format!("the certificate of the host {}", certificate_fault(why)), true)
            }
            _ => nobody("TLS could not be agreed on with the host".into(), false),
        };
    }
    if error.is_timeout() {
        return nobody(format!("no connection within {:?}", limits.connect), false);
    }
    // A name that does not resolve is not counted as misconfigured: resolvers answer so in
    // outages as well, and a held page would then wait long after the network is back.
    if error.is_dns() {
        return nobody("the name of the host could not be resolved".into(), false);
    }
    match chain.io {
        Some(kind) => nobody(format!("no connection: {kind}"), false),
        None => nobody("no connection to the host".into(), false),
    }
}

/// A talk with a mail server that broke off: the library's error, and whether the mail itself was
/// being sent.
pub(super) fn broken_talk(error: &lettre::transport::smtp::Error, sending: bool) -> SendError {
    let chain = Chain::of(error.source());
    let why = match (chain.tls, chain.io) {
        (Some(rustls::Error::InvalidCertificate(why)), _) => {
            let why = certificate_fault(why);
            return nobody(format!("the certificate of the mail server {why}"), true);
        }
        (Some(_), _) => "TLS could not be agreed on with the mail server".to_owned(),
        (None, Some(kind)) => format!("the connection to the mail server broke: {kind}"),
        (None, None) if error.is_response() => "the mail server closed the connection or broke SMTP".into(),
        (None, None) => "the talk with the mail server broke off".into(),
    };
    if sending { perhaps(format!("{why}, while the mail was sent")) } else { nobody(why, false) }
}

fn certificate_fault(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "is not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "is made out to another name"
        }
        CertificateError::UnknownIssuer => "is not signed by an authority that this machine trusts",
        CertificateError::Revoked => "has been revoked",
        _ => "is not valid",
    }
}

/// What the typed errors below reqwest's say.
#[derive(Default)]
struct Chain<'a> {
    tls: Option<&'a rustls::Error>,
    io: Option<io::ErrorKind>,
    denied: bool,
    not_begun: bool,
    closed: bool,
    nonsense: bool,
}

impl<'a> Chain<'a> {
    fn of(first: Option<&'a (dyn Error + 'static)>) -> Chain<'a> {
        let mut chain = Chain::default();
        let mut next = first;
        while let Some(cause) = next {
            chain.note(cause);
            next = cause.source();
        }
        chain
    }

    fn note(&mut self, cause: &'a (dyn Error + 'static)) {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            self.tls = Some(tls);
        } else if cause.is::<Denied>() {
            self.denied = true;
        } else if let Some(hyper) = cause.downcast_ref::<hyper::Error>() {
            self.not_begun |= hyper.is_canceled();
            self.closed |= hyper.is_incomplete_message() || hyper.is_closed();
            self.nonsense |= hyper.is_parse();
        } else if let Some(io) = cause.downcast_ref::<io::Error>() {
            // The standard library's `source` steps over what an io error wraps.
            if let Some(wrapped) = io.get_ref() {
                self.note(wrapped);
            }
            if io.kind() != io::ErrorKind::Other {
                self.io = Some(io.kind());
            }
        }
    }
}

pub(super) fn nobody(reason: String, misconfigured: bool) -> SendError {
    SendError { reached: Reached::Nobody, reason, misconfigured }
}

pub(super) fn perhaps(reason: String) -> SendError {
    SendError { reached: Reached::Perhaps, reason, misconfigured: false }
}
