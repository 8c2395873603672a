//! The platforms that send webhooks: a folder each, with the same file names, and one line in [`ALL`].
//!
//! A provider knows its platform's words and nothing else: no HTTP framework, no inbox, no clock. It answers the
//! platform's handshake, checks its signature and takes a body apart into events.

pub mod meta;
pub mod proof;
pub mod prospecting;
mod raw;
mod routing;
pub mod unipile;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;

#[cfg(test)]
mod mutations;

use std::borrow::Cow;

pub use proof::Proof;
use secrecy::SecretString;
use serde_json::Value;

use crate::domain::{
    Timestamp,
    directory::{Directory, Source},
    event::{NewEvent, Scope, SourceKind},
};

/// Every provider.
pub static ALL: &[&dyn Provider] = &[&meta::Meta, &unipile::Unipile, &prospecting::Prospecting];

/// The provider that a URL calls `name`.
#[must_use]
pub fn named(name: &str) -> Option<&'static dyn Provider> {
    ALL.iter().copied().find(|provider| provider.kind().as_str() == name)
}

/// What a platform's webhooks look like. Nothing here waits, and nothing panics whatever it is given.
pub trait Provider: Sync {
    /// The kind of source that it serves; also its name in URLs.
    fn kind(&self) -> SourceKind;

    /// The largest body at an address, if the platform has a limit of its own there.
    fn largest(&self, _path: &str) -> Option<usize> {
        None
    }

    /// The answer to a webhook that is kept.
    fn accepted(&self, post: Post<'_, '_>, kept: Kept) -> Answer;

    /// The answer to a webhook whose signature is missing or wrong.
    fn bad_signature(&self, path: &str) -> Answer;

    /// The answer to a verified webhook that is not taken, because it lacks what its address demands.
    fn objection(&self, _post: Post<'_, '_>) -> Option<Answer> {
        None
    }

    /// Answers the request with which a platform finds out whether the endpoint is ours: the body to send, as plain
    /// text, for a raw `query` string that knows `token`. An empty `token` is one that nobody set: nobody knows it.
    ///
    /// # Errors
    /// If the query is no handshake, or one of somebody who doesn't know the token.
    fn handshake(&self, query: &str, token: &SecretString) -> Result<String, HandshakeError>;

    /// What the head says that proves where the webhook comes from; `None` if it is missing or can't be one. `header` looks
    /// a header up by its name in lower case.
    fn proof<'h>(&self, header: &dyn Fn(&str) -> Option<&'h [u8]>) -> Option<Proof<'h>>;

    /// Takes a verified body apart: one event for each thing that happened, in the body's order, each on its own, so
    /// that a bad one hides no other. There is always at least one: what can't be understood is kept as a record. `of` is
    /// the source whose own address or token was used, if it was one's own.
    fn split(&self, body: &[u8], directory: &Directory, scope: Scope, of: Option<&Source>) -> Vec<NewEvent>;
}

/// A webhook, as far as its answer may depend on it.
#[derive(Clone, Copy)]
pub struct Post<'p, 'h> {
    /// The address.
    pub path: &'p str,
    /// Looks a header up by its name in lower case.
    pub header: &'p dyn Fn(&str) -> Option<&'h [u8]>,
    /// The bytes exactly as they came.
    pub body: &'p [u8],
}

/// A webhook was made durable.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// When.
    pub at: Timestamp,
    /// How long that took, in milliseconds.
    pub took_ms: u64,
}

/// An answer to a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Whether the body is told to be JSON, and not plain text.
    pub is_json: bool,
    /// The body.
    pub body: Cow<'static, str>,
}

impl Answer {
    /// In plain text.
    #[must_use]
    pub const fn plain(status: u16, body: &'static str) -> Self {
        Self { status, is_json: false, body: Cow::Borrowed(body) }
    }

    /// In JSON.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, is_json: true, body: body.to_string().into() }
    }
}

/// Why a handshake is refused. Its text is the answer's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The verify token is missing or wrong, or none is set.
    #[error("Invalid verify token")]
    Token,
    /// It asks for something other than a subscription.
    #[error("Invalid mode")]
    Mode,
    /// There is no challenge to echo, or none that is plain short text.
    #[error("Invalid challenge")]
    Challenge,
}

impl HandshakeError {
    /// The HTTP status to refuse with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Token | Self::Mode => 403,
            Self::Challenge => 400,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_is_found_by_its_name_and_no_two_share_one() {
        for provider in ALL {
            let found = named(provider.kind().as_str()).expect("listed");
            assert_eq!(found.kind(), provider.kind());
            assert_eq!(ALL.iter().filter(|other| other.kind() == provider.kind()).count(), 1);
        }
        assert!(named("META").is_none());
    }
}
