//! One file a transport. All end in the same registry.

pub mod line;
pub mod socket_io;
pub mod sse;
pub mod websocket;

use std::net::{IpAddr, Ipv4Addr};

use actix_web::http::header::HeaderMap;

use crate::auth::client_address;

/// Whether the peer is a proxy whose word about the client's address is taken.
#[derive(Debug, Clone, Copy)]
pub struct TrustProxy(pub bool);

impl TrustProxy {
    /// Whose session it is counted as.
    fn address(self, headers: &HeaderMap, peer: Option<std::net::SocketAddr>) -> IpAddr {
        let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        client_address(headers, peer.map(|peer| peer.ip()), self.0).unwrap_or(unknown)
    }
}
