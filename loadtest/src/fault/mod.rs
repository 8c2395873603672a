//! What goes wrong on purpose: a network or a server that fails ([`Proxy`]), a PostgreSQL database that one run has to
//! itself, to fail behind it ([`Database`]), a disk that is full ([`disk`]) and a clock that jumps ([`Clock`]).
//!
//! Failures of the platform are the simulator's: [`Behaviour`](crate::platform::Behaviour) and
//! [`Deliveries`](crate::platform::meta::Deliveries).

mod carry;
mod clock;
mod database;
pub mod disk;
mod proxy;
#[cfg(test)]
mod tests;

pub use clock::Clock;
pub use database::Database;
pub use proxy::{Mode, Proxy};
