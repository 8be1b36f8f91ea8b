//! Who calls back, and what a call is known by.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

use crate::auth::proof::{any_holds, hex, hmac_sha256, same};
use crate::document::node::{At, path_to_element};
use crate::domain::secret::Secret;
use crate::target::bench::Bench;
use crate::target::contract::{Callback, Refusal};

/// What proves that it is the service that speaks; several of each, for rotation.
#[derive(Debug, Default)]
pub struct Ear {
    /// Keys of signatures.
    pub keys: Vec<Secret>,
    /// Words that are sent along: as bearer token, or as password of a basic login.
    pub tokens: Vec<Secret>,
}

impl Ear {
    /// Takes secrets from the settings; they have to be long enough not to be guessed.
    pub fn secrets(bench: &mut Bench<'_>, field: &str, written: &[At<Secret>]) -> Vec<Secret> {
        let cure = "make one up of 16 characters or more, and enter the same at the service";
        let mut secrets = Vec::new();
        for (place, at) in written.iter().enumerate() {
            let field = path_to_element(field, place);
            if (1..16).contains(&at.value.expose().trim().len()) {
                bench.wrong(&field, at, "the secret is so short that it can be guessed", cure);
            }
            secrets.extend(bench.secret(&field, Some(at), cure));
        }
        secrets
    }

    /// Nothing is set up.
    pub fn is_deaf(&self) -> bool {
        self.keys.is_empty() && self.tokens.is_empty()
    }

    /// Whether the body is signed: HMAC-SHA256 in hex, with or without `sha256=` before it.
    ///
    /// # Errors
    /// The signature is missing or wrong.
    pub fn check_signature(&self, call: &Callback<'_>, header: &str) -> Result<(), Refusal> {
        let given = call.header(header).ok_or(Refusal::Forged("the signature is missing"))?.trim();
        let given = given.strip_prefix("sha256=").unwrap_or(given).to_ascii_lowercase();
        let made = |key: &Secret| hex(&hmac_sha256(key, &[call.body])).into_bytes();
        match any_holds(&self.keys, given.as_bytes(), made) {
            true => Ok(()),
            false => Err(Refusal::Forged("the signature is wrong")),
        }
    }

    /// Whether the call bears one of the tokens.
    ///
    /// # Errors
    /// It does not.
    pub fn check_token(&self, call: &Callback<'_>) -> Result<(), Refusal> {
        let sent = call.header("authorization").ok_or(Refusal::Forged("the token is missing"))?.trim();
        let (scheme, rest) = sent.split_once(' ').unwrap_or(("bearer", sent));
        let given = match scheme.to_ascii_lowercase().as_str() {
            "basic" => {
                let pair = BASE64.decode(rest.trim()).unwrap_or_default();
                let colon = pair.iter().position(|byte| *byte == b':').map_or(pair.len(), |place| place + 1);
                pair[colon..].to_vec()
            }
            _ => rest.trim().as_bytes().to_vec(),
        };
        let held =
            self.tokens.iter().fold(false, |held, token| held | same(token.expose().as_bytes(), &given));
        if held { Ok(()) } else { Err(Refusal::Forged("the token is wrong")) }
    }
}

/// A name for a call that brings none of its own: the same bytes are the same call.
pub fn name_of(body: &[u8]) -> String {
    hex(&Sha256::digest(body)[..16])
}

/// A name for a call whose body holds no time either: a ticket that is closed, opened again and closed
/// once more gives the same bytes twice, so the minute in which they came is part of it. A service that
/// repeats a call in a later minute is heard twice, which for a state that is known already is an echo.
pub fn name_of_timeless(call: &Callback<'_>) -> String {
    format!("{}-{}", name_of(call.body), call.now.as_second().div_euclid(60))
}
