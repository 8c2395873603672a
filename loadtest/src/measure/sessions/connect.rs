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

/// Connections from one loopback address; beyond it, the next address is taken, for its ports run out at 28,000, and those
/// of connections that ended stay taken for a while.
const PER_ADDRESS: usize = 10_000;
/// How long the hub may take for each of its answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// Opens a session and, if there is a room, subscribes to it. `times` is how often it was open before. What comes in
/// text frames besides the answers goes to `other`.
pub(super) async fn open(
    options: &Sessions,
    token: &str,
    index: usize,
    times: usize,
    other: impl FnMut(&[u8]),
) -> Result<(TcpStream, Scanner)> {
    let addresses = options.count.div_ceil(PER_ADDRESS);
    let stream = connect(options.address, times * addresses + index / PER_ADDRESS).await.context("can't connect")?;
    let mut joining = Joining { stream, scanner: Scanner::default(), bytes: Vec::new(), other };
    if let Some(room) = &options.room {
        let joined = timeout(PATIENCE, joining.join(options, token, room));
        joined.await.with_context(|| format!("session {index} was not subscribed in time"))??;
    }
    Ok((joining.stream, joining.scanner))
}

/// Connects from one of the many addresses of the loopback device: the usual one, or one of its own.
async fn connect(address: SocketAddr, from: usize) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if from > 0 {
        let host = u8::try_from(1 + from).map_err(|_| ErrorKind::AddrNotAvailable)?;
        socket.bind((IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)), 0).into())?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A session that is not subscribed yet.
struct Joining<F> {
    stream: TcpStream,
    scanner: Scanner,
    /// Read, and not looked at yet.
    bytes: Vec<u8>,
    other: F,
}

impl<F: FnMut(&[u8])> Joining<F> {
    /// The handshake, the welcome, the subscription.
    async fn join(&mut self, options: &Sessions, token: &str, room: &str) -> Result<()> {
        let bearer = if options.first_frame { String::new() } else { format!("authorization: Bearer {token}\r\n") };
        let handshake = format!(
            "GET /ws HTTP/1.1\r\nhost: {}\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: leadwire.v1\r\n{bearer}\r\n",
            options.address
        );
        self.stream.write_all(handshake.as_bytes()).await?;
        let head = loop {
            if self.stream.read_buf(&mut self.bytes).await? == 0 {
                bail!("the hub closed the connection instead of answering the handshake");
            }
            if let Some(end) = memmem::find(&self.bytes, b"\r\n\r\n") {
                break end + 4;
            }
        };
        if !self.bytes.starts_with(b"HTTP/1.1 101") {
            bail!("the hub refused the WebSocket: {}", String::from_utf8_lossy(&self.bytes[..head]).trim());
        }
        self.bytes.drain(..head);
        if options.first_frame {
            self.say(&json!({"type": "auth", "token": token})).await?;
        }
        self.wait_for(b"\"type\":\"welcome\"").await?;
        self.say(&json!({"type": "subscribe", "room": room})).await?;
        self.wait_for(b"\"type\":\"subscribed\"").await
    }

    async fn say(&mut self, frame: &serde_json::Value) -> Result<()> {
        Ok(self.stream.write_all(&frames::client_text(&frame.to_string())).await?)
    }

    /// Reads until a text frame has this in it.
    async fn wait_for(&mut self, wanted: &[u8]) -> Result<()> {
        let Self { stream, scanner, bytes, other } = self;
        let (mut found, mut refused) = (false, None);
        loop {
            scanner.feed(bytes, |frame| match frame.opcode {
                frames::TEXT if memmem::find(frame.payload, wanted).is_some() => found = true,
                frames::TEXT if memmem::find(frame.payload, b"\"ok\":false").is_some() => {
                    refused = Some(String::from_utf8_lossy(frame.payload).into_owned());
                }
                frames::TEXT => other(frame.payload),
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
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt, StreamExt};
    use tokio::net::TcpListener;
    use tokio_websockets::{Message, ServerBuilder};

    use super::*;

    fn options(address: SocketAddr) -> Sessions {
        let room = Some("account:acc_1".to_owned());
        Sessions { address, count: 1, envelopes: 1, room, at_once: 1, first_frame: false }
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
            for kind in ["new_lead", "subscribed"] {
                socket.send(Message::text(json!({"type": kind}).to_string())).await.unwrap();
            }
            subscribe.as_text().unwrap().to_owned()
        });
        let mut others = 0;
        open(&options, "tok", 0, 1, |_| others += 1).await.unwrap();
        assert_eq!(others, 1, "what is pushed meanwhile is not lost");
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
        let error = open(&options, "tok", 0, 0, |_| ()).await.err().unwrap();
        assert!(error.to_string().contains("401 Unauthorized"), "{error}");
        drop(hub.await);
    }
}
