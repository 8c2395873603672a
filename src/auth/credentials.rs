//! What a request head has to say about who sent it, and whether a cookie in it may count.
//!
//! Never the query string: addresses end up in logs and histories.

use std::net::IpAddr;

use actix_web::http::header::{self, HeaderMap, HeaderName};
use secrecy::{ExposeSecret, SecretString};

use super::{AuthError, Origins, Page};

/// The session cookie where the hub is reached over plain HTTP.
pub const COOKIE: &str = "leadwire_session";
/// The session cookie over HTTPS. Browsers take one of this name from the hub's own host only, so no neighbour below the same
/// domain can plant a session.
pub const SECURE_COOKIE: &str = "__Host-leadwire_session";
/// The cookie of a device that somebody has signed in on.
pub const DEVICE_COOKIE: &str = "leadwire_device";
/// What precedes a token among a WebSocket's sub-protocols.
pub const PROTOCOL_PREFIX: &str = "leadwire.token.";
/// More cookies of those names than this are not looked at.
const MAX_COOKIES: usize = 4;

/// What a request is for; it decides what a cookie may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Only reads: the browser keeps the answer from other origins.
    Read,
    /// Changes something: a cookie counts only from the hub's own pages.
    Change,
    /// Opens a stream of events. Browsers keep it from other origins as they keep any answer to a GET, and say of a page
    /// that is not of the hub's origin which it is: a cookie counts unless that was said.
    Stream,
    /// Opens a socket: a cookie counts only from the hub's own pages, since browsers let any page open and read one.
    Socket,
}

/// One thing to go by.
#[derive(Debug, Clone)]
pub enum Credential {
    /// From the session cookie: a token of the hub's own.
    Cookie(SecretString),
    /// Sent on purpose: any token, or an API key.
    Token(SecretString),
}

impl Credential {
    /// The token or key itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        match self {
            Self::Cookie(secret) | Self::Token(secret) => secret.expose_secret(),
        }
    }
}

/// All there is to go by, the first that is good counts: cookie, bearer, sub-protocol.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    pub(super) found: Vec<Credential>,
    /// The page that asks.
    pub page: Page,
    /// A cookie came along that may not count, because of the page.
    pub cookie_refused: bool,
}

impl From<Vec<Credential>> for Credentials {
    fn from(found: Vec<Credential>) -> Self {
        Self { found, ..Self::default() }
    }
}

impl Credentials {
    /// A token or a key from elsewhere: a socket's first frame.
    #[must_use]
    pub fn token(text: impl Into<String>) -> Self {
        vec![Credential::Token(SecretString::from(text.into()))].into()
    }

    /// Nothing, from another site's page.
    #[must_use]
    pub fn foreign() -> Self {
        Self { page: Page::Foreign, ..Self::default() }
    }

    /// What there is to go by, once; where it comes from stays known.
    #[must_use]
    pub fn take(&mut self) -> Self {
        Self { found: std::mem::take(&mut self.found), ..*self }
    }

    /// Whether there is nothing to go by.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Takes what a request head holds. A cookie that may not count is passed over, and the log says why.
    ///
    /// # Errors
    /// [`AuthError::CrossOrigin`] if such a cookie was all there is, and no frame can bring something better.
    pub fn from_head(
        headers: &HeaderMap,
        peer: Option<IpAddr>,
        purpose: Purpose,
        origins: &Origins,
    ) -> Result<Self, AuthError> {
        let page = origins.page(headers, peer);
        let counts = match purpose {
            Purpose::Read => true,
            Purpose::Stream => page != Page::Foreign,
            Purpose::Change | Purpose::Socket => page.is_own(),
        };
        let names: &[_] = if origins.is_https(headers, peer) { &[SECURE_COOKIE] } else { &[SECURE_COOKIE, COOKIE] };
        let mut cookies = names.iter().flat_map(|name| cookies(headers, name)).take(MAX_COOKIES).peekable();
        let cookie_refused = cookies.peek().is_some() && !counts;
        let mut found = Vec::new();
        if cookie_refused {
            origins.tell_refused(headers, peer);
        } else {
            found.extend(cookies.map(|token| Credential::Cookie(token.into())));
        }
        found.extend(bearer(headers).map(|token| Credential::Token(token.into())));
        found.extend(protocols(headers).map(|token| Credential::Token(token.into())));
        if cookie_refused && found.is_empty() && purpose != Purpose::Socket {
            return Err(AuthError::CrossOrigin);
        }
        Ok(Self { found, page, cookie_refused })
    }
}

fn cookies<'h>(headers: &'h HeaderMap, name: &'static str) -> impl Iterator<Item = &'h str> {
    texts(headers, header::COOKIE)
        .flat_map(|line| line.split(';'))
        .filter_map(move |pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
        .map(|value| value.trim_matches('"'))
        .filter(|value| !value.is_empty())
}

/// What the cookie of a device says.
#[must_use]
pub fn device_cookie(headers: &HeaderMap) -> Option<&str> {
    cookies(headers, DEVICE_COOKIE).next()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()).filter(|token| !token.is_empty())
}

fn protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    texts(headers, header::SEC_WEBSOCKET_PROTOCOL)
        .flat_map(|line| line.split(','))
        .filter_map(|protocol| protocol.trim().strip_prefix(PROTOCOL_PREFIX))
        .take(1)
}

fn texts(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).filter_map(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;
    use crate::http::Proxies;

    fn head(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    fn found(pairs: &[(&'static str, &'static str)], purpose: Purpose) -> Result<Vec<String>, AuthError> {
        let origins = Origins::new(&["https://dash.example/".to_owned()], None, Proxies::default());
        let credentials = Credentials::from_head(&head(pairs), None, purpose, &origins)?;
        Ok(credentials.found.iter().map(|credential| credential.expose().to_owned()).collect())
    }

    const JAR: (&str, &str) = ("cookie", "theme=dark; leadwire_session=abc; x=y");
    const HOST: (&str, &str) = ("host", "hub.example");

    #[test]
    fn cookie_bearer_and_sub_protocol_are_found_in_this_order() {
        let pairs = [
            JAR,
            ("authorization", "bearer  k1"),
            ("sec-websocket-protocol", "leadwire.v1, leadwire.token.t1"),
            ("sec-fetch-site", "same-origin"),
        ];
        assert_eq!(found(&pairs, Purpose::Socket).unwrap(), ["abc", "k1", "t1"]);
        assert_eq!(found(&[("authorization", "Basic k1")], Purpose::Socket).unwrap(), [""; 0]);
    }

    #[test]
    fn a_cookie_may_read_without_an_origin_but_not_change_anything() {
        assert_eq!(found(&[JAR, HOST], Purpose::Read).unwrap(), ["abc"]);
        assert_eq!(found(&[JAR, HOST], Purpose::Change), Err(AuthError::CrossOrigin));
        assert_eq!(found(&[JAR, HOST], Purpose::Socket).unwrap(), [""; 0], "the first frame may still bring a token");
    }

    #[test]
    fn a_cookie_counts_only_from_the_hubs_own_or_an_allowed_origin() {
        let from = |origin: &'static str, site: Option<&'static str>| {
            let mut pairs = vec![JAR, HOST, ("origin", origin)];
            pairs.extend(site.map(|site| ("sec-fetch-site", site)));
            found(&pairs, Purpose::Change).is_ok()
        };
        assert!(from("https://hub.example", None));
        assert!(from("https://dash.example", Some("cross-site")), "allowed by the settings");
        assert!(!from("http://hub.example", Some("same-site")), "the browser knows the scheme differs");
        assert!(!from("https://evil.example", None));
    }

    #[test]
    fn a_stream_takes_the_cookie_of_a_page_unless_that_is_of_another_origin() {
        assert_eq!(found(&[JAR, HOST], Purpose::Stream).unwrap(), ["abc"], "as over plain HTTP under a name");
        assert_eq!(found(&[JAR, HOST, ("sec-fetch-site", "same-origin")], Purpose::Stream).unwrap(), ["abc"]);
        for foreign in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")] {
            assert_eq!(found(&[JAR, HOST, foreign], Purpose::Stream), Err(AuthError::CrossOrigin), "{foreign:?}");
        }
    }

    #[test]
    fn over_https_only_the_cookie_counts_that_no_neighbour_can_plant() {
        let jar = [("cookie", "leadwire_session=planted; __Host-leadwire_session=own"), HOST];
        assert_eq!(found(&jar, Purpose::Read).unwrap(), ["own", "planted"], "over plain HTTP");
        let public = "https://hub.example".parse().unwrap();
        let origins = Origins::new(&[], Some(&public), Proxies::default());
        let over_https = Credentials::from_head(&head(&jar), None, Purpose::Read, &origins).unwrap();
        assert_eq!(over_https.found.iter().map(Credential::expose).collect::<Vec<_>>(), ["own"]);
    }

    #[test]
    fn a_cross_origin_cookie_does_not_spoil_a_bearer_token() {
        let pairs = [JAR, HOST, ("origin", "https://evil.example"), ("authorization", "Bearer k1")];
        assert_eq!(found(&pairs, Purpose::Change).unwrap(), ["k1"]);
    }

    #[test]
    fn a_secret_does_not_show_in_debug() {
        assert!(!format!("{:?}", Credentials::token("topsecret")).contains("topsecret"));
    }
}
