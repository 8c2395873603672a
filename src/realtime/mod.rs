//! Envelopes to dashboards: a registry gives each its position, a shard on every HTTP worker's thread writes it to the
//! sockets of the sessions that may see it.
//!
//! ```text
//! publishers ─▶ SessionRegistry ─▶ Shard (one a worker thread) ─▶ wires ─▶ sockets
//!                     │ position, encoded once                   ▲
//!                     └─▶ envelope log                 Session ──┘  reads its socket: who am I, which rooms
//! ```
//!
//! Nothing here reads the store. `actix-web-actors` is named in [`session`] and nowhere else.

mod actions;
pub mod close;
pub mod encode;
pub mod limits;
pub mod presence;
pub mod protocol;
pub mod registry;
pub mod rooms;
pub mod session;
pub mod shard;
pub mod transports;
mod unlogged;
pub mod wire;

pub use actions::{Action, Actions};
pub use registry::{AddShard, Publish, PublishError, SessionRegistry};
pub use shard::{Deliver, Drain, Shard, Tell};
