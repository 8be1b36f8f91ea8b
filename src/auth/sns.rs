//! The proof that AWS SNS gives: a signature over the message, made with the key of a certificate
//! that SNS publishes. Takes a body and a certificate, gives leave or a refusal.
//!
//! Every reader of SNS has to ask four things: is the topic one of ours, does the certificate come
//! from SNS (`domain::aws`), is it valid today, is the signature right. The certificate is fetched
//! elsewhere (`server/sns.rs`). What is signed, and how:
//! docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html. `MessageAttributes` are
//! not signed. A message older than [`AGE_MAX`] is refused: SNS gives up sooner, so it is a replay.

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY as SHA1, RSA_PKCS1_2048_8192_SHA256 as SHA256,
    RsaParameters, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use url::Url;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::{ASN1Time, GeneralName, X509Certificate};

use crate::domain::aws::{sns_certificate_url, sns_url};

/// SNS tries for an hour at most (its hard limit for HTTP); the rest is for clocks that differ.
pub const AGE_MAX: SignedDuration = SignedDuration::from_mins(65);

const UNSIGNED: &str = "the message carries no signature of SNS; \
                        switch raw message delivery off for this subscription, or take `sns` out of `auth`";
const STRANGER: &str = "this topic is not among those listed under auth.sns.topics";
const ELSEWHERE: &str = "its certificate or its confirmation is not at an address of SNS";
const STALE: &str = "the message is older than SNS keeps trying, or the clocks differ";
const UNKNOWN: &str = "the version of its signature is neither 1 nor 2";
const EXPIRED: &str = "the certificate of its signature is not valid at this time";
const WRONG: &str = "the signature is wrong";

/// What a source asks of SNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sns {
    /// ARNs of the topics that may send, and whose subscriptions are confirmed.
    pub topics: Vec<String>,
}

/// A message of a listed topic, with what is needed to check its signature.
#[derive(Debug)]
pub struct Signed {
    /// Where the certificate is: an address of SNS.
    pub certificate_url: Url,
    text: String,
    signature: Vec<u8>,
    digest: &'static RsaParameters,
}

/// The fields that the signature is about. One that comes twice is refused: this reader and the
/// one that makes alerts of the body would have to agree on which counts.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    r#type: String,
    message_id: String,
    topic_arn: String,
    message: String,
    timestamp: String,
    subject: Option<String>,
    token: Option<String>,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
    signature_version: String,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: String,
}

impl Sns {
    /// Checks what can be checked without the certificate.
    ///
    /// # Errors
    /// One sentence, the same whatever was sent.
    pub fn signed(&self, body: &[u8], now: Timestamp) -> Result<Signed, &'static str> {
        let envelope: Envelope = serde_json::from_slice(body).map_err(|_| UNSIGNED)?;
        if !self.topics.contains(&envelope.topic_arn) {
            return Err(STRANGER);
        }
        let certificate_url = sns_certificate_url(&envelope.signing_cert_url).ok_or(ELSEWHERE)?;
        if envelope.subscribe_url.as_deref().is_some_and(|url| sns_url(url).is_none()) {
            return Err(ELSEWHERE);
        }
        let sent: Timestamp = envelope.timestamp.parse().map_err(|_| STALE)?;
        if now.duration_since(sent).abs() > AGE_MAX {
            return Err(STALE);
        }
        let digest = match envelope.signature_version.as_str() {
            "1" => &SHA1,
            "2" => &SHA256,
            _ => return Err(UNKNOWN),
        };
        let signature = BASE64.decode(envelope.signature.trim()).map_err(|_| WRONG)?;
        Ok(Signed { certificate_url, text: envelope.text(), signature, digest })
    }
}

impl Envelope {
    /// The text that is signed: names and values in lines, in the order of the names.
    fn text(&self) -> String {
        let (kind, topic) = (("Type", &self.r#type), ("TopicArn", &self.topic_arn));
        let (message, id) = (("Message", &self.message), ("MessageId", &self.message_id));
        let time = ("Timestamp", &self.timestamp);
        let empty = String::new();
        let lines = if self.r#type == "Notification" {
            let subject = self.subject.as_ref().map(|subject| ("Subject", subject));
            [message, id].into_iter().chain(subject).chain([time, topic, kind]).collect::<Vec<_>>()
        } else {
            let url = ("SubscribeURL", self.subscribe_url.as_ref().unwrap_or(&empty));
            let token = ("Token", self.token.as_ref().unwrap_or(&empty));
            vec![message, id, url, time, token, topic, kind]
        };
        lines.iter().map(|(name, value)| format!("{name}\n{value}\n")).collect()
    }
}

impl Signed {
    /// Checks the signature.
    ///
    /// # Errors
    /// One sentence, the same whatever was sent.
    pub fn verify(&self, certificate: &Certificate, now: Timestamp) -> Result<(), &'static str> {
        if now < certificate.from || now > certificate.until {
            return Err(EXPIRED);
        }
        let key = UnparsedPublicKey::new(self.digest, &certificate.key);
        key.verify(self.text.as_bytes(), &self.signature).map_err(|_| WRONG)
    }
}

/// What is kept of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    key: Vec<u8>,
    from: Timestamp,
    until: Timestamp,
}

impl Certificate {
    /// Reads a certificate as SNS publishes it: PEM, made out to a name of AWS.
    ///
    /// # Errors
    /// One sentence.
    pub fn read(pem: &[u8]) -> Result<Certificate, &'static str> {
        const NONE: &str = "what is there is no certificate";
        let (_, pem) = parse_x509_pem(pem).map_err(|_| NONE)?;
        let certificate = pem.parse_x509().map_err(|_| NONE)?;
        if !is_of_aws(&certificate) {
            return Err("the certificate is made out to somebody else than AWS");
        }
        let moment = |time: ASN1Time| Timestamp::from_second(time.timestamp()).map_err(|_| NONE);
        let validity = certificate.validity();
        Ok(Certificate {
            key: certificate.public_key().subject_public_key.data.to_vec(),
            from: moment(validity.not_before)?,
            until: moment(validity.not_after)?,
        })
    }
}

/// By common name, or by one of the alternative names: `sns.amazonaws.com` and its kin.
fn is_of_aws(certificate: &X509Certificate<'_>) -> bool {
    let ours = |name: &str| name.ends_with(".amazonaws.com") || name.ends_with(".amazonaws.com.cn");
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok()).any(ours);
    let others = certificate.subject_alternative_name().ok().flatten();
    let others = others.iter().flat_map(|names| &names.value.general_names);
    common || others.into_iter().any(|name| matches!(name, GeneralName::DNSName(name) if ours(name)))
}
