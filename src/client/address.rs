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

/// The host of the URL is an address in one of the networks.
pub(super) fn is_denied(url: &Url, networks: &[IpNet]) -> bool {
    // `host_str` is canonical: decimal, octal and hexadecimal spellings are already resolved.
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.parse::<IpAddr>().is_ok_and(|address| holds(networks, address))
}

/// A resolver that gives only addresses outside of the networks.
#[derive(Debug)]
pub(super) struct Guard(Arc<[IpNet]>);

impl Guard {
    pub(super) fn new(networks: Vec<IpNet>) -> Guard {
        Guard(networks.into())
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let networks = Arc::clone(&self.0);
        Box::pin(async move {
            let allowed = look_up(name.as_str(), 0, &networks).await?;
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
    networks: &[IpNet],
) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    let any = !found.is_empty();
    let allowed: Vec<SocketAddr> =
        found.into_iter().filter(|address| !holds(networks, address.ip())).collect();
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

    #[test]
    fn a_denied_address_is_known_in_every_spelling() {
        let networks: Vec<IpNet> = vec!["127.0.0.0/8".parse().unwrap(), "fc00::/7".parse().unwrap()];
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
        ] {
            let url = Url::parse(&format!("http://{host}:8080/x")).unwrap();
            assert!(is_denied(&url, &networks), "{host} must be denied");
        }
        for host in ["128.0.0.1", "example.com", "[2001:db8::1]", "[::1]", "[::ffff:10.0.0.1]"] {
            let url = Url::parse(&format!("http://{host}:8080/x")).unwrap();
            assert!(!is_denied(&url, &networks), "{host} must pass");
        }
    }
}
