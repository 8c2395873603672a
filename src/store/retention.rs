//! Retention of what grows with every day.

use super::{Result, Store, engine::run, types::At};
use crate::domain::Timestamp;

/// What has a time after which it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// What calls have cost.
    Costs,
    /// What happened to campaigns.
    Lifecycle,
    /// Alerts that were resolved.
    Alerts,
    /// Files that were made of campaigns.
    Files,
}

impl Store {
    /// Removes what is older than that, a piece at a time; answers how many rows that were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](super::StoreError::Unavailable) if the database is away.
    pub async fn prune(&self, what: Kept, before: Timestamp) -> Result<usize> {
        let before = At(before);
        run!(self, Append, |c, q| q::retention::prune(c, what, before).await)
    }
}
