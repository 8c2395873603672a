//! The platforms, as the hub sees them: webhooks come from them, and lead answers are fetched from them.
//!
//! [`Simulator`] is Meta's Graph API on a loopback port; [`meta`] builds and signs the webhooks that go with it, [`unipile`]
//! is Unipile: bodies, and a simulator of its API with what goes out from it; [`Receiver`] is who gets the hub's own
//! webhooks; [`Town`] has the websites of businesses that prospecting reads, and [`NameServer`] knows their mail domains.
//! What they answer depends only on what they were told and on how often they were asked, never on time or chance.

mod failure;
mod graph;
mod lead;
mod messenger;
pub mod meta;
mod name_server;
mod page;
mod receiver;
mod served;
mod simulator;
mod state;
#[cfg(test)]
mod tests;
mod town;
pub mod unipile;
mod wire;

pub use failure::Failure;
pub use lead::{Ad, Lead};
pub use messenger::{Echo, Sent};
pub use name_server::NameServer;
pub use page::{Behaviour, Page};
pub use receiver::{Answer, Received, Receiver};
pub use simulator::{Settings, Simulator};
pub use town::{Business, Town};
