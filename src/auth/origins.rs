//! Which page a browser's request comes from: one of the hub's own, or another site's.

use std::{net::IpAddr, sync::Arc, time::Instant};

use actix_web::http::header::{self, HeaderMap, HeaderName};
use url::{Host, Url};

use crate::{http::Proxies, telemetry::Seldom};

/// The page that made a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Page {
    /// Nothing says that a browser's page asks: a program, or a page that reads from its own origin over plain HTTP.
    #[default]
    Unsaid,
    /// One that the settings name, or of the address that was asked.
    Named,
    /// Of the host name that was asked. A name that leads here may be anybody's (DNS rebinding); no cookie of the hub's own
    /// name comes along then.
    Own,
    /// Another site's.
    Foreign,
}

impl Page {
    /// Whether it may use the session cookie for more than reading.
    #[must_use]
    pub const fn is_own(self) -> bool {
        matches!(self, Self::Named | Self::Own)
    }

    /// Whether it may read what needs no login. A name is not enough: nothing that only its owner has would be shown.
    #[must_use]
    pub const fn may_be_anonymous(self) -> bool {
        matches!(self, Self::Unsaid | Self::Named)
    }
}

/// Whose pages may use the session cookie, and how the hub is reached from outside.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    /// Of `server.public_url` and `server.allowed_origins`: `https://dash.example`.
    named: Vec<String>,
    /// Whether people reach the hub over HTTPS, whatever it sees itself.
    https: bool,
    proxies: Proxies,
    refusals: Arc<Seldom>,
}

impl Origins {
    /// Besides those of the host that is asked: pages of `server.public_url` and `server.allowed_origins`.
    #[must_use]
    pub fn new(allowed: &[String], public_url: Option<&Url>, proxies: Proxies) -> Self {
        let allowed = allowed.iter().map(|origin| origin.trim_end_matches('/').to_lowercase());
        let public = public_url.map(|url| url.origin().ascii_serialization());
        let https = public_url.is_some_and(|url| url.scheme() == "https");
        Self { named: allowed.chain(public).collect(), https, proxies, refusals: Arc::default() }
    }

    /// Whether the session cookie is one that browsers send over HTTPS only.
    #[must_use]
    pub fn is_https(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> bool {
        self.https || self.proxies.spoke_https(headers, peer)
    }

    /// Which page made this request. `Sec-Fetch-Site` comes from the browser itself and decides where it is sent (not for
    /// WebSocket, and not over plain HTTP under a name); otherwise `Origin` must name the host that was asked.
    #[must_use]
    pub fn page(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Page {
        let site = headers.get("sec-fetch-site").map(header::HeaderValue::as_bytes);
        let Some(origin) = headers.get(header::ORIGIN) else {
            return match site {
                None | Some(b"none") => Page::Unsaid,
                Some(b"same-origin") => Page::Own,
                Some(_) => Page::Foreign,
            };
        };
        let Ok(origin) = origin.to_str().map(str::to_lowercase) else { return Page::Foreign };
        if self.named.contains(&origin) {
            return Page::Named;
        }
        let of_host = self.proxies.host(headers, peer).and_then(|host| host_of(&origin, host));
        match (site, of_host) {
            (None | Some(b"same-origin"), Some(host)) if is_certain(&host) => Page::Named,
            (None, Some(_)) | (Some(b"same-origin"), _) => Page::Own,
            _ => Page::Foreign,
        }
    }

    /// Says in the log, now and then, what to set when the cookie of a page was refused: mostly a proxy is the reason.
    pub fn tell_refused(&self, headers: &HeaderMap, peer: Option<IpAddr>) {
        let Some(withheld) = self.refusals.admit(Instant::now()) else { return };
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-");
        tracing::warn!(
            origin = text(header::ORIGIN),
            asked = self.proxies.host(headers, peer).unwrap_or("-"),
            site = text(HeaderName::from_static("sec-fetch-site")),
            withheld,
            "a page's login was refused, since the page is not of the host that was asked: if it is yours, set \
             server.public_url to where people reach the hub, name the page in server.allowed_origins, or have your proxy \
             pass the Host header on (nginx: proxy_set_header Host $http_host)"
        );
    }
}

/// The host of an origin, if that and the port are those of a `Host` header. The scheme is not compared: behind a proxy that
/// ends TLS the hub does not know its own.
fn host_of(origin: &str, host: &str) -> Option<Host<String>> {
    let origin = Url::parse(origin).ok()?;
    let asked = Url::parse(&format!("{}://{host}", origin.scheme())).ok()?;
    let is_same = origin.host() == asked.host() && origin.port_or_known_default() == asked.port_or_known_default();
    origin.host().filter(|_| is_same).map(|host| host.to_owned())
}

/// Whether nobody can make it lead here from elsewhere.
fn is_certain(host: &Host<String>) -> bool {
    match host {
        Host::Ipv4(_) | Host::Ipv6(_) => true,
        Host::Domain(name) => name == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    const PROXY: &str = "127.0.0.1";

    fn origins() -> Origins {
        let public = "https://leads.example/hub".parse().unwrap();
        let proxies = Proxies::new(&["127.0.0.1/32".parse().unwrap()]);
        Origins::new(&["https://dash.example/".to_owned()], Some(&public), proxies)
    }

    fn page_at(peer: &str, pairs: &[(&'static str, &'static str)]) -> Page {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        origins().page(&headers, Some(peer.parse().unwrap()))
    }

    fn page(pairs: &[(&'static str, &'static str)]) -> Page {
        page_at("192.0.2.1", pairs)
    }

    const HOST: (&str, &str) = ("host", "hub.example");

    #[test]
    fn a_page_is_the_hubs_own_by_the_host_that_was_asked_or_by_the_settings() {
        let from = |origin: &'static str, site: Option<&'static str>| {
            let mut pairs = vec![HOST, ("origin", origin)];
            pairs.extend(site.map(|site| ("sec-fetch-site", site)));
            page(&pairs)
        };
        assert_eq!(from("https://hub.example", None), Page::Own);
        assert_eq!(from("https://HUB.example:443", None), Page::Own);
        assert_eq!(from("https://hub.example", Some("same-origin")), Page::Own);
        assert_eq!(from("https://dash.example", Some("cross-site")), Page::Named, "allowed by the settings");
        assert_eq!(from("https://leads.example", None), Page::Named, "where people reach the hub");
        for foreign in
            ["https://hub.example:8443", "https://evil.example", "https://hub.example.evil.example", "null", ""]
        {
            assert_eq!(from(foreign, None), Page::Foreign, "{foreign}");
        }
        assert_eq!(
            from("http://hub.example", Some("same-site")),
            Page::Foreign,
            "the browser knows the scheme differs"
        );
    }

    #[test]
    fn what_says_nothing_of_a_page_is_told_from_what_comes_of_another_site() {
        assert_eq!(page(&[HOST]), Page::Unsaid);
        assert_eq!(page(&[HOST, ("sec-fetch-site", "none")]), Page::Unsaid);
        assert_eq!(page(&[HOST, ("sec-fetch-site", "same-origin")]), Page::Own);
        for site in ["cross-site", "same-site", "nonsense"] {
            assert_eq!(page(&[HOST, ("sec-fetch-site", site)]), Page::Foreign, "{site}");
        }
    }

    #[test]
    fn a_proxy_that_is_trusted_says_which_host_was_asked() {
        let pairs = [("host", "10.0.0.9:8080"), ("origin", "https://hub.example"), ("x-forwarded-host", "hub.example")];
        assert_eq!(page_at(PROXY, &pairs), Page::Own);
        assert_eq!(page(&pairs), Page::Foreign, "nobody else's word is taken");
    }

    #[test]
    fn a_name_that_leads_here_is_no_proof_that_it_is_the_hubs() {
        assert!(!page(&[("host", "evil.example"), ("origin", "http://evil.example")]).may_be_anonymous());
        assert!(!page(&[("host", "evil.example"), ("sec-fetch-site", "same-origin")]).may_be_anonymous());
        assert!(page(&[("host", "192.0.2.7:8080"), ("origin", "http://192.0.2.7:8080")]).may_be_anonymous());
        assert!(page(&[("host", "10.0.0.9"), ("origin", "https://dash.example")]).may_be_anonymous());
        assert!(page(&[HOST]).may_be_anonymous());
    }
}
