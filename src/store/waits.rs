//! Waits that are longer than any can be: what a clock wrote that was wrong, or another program.

use chrono::TimeDelta;

use super::{Result, Store, engine::run, types::At};
use crate::domain::Timestamp;

impl Store {
    /// What waits for a time later than `longest` from now is due: deliveries, sends, enrichments and thresholds, and what
    /// is claimed for so long is claimed by nobody. Answers how many rows that were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`](super::StoreError::Unavailable) if the database is away.
    pub async fn shorten_waits(&self, now: Timestamp, longest: TimeDelta) -> Result<usize> {
        let (now, latest) = (At(now), At(now.checked_add_signed(longest).unwrap_or(Timestamp::MAX_UTC)));
        run!(self, Append, |c, q| q::waits::shorten(c, now, latest).await)
    }
}
