//! The HTTP client for URLs that tenants choose: it connects to public addresses only, follows nothing and believes little.
//!
//! Names are resolved here, and refused whole if any of their addresses is not public; what was looked at is what is
//! connected to. One client with connections that are kept, where ssrf-guard's own fetcher makes a new client for each
//! request; which addresses are public is its judgement.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use reqwest::{
    Response, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{self, HeaderMap, HeaderValue},
    redirect::Policy as Redirects,
};
use secrecy::{ExposeSecret, SecretString};
use ssrf_guard::{Cidr, Policy};
use url::{Host, Url};

/// What is kept of an answer, in bytes.
const KEPT: usize = 1024;
/// Connections that wait for the next delivery to a host.
const IDLE: usize = 16;

/// Posts webhooks. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    policy: Arc<Policy>,
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

/// Why a URL is no address for webhooks. The texts are for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Not the web.
    #[error("the URL must begin with https:// or http://")]
    Scheme,
    /// They would be shown to everybody who sees the URL.
    #[error("the URL must not hold a name or a password: use the token")]
    Credentials,
    /// Loopback, private, link-local and the like.
    #[error("the URL leads to an address that is not public")]
    NotPublic,
}

impl Client {
    /// A client that may go to public addresses, and to these networks.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn new(timeout: Duration, allowed: &[Cidr]) -> Result<Self, reqwest::Error> {
        let policy = allowed.iter().fold(Policy::builder(), |policy, network| policy.allow(*network)).build();
        let policy = Arc::new(policy);
        let http = reqwest::Client::builder()
            .redirect(Redirects::none())
            // A proxy would look up the name for itself.
            .no_proxy()
            .dns_resolver(Arc::new(Guard(Arc::clone(&policy))))
            .timeout(timeout)
            .pool_max_idle_per_host(IDLE)
            .user_agent(concat!("leadwire/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, policy })
    }

    /// Whether webhooks may go to a URL, as far as it can be told without looking up its name.
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
            Some(Host::Ipv4(address)) => self.policy.allows(address.into()),
            Some(Host::Ipv6(address)) => self.policy.allows(address.into()),
            Some(Host::Domain(_)) => true,
            None => false,
        };
        if public { Ok(()) } else { Err(Unusable::NotPublic) }
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
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(one) = cause {
        if let Some(refused) = one.downcast_ref::<Unusable>() {
            return refused.to_string();
        }
        cause = one.source();
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

/// Looks up names, and refuses those that lead inside.
struct Guard(Arc<Policy>);

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

    fn admitted(client: &Client, url: &str) -> Result<(), Unusable> {
        client.admit(&url.parse().unwrap())
    }

    #[test]
    fn addresses_that_are_not_public_are_refused_in_every_spelling() {
        let client = Client::new(Duration::from_secs(1), &[]).unwrap();
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
            assert_eq!(admitted(&client, &format!("http://{host}/")), Err(Unusable::NotPublic), "{host}");
        }
        for url in ["https://1.1.1.1/", "https://[2606:4700:4700::1111]/", "https://crm.example/hook?a=b"] {
            assert_eq!(admitted(&client, url), Ok(()), "{url}");
        }
    }

    #[test]
    fn a_network_that_is_allowed_is_allowed_and_no_other() {
        let client = Client::new(Duration::from_secs(1), &["10.0.0.0/8".parse().unwrap()]).unwrap();
        assert_eq!(admitted(&client, "http://10.9.8.7/"), Ok(()));
        assert_eq!(admitted(&client, "http://127.0.0.1/"), Err(Unusable::NotPublic));
    }

    #[test]
    fn only_the_web_without_credentials_is_an_address() {
        let client = Client::new(Duration::from_secs(1), &[]).unwrap();
        assert_eq!(admitted(&client, "ftp://crm.example/"), Err(Unusable::Scheme));
        assert_eq!(admitted(&client, "file:///etc/passwd"), Err(Unusable::Scheme));
        assert_eq!(admitted(&client, "https://joe:secret@crm.example/"), Err(Unusable::Credentials));
    }

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
