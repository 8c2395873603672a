//! What all clients do alike: no redirects, an answer of a bounded size, words for a broken connection that hold no URL.

use std::time::Duration;

use reqwest::{Client, Response, redirect::Policy};

use crate::config::certificates;

/// An HTTP client with connections of its own. It follows no redirect: the token goes nowhere else.
///
/// # Errors
/// If it can't be built.
pub fn client(timeout: Duration) -> Result<Client, reqwest::Error> {
    Client::builder()
        .tls_backend_preconfigured(certificates::client())
        .redirect(Policy::none())
        .timeout(timeout)
        // Apart from the whole: who was not reached has certainly done nothing.
        .connect_timeout(timeout / 2)
        .user_agent(concat!("leadwire/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Why no whole answer came. Says it without the error's own text, which has the URL in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Nothing was sent.
    #[error("the platform could not be reached")]
    Unreached,
    /// No answer in time, to what may have been read.
    #[error("the platform took too long to answer")]
    Slow,
    /// Before or within the answer.
    #[error("the connection to the platform broke")]
    Cut,
    /// More than is believed.
    #[error("the platform's answer is too large")]
    TooLarge,
}

impl From<reqwest::Error> for Broken {
    fn from(error: reqwest::Error) -> Self {
        // Reaching it may take too long as well.
        if error.is_connect() {
            Self::Unreached
        } else if error.is_timeout() {
            Self::Slow
        } else {
            Self::Cut
        }
    }
}

/// The answer's body. Counts while it reads: a length that was announced may be a lie, and a small body may unpack to a
/// large one.
///
/// # Errors
/// [`Broken`].
pub async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, Broken> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit {
            return Err(Broken::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
