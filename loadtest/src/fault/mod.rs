//! What goes wrong on purpose: a network or a server that fails ([`Proxy`]), and a PostgreSQL database that one run has to
//! itself, to fail behind it ([`Database`]).
//!
//! Failures of the platform are the simulator's: [`Behaviour`](crate::platform::Behaviour) and
//! [`Deliveries`](crate::platform::meta::Deliveries).

mod carry;
mod database;
mod proxy;
#[cfg(test)]
mod tests;

pub use database::Database;
pub use proxy::{Mode, Proxy};
