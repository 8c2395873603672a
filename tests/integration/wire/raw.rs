//! A socket without a WebSocket library: it sends whatever bytes it is told to and reads only when it is told to.

use loadtest::hub::Hub;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::PATIENCE;

/// Final frames: the FIN bit and the opcode.
pub(super) const TEXT: u8 = 0x81;
pub(super) const BINARY: u8 = 0x82;
pub(super) const CLOSE: u8 = 0x88;
pub(super) const PING: u8 = 0x89;
pub(super) const PONG: u8 = 0x8a;
/// Fragments: the first, one in the middle, the last.
pub(super) const TEXT_FIRST: u8 = 0x01;
pub(super) const CONTINUED: u8 = 0x00;
pub(super) const LAST: u8 = 0x80;

/// The connection.
pub(super) struct Raw {
    io: TcpStream,
    read: Vec<u8>,
}

impl Raw {
    /// Connects and is upgraded.
    pub(super) async fn open(hub: &Hub, token: &str) -> Self {
        Self::open_with(hub, "/ws", &format!("Authorization: Bearer {token}\r\n"), b"").await.0
    }

    /// The same with a small receive buffer, so that the hub soon has to wait for the client.
    pub(super) async fn open_narrow(hub: &Hub, token: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let io = socket.connect(hub.address()).await.unwrap();
        let header = format!("Authorization: Bearer {token}\r\n");
        Self::upgrade(io, hub, "/ws", &header, b"").await.0
    }

    /// With header lines of the test's choice, and bytes that come along with the request; also the head of the answer.
    pub(super) async fn open_with(hub: &Hub, path: &str, headers: &str, along: &[u8]) -> (Self, String) {
        let io = TcpStream::connect(hub.address()).await.unwrap();
        Self::upgrade(io, hub, path, headers, along).await
    }

    async fn upgrade(io: TcpStream, hub: &Hub, path: &str, headers: &str, along: &[u8]) -> (Self, String) {
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n",
            hub.address()
        )
        .into_bytes();
        request.extend_from_slice(along);
        let mut raw = Self { io, read: Vec::new() };
        raw.write(&request).await.unwrap();
        let end = loop {
            if let Some(end) = raw.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(raw.more().await, "no answer to the handshake");
        };
        let head = String::from_utf8(raw.read.drain(..end).collect()).unwrap();
        (raw, head)
    }

    /// Sends these bytes as they are.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        timeout(PATIENCE, self.io.write_all(bytes)).await.expect("the hub takes no bytes")
    }

    /// Sends a masked frame; `first` is its first byte.
    pub(super) async fn send(&mut self, first: u8, payload: &[u8]) {
        self.write(&frame(first, payload)).await.unwrap();
    }

    /// The next frame: its first byte and its payload; `None` when the connection has ended.
    pub(super) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((first, from, to)) = whole(&self.read) {
                let payload = self.read[from..to].to_vec();
                self.read.drain(..to);
                return Some((first, payload));
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The next text frame of this type.
    pub(super) async fn json_of(&mut self, kind: &str) -> Value {
        loop {
            let (first, payload) = self.frame().await.unwrap_or_else(|| panic!("the connection ended before `{kind}`"));
            assert_ne!(first, CLOSE, "closed before `{kind}`: {payload:?}");
            if first == TEXT {
                let json: Value = serde_json::from_slice(&payload).unwrap();
                if json["type"] == kind {
                    return json;
                }
            }
        }
    }

    /// The next control frame of this kind; what comes before it is passed over.
    pub(super) async fn control(&mut self, kind: u8) -> Vec<u8> {
        loop {
            let (first, payload) = self.frame().await.expect("the connection ended");
            if first == kind {
                return payload;
            }
        }
    }

    /// The code in the hub's close frame.
    pub(super) async fn code(&mut self) -> u16 {
        let payload = self.control(CLOSE).await;
        u16::from_be_bytes([payload[0], payload[1]])
    }

    /// Reads until the connection has ended.
    pub(super) async fn ended(&mut self) {
        while self.frame().await.is_some() {}
    }

    /// Closes only the writing half.
    pub(super) async fn half_close(&mut self) {
        self.io.shutdown().await.unwrap();
    }

    /// Reads some bytes; `false` at the end.
    async fn more(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        let count = timeout(PATIENCE, self.io.read(&mut chunk)).await.expect("nothing came in time").unwrap_or(0);
        self.read.extend_from_slice(&chunk[..count]);
        count > 0
    }
}

/// A client's frame, masked with a key that does change the bytes.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first, payload.len() as u64);
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The beginning of a masked frame that announces so many bytes, without its mask.
pub(super) fn head(first: u8, length: u64) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..=125 => head.push(0x80 | u8::try_from(length).unwrap()),
        126..=0xffff => {
            head.push(0x80 | 126);
            head.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            head.push(0x80 | 127);
            head.extend(length.to_be_bytes());
        }
    }
    head
}

/// The first byte of the first frame, and where its payload lies, if it is all there. A server does not mask.
fn whole(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (&first, length) = (bytes.first()?, *bytes.get(1)?);
    let (from, length) = match length {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        length => (2, usize::from(length)),
    };
    (bytes.len() >= from + length).then_some((first, from, from + length))
}
