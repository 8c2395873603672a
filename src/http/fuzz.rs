//! Request heads as anybody may send them through a proxy, for [fuzzing](crate::fuzzing).

use std::net::IpAddr;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, X_FORWARDED_FOR};

use super::{Proxies, network_of};

/// The proxy that the hub trusts, and a peer that it does not.
const TRUSTED: [u8; 4] = [10, 0, 0, 1];
const STRANGER: [u8; 4] = [192, 0, 2, 7];

/// Lines of headers. Only a trusted proxy's word counts, and nothing that stands before the address that it wrote.
pub fn heads(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = (&line[..colon], line.get(colon + 1..).unwrap_or_default());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value.trim_ascii())) {
            headers.append(name, value);
        }
    }
    let (stranger, trusted) = (IpAddr::from(STRANGER), IpAddr::from(TRUSTED));
    let proxies = Proxies::new(&["10.0.0.0/8".parse().expect("a network")]);
    assert_eq!(proxies.client(&headers, Some(stranger)), Some(stranger), "a stranger chooses its address");
    assert!(!proxies.spoke_https(&headers, Some(stranger)));
    assert_eq!(proxies.client(&headers, None), None);
    let own = Proxies::default().host(&headers, Some(trusted));
    assert_eq!(proxies.host(&headers, Some(stranger)), own, "a stranger chooses the host");
    let _ = (proxies.host(&headers, Some(trusted)), proxies.spoke_https(&headers, Some(trusted)));

    let client = proxies.client(&headers, Some(trusted)).expect("there is a peer");
    let network = network_of(client);
    assert_eq!(network_of(network), network);
    if !proxies.trusts(client) {
        let mut invented = HeaderMap::new();
        invented.append(X_FORWARDED_FOR, HeaderValue::from_static("203.0.113.99, x"));
        for line in headers.get_all(X_FORWARDED_FOR) {
            invented.append(X_FORWARDED_FOR, line.clone());
        }
        assert_eq!(proxies.client(&invented, Some(trusted)), Some(client), "what stands before it counts");
    }
}
