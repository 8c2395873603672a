//! The client's address, scheme and host when trusted proxies stand between it and the hub.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use actix_web::http::header::{self, HeaderMap, HeaderName};
use ssrf_guard::Cidr;

/// The proxies whose word about a client is taken (`server.trusted_proxies`). Headers of any other peer are ignored.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    networks: Arc<[Cidr]>,
}

impl Proxies {
    /// Trusts peers in these networks.
    #[must_use]
    pub fn new(networks: &[Cidr]) -> Self {
        Self { networks: networks.into() }
    }

    /// Whether a peer is one of the proxies.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.networks.iter().any(|network| network.contains(peer))
    }

    /// The client's address. `X-Forwarded-For` is walked from the right, past trusted proxies: the first address that is
    /// not one of them was written by a proxy we trust, and everything left of it is the client's to invent. Without a
    /// proxy, or with a header that can't be read, it is the last address that is certain.
    #[must_use]
    pub fn client(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<IpAddr> {
        let mut certain = peer?.to_canonical();
        let lines: Vec<_> = headers.get_all(header::X_FORWARDED_FOR).collect();
        let entries = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        for entry in entries {
            if !self.trusts(certain) {
                break;
            }
            let Some(address) = std::str::from_utf8(entry).ok().and_then(address_of) else { break };
            certain = address;
        }
        Some(certain)
    }

    /// Whether the client spoke HTTPS to the outermost trusted proxy.
    #[must_use]
    pub fn spoke_https(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> bool {
        self.said(headers, peer, &header::X_FORWARDED_PROTO).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
    }

    /// The host that the client asked: a trusted proxy's `X-Forwarded-Host`, else `Host`.
    #[must_use]
    pub fn host<'h>(&self, headers: &'h HeaderMap, peer: Option<IpAddr>) -> Option<&'h str> {
        self.said(headers, peer, &header::X_FORWARDED_HOST)
            .or_else(|| headers.get(header::HOST).and_then(|host| host.to_str().ok()))
    }

    /// The last word of a trusted peer's header: the one that it wrote or passed on itself.
    fn said<'h>(&self, headers: &'h HeaderMap, peer: Option<IpAddr>, name: &HeaderName) -> Option<&'h str> {
        peer.filter(|peer| self.trusts(*peer))?;
        let line = headers.get_all(name).last()?.to_str().ok()?;
        line.rsplit(',').next().map(str::trim).filter(|word| !word.is_empty())
    }
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` or `[2001:db8::1]:4711`.
fn address_of(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bracketed = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || entry.parse::<SocketAddr>().ok().map(|address| address.ip());
    entry.parse().ok().or_else(with_port).or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

/// What counts as one party when clients are limited: an IPv4 address, or an IPv6 network of 64 bits.
#[must_use]
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn proxies(networks: &[&str]) -> Proxies {
        Proxies::new(&networks.iter().map(|network| network.parse().unwrap()).collect::<Vec<_>>())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn forwarded(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::X_FORWARDED_FOR, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn the_client_is_the_first_address_from_the_right_that_is_no_trusted_proxy() {
        let trusted = proxies(&["127.0.0.0/8", "10.0.0.0/8", "fd00::/8"]);
        let client = |lines: &[&'static str]| trusted.client(&forwarded(lines), Some(ip("127.0.0.1"))).unwrap();
        assert_eq!(client(&["203.0.113.9, 198.51.100.7, 10.1.2.3"]), ip("198.51.100.7"));
        assert_eq!(client(&["203.0.113.9", "198.51.100.7", "10.1.2.3, fd00::5"]), ip("198.51.100.7"));
        assert_eq!(client(&["198.51.100.7:4711"]), ip("198.51.100.7"));
        assert_eq!(client(&["[2001:db8::7]:4711"]), ip("2001:db8::7"));
        assert_eq!(client(&["[2001:db8::7]"]), ip("2001:db8::7"));
        assert_eq!(client(&["::ffff:198.51.100.7"]), ip("198.51.100.7"));
        assert_eq!(client(&["10.9.9.9, 10.1.2.3"]), ip("10.9.9.9"), "all of them are trusted");
        assert_eq!(client(&["198.51.100.7, nonsense, 10.1.2.3"]), ip("10.1.2.3"), "the last that is certain");
        assert_eq!(client(&["198.51.100.7,"]), ip("127.0.0.1"));
        assert_eq!(client(&[]), ip("127.0.0.1"));
    }

    #[test]
    fn nobody_but_a_trusted_proxy_chooses_an_address_a_scheme_or_a_host() {
        let trusted = proxies(&["10.0.0.1/32"]);
        let mut headers = forwarded(&["198.51.100.7"]);
        headers.insert(header::X_FORWARDED_PROTO, HeaderValue::from_static("https"));
        headers.insert(header::X_FORWARDED_HOST, HeaderValue::from_static("hub.example"));
        headers.insert(header::HOST, HeaderValue::from_static("10.0.0.9:8080"));
        for (peer, client, https, host) in [
            ("10.0.0.1", "198.51.100.7", true, "hub.example"),
            ("::ffff:10.0.0.1", "198.51.100.7", true, "hub.example"),
            ("10.0.0.2", "10.0.0.2", false, "10.0.0.9:8080"),
        ] {
            let peer = Some(ip(peer));
            assert_eq!(trusted.client(&headers, peer), Some(ip(client)));
            assert_eq!(trusted.spoke_https(&headers, peer), https);
            assert_eq!(trusted.host(&headers, peer), Some(host));
        }
    }

    #[test]
    fn neighbours_in_one_ipv6_network_are_one_party() {
        assert_eq!(network_of(ip("2001:db8::1")), network_of(ip("2001:db8::ffff")));
        assert_ne!(network_of(ip("2001:db8::1")), network_of(ip("2001:db8:0:1::1")));
        assert_eq!(network_of(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
    }
}
