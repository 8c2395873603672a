//! `/socket.io/`: Socket.IO 4 for the pages that used it before, by polling and WebSocket.
//!
//! ```text
//! request ─▶ serve ─▶ session (one a client; found by its id on whatever thread it lives)
//!                       │ engine: transports, requests under way, heartbeat   ◀─ payload reads bodies and frames
//!                       ▼
//!                     application: talk, the hub's own ◀─ client: namespaces, attachments ◀─ packet
//! ```
//!
//! `handshake`, `engine`, `payload`, `client` and `packet` are plain state, input in, outcome out. Written here because an
//! envelope is encoded once for all sessions and the shard counts the bytes that wait for each; the published crates
//! bring queues, clocks and HTTP types of their own and are less strict about what they read.
//! <https://github.com/socketio/socket.io/tree/main/docs> holds both protocols and their test suites;
//! `examples/conformance.rs` is what these are run against.

mod application;
pub mod client;
pub mod engine;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod handshake;
pub mod packet;
pub mod payload;
mod serve;
mod session;
mod table;
mod talk;

pub use application::{Application, Lookup};
pub use serve::{Service, configure, upgrade};
pub use table::Sessions;
pub use talk::Talk;

use std::{rc::Rc, time::Duration};

use crate::{
    http::{Pace, Proxies},
    realtime::shard::ShardState,
};

/// Where stock clients look for it.
pub const PATH: &str = "/socket.io/";
/// For a WebSocket that wants to take a session over.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// The hub's own application on this thread.
#[must_use]
pub fn service(shard: Rc<ShardState>, sessions: Sessions<Talk>, proxies: Proxies, pace: Pace) -> Service<Talk> {
    let bytes = |size: bytesize::ByteSize| usize::try_from(size.as_u64()).unwrap_or(usize::MAX);
    let settings = engine::Settings {
        ping_interval: shard.settings.heartbeat,
        ping_timeout: shard.settings.heartbeat,
        upgrade_timeout: UPGRADE_TIMEOUT,
        max_payload: bytes(shard.settings.max_frame),
    };
    let max_waiting = bytes(shard.settings.max_waiting);
    let origins = shard.auth.origins().clone();
    Service { shared: shard, sessions, settings, max_waiting, origins, proxies, pace }
}
