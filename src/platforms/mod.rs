//! Clients of the platforms' own APIs: what they can be asked, what their errors mean, and how much is left to ask.
//! Readers of what their webhooks brought, in the hub's own words. What strangers run is asked here as well: websites and
//! mail domains, behind a guard.
//!
//! No retrying and no waiting in here: an error says what would help, the caller decides when.

pub mod guard;
pub mod http;
mod item;
pub mod mail;
pub mod meta;
#[cfg(test)]
mod one_call;
#[cfg(test)]
pub(crate) mod one_site;
pub mod prospecting;
pub mod unipile;
pub mod website;
mod words;

/// The member of a kept item that says that the hub sent the message: the rest of it is in the shape of the platform's echo.
pub const SENT_BY_HUB: &str = "sent_by_hub";

/// A kept item that says nothing the hub understands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unreadable {
    /// For people: what it lacks.
    pub reason: String,
}

impl Unreadable {
    /// For this reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}
