//! A socket without a WebSocket library: it sends whatever bytes it is told to, and reads only when and as much as it is
//! told to.

use std::{io, net::SocketAddr, ops::Range, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::tally::Ending;

pub(super) const TEXT: u8 = 0x81;
pub(super) const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// How long the hub may take for what it does at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// A head or a frame of the hub is never longer.
const LONGEST: usize = 16 << 20;

/// The connection.
pub(super) struct Raw {
    pub io: TcpStream,
    read: Vec<u8>,
}

/// One frame of the hub.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Close(u16),
    Ping(Vec<u8>),
    Other,
}

impl Raw {
    /// Connects; with `narrow`, a kernel that holds as little for it as it can.
    pub(super) async fn connect(address: SocketAddr, narrow: bool) -> Result<Self, Ending> {
        let connecting = async {
            let socket = TcpSocket::new_v4()?;
            if narrow {
                socket.set_recv_buffer_size(4096)?;
            }
            socket.connect(address).await
        };
        let connected: Result<io::Result<TcpStream>, _> = timeout(PATIENCE, connecting).await;
        match connected {
            Ok(Ok(io)) => Ok(Self { io, read: Vec::new() }),
            _ => Err(Ending::Unreachable),
        }
    }

    /// Sends these bytes as they are.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Ending> {
        match timeout(PATIENCE, self.io.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ending::Cut),
            Err(_) => Err(Ending::Open),
        }
    }

    /// Sends a masked text frame.
    pub(super) async fn send(&mut self, text: &str) -> Result<(), Ending> {
        self.write(&frame(TEXT, text.as_bytes())).await
    }

    /// Becomes a WebSocket.
    pub(super) async fn upgrade(&mut self, headers: &str) -> Result<(), Ending> {
        self.write(handshake(headers).as_bytes()).await?;
        let end = loop {
            if let Some(end) = memchr::memmem::find(&self.read, b"\r\n\r\n") {
                break end + 4;
            }
            match timeout(PATIENCE, self.more(4096)).await {
                Ok(true) => {}
                Ok(false) => return Err(Ending::Cut),
                Err(_) => return Err(Ending::Open),
            }
        };
        let head: Vec<u8> = self.read.drain(..end).collect();
        match status(&head) {
            Some(101) => Ok(()),
            Some(status) => Err(Ending::Refused(status)),
            None => Err(Ending::Cut),
        }
    }

    /// Subscribes, and reads until the hub has said so.
    pub(super) async fn subscribe(&mut self, room: &str, mut seen: impl FnMut(&str)) -> Result<(), Ending> {
        self.send(&format!(r#"{{"type":"subscribe","room":"{room}"}}"#)).await?;
        let subscribed = async {
            loop {
                match self.next().await? {
                    Piece::Text(text) => {
                        seen(&text);
                        if text.contains(r#""type":"subscribed""#) {
                            return Ok(());
                        }
                    }
                    Piece::Close(code) => return Err(Ending::Closed(code)),
                    _ => {}
                }
            }
        };
        timeout(PATIENCE, subscribed).await.unwrap_or(Err(Ending::Open))
    }

    /// The next frame. Pings are answered.
    pub(super) async fn next(&mut self) -> Result<Piece, Ending> {
        loop {
            if let Some(piece) = self.take() {
                if let Piece::Ping(payload) = &piece {
                    self.write(&frame(PONG, payload)).await?;
                }
                return Ok(piece);
            }
            if !self.more(16 * 1024).await {
                return Err(Ending::Cut);
            }
        }
    }

    /// A frame that was read whole.
    pub(super) fn take(&mut self) -> Option<Piece> {
        let (first, payload) = whole(&self.read)?;
        let end = payload.end;
        let piece = piece(first, &self.read[payload]);
        self.read.drain(..end);
        Some(piece)
    }

    /// The HTTP status, when what was read begins with one.
    pub(super) fn status(&self) -> Option<u16> {
        status(&self.read)
    }

    /// Reads up to so many bytes; `false` at the end, and when there is no end.
    pub(super) async fn more(&mut self, most: usize) -> bool {
        let mut chunk = vec![0; most];
        let count = self.io.read(&mut chunk).await.unwrap_or(0);
        self.read.extend_from_slice(&chunk[..count]);
        count > 0 && self.read.len() < LONGEST
    }
}

/// A WebSocket's request, with header lines of the client's choice.
pub(super) fn handshake(headers: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.1 ")?;
    std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()
}

fn piece(first: u8, payload: &[u8]) -> Piece {
    match first {
        TEXT => Piece::Text(String::from_utf8_lossy(payload).into_owned()),
        // A close without a code has this one.
        CLOSE => Piece::Close(payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code))),
        PING => Piece::Ping(payload.to_vec()),
        _ => Piece::Other,
    }
}

/// A client's frame, masked with a key that does change the bytes; `first` is its first byte.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first, payload.len() as u64);
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The beginning of a masked frame that announces so many bytes, without its mask.
#[expect(clippy::cast_possible_truncation, reason = "the arms say how large it is")]
pub(super) fn head(first: u8, length: u64) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..=125 => head.push(0x80 | length as u8),
        126..=0xffff => {
            head.push(0xfe);
            head.extend((length as u16).to_be_bytes());
        }
        _ => {
            head.push(0xff);
            head.extend(length.to_be_bytes());
        }
    }
    head
}

/// The first byte of the first frame, and where its payload lies, if it is all there. A server does not mask.
fn whole(bytes: &[u8]) -> Option<(u8, Range<usize>)> {
    let (&first, length) = (bytes.first()?, *bytes.get(1)?);
    let (from, length) = match length {
        126 => (4_usize, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        length => (2, usize::from(length)),
    };
    let end = from.checked_add(length)?;
    (bytes.len() >= end).then_some((first, from..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_out_of_what_was_read_when_they_are_whole() {
        let long = "x".repeat(300);
        let mut bytes = vec![TEXT, 2, b'{', b'}', CLOSE, 2, 0x0f, 0xa8, TEXT, 126, 1, 44];
        bytes.extend_from_slice(long.as_bytes());
        let mut pieces = Vec::new();
        while let Some((first, payload)) = whole(&bytes) {
            pieces.push(piece(first, &bytes[payload.clone()]));
            bytes.drain(..payload.end);
        }
        assert_eq!(pieces, [Piece::Text("{}".into()), Piece::Close(4008), Piece::Text(long)]);
        assert_eq!((whole(&[TEXT]), whole(&[TEXT, 3, 1, 2]), whole(&[TEXT, 126, 1])), (None, None, None));
        assert_eq!(whole(&[[TEXT, 127].as_slice(), &[0xff; 8]].concat()), None, "a length beyond all memory");
    }

    #[test]
    fn a_clients_frame_is_masked_and_announces_its_length() {
        assert_eq!(frame(TEXT, &[0x37, 0xfa])[..2], [TEXT, 0x82]);
        assert_eq!(frame(TEXT, &[0x37, 0xfa])[6..], [0, 0]);
        assert_eq!(frame(TEXT, &[0; 300])[..4], [TEXT, 0xfe, 1, 44]);
        assert_eq!(head(TEXT, 1 << 62)[..3], [TEXT, 0xff, 0x40]);
    }

    #[test]
    fn the_status_is_read_from_an_answer() {
        assert_eq!((status(b"HTTP/1.1 431 X\r\n"), status(b"HTTP/1.1 4"), status(b"no")), (Some(431), None, None));
    }
}
