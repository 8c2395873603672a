//! What a request head has to say about who sent it, and whether a cookie in it may count.
//!
//! Never the query string: addresses end up in logs and histories.

use actix_web::http::header::{self, HeaderMap, HeaderName};
use secrecy::{ExposeSecret, SecretString};

use super::AuthError;

/// The session cookie.
pub const COOKIE: &str = "leadwire_session";
/// What precedes a token among a WebSocket's sub-protocols.
pub const PROTOCOL_PREFIX: &str = "leadwire.token.";
/// More cookies of that name than this are not looked at.
const MAX_COOKIES: usize = 4;

/// What a request is for; it decides what a cookie may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Only reads: the browser keeps the answer from other origins.
    Read,
    /// Changes something: a cookie counts only from the hub's own pages.
    Change,
    /// Opens a socket or a stream: the same, since browsers let any page open one.
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
pub struct Credentials(pub Vec<Credential>);

impl Credentials {
    /// A token or a key from elsewhere: a socket's first frame.
    #[must_use]
    pub fn token(text: impl Into<String>) -> Self {
        Self(vec![Credential::Token(SecretString::from(text.into()))])
    }

    /// Whether there is nothing to go by.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes what a request head holds. A cookie that may not count is passed over.
    ///
    /// # Errors
    /// [`AuthError::CrossOrigin`] if such a cookie was all there is, and no frame can bring something better.
    pub fn from_head(headers: &HeaderMap, purpose: Purpose, origins: &Origins) -> Result<Self, AuthError> {
        let mut found = Vec::new();
        let mut refused = false;
        let mut cookies = cookies(headers).peekable();
        if cookies.peek().is_some() {
            if purpose == Purpose::Read || origins.admit(headers) {
                found.extend(cookies.map(|token| Credential::Cookie(token.into())));
            } else {
                refused = true;
            }
        }
        found.extend(bearer(headers).map(|token| Credential::Token(token.into())));
        found.extend(protocols(headers).map(|token| Credential::Token(token.into())));
        if refused && found.is_empty() && purpose == Purpose::Change {
            return Err(AuthError::CrossOrigin);
        }
        Ok(Self(found))
    }
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    texts(headers, header::COOKIE)
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
        .map(|value| value.trim_matches('"'))
        .filter(|value| !value.is_empty())
        .take(MAX_COOKIES)
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

/// Whose pages may use the session cookie.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    /// Besides the hub's own: `https://dash.example`.
    allowed: Vec<String>,
}

impl Origins {
    /// Besides the hub's own origin, these (`server.allowed_origins`).
    #[must_use]
    pub fn new(allowed: &[String]) -> Self {
        Self { allowed: allowed.iter().map(|origin| origin.trim_end_matches('/').to_lowercase()).collect() }
    }

    /// Whether the page that made this request may use the cookie. `Sec-Fetch-Site` comes from the browser itself and
    /// decides alone where it is sent (not over plain HTTP); otherwise `Origin` must name the host that was asked.
    /// Without either, nothing says that one of the hub's own pages asked.
    #[must_use]
    pub fn admit(&self, headers: &HeaderMap) -> bool {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let origin = text(header::ORIGIN).map(str::to_lowercase);
        if origin.as_ref().is_some_and(|origin| self.allowed.contains(origin)) {
            return true;
        }
        match (headers.get("sec-fetch-site"), origin) {
            (Some(site), _) => site == "same-origin",
            (None, Some(origin)) => text(header::HOST).is_some_and(|host| same_host(&origin, host)),
            (None, None) => false,
        }
    }
}

/// Whether an origin's host and port are those of a `Host` header. The scheme is not compared: behind a proxy that ends
/// TLS the hub does not know its own.
fn same_host(origin: &str, host: &str) -> bool {
    let Ok(origin) = url::Url::parse(origin) else { return false };
    let Ok(asked) = url::Url::parse(&format!("{}://{host}", origin.scheme())) else { return false };
    origin.host().is_some()
        && origin.host() == asked.host()
        && origin.port_or_known_default() == asked.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn head(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    fn found(pairs: &[(&'static str, &'static str)], purpose: Purpose) -> Result<Vec<String>, AuthError> {
        let origins = Origins::new(&["https://dash.example/".to_owned()]);
        let credentials = Credentials::from_head(&head(pairs), purpose, &origins)?;
        Ok(credentials.0.iter().map(|credential| credential.expose().to_owned()).collect())
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
        assert!(from("https://HUB.example:443", None));
        assert!(from("https://hub.example", Some("same-origin")));
        assert!(from("https://dash.example", Some("cross-site")), "allowed by the settings");
        assert!(!from("https://hub.example:8443", None));
        assert!(!from("http://hub.example", Some("same-site")), "the browser knows the scheme differs");
        assert!(!from("https://evil.example", None));
        assert!(!from("https://hub.example.evil.example", None));
        assert!(!from("null", None));
        assert!(!from("", None));
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
