//! Who may use the admin interface, and for what: takes tokens with roles and a request's head, gives
//! a pass or a refusal. Without tokens only callers on this machine pass, and no web page but the
//! relay's own and no proxy among them.

use std::net::IpAddr;

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, VIA};
use ipnet::IpNet;
use sha2::{Digest, Sha256};

use crate::auth::check::{Refused, after_scheme, listed};
use crate::auth::proof::{hex, is_secret};
use crate::domain::secret::Secret;

/// What a caller may do. The later holds the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look at everything.
    Read,
    /// Look and change: retry, drop, replay, reload.
    Operate,
}

/// A token of the admin interface. An empty one opens nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// The token.
    pub secret: Secret,
    /// What its bearer may do.
    pub role: Role,
    /// Whose it is; empty: not told.
    pub name: String,
}

/// Who may use the admin interface.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Admin {
    /// Any of them opens. None: callers on this machine may do everything.
    pub tokens: Vec<Token>,
    /// Networks that a caller may be in; none: all.
    pub addresses: Vec<IpNet>,
}

/// Leave to go in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// What the caller may do.
    pub role: Role,
    /// What he proved himself by, for the audit: `local`, `token ops`, `token 1f2e3d4c`.
    pub proof: String,
}

/// Headers that a proxy leaves.
const BY_A_PROXY: [HeaderName; 4] =
    [FORWARDED, VIA, HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("x-real-ip")];

impl Admin {
    /// Lets a caller pass who may do what `role` says.
    ///
    /// # Errors
    /// [`Refused`] by address, by token, or because the token is for looking only.
    pub fn check(&self, peer: IpAddr, headers: &HeaderMap, role: Role) -> Result<Pass, Refused> {
        let peer = peer.to_canonical();
        if !listed(&self.addresses, peer) {
            return Err(forbidden("the admin interface may not be used from this address"));
        }
        let pass = if self.tokens.is_empty() { local(peer, headers) } else { self.by_token(headers) }?;
        if pass.role < role {
            return Err(forbidden(
                "this token is for looking only; to change something use one with `role: operate`",
            ));
        }
        Ok(pass)
    }

    /// Compares with every token, whichever matches, so that the time taken tells nothing.
    fn by_token(&self, headers: &HeaderMap) -> Result<Pass, Refused> {
        let authorization = headers.get(AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
        let sent = after_scheme(authorization, b"bearer").unwrap_or_default();
        let mut found = None;
        for token in &self.tokens {
            if is_secret(sent, &token.secret) {
                found = Some(token);
            }
        }
        let token = found.ok_or(Refused {
            status: StatusCode::UNAUTHORIZED,
            why: "the credential is missing or wrong",
            challenge: Some("Bearer"),
        })?;
        let name = match token.name.as_str() {
            "" => hex(&Sha256::digest(sent)[..4]),
            name => name.to_owned(),
        };
        Ok(Pass { role: token.role, proof: format!("token {name}") })
    }
}

fn forbidden(why: &'static str) -> Refused {
    Refused { status: StatusCode::FORBIDDEN, why, challenge: None }
}

/// Lets callers on this machine pass.
fn local(peer: IpAddr, headers: &HeaderMap) -> Result<Pass, Refused> {
    if !peer.is_loopback() {
        return Err(forbidden(
            "the admin interface answers this machine only; configure server.admin.tokens to open it",
        ));
    }
    if by_a_page(headers) {
        return Err(forbidden(
            "a web page may not use the admin interface without a token; configure server.admin.tokens",
        ));
    }
    // A proxy on this machine brings callers from anywhere.
    if BY_A_PROXY.iter().any(|name| headers.contains_key(name)) {
        return Err(forbidden(
            "a proxy may not bring callers to the admin interface without a token; configure server.admin.tokens",
        ));
    }
    Ok(Pass { role: Role::Operate, proof: "local".to_owned() })
}

/// Being on this machine proves nothing of a browser: any page may send it here, under an `Origin`,
/// or under a `Host` of its own that it lets point to this machine (DNS rebinding).
fn by_a_page(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host }
    });
    let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let is_here = is_address || name.is_empty() || name.eq_ignore_ascii_case("localhost");
    // The relay's own page, which this very address served, comes with an `Origin` that names it.
    let is_ours = |origin: &HeaderValue| {
        let origin = origin.as_bytes();
        let rest = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
        !host.is_empty() && rest.is_some_and(|rest| rest == host.as_bytes())
    };
    let mut origins = headers.get_all(ORIGIN).iter();
    !(is_here && origins.all(is_ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    fn token(secret: &str, role: Role, name: &str) -> Token {
        Token { secret: secret.into(), role, name: name.into() }
    }

    #[test]
    fn without_tokens_only_this_machine_passes_and_no_page_and_no_proxy_on_it() {
        let admin = Admin::default();
        let why = |peer: &str, headers: &HeaderMap| {
            admin.check(peer.parse().unwrap(), headers, Role::Operate).map_err(|refused| refused.why)
        };
        for peer in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(why(peer, &with(HOST, "localhost:9095")).unwrap().proof, "local", "{peer}");
        }
        assert!(why("192.0.2.1", &HeaderMap::new()).unwrap_err().contains("this machine only"));
        for headers in [with(ORIGIN, "https://example.com"), with(HOST, "rebound.example.com:9095")] {
            assert!(why("127.0.0.1", &headers).unwrap_err().contains("web page"), "{headers:?}");
        }
        // The relay's own page, and what only looks like it.
        let page = |host: &str, origin: &str| {
            let mut headers = with(HOST, host);
            headers.insert(ORIGIN, origin.parse().unwrap());
            why("127.0.0.1", &headers).is_ok()
        };
        for (host, origin, expected) in [
            ("127.0.0.1:9095", "http://127.0.0.1:9095", true),
            ("localhost:9095", "https://localhost:9095", true),
            ("127.0.0.1:9095", "http://127.0.0.1:3000", false),
            ("127.0.0.1:9095", "http://127.0.0.1", false),
            ("127.0.0.1:9095", "http://localhost:9095", false),
            ("127.0.0.1:9095", "null", false),
            ("rebound.example.com:9095", "http://rebound.example.com:9095", false),
            ("", "http://", false),
        ] {
            assert_eq!(page(host, origin), expected, "{host} {origin}");
        }
        for host in ["127.0.0.1:9095", "localhost", "[::1]:9095", "[::1]", ""] {
            assert!(why("127.0.0.1", &with(HOST, host)).is_ok(), "{host}");
        }
        for name in BY_A_PROXY {
            assert!(why("127.0.0.1", &with(name, "x")).unwrap_err().contains("a proxy"));
        }
    }

    #[test]
    fn a_token_opens_what_its_role_says_and_is_told_by_name() {
        let admin = Admin {
            tokens: vec![
                token("reading-token", Role::Read, "grafana"),
                token("operating-token", Role::Operate, ""),
                token("", Role::Operate, "nobody"),
            ],
            addresses: Vec::new(),
        };
        let check =
            |sent: &str, role| admin.check("192.0.2.1".parse().unwrap(), &with(AUTHORIZATION, sent), role);
        let reader = check("Bearer reading-token", Role::Read).unwrap();
        assert_eq!((reader.role, reader.proof.as_str()), (Role::Read, "token grafana"));
        let refused = check("Bearer reading-token", Role::Operate).unwrap_err();
        assert_eq!(refused.status.as_u16(), 403);
        assert!(refused.why.contains("role: operate"));
        assert!(check("Bearer operating-token", Role::Operate).unwrap().proof.starts_with("token "));
        assert!(check("bearer operating-token", Role::Read).is_ok());
        for bad in ["Bearer ", "Bearer", "Basic operating-token", "Bearer operating-toke", "operating-token"]
        {
            assert_eq!(check(bad, Role::Read).unwrap_err().status.as_u16(), 401, "{bad}");
        }
        // A token is asked of this machine too.
        assert!(admin.check(HERE, &HeaderMap::new(), Role::Read).is_err());
    }

    #[test]
    fn a_list_of_addresses_is_asked_besides() {
        let tokens = vec![token("operating-token", Role::Operate, "ops")];
        let admin = Admin { tokens, addresses: vec!["10.0.0.0/8".parse().unwrap()] };
        let bearer = with(AUTHORIZATION, "Bearer operating-token");
        assert!(admin.check("::ffff:10.1.2.3".parse().unwrap(), &bearer, Role::Operate).is_ok());
        assert_eq!(admin.check(HERE, &bearer, Role::Read).unwrap_err().status.as_u16(), 403);
        assert!(admin.check("10.1.2.3".parse().unwrap(), &HeaderMap::new(), Role::Read).is_err());
    }
}
