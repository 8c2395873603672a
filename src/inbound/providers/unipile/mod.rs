//! Unipile: accounts of LinkedIn, WhatsApp, Instagram, Telegram and other messengers behind one API.
//!
//! A body carries one event, flat, with the account at the top. It comes as JSON whatever its `Content-Type` says: webhooks
//! that are registered over the API send none unless told to.

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
pub struct Unipile;

impl Provider for Unipile {
    fn kind(&self) -> SourceKind {
        SourceKind::Unipile
    }

    /// The message inbox that agencies switch over from answers the same.
    fn answers(&self) -> Answers {
        Answers {
            accepted: r#"{"status":"success"}"#,
            bad_signature: "Invalid Unipile-Auth",
            bad_signature_status: 401,
        }
    }

    /// There is none.
    fn handshake(&self, _: &str, _: &SecretString) -> Result<String, HandshakeError> {
        Err(HandshakeError::Token)
    }

    fn verify<'h>(&self, secrets: &[SecretString], header: &dyn Fn(&str) -> Option<&'h [u8]>, _: &[u8]) -> bool {
        header(verify::SECRET).is_some_and(|given| verify::known(secrets, given))
    }

    fn split(&self, body: &[u8], directory: &Directory, scope: Scope) -> Vec<NewEvent> {
        translate::split(body, directory, scope)
    }
}
