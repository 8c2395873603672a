//! Unipile: its API, and reading what its webhooks tell of conversations and of the accounts they are in.

mod address;
mod client;
mod errors;
mod event;
mod listed;
mod lists;
mod status;

#[cfg(test)]
mod client_tests;
#[cfg(test)]
mod tests;

pub use address::{AddressError, api_url};
pub use client::{Of, SendError, UnipileClient, Workspace};
pub use errors::{Remedy, UnipileError};
pub use event::read;
pub use listed::{ListedMessage, Surroundings};
pub use lists::{Header, ListedAttendee, ListedChat, NewWebhook, Page, Webhook};
pub use status::account_state;
