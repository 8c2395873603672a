//! Writing to the store what has been pushed: rate-limited, batched, patient.

mod persister;

pub use persister::{Persister, Store};
