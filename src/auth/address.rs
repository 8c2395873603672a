//! Where a request came from, when a proxy may stand in between.

use std::net::IpAddr;

use actix_web::http::header::{HeaderMap, X_FORWARDED_FOR, X_FORWARDED_PROTO};

/// The client's address. With a trusted proxy in front it is the last entry of `X-Forwarded-For`, the one that the proxy
/// added itself: those before it are the client's to invent.
#[must_use]
pub fn client_address(headers: &HeaderMap, peer: Option<IpAddr>, trust_proxy: bool) -> Option<IpAddr> {
    let forwarded = || {
        let line = headers.get_all(X_FORWARDED_FOR).last()?.to_str().ok()?;
        let last = line.rsplit(',').next()?.trim();
        last.parse().ok().or_else(|| last.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
    };
    if trust_proxy { forwarded().or(peer) } else { peer }
}

/// Whether the client spoke HTTPS, to the hub's proxy if a trusted one is in front.
#[must_use]
pub fn client_spoke_https(headers: &HeaderMap, trust_proxy: bool) -> bool {
    trust_proxy && headers.get_all(X_FORWARDED_PROTO).last().is_some_and(|scheme| scheme == "https")
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn only_what_the_trusted_proxy_added_itself_is_believed() {
        let mut headers = HeaderMap::new();
        headers.append(X_FORWARDED_FOR, HeaderValue::from_static("198.51.100.7, 192.0.2.9"));
        headers.append(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
        let peer = Some([127, 0, 0, 1].into());
        assert_eq!(client_address(&headers, peer, true), Some([192, 0, 2, 9].into()));
        assert_eq!(client_address(&headers, peer, false), peer);
        assert_eq!(client_address(&HeaderMap::new(), peer, true), peer);
        assert!(client_spoke_https(&headers, true) && !client_spoke_https(&headers, false));
    }
}
