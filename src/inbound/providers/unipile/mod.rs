//! Unipile: accounts of LinkedIn, WhatsApp, Instagram, Telegram and other messengers behind one API.
//!
//! A body carries one event, flat, with the account at the top. It comes as JSON whatever its `Content-Type` says: webhooks
//! that are registered over the API send none unless told to.

mod payload;
mod translate;

#[cfg(test)]
mod tests;

use secrecy::SecretString;

use super::{Answer, HandshakeError, Kept, Post, Proof, Provider, raw, routing};
use crate::domain::{
    directory::{Directory, Source},
    event::{NewEvent, Scope, SourceKind},
};

/// Carries a secret of the hub's own, as it was registered.
const SECRET: &str = "unipile-auth";

/// The provider.
#[derive(Debug, Clone, Copy)]
pub struct Unipile;

impl Provider for Unipile {
    fn kind(&self) -> SourceKind {
        SourceKind::Unipile
    }

    /// The message inbox that agencies switch over from answers the same.
    fn accepted(&self, _: Post<'_, '_>, _: Kept) -> Answer {
        Answer::plain(200, r#"{"status":"success"}"#)
    }

    fn bad_signature(&self, _: &str) -> Answer {
        Answer::plain(401, "Invalid Unipile-Auth")
    }

    /// There is none.
    fn handshake(&self, _: &str, _: &SecretString) -> Result<String, HandshakeError> {
        Err(HandshakeError::Token)
    }

    /// It signs nothing; it sends the headers that it was told to when the webhook was registered.
    fn proof<'h>(&self, header: &dyn Fn(&str) -> Option<&'h [u8]>) -> Option<Proof<'h>> {
        Proof::secret(header(SECRET)?)
    }

    fn split(&self, body: &[u8], directory: &Directory, scope: Scope, _: Option<&Source>) -> Vec<NewEvent> {
        translate::split(body, directory, scope)
    }
}
