//! How one of the many sessions is opened.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use memchr::memmem;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::{
    super::frames::{self, Scanner},
    Sessions,
};

/// Connections from one loopback address; beyond it, the next address is taken, for its ports run out at 28,000.
const PER_ADDRESS: usize = 20_000;
/// How long the hub may take for each of its answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// Opens a session and, if there is a room, subscribes to it.
pub(super) async fn open(options: &Sessions, token: &str, index: usize) -> Result<(TcpStream, Scanner)> {
    let mut stream = connect(options.address, index).await.context("can't connect")?;
    let mut scanner = Scanner::default();
    if let Some(room) = &options.room {
        let joined = timeout(PATIENCE, join(&mut stream, &mut scanner, options.address, token, room));
        joined.await.with_context(|| format!("session {index} was not subscribed in time"))??;
    }
    Ok((stream, scanner))
}

async fn connect(address: SocketAddr, index: usize) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if index >= PER_ADDRESS {
        let host = u8::try_from(1 + index / PER_ADDRESS).map_err(|_| ErrorKind::AddrNotAvailable)?;
        socket.bind((IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)), 0).into())?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The handshake, the welcome, the subscription.
async fn join(
    stream: &mut TcpStream,
    scanner: &mut Scanner,
    address: SocketAddr,
    token: &str,
    room: &str,
) -> Result<()> {
    let handshake = format!(
        "GET /ws HTTP/1.1\r\nhost: {address}\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: leadwire.v1\r\n\
         authorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(handshake.as_bytes()).await?;
    let mut answer = Vec::new();
    let head = loop {
        if stream.read_buf(&mut answer).await? == 0 {
            bail!("the hub closed the connection instead of answering the handshake");
        }
        if let Some(end) = memmem::find(&answer, b"\r\n\r\n") {
            break end + 4;
        }
    };
    if !answer.starts_with(b"HTTP/1.1 101") {
        bail!("the hub refused the WebSocket: {}", String::from_utf8_lossy(&answer[..head]).trim());
    }
    let mut early = answer.split_off(head);
    wait_for(stream, scanner, &mut early, b"\"type\":\"welcome\"").await?;
    let subscribe = json!({"type": "subscribe", "room": room}).to_string();
    stream.write_all(&frames::client_text(&subscribe)).await?;
    wait_for(stream, scanner, &mut early, b"\"type\":\"subscribed\"").await
}

/// Reads until a text frame has this in it; `bytes` was read before and is used up first.
async fn wait_for(stream: &mut TcpStream, scanner: &mut Scanner, bytes: &mut Vec<u8>, wanted: &[u8]) -> Result<()> {
    let (mut found, mut refused) = (false, None);
    loop {
        scanner.feed(bytes, |frame| match frame.opcode {
            frames::TEXT if memmem::find(frame.payload, wanted).is_some() => found = true,
            frames::TEXT if memmem::find(frame.payload, b"\"ok\":false").is_some() => {
                refused = Some(String::from_utf8_lossy(frame.payload).into_owned());
            }
            frames::CLOSE => refused = Some(super::close_reason(frame.payload)),
            _ => {}
        });
        bytes.clear();
        if let Some(why) = refused {
            bail!("the hub refused: {why}");
        }
        if found {
            return Ok(());
        }
        if stream.read_buf(bytes).await? == 0 {
            bail!("the hub closed the connection");
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt, StreamExt};
    use tokio::net::TcpListener;
    use tokio_websockets::{Message, ServerBuilder};

    use super::*;

    fn options(address: SocketAddr) -> Sessions {
        Sessions { address, count: 1, envelopes: 1, room: Some("account:acc_1".to_owned()) }
    }

    #[tokio::test]
    async fn a_session_shakes_hands_waits_for_the_welcome_and_subscribes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = options(listener.local_addr().unwrap());
        let hub = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (request, mut socket) = ServerBuilder::new().accept(stream).await.unwrap();
            assert_eq!(request.headers()["authorization"], "Bearer tok");
            socket.send(Message::text(json!({"type": "welcome"}).to_string())).await.unwrap();
            let subscribe = socket.next().await.unwrap().unwrap();
            socket.send(Message::text(json!({"type": "subscribed"}).to_string())).await.unwrap();
            subscribe.as_text().unwrap().to_owned()
        });
        open(&options, "tok", 0).await.unwrap();
        let subscribe: serde_json::Value = serde_json::from_str(&hub.await.unwrap()).unwrap();
        assert_eq!(subscribe, json!({"type": "subscribe", "room": "account:acc_1"}));
    }

    #[tokio::test]
    async fn a_refusal_is_shown() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = options(listener.local_addr().unwrap());
        let hub = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            stream
        });
        let error = open(&options, "tok", 0).await.err().unwrap();
        assert!(error.to_string().contains("401 Unauthorized"), "{error}");
        drop(hub.await);
    }
}
