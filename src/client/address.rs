//! Addresses that must not be called: the resolver that leaves them out, and the check of hosts
//! that are written as an address. Takes networks, gives a yes or no.
//!
//! The check is made on what the name resolves to at the time of each connection, and the very
//! address that was checked is connected to, so a name that changes its mind gains nothing.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// What is said when a target lies at a denied address.
pub(super) const DENIED: &str = "the host is at an address that the configuration forbids to call";

/// Which addresses may be called.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    /// These may not.
    pub denied: Arc<[IpNet]>,
    /// But these of them may.
    pub allowed: Arc<[IpNet]>,
}

impl Rules {
    pub(super) fn new(denied: &[IpNet], allowed: &[IpNet]) -> Rules {
        Rules { denied: denied.into(), allowed: allowed.into() }
    }

    /// The host of the URL is an address that may not be called.
    pub(super) fn denies(&self, url: &Url) -> bool {
        // `host_str` is canonical: decimal, octal and hexadecimal spellings are already resolved.
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        host.parse::<IpAddr>().is_ok_and(|address| self.deny(address))
    }

    fn deny(&self, address: IpAddr) -> bool {
        holds(&self.denied, address) && !holds(&self.allowed, address)
    }
}

/// A resolver that gives only addresses that may be called.
#[derive(Debug)]
pub(super) struct Guard {
    rules: Rules,
    /// The operator's own proxy, wherever it is.
    proxy: Option<String>,
}

impl Guard {
    pub(super) fn new(rules: Rules, proxy: Option<String>) -> Guard {
        Guard { rules, proxy }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let is_proxy = self.proxy.as_deref() == Some(name.as_str());
        let rules = if is_proxy { Rules::default() } else { self.rules.clone() };
        Box::pin(async move {
            let allowed = look_up(name.as_str(), 0, &rules).await?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The addresses of a host that may be called.
///
/// # Errors
/// What the resolver says, or [`Denied`].
pub(super) async fn look_up(
    host: &str,
    port: u16,
    rules: &Rules,
) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    let any = !found.is_empty();
    let allowed: Vec<SocketAddr> = found.into_iter().filter(|address| !rules.deny(address.ip())).collect();
    if any && allowed.is_empty() {
        return Err(Denied.into());
    }
    Ok(allowed)
}

/// All addresses of a name are denied.
#[derive(Debug)]
pub(super) struct Denied;

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(DENIED)
    }
}

impl Error for Denied {}

fn holds(networks: &[IpNet], address: IpAddr) -> bool {
    let within = |address: IpAddr| networks.iter().any(|network| network.contains(&address));
    within(address) || embedded_v4(address).is_some_and(|inner| within(IpAddr::V4(inner)))
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, NAT64, 6to4.
fn embedded_v4(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let pair = |high: u16, low: u16| {
        let ([w, x], [y, z]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(w, x, y, z))
    };
    match (a, b, c, d, e, f) {
        _ if v6 == Ipv6Addr::LOCALHOST || v6 == Ipv6Addr::UNSPECIFIED => None,
        (0, 0, 0, 0, 0, 0 | 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => pair(g, h),
        (0x2002, high, low, ..) => pair(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(denied: &[&str], allowed: &[&str]) -> Rules {
        let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Rules { denied: networks(denied), allowed: networks(allowed) }
    }

    #[test]
    fn a_denied_address_is_known_in_every_spelling() {
        let rules = rules(&["127.0.0.0/8", "fc00::/7"], &["127.0.0.7/32"]);
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "[::ffff:127.0.0.1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[fd00::1]",
            "127.0.0.8",
        ] {
            let url = Url::parse(&format!("http://{host}:8080/x")).unwrap();
            assert!(rules.denies(&url), "{host} must be denied");
        }
        for host in [
            "128.0.0.1",
            "example.com",
            "[2001:db8::1]",
            "[::1]",
            "[::ffff:10.0.0.1]",
            "127.0.0.7",
            "[::ffff:127.0.0.7]",
        ] {
            let url = Url::parse(&format!("http://{host}:8080/x")).unwrap();
            assert!(!rules.denies(&url), "{host} must pass");
        }
    }
}
