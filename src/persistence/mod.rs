//! Writing to the store what has been pushed: rate-limited, batched, patient.

mod first_seen;
mod persister;
mod queue;
mod recall;
mod writing;

use std::time::Duration;

pub use first_seen::mark_first_seen;
pub use persister::{Announce, Keep, Persister, Store};
pub use recall::Recall;

/// First wait while the database is away; each is twice the one before.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
