//! Meta: pages with Lead Ads and Messenger, and the Instagram accounts behind them.
//!
//! What Meta sends is documented in its Webhooks and Messenger Platform references; where real traffic differs, the
//! comments here say so.

mod conversation;
mod payload;
mod translate;
mod verify;

#[cfg(test)]
mod tests;

use secrecy::SecretString;

use super::{Answers, HandshakeError, Provider, raw, routing, secret};
use crate::domain::{
    directory::Directory,
    event::{NewEvent, Scope, SourceKind},
};

/// The provider.
#[derive(Debug, Clone, Copy)]
pub struct Meta;

impl Provider for Meta {
    fn kind(&self) -> SourceKind {
        SourceKind::Meta
    }

    fn answers(&self) -> Answers {
        Answers { accepted: "EVENT_RECEIVED", bad_signature: "Invalid signature", bad_signature_status: 403 }
    }

    fn handshake(&self, query: &str, token: &SecretString) -> Result<String, HandshakeError> {
        verify::handshake(query, token)
    }

    fn verify<'h>(&self, secrets: &[SecretString], header: &dyn Fn(&str) -> Option<&'h [u8]>, body: &[u8]) -> bool {
        header(verify::SIGNATURE).is_some_and(|signature| verify::signed(secrets, signature, body))
    }

    fn split(&self, body: &[u8], directory: &Directory, scope: Scope) -> Vec<NewEvent> {
        translate::split(body, directory, scope)
    }
}
