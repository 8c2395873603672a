//! Reads websites of strangers: what their robots.txt allows, one request to a host at a time, HTML only, and no more of it
//! than the settings say. Redirects are followed by hand, and each hop is judged like the first.

mod hosts;

use std::{cell::Cell, collections::HashMap, time::Duration};

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use reqwest::{Method, Response, StatusCode, header};
use robotxt::{AccessResult, Robots};
use tokio::time::timeout;
use url::{Origin, Url};

use super::guard::{Guard, Unusable, refusal};
use crate::config::Prospecting;
use hosts::Hosts;

/// The name that robots.txt knows the hub by.
const NAME: &str = "leadwire";
const MOST_REDIRECTS: usize = 3;
/// Of a robots.txt; RFC 9309 asks for 500 KiB at least.
const ROBOTS_SIZE: usize = 512 * 1024;
/// A site that asks for more between two requests is not waited for that long.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a website has to show that it is there.
const LIVENESS: Duration = Duration::from_secs(5);

/// The client. Clones share their connections and their manners.
#[derive(Debug, Clone)]
pub struct Websites {
    http: reqwest::Client,
    guard: Guard,
    hosts: Hosts,
    page_size: usize,
    pause: Duration,
}

/// Why a page could not be had. The texts are for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// Not somewhere that the hub goes to.
    #[error("{0}")]
    Refused(#[from] Unusable),
    /// The site asks not to be read there.
    #[error("robots.txt forbids it")]
    Forbidden,
    /// One after the other.
    #[error("it redirects more than {MOST_REDIRECTS} times")]
    Redirects,
    /// It leads nowhere.
    #[error("it redirects to what is no URL")]
    BadRedirect,
    /// Nothing that can be read here.
    #[error("it is not HTML")]
    NotHtml,
    /// An answer that says no.
    #[error("it answers {0}")]
    Status(u16),
    /// Nobody answers.
    #[error("it could not be reached")]
    Unreached,
    /// Not in time.
    #[error("it took too long to answer")]
    Slow,
    /// Before or within the answer.
    #[error("the connection broke")]
    Cut,
}

/// A page that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where it was, after redirects.
    pub url: Url,
    /// How it begins, as text.
    pub html: String,
}

impl Websites {
    /// A client that may go to public addresses, and to the networks of the settings.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn new(settings: &Prospecting) -> Result<Self, reqwest::Error> {
        let guard = Guard::new(&settings.allow_private);
        let mut agent = format!("{NAME}/{}", env!("CARGO_PKG_VERSION"));
        if !settings.contact.is_empty() {
            agent = format!("{agent} (+{})", settings.contact);
        }
        let http =
            guard.client().timeout(settings.fetch_timeout).pool_max_idle_per_host(1).user_agent(agent).build()?;
        let page_size = usize::try_from(settings.page_size.as_u64()).unwrap_or(usize::MAX);
        Ok(Self { http, guard, hosts: Hosts::default(), page_size, pause: settings.host_pause })
    }

    /// A visit to one website; what its robots.txt says holds for all of it. `calls` counts requests.
    #[must_use]
    pub fn visit<'a>(&'a self, calls: &'a Cell<u32>) -> Visit<'a> {
        Visit { of: self, robots: HashMap::new(), calls }
    }
}

/// Requests that belong together.
pub struct Visit<'a> {
    of: &'a Websites,
    robots: HashMap<Origin, Robots>,
    calls: &'a Cell<u32>,
}

impl Visit<'_> {
    /// Reads a page.
    ///
    /// # Errors
    /// Why it can't be had.
    pub async fn page(&mut self, url: &Url) -> Result<Page, WebError> {
        let mut url = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            self.of.guard.admit(&url)?;
            self.ask_robots(&url).await?;
            let response = self.request(Method::GET, &url).await?;
            if let Some(to) = redirect(&url, &response) {
                url = to?;
                continue;
            }
            let status = response.status();
            if !status.is_success() {
                return Err(WebError::Status(status.as_u16()));
            }
            let html = html(response, self.of.page_size).await?;
            return Ok(Page { url, html });
        }
        Err(WebError::Redirects)
    }

    /// The status with which a website shows that it is there: of its head, or of itself if it does not like to be asked
    /// for that.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn status(&mut self, url: &Url) -> Result<u16, WebError> {
        self.of.guard.admit(url)?;
        let is_fine = |status: &StatusCode| status.is_success() || status.is_redirection();
        for method in [Method::HEAD, Method::GET] {
            let last = method == Method::GET;
            match timeout(LIVENESS, self.request(method, url)).await.unwrap_or(Err(WebError::Slow)) {
                Ok(response) if last || is_fine(&response.status()) => return Ok(response.status().as_u16()),
                // Whoever is not there for the one is not there for the other.
                Err(error) if last || matches!(error, WebError::Refused(_) | WebError::Unreached) => return Err(error),
                _ => {}
            }
        }
        Err(WebError::Cut)
    }

    /// Whether the site lets the hub read this; looks once.
    async fn ask_robots(&mut self, url: &Url) -> Result<(), WebError> {
        let origin = url.origin();
        if !self.robots.contains_key(&origin) {
            let robots = self.read_robots(url).await?;
            self.robots.insert(origin.clone(), robots);
        }
        let allowed = self.robots.get(&origin).is_some_and(|robots| robots.is_url_allowed(url));
        if allowed { Ok(()) } else { Err(WebError::Forbidden) }
    }

    /// RFC 9309, 2.3.1: what is not there forbids nothing; what can't be had forbids everything.
    async fn read_robots(&mut self, of: &Url) -> Result<Robots, WebError> {
        let mut url = of.join("/robots.txt").map_err(|_| WebError::BadRedirect)?;
        for _ in 0..=MOST_REDIRECTS {
            self.of.guard.admit(&url)?;
            let response = self.request(Method::GET, &url).await?;
            if let Some(to) = redirect(&url, &response) {
                url = to?;
                continue;
            }
            let status = response.status();
            return Ok(match status.as_u16() {
                200..=299 => Robots::parse(&begins(response, ROBOTS_SIZE).await?, NAME),
                429 | 500..=599 => Robots::from_access(AccessResult::Unreachable, NAME),
                _ => Robots::from_access(AccessResult::Unavailable, NAME),
            });
        }
        Ok(Robots::from_access(AccessResult::TooManyRedirects, NAME))
    }

    /// One request, when it is its turn at the host.
    async fn request(&mut self, method: Method, url: &Url) -> Result<Response, WebError> {
        let asked = self.robots.get(&url.origin()).and_then(Robots::crawl_delay).unwrap_or_default();
        let pause = self.of.pause.max(asked.min(LONGEST_PAUSE));
        let _turn = self.of.hosts.turn(url, pause).await;
        self.calls.set(self.calls.get() + 1);
        Ok(self.of.http.request(method, url.clone()).send().await?)
    }
}

impl From<reqwest::Error> for WebError {
    fn from(error: reqwest::Error) -> Self {
        if let Some(refused) = refusal(&error) {
            Self::Refused(refused)
        } else if error.is_connect() {
            Self::Unreached
        } else if error.is_timeout() {
            Self::Slow
        } else {
            Self::Cut
        }
    }
}

/// Where it leads, if it does.
fn redirect(from: &Url, response: &Response) -> Option<Result<Url, WebError>> {
    let to = response.status().is_redirection().then(|| response.headers().get(header::LOCATION)).flatten()?;
    Some(to.to_str().ok().and_then(|to| from.join(to).ok()).ok_or(WebError::BadRedirect))
}

/// How an answer begins; reads no further. What was packed is counted as it is unpacked.
async fn begins(mut response: Response, limit: usize) -> Result<Vec<u8>, WebError> {
    let mut body = Vec::new();
    while body.len() < limit {
        let Some(chunk) = response.chunk().await? else { break };
        body.extend_from_slice(&chunk[..chunk.len().min(limit - body.len())]);
    }
    Ok(body)
}

async fn html(response: Response, limit: usize) -> Result<String, WebError> {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !matches!(essence, "text/html" | "application/xhtml+xml") {
        return Err(WebError::NotHtml);
    }
    let named = kind.split_once("charset=").map(|(_, name)| name.trim_matches(['"', '\'', ' ', ';']));
    let named = named.and_then(|name| Encoding::for_label(name.as_bytes()));
    Ok(text(&begins(response, limit).await?, named))
}

/// In the encoding that is named if that is true, else in UTF-8 if it is that, else in what most of the others are.
fn text(body: &[u8], named: Option<&'static Encoding>) -> String {
    for encoding in named.into_iter().chain([UTF_8]) {
        let (text, _, malformed) = encoding.decode(body);
        // The last character may be cut in two.
        if !malformed || encoding == UTF_8 && std::str::from_utf8(body).is_err_and(|it| it.error_len().is_none()) {
            return text.into_owned();
        }
    }
    WINDOWS_1252.decode(body).0.into_owned()
}

#[cfg(test)]
mod tests;
