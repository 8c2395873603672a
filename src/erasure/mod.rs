//! Erasure: what was deleted from the database leaves the inbox as well, and dashboards are told.
//!
//! A deletion is a row of the store, in the transaction that deletes. What follows is done by whoever asked or, after a
//! crash or for a command, by the hub that finds the row: from then on nothing of it is pushed, its envelopes in the log
//! become tombstones, its events and raw items are blanked. Each step may be done twice. What is kept where, and for how
//! long, stands in `docs/erasure.md`.

mod eraser;
mod person;

pub use eraser::{EraseError, Eraser, farewell};
pub use person::{Counts, Receipt};
