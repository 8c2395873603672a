//! Socket.IO 4: its two protocols as plain state, input in, outcome out; sockets, requests and timers are outside.
//!
//! ```text
//! request ─▶ handshake ─▶ engine (one session: polling, upgrade, heartbeat) ─▶ client (namespaces, attachments) ─▶ events
//!                           │ frames and bodies are read by `payload`              │ packets are read by `packet`
//! ```
//!
//! Written here because an envelope is encoded once for all sessions and the shard counts the bytes that wait for each;
//! the published crates bring queues, clocks and HTTP types of their own and are less strict about what they read.
//! <https://github.com/socketio/socket.io/tree/main/docs> holds both protocols and their test suites.

pub mod client;
pub mod engine;
pub mod handshake;
pub mod packet;
pub mod payload;
