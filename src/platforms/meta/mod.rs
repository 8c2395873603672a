//! Meta's Graph API: fetching a lead that a webhook told of.

mod errors;
mod graph;
mod usage;

#[cfg(test)]
mod tests;

pub use errors::{GraphError, PauseScope, Remedy};
pub use graph::{BuildError, Fetched, GraphClient, GraphSettings};
pub use usage::Usage;
