//! Addresses that tenants or strangers name: only public ones are connected to, unless the settings allow a network.
//!
//! Names are resolved here, and refused whole if any of their addresses is not public; what was looked at is what is
//! connected to. Clients keep their connections, where ssrf-guard's own fetcher makes a new client for each request; which
//! addresses are public is its judgement.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use reqwest::{
    ClientBuilder,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use ssrf_guard::{Cidr, Policy};
use url::{Host, Url};

use crate::config::certificates;

/// Knows where the hub may be sent by others. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Guard(Arc<Policy>);

/// Why the hub does not go to a URL. The texts are for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Not the web.
    #[error("the URL must begin with https:// or http://")]
    Scheme,
    /// Anybody on the way could read what is sent.
    #[error(
        "the URL must begin with https://: http:// is for addresses in outbox.allow_private, unless outbox.allow_http is on"
    )]
    Unencrypted,
    /// They would be shown to everybody who sees the URL.
    #[error("the URL must not hold a name or a password: use the token")]
    Credentials,
    /// Loopback, private, link-local and the like.
    #[error("the URL leads to an address that is not public")]
    NotPublic,
}

impl Guard {
    /// Lets through what is public, and these networks.
    #[must_use]
    pub fn new(allowed: &[Cidr]) -> Self {
        let policy = allowed.iter().fold(Policy::builder(), |policy, network| policy.allow(*network)).build();
        Self(Arc::new(policy))
    }

    /// Whether the hub may go to a URL, as far as it can be told without looking up its name.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, url: &Url) -> Result<(), Unusable> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Unusable::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Unusable::Credentials);
        }
        let public = match url.host() {
            Some(Host::Ipv4(address)) => self.0.allows(address.into()),
            Some(Host::Ipv6(address)) => self.0.allows(address.into()),
            Some(Host::Domain(_)) => true,
            None => false,
        };
        if public { Ok(()) } else { Err(Unusable::NotPublic) }
    }

    /// Whether a URL leads to a network that the settings name, as far as it can be told without looking up its name.
    #[must_use]
    pub fn is_named(&self, url: &Url) -> bool {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            Some(Host::Domain("localhost")) => Ipv4Addr::LOCALHOST.into(),
            _ => return false,
        };
        self.0.allow().iter().any(|network| network.contains(address))
    }

    /// The beginning of a client that looks names up here and follows nothing. It is not asked about a URL that has an
    /// address in it: [`Self::admit`] is.
    pub fn client(&self) -> ClientBuilder {
        reqwest::Client::builder()
            .tls_backend_preconfigured(certificates::client())
            .redirect(redirect::Policy::none())
            // A proxy would look up the name for itself.
            .no_proxy()
            .dns_resolver(Arc::new(self.clone()))
    }
}

/// Whether a request was refused here.
#[must_use]
pub fn refusal(error: &reqwest::Error) -> Option<Unusable> {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(one) = cause {
        if let Some(refused) = one.downcast_ref::<Unusable>() {
            return Some(*refused);
        }
        cause = one.source();
    }
    None
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.0);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !found.iter().all(|address| policy.allows(address.ip())) {
                return Err(Unusable::NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(guard: &Guard, url: &str) -> Result<(), Unusable> {
        guard.admit(&url.parse().unwrap())
    }

    #[test]
    fn addresses_that_are_not_public_are_refused_in_every_spelling() {
        let guard = Guard::new(&[]);
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[fe80::1]",
            "[fd00::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:169.254.169.254]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
        ] {
            assert_eq!(admitted(&guard, &format!("http://{host}/")), Err(Unusable::NotPublic), "{host}");
        }
        for url in ["https://1.1.1.1/", "https://[2606:4700:4700::1111]/", "https://crm.example/hook?a=b"] {
            assert_eq!(admitted(&guard, url), Ok(()), "{url}");
        }
    }

    #[test]
    fn a_network_that_is_allowed_is_allowed_and_no_other() {
        let guard = Guard::new(&["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(admitted(&guard, "http://10.9.8.7/"), Ok(()));
        assert_eq!(admitted(&guard, "http://127.0.0.1/"), Err(Unusable::NotPublic));
    }

    #[test]
    fn only_the_web_without_credentials_is_an_address() {
        let guard = Guard::new(&[]);
        assert_eq!(admitted(&guard, "ftp://crm.example/"), Err(Unusable::Scheme));
        assert_eq!(admitted(&guard, "file:///etc/passwd"), Err(Unusable::Scheme));
        assert_eq!(admitted(&guard, "https://joe:secret@crm.example/"), Err(Unusable::Credentials));
    }
}
