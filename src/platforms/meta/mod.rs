//! Meta's Graph API: fetching a lead that a webhook told of. Reading what a webhook tells of a conversation.

mod conversation;
mod errors;
mod graph;
mod lead;
mod send;
mod usage;

#[cfg(test)]
mod tests;

pub use conversation::read;
pub use errors::{GraphError, PauseScope, Remedy};
pub use graph::{BuildError, Fetched, GraphClient, GraphSettings};
pub use lead::{Origin, lead_from};
pub use send::{Reply, SendError};
pub use usage::Usage;
