//! The platforms, as the hub sees them: webhooks come from them, and lead answers are fetched from them.
//!
//! [`Simulator`] is Meta's Graph API on a loopback port; [`meta`] builds and signs the webhooks that go with it, [`unipile`]
//! builds those of Unipile. What it
//! answers depends only on what it was told and on how often it was asked, never on time or chance.

mod failure;
mod graph;
mod lead;
mod messenger;
pub mod meta;
mod page;
mod simulator;
mod state;
#[cfg(test)]
mod tests;
pub mod unipile;
mod wire;

pub use failure::Failure;
pub use lead::{Ad, Lead};
pub use messenger::{Echo, Sent};
pub use page::{Behaviour, Page};
pub use simulator::{Settings, Simulator};
