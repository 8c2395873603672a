//! Prospecting databases: leads, campaigns and costs, by webhooks of triggers, of Supabase, and of the hub's own outbox.
//!
//! Whose a webhook is tells its bearer token: a source's own, or one of the hub's, with which the payload names the account.
//! The addresses, the limits and the answers are those of the system that its users switch over from.

mod answer;
mod payload;
mod translate;
mod verify;

#[cfg(test)]
mod tests;

use secrecy::SecretString;

use super::{Answer, HandshakeError, Kept, Post, Proof, Provider, raw, routing};
use crate::domain::{
    directory::{Directory, Source},
    event::{NewEvent, Scope, SourceKind},
};

/// The addresses of all sources. The doubled ones are those that the origin really listened at.
pub const DOORS: [&str; 5] = [
    "/api/webhooks/lead-enrichment",
    "/api/webhooks/lead-enrichment/lead-enrichment",
    "/api/webhooks/cost-alert",
    "/api/webhooks/cost-alert/cost-alert",
    "/api/webhooks/campaign-lifecycle",
];

/// The provider.
#[derive(Debug, Clone, Copy)]
pub struct Prospecting;

/// What is expected at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Leads,
    Costs,
    Campaigns,
    /// A source's own: anything.
    Own,
}

impl Door {
    fn of(path: &str) -> Self {
        match path {
            path if path.starts_with("/api/webhooks/lead-enrichment") => Self::Leads,
            path if path.starts_with("/api/webhooks/cost-alert") => Self::Costs,
            path if path.starts_with("/api/webhooks/campaign-lifecycle") => Self::Campaigns,
            _ => Self::Own,
        }
    }
}

impl Provider for Prospecting {
    fn kind(&self) -> SourceKind {
        SourceKind::Prospecting
    }

    fn largest(&self, path: &str) -> Option<usize> {
        match Door::of(path) {
            Door::Leads | Door::Own => Some(10 << 20),
            Door::Costs => Some(1 << 20),
            Door::Campaigns => None,
        }
    }

    fn accepted(&self, post: Post<'_, '_>, kept: Kept) -> Answer {
        answer::accepted(Door::of(post.path), post, kept)
    }

    fn bad_signature(&self, path: &str) -> Answer {
        answer::unauthorized(Door::of(path))
    }

    fn objection(&self, post: Post<'_, '_>) -> Option<Answer> {
        answer::objection(Door::of(post.path), post)
    }

    /// There is none.
    fn handshake(&self, _: &str, _: &SecretString) -> Result<String, HandshakeError> {
        Err(HandshakeError::Token)
    }

    fn proof<'h>(&self, header: &dyn Fn(&str) -> Option<&'h [u8]>) -> Option<Proof<'h>> {
        Proof::secret(verify::token(header(verify::TOKEN)?)?)
    }

    fn split(&self, body: &[u8], directory: &Directory, scope: Scope, of: Option<&Source>) -> Vec<NewEvent> {
        translate::split(body, directory, scope, of)
    }
}
