//! What a job platform posts about its runs: the proof that it is the platform that speaks, and the
//! signals in it. Platforms sign nothing by themselves, so what proves them is a token, in the way
//! that each of them can send one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;

use crate::auth::proof::{any_holds, hex, hmac_sha256};
use crate::domain::secret::Secret;
use crate::domain::signal::{Event, Signal, Subject};
use crate::target::contract::{Callback, Refusal};

/// Longest text of a signal, in characters.
const TEXT_CHARS: usize = 500;

/// What proves a callback.
#[derive(Debug, Default)]
pub struct Proof {
    /// Tokens: as `Authorization: Bearer`, as the password of Basic, or as `?token=` in the address.
    pub tokens: Vec<Secret>,
    /// Keys of a signature over the body: HMAC-SHA256 in hex, in `X-Signature`.
    pub keys: Vec<Secret>,
}

impl Proof {
    /// Whether this is the platform.
    ///
    /// # Errors
    /// The refusal to answer with.
    pub fn check(&self, call: &Callback<'_>) -> Result<(), Refusal> {
        if self.tokens.is_empty() && self.keys.is_empty() {
            return Err(Refusal::NotSetUp("callback_tokens"));
        }
        let token = token(call).unwrap_or_default();
        let plain = |secret: &Secret| secret.expose().as_bytes().to_vec();
        let signature = call.header("x-signature").map(str::trim).unwrap_or_default();
        let signature = signature.strip_prefix("sha256=").unwrap_or(signature).to_ascii_lowercase();
        let signed = |secret: &Secret| hex(&hmac_sha256(secret, &[call.body])).into_bytes();
        let by_token = any_holds(&self.tokens, token.as_bytes(), plain);
        let by_signature = any_holds(&self.keys, signature.as_bytes(), signed);
        match () {
            () if by_token || by_signature => Ok(()),
            () if token.is_empty() && signature.is_empty() => {
                Err(Refusal::Forged("neither a token nor a signature came with it"))
            }
            () => Err(Refusal::Forged("the token or the signature is wrong")),
        }
    }
}

fn token(call: &Callback<'_>) -> Option<String> {
    if let Some(authorization) = call.header("authorization") {
        let (scheme, rest) = authorization.trim().split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(rest.trim().to_owned());
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let couple = String::from_utf8(BASE64.decode(rest.trim()).ok()?).ok()?;
            return couple.split_once(':').map(|(_, password)| password.to_owned());
        }
        return None;
    }
    let (_, query) = call.url.split_once('?')?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "token").map(|(_, value)| value.into_owned())
}

/// A signal about a run. The platform has no id for it: run and state are what makes it one.
pub fn signal(run: String, event: Event, state: &str, at: Timestamp) -> Signal {
    let text: String = state.chars().take(TEXT_CHARS).collect();
    Signal { id: format!("{run}:{text}"), about: Subject::Remote(run), event, who: String::new(), text, at }
}
