//! One file a transport. All end in the same registry.

pub mod socket_io;
pub mod websocket;
