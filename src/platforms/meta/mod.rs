//! Meta's Graph API: fetching a lead that a webhook told of.

mod errors;
mod graph;
mod lead;
mod usage;

#[cfg(test)]
mod tests;

pub use errors::{GraphError, PauseScope, Remedy};
pub use graph::{BuildError, Fetched, GraphClient, GraphSettings};
pub use lead::{Origin, lead_from};
pub use usage::Usage;
