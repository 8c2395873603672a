//! `/ws` and `/ws/messages`: takes over the TCP stream of an upgrade request and starts a session on it.

use std::rc::Rc;

use actix_codec::Framed;
use actix_http::{HttpMessage, Request, StatusCode, h1, ws};
use actix_rt::net::TcpStream;
use actix_web::http::header::{self, HeaderMap};
use socket2::SockRef;
use tokio::io::AsyncWriteExt;

use super::{
    super::{close::Close, encode::Encoding, protocol::SUB_PROTOCOL, session::Session, shard::ShardState, wire::Wire},
    client_address,
    line::bound_kernel_buffer,
};
use crate::{
    auth::{Credentials, Purpose},
    http::Proxies,
    telemetry::Metrics,
};

/// Answers an upgrade request: a session, or an HTTP error.
///
/// # Errors
/// Only if the socket fails while the answer is written.
pub async fn upgrade(
    request: Request,
    framed: Framed<TcpStream, h1::Codec>,
    shard: Rc<ShardState>,
    proxies: Proxies,
) -> Result<(), actix_web::Error> {
    let parts = framed.into_parts();
    let mut io = parts.io;
    let encoding = match request.path() {
        "/ws" => Encoding::Native,
        // The SetDM inbox's client connects here and reads `{type, payload}`.
        "/ws/messages" => Encoding::Plain,
        _ => return refuse(&mut io, StatusCode::NOT_FOUND, "There is no socket here: connect to /ws\n").await,
    };
    if let Err(error) = ws::verify_handshake(request.head()) {
        let status = match error {
            ws::HandshakeError::GetMethodRequired => StatusCode::METHOD_NOT_ALLOWED,
            ws::HandshakeError::UnsupportedVersion => StatusCode::UPGRADE_REQUIRED,
            _ => StatusCode::BAD_REQUEST,
        };
        return refuse(&mut io, status, &format!("{error}\n")).await;
    }
    io.write_all(&accepted(request.headers())).await?;
    let limit = usize::try_from(shard.settings.max_waiting.as_u64()).unwrap_or(usize::MAX);
    let address = client_address(&proxies, request.headers(), request.peer_addr());
    let peer = request.peer_addr().map(|peer| peer.ip());
    let head = Credentials::from_head(request.headers(), peer, Purpose::Socket, shard.auth.origins());
    drop(request);
    bound_kernel_buffer(&SockRef::from(&io));
    let wire = Wire::new(io, encoding, limit);
    if shard.is_draining() {
        shard.turn_away(&wire);
        return Ok(());
    }
    let (seat, head) = match (shard.limits.admit_address(address), head) {
        (Some(seat), Ok(head)) => (seat, head),
        (None, _) => {
            Metrics::count(&shard.metrics.refused_sessions, "address");
            wire.end(Close::TooMany);
            return Ok(());
        }
        (_, Err(error)) => {
            Metrics::count(&shard.metrics.refused_sessions, "credentials");
            wire.end(Close::from_code(error.close_code()));
            return Ok(());
        }
    };
    Session::open(&shard, wire, parts.read_buf, head, seat);
    Ok(())
}

/// The 101 answer. The sub-protocol is confirmed if it was offered; the token among the offers is never repeated.
#[must_use]
pub fn accepted(headers: &HeaderMap) -> Vec<u8> {
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map_or(&b""[..], header::HeaderValue::as_bytes);
    let mut head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n".to_vec();
    head.extend_from_slice(b"Sec-WebSocket-Accept: ");
    head.extend_from_slice(&ws::hash_key(key));
    head.extend_from_slice(b"\r\n");
    let offered = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|protocol| protocol.trim() == SUB_PROTOCOL);
    if offered {
        head.extend_from_slice(format!("Sec-WebSocket-Protocol: {SUB_PROTOCOL}\r\n").as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Answers with an HTTP error instead.
pub(super) async fn refuse(io: &mut TcpStream, status: StatusCode, text: &str) -> Result<(), actix_web::Error> {
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    io.write_all(answer.as_bytes()).await?;
    io.shutdown().await?;
    Ok(())
}
