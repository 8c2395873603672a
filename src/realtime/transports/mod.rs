//! One file a transport. All end in the same registry.

pub mod line;
pub mod socket_io;
pub mod sse;
pub mod websocket;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::http::header::HeaderMap;

use crate::http::Proxies;

/// The address that a session is counted for.
fn client_address(proxies: &Proxies, headers: &HeaderMap, peer: Option<SocketAddr>) -> IpAddr {
    proxies.client(headers, peer.map(|peer| peer.ip())).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}
