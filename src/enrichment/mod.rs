//! Turning an accepted event into an envelope, within its account's limits: one supervisor an account.
//!
//! ```text
//! ingester ─▶ Supervisors ─▶ AccountSupervisor ─▶ platform's API ─▶ SessionRegistry ─▶ Persister
//!                 ▲ sweep: what is due in the inbox
//! ```
//!
//! Memory is bounded: what does not fit stays in the inbox and is read back. Nothing of one account waits for another.

mod budget;
mod line;
mod pauses;
mod schedule;
mod supervisor;
mod supervisors;

pub use pauses::Pauses;
pub use supervisor::Context;
pub use supervisors::{Arrived, Supervisors, hand_on};
