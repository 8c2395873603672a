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

use super::{Answer, HandshakeError, Kept, Post, Proof, Provider, proof, raw, routing};
use crate::domain::{
    directory::{Directory, Source},
    event::{NewEvent, Scope, SourceKind},
};

/// The provider.
#[derive(Debug, Clone, Copy)]
pub struct Meta;

impl Provider for Meta {
    fn kind(&self) -> SourceKind {
        SourceKind::Meta
    }

    fn accepted(&self, _: Post<'_, '_>, _: Kept) -> Answer {
        Answer::plain(200, "EVENT_RECEIVED")
    }

    fn bad_signature(&self, _: &str) -> Answer {
        Answer::plain(403, "Invalid signature")
    }

    fn handshake(&self, query: &str, token: &SecretString) -> Result<String, HandshakeError> {
        verify::handshake(query, token)
    }

    fn proof<'h>(&self, header: &dyn Fn(&str) -> Option<&'h [u8]>) -> Option<Proof<'h>> {
        verify::signature(header(verify::SIGNATURE)?).map(Proof::Signature)
    }

    fn split(&self, body: &[u8], directory: &Directory, scope: Scope, _: Option<&Source>) -> Vec<NewEvent> {
        translate::split(body, directory, scope)
    }
}
