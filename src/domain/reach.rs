//! Which addresses may be told a secret.

use url::{Host, Url};

/// Whether nobody on the way can read what is sent to this URL: it is encrypted, or never leaves this machine.
#[must_use]
pub fn is_private(url: &Url) -> bool {
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Domain(name))) => name == "localhost",
        ("http", Some(Host::Ipv4(address))) => address.is_loopback(),
        ("http", Some(Host::Ipv6(address))) => address.is_loopback(),
        _ => false,
    }
}
