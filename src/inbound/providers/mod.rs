//! The platforms that send webhooks: a folder each, with the same file names, and one line in [`ALL`].
//!
//! A provider knows its platform's words and nothing else: no HTTP framework, no inbox, no clock. It answers the
//! platform's handshake, checks its signature and takes a body apart into events.

pub mod meta;
mod raw;
mod routing;
mod secret;
pub mod unipile;

#[cfg(test)]
mod mutations;

use secrecy::SecretString;

use crate::domain::{
    directory::Directory,
    event::{NewEvent, Scope, SourceKind},
};

/// Every provider.
pub static ALL: &[&dyn Provider] = &[&meta::Meta, &unipile::Unipile];

/// The provider that a URL calls `name`.
#[must_use]
pub fn named(name: &str) -> Option<&'static dyn Provider> {
    ALL.iter().copied().find(|provider| provider.kind().as_str() == name)
}

/// What a platform's webhooks look like. Nothing here waits, and nothing panics whatever it is given.
pub trait Provider: Sync {
    /// The kind of source that it serves; also its name in URLs.
    fn kind(&self) -> SourceKind;

    /// What the platform is answered on its webhooks.
    fn answers(&self) -> Answers;

    /// Answers the request with which a platform finds out whether the endpoint is ours: the body to send, as plain
    /// text, for a raw `query` string that knows `token`. An empty `token` is one that nobody set: nobody knows it.
    ///
    /// # Errors
    /// If the query is no handshake, or one of somebody who doesn't know the token.
    fn handshake(&self, query: &str, token: &SecretString) -> Result<String, HandshakeError>;

    /// Whether one of `secrets` signed `body`, the bytes exactly as they came. `header` looks a header up by its name
    /// in lower case. Empty secrets sign nothing.
    fn verify<'h>(&self, secrets: &[SecretString], header: &dyn Fn(&str) -> Option<&'h [u8]>, body: &[u8]) -> bool;

    /// Takes a verified body apart: one event for each thing that happened, in the body's order, each on its own, so
    /// that a bad one hides no other. There is always at least one: what can't be understood is kept as a record.
    fn split(&self, body: &[u8], directory: &Directory, scope: Scope) -> Vec<NewEvent>;
}

/// Bodies of the answers to webhooks, plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answers {
    /// With 200: it is kept.
    pub accepted: &'static str,
    /// The signature is missing or wrong.
    pub bad_signature: &'static str,
    /// The HTTP status of that.
    pub bad_signature_status: u16,
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
