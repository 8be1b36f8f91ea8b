//! The client behind proxies: takes the address of the connection and `X-Forwarded-For`, gives the
//! address that is judged. Anybody can write that header, so it is believed as far as the proxies
//! are trusted that appended to it, from its end backwards.

use std::net::IpAddr;

use hyper::header::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The nearest address that is no trusted proxy; where that cannot be read, the last one that can.
pub fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut client = peer.to_canonical();
    // Several headers count as one list (RFC 9110, 5.3).
    let lists = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut hops = lists.flat_map(|list| list.to_str().unwrap_or("?").rsplit(','));
    while is_trusted(client) {
        match hops.next().map(|hop| address(hop.trim())) {
            Some(Some(hop)) => client = hop,
            Some(None) | None => break,
        }
    }
    client
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.trim_start_matches('[').trim_end_matches(']').parse().ok();
    plain
        .or_else(|| text.parse().map(|at: std::net::SocketAddr| at.ip()).ok())
        .map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.1/32".parse().unwrap()];
        for (peer, lists, expected) in [
            ("192.0.2.9", vec!["203.0.113.7"], "192.0.2.9"),
            ("10.0.0.1", vec!["203.0.113.7"], "203.0.113.7"),
            ("::ffff:10.0.0.1", vec!["::ffff:203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", vec!["127.0.0.1, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
            ("10.0.0.1", vec!["127.0.0.1", "203.0.113.7", "10.0.0.2"], "203.0.113.7"),
            ("127.0.0.1", vec!["203.0.113.7:4711"], "203.0.113.7"),
            ("127.0.0.1", vec!["[2001:db8::7]:4711"], "2001:db8::7"),
            ("127.0.0.1", vec!["2001:db8::7"], "2001:db8::7"),
            // Nothing to go on: the last that is known.
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["127.0.0.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", vec!["203.0.113.7, unknown, 10.0.0.3"], "10.0.0.3"),
            ("10.0.0.1", vec![""], "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for list in &lists {
                headers.append(FORWARDED_FOR, list.parse().unwrap());
            }
            let found = client(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer} {lists:?}");
        }
    }
}
