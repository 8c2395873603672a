//! The HTTP client for URLs that tenants choose: it goes where [`Guard`] lets it, follows nothing and believes little.

use std::time::Duration;

use reqwest::{
    Response, StatusCode,
    header::{self, HeaderMap, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use ssrf_guard::Cidr;
use url::Url;

use crate::platforms::guard::{Guard, Unusable, refusal};

/// What is kept of an answer, in bytes.
const KEPT: usize = 1024;
/// Connections that wait for the next delivery to a host.
const IDLE: usize = 16;

/// Posts webhooks. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    guard: Guard,
}

/// A webhook as it goes out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Post<'a> {
    pub url: &'a str,
    pub headers: &'a [(&'static str, String)],
    pub token: Option<&'a SecretString>,
    pub body: &'a str,
}

/// An answer, as far as it is kept.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub retry_after: Option<String>,
    pub begins: String,
}

impl Client {
    /// A client that may go to public addresses, and to these networks.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn new(timeout: Duration, allowed: &[Cidr]) -> Result<Self, reqwest::Error> {
        let guard = Guard::new(allowed);
        let http = guard
            .client()
            .timeout(timeout)
            .pool_max_idle_per_host(IDLE)
            .user_agent(concat!("leadwire/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, guard })
    }

    /// Whether webhooks may go to a URL, as far as it can be told without looking up its name.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, url: &Url) -> Result<(), Unusable> {
        self.guard.admit(url)
    }

    /// Whether an endpoint may be given this URL from now on: over plain HTTP only into networks that the settings name, unless
    /// they allow it for all.
    ///
    /// # Errors
    /// Why not.
    pub fn admit_new(&self, url: &Url, allow_http: bool) -> Result<(), Unusable> {
        self.admit(url)?;
        let encrypted = url.scheme() == "https" || allow_http || self.guard.is_named(url);
        if encrypted { Ok(()) } else { Err(Unusable::Unencrypted) }
    }

    /// Posts once.
    ///
    /// # Errors
    /// Why there is no answer, in words that may be shown.
    pub(super) async fn post(&self, post: Post<'_>) -> Result<Answer, String> {
        let url: Url = post.url.parse().map_err(|_| "the URL can't be read".to_owned())?;
        // The resolver is not asked about a URL that has an address in it.
        self.admit(&url).map_err(|why| why.to_string())?;
        let request = self.http.post(url).headers(headers(post)?).body(post.body.to_owned());
        let response = request.send().await.map_err(|error| words(&error))?;
        let status = response.status();
        let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(str::to_owned);
        let begins = begins(response).await.map_err(|error| words(&error))?;
        Ok(Answer { status, retry_after, begins })
    }
}

fn headers(post: Post<'_>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in post.headers {
        let value = HeaderValue::from_str(value).map_err(|_| format!("{name} can't be put into a header"))?;
        headers.insert(*name, value);
    }
    if let Some(token) = post.token {
        let value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
        let mut value = value.map_err(|_| "the token can't be put into a header".to_owned())?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(headers)
}

/// How the body begins; reads no further, so that an endpoint can't fill the memory. Its NUL characters can't be stored.
async fn begins(mut response: Response) -> Result<String, reqwest::Error> {
    let mut body = Vec::new();
    while body.len() < KEPT {
        let Some(chunk) = response.chunk().await? else { break };
        body.extend_from_slice(&chunk[..chunk.len().min(KEPT - body.len())]);
    }
    Ok(String::from_utf8_lossy(&body).replace('\0', "\u{FFFD}"))
}

/// Without the error's own text, which has the URL in it, and with that a secret perhaps.
fn words(error: &reqwest::Error) -> String {
    if let Some(refused) = refusal(error) {
        return refused.to_string();
    }
    let words = if error.is_timeout() {
        "the endpoint took too long"
    } else if error.is_connect() {
        "the endpoint could not be reached"
    } else {
        "the connection to the endpoint broke"
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_before_anything_connects() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let client = Client::new(Duration::from_secs(5), &[]).unwrap();
        let post = Post { url: &url, headers: &[], token: None, body: "{}" };
        assert_eq!(client.post(post).await.unwrap_err(), Unusable::NotPublic.to_string());
        let untouched = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(untouched.is_err(), "something connected");
    }
}
