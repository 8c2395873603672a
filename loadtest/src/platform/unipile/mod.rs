//! Unipile: the bodies of its webhooks, and a simulator of a workspace at its API: registered webhooks and what they are
//! sent, lists of chats and messages, sending.

mod bodies;
mod deliver;
mod routes;
mod state;
#[cfg(test)]
mod tests;
mod workspace;

pub use bodies::{Connected, HEADER, post};
pub use state::Trouble;
pub use workspace::Workspace;
