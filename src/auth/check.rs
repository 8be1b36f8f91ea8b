//! Who may: takes the configured proofs and a request's head (then its body), gives leave or a
//! refusal that never repeats what was sent.
//!
//! Every configured kind of proof must pass: the address, *and* the client's certificate, *and* the signature, *and* a credential.
//! Bearer token, basic login and path token are alternatives of one credential: any one of those
//! configured will do, so that a sender can be moved from one to the other. Nothing configured
//! lets everybody in; `check` warns of that. Deliberately not here: `X-Forwarded-For`
//! (`forwarded.rs`), the certificates of SNS, and the memory of seen signatures (a replayed body is a
//! duplicate for the store).

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap};
use ipnet::IpNet;
use jiff::Timestamp;

use crate::auth::proof::{is_secret, is_text};
use crate::auth::signature::Hmac;
use crate::auth::sns::Sns;
use crate::domain::secret::Secret;

/// The proofs that one source (or the admin interface) asks for. An empty secret matches nothing.
#[derive(Debug, Clone, Default)]
pub struct Auth {
    /// Tokens of `Authorization: Bearer`; several at once for rotation.
    pub bearer: Vec<Secret>,
    /// Login of `Authorization: Basic`.
    pub basic: Option<(String, Secret)>,
    /// Last segment of the path.
    pub path_token: Option<Secret>,
    /// Signature over the body.
    pub hmac: Option<Hmac>,
    /// Networks that the connection may come from.
    pub addresses: Vec<IpNet>,
    /// Names that the client's certificate may be made out to.
    pub client_cert: Vec<String>,
    /// Signature of AWS SNS. It takes a certificate to check it, so the server does (`server/sns.rs`).
    pub sns: Option<Sns>,
}

/// Who calls, as far as the connection tells.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// His address.
    pub ip: IpAddr,
    /// Names of the certificate that he proved to hold.
    pub names: &'a [String],
}

impl From<IpAddr> for Caller<'_> {
    fn from(ip: IpAddr) -> Self {
        Caller { ip, names: &[] }
    }
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// 401 when a proof is missing or wrong, 403 when no proof would help.
    pub status: StatusCode,
    /// One sentence, the same whatever was sent.
    pub why: &'static str,
    /// Value of `WWW-Authenticate`.
    pub challenge: Option<&'static str>,
}

impl Auth {
    /// Every secret in it, for the redactor.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let basic = self.basic.iter().map(|(_, password)| password);
        let hmac = self.hmac.iter().map(|hmac| &hmac.secret);
        self.bearer.iter().chain(basic).chain(&self.path_token).chain(hmac)
    }

    /// Nothing is asked for.
    pub fn is_open(&self) -> bool {
        let asks_connection = !self.addresses.is_empty() || !self.client_cert.is_empty();
        !self.asks_credential() && !asks_connection && self.hmac.is_none() && self.sns.is_none()
    }

    /// Checks what the head of a request tells, before its body is read. `path_token` is the one
    /// in the path, percent-decoded.
    ///
    /// # Errors
    /// [`Refused`] by address or by credential.
    pub fn check_head<'a>(
        &self,
        caller: impl Into<Caller<'a>>,
        headers: &HeaderMap,
        path_token: Option<&str>,
    ) -> Result<(), Refused> {
        let caller = caller.into();
        if !listed(&self.addresses, caller.ip.to_canonical()) {
            return Err(forbidden("this address may not send here"));
        }
        let is_named = |name: &String| self.client_cert.iter().any(|known| known.eq_ignore_ascii_case(name));
        if !self.client_cert.is_empty() && !caller.names.iter().any(is_named) {
            return Err(forbidden(match caller.names {
                [] => "a client certificate is asked for, and none was shown",
                _ => "the holder of this client certificate may not send here",
            }));
        }
        if !self.asks_credential() || self.credential_matches(headers, path_token) {
            return Ok(());
        }
        Err(Refused {
            status: StatusCode::UNAUTHORIZED,
            why: "the credential is missing or wrong",
            challenge: match (self.bearer.is_empty(), &self.basic) {
                (false, _) => Some("Bearer"),
                (true, Some(_)) => Some("Basic realm=\"alert-relay\", charset=\"UTF-8\""),
                (true, None) => None,
            },
        })
    }

    /// Checks the signature, once the body is there. `body` is what the sender signed: decompressed.
    ///
    /// # Errors
    /// [`Refused`] when a signature is asked for and is missing, wrong or too old.
    pub fn check_body(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), Refused> {
        let Some(hmac) = &self.hmac else { return Ok(()) };
        hmac.check(headers, body, now).map_err(|why| Refused {
            status: StatusCode::UNAUTHORIZED,
            why,
            challenge: None,
        })
    }

    fn asks_credential(&self) -> bool {
        !self.bearer.is_empty() || self.basic.is_some() || self.path_token.is_some()
    }

    /// Compares with every configured credential, whichever matches, so that the time taken tells
    /// nothing.
    fn credential_matches(&self, headers: &HeaderMap, path_token: Option<&str>) -> bool {
        let mut matched = false;
        let authorization = headers.get(AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
        if let Some(token) = after_scheme(authorization, b"bearer") {
            for known in &self.bearer {
                matched |= is_secret(token, known);
            }
        }
        if let (Some(packed), Some((user, password))) = (after_scheme(authorization, b"basic"), &self.basic)
            && let Ok(login) = BASE64.decode(packed)
            && let Some(colon) = login.iter().position(|byte| *byte == b':')
        {
            matched |= is_text(&login[..colon], user) & is_secret(&login[colon + 1..], password);
        }
        if let (Some(token), Some(known)) = (path_token, &self.path_token) {
            matched |= is_secret(token.as_bytes(), known);
        }
        matched
    }
}

/// What follows the scheme; schemes are case-insensitive.
pub(super) fn after_scheme<'a>(authorization: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (named, rest) = authorization.split_at_checked(scheme.len())?;
    let (blank, rest) = rest.split_first()?;
    (named.eq_ignore_ascii_case(scheme) && *blank == b' ').then(|| rest.trim_ascii())
}

/// Whether the address is in one of the networks; no network: all are.
pub(super) fn listed(networks: &[IpNet], address: IpAddr) -> bool {
    networks.is_empty() || networks.iter().any(|network| network.contains(&address))
}

fn forbidden(why: &'static str) -> Refused {
    Refused { status: StatusCode::FORBIDDEN, why, challenge: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 2, 3));

    fn with_authorization(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        headers
    }

    fn basic(login: &str) -> HeaderMap {
        with_authorization(&format!("Basic {}", BASE64.encode(login)))
    }

    #[test]
    fn nothing_configured_lets_everybody_in() {
        let auth = Auth::default();
        assert!(auth.is_open());
        assert_eq!(auth.check_head(PEER, &HeaderMap::new(), None), Ok(()));
        assert_eq!(auth.check_body(&HeaderMap::new(), b"", Timestamp::UNIX_EPOCH), Ok(()));
    }

    #[test]
    fn a_bearer_token_must_be_one_of_those_known_and_whole() {
        let auth = Auth { bearer: vec!["old-token-1".into(), "new-token-2".into()], ..Auth::default() };
        for good in ["Bearer old-token-1", "bearer new-token-2", "BEARER  new-token-2 "] {
            assert_eq!(auth.check_head(PEER, &with_authorization(good), None), Ok(()), "{good}");
        }
        for bad in [
            "Bearer",
            "Bearer ",
            "Bearer old-token-",
            "Bearer old-token-12",
            "Bearer OLD-TOKEN-1",
            "Bearerold-token-1",
            "Basic old-token-1",
            "Token old-token-1",
            "old-token-1",
            "Bearer old-token-1,new-token-2",
        ] {
            let refused = auth.check_head(PEER, &with_authorization(bad), None).unwrap_err();
            assert_eq!((refused.status.as_u16(), refused.challenge), (401, Some("Bearer")), "{bad}");
            assert_eq!(refused.why, "the credential is missing or wrong");
        }
        assert!(auth.check_head(PEER, &HeaderMap::new(), Some("old-token-1")).is_err());
    }

    #[test]
    fn an_empty_secret_matches_nothing() {
        let auth = Auth {
            bearer: vec!["".into()],
            basic: Some((String::new(), "".into())),
            path_token: Some("".into()),
            ..Auth::default()
        };
        assert!(auth.check_head(PEER, &with_authorization("Bearer "), Some("")).is_err());
        assert!(auth.check_head(PEER, &basic(":"), Some("")).is_err());
    }

    #[test]
    fn a_basic_login_needs_both_halves() {
        let auth = Auth { basic: Some(("relay".into(), "pa:ss".into())), ..Auth::default() };
        assert_eq!(auth.check_head(PEER, &basic("relay:pa:ss"), None), Ok(()));
        for bad in ["relay:pa", "relay:", "relay", ":pa:ss", "relay:pa:ss ", "relay2:pa:ss"] {
            assert!(auth.check_head(PEER, &basic(bad), None).is_err(), "{bad}");
        }
        let refused = auth.check_head(PEER, &with_authorization("Basic !!"), None).unwrap_err();
        assert_eq!(refused.challenge, Some("Basic realm=\"alert-relay\", charset=\"UTF-8\""));
    }

    #[test]
    fn credentials_are_alternatives_and_addresses_are_not() {
        let auth = Auth {
            bearer: vec!["bearer-token".into()],
            path_token: Some("path-token".into()),
            addresses: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
            ..Auth::default()
        };
        let bearer = with_authorization("Bearer bearer-token");
        assert_eq!(auth.check_head(PEER, &bearer, None), Ok(()));
        assert_eq!(auth.check_head(PEER, &HeaderMap::new(), Some("path-token")), Ok(()));
        assert_eq!(auth.check_head("::ffff:10.9.9.9".parse::<IpAddr>().unwrap(), &bearer, None), Ok(()));
        assert_eq!(auth.check_head("2001:db8::7".parse::<IpAddr>().unwrap(), &bearer, None), Ok(()));
        assert!(auth.check_head(PEER, &HeaderMap::new(), Some("path-toke")).is_err());
        assert!(auth.check_head(PEER, &HeaderMap::new(), None).is_err());
        let refused = auth.check_head("192.0.2.1".parse::<IpAddr>().unwrap(), &bearer, None).unwrap_err();
        assert_eq!(refused.status.as_u16(), 403);
    }

    #[test]
    fn a_client_certificate_must_be_made_out_to_one_of_the_names() {
        let auth = Auth { client_cert: vec!["am-1.example.com".into(), "robot".into()], ..Auth::default() };
        assert!(!auth.is_open());
        let check = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            auth.check_head(Caller { ip: PEER, names: &names }, &HeaderMap::new(), None)
        };
        assert_eq!(check(&["other", "AM-1.example.com"]), Ok(()));
        assert_eq!(check(&["robot"]), Ok(()));
        assert_eq!(check(&[]).unwrap_err().why, "a client certificate is asked for, and none was shown");
        let other = check(&["am-2.example.com", "", "robo"]).unwrap_err();
        assert_eq!((other.status.as_u16(), other.challenge), (403, None));
    }

    #[test]
    fn a_signature_is_asked_for_besides_a_credential() {
        let auth = Auth {
            bearer: vec!["bearer-token".into()],
            hmac: Some(Hmac::hex("x-signature", "signing-key")),
            ..Auth::default()
        };
        let bearer = with_authorization("Bearer bearer-token");
        assert_eq!(auth.check_head(PEER, &bearer, None), Ok(()));
        let refused = auth.check_body(&bearer, b"{}", Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.why), (401, "the signature is missing"));
    }
}
