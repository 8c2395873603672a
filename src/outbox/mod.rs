//! Webhooks that the hub sends: what the database's triggers wrote, delivered to the endpoints that want it.
//!
//! ```text
//! a change ─▶ trigger ─▶ outbox (same transaction) ─▶ Dispatcher ─▶ deliveries ─▶ endpoints
//!                                                         ▲
//!                       our own commits, notifications, a sweep
//! ```
//!
//! The hub itself is such an endpoint, for each prospecting source: what the account's tables tell is handed to its inbox.
//!
//! At least once: a delivery is claimed for a while, and whoever finds it unfinished after that delivers it again, under
//! the same `webhook-id`, by which receivers know it. Once it is delivered it is not delivered again unless a person asks.

mod attempt;
mod client;
mod consent;
mod desk;
mod dispatcher;
mod line;
mod own;
mod pauses;
mod schedule;
mod settling;
mod signature;

pub use client::Client;
pub use desk::{Desk, TestOutcome, Tests};
pub use dispatcher::{Context, Dispatcher, Wake};
pub use own::Own;
pub use pauses::Pauses;
pub use signature::new_secret;
