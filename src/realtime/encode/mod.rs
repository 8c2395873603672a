//! JSON text to what each transport writes, once for all sessions.

mod socket_io;
mod sse;

use std::sync::OnceLock;

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

use super::{close::Close, protocol::ServerFrame};
use crate::domain::{
    AccountId, EventId, Room, Timestamp, clock,
    envelope::{Body, Envelope, Position},
};

/// How a session's transport writes what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// JSON in WebSocket text frames.
    Native,
    /// The same, envelopes only: for clients that know nothing of the hub's own frames.
    Plain,
    /// Socket.IO events in WebSocket text frames.
    SocketIo,
    /// Server-sent events.
    Sse,
}

/// An envelope as JSON, and in every encoding that somebody wants: each is made once, by whoever needs it first.
#[derive(Debug)]
pub struct Encoded {
    native: Bytes,
    /// Where the JSON text begins in the frame.
    json_at: usize,
    socket_io: OnceLock<Bytes>,
    sse: OnceLock<Bytes>,
}

impl Encoded {
    /// From an envelope's JSON text.
    #[must_use]
    pub fn new(json: &[u8]) -> Self {
        let native = text(json);
        Self { json_at: native.len() - json.len(), native, socket_io: OnceLock::new(), sse: OnceLock::new() }
    }

    /// The JSON text; shares the frame's memory.
    #[must_use]
    pub fn json(&self) -> Bytes {
        self.native.slice(self.json_at..)
    }

    /// What is written to a session.
    #[must_use]
    pub fn frame(&self, encoding: Encoding) -> &Bytes {
        match encoding {
            Encoding::Native | Encoding::Plain => &self.native,
            Encoding::SocketIo => self.socket_io.get_or_init(|| socket_io::envelope(&self.json())),
            Encoding::Sse => self.sse.get_or_init(|| sse::envelope(&self.json())),
        }
    }
}

#[derive(Serialize)]
struct Json<'a> {
    r#type: &'static str,
    id: EventId,
    position: Position,
    prev: Option<Position>,
    room: &'a str,
    account: AccountId,
    timestamp: String,
    payload: &'a Body,
}

/// Encodes an envelope at its position.
///
/// # Errors
/// If the payload can't be written as JSON; none of the hub's own can't.
pub fn envelope(envelope: &Envelope, position: Position, prev: Option<Position>) -> serde_json::Result<Encoded> {
    let json = Json {
        r#type: envelope.body.type_name(),
        id: envelope.id,
        position,
        prev,
        room: &envelope.room().to_string(),
        account: envelope.account,
        timestamp: clock::rfc3339(envelope.timestamp),
        payload: &envelope.body,
    };
    Ok(Encoded::new(&serde_json::to_vec(&json)?))
}

#[derive(Serialize)]
struct Notice<'a, T> {
    r#type: &'static str,
    room: &'a str,
    account: AccountId,
    timestamp: String,
    payload: &'a T,
}

/// Encodes what looks like an envelope and is none: it has no id, no position, and is not logged.
///
/// # Errors
/// If the payload can't be written as JSON; none of the hub's own can't.
pub fn notice(kind: &'static str, room: Room, at: Timestamp, payload: &impl Serialize) -> serde_json::Result<Encoded> {
    let (name, timestamp) = (room.to_string(), clock::rfc3339(at));
    let notice = Notice { r#type: kind, room: &name, account: room.account(), timestamp, payload };
    Ok(Encoded::new(&serde_json::to_vec(&notice)?))
}

/// One of the hub's own frames; `None` where they are not wanted.
///
/// # Errors
/// If it can't be written as JSON; none can't.
pub fn server_frame(encoding: Encoding, frame: &ServerFrame<'_>) -> serde_json::Result<Option<Bytes>> {
    match encoding {
        Encoding::Native => Ok(Some(text(&serde_json::to_vec(frame)?))),
        Encoding::Plain => Ok(None),
        Encoding::SocketIo => socket_io::server_frame(frame).map(Some),
        Encoding::Sse => sse::server_frame(frame).map(Some),
    }
}

/// A server's text frame.
#[must_use]
pub fn text(payload: &[u8]) -> Bytes {
    frame(0x81, payload)
}

/// A server's binary frame.
#[must_use]
pub fn binary(payload: &[u8]) -> Bytes {
    frame(0x82, payload)
}

/// What makes a client's side answer, or at least finds out that it is gone; `None` where the transport sees to that.
#[must_use]
pub fn ping(encoding: Encoding) -> Option<Bytes> {
    match encoding {
        Encoding::Native | Encoding::Plain => Some(Bytes::from_static(&[0x89, 0])),
        // An event is sent with every heartbeat anyway, or the transport has heartbeats of its own.
        Encoding::Sse | Encoding::SocketIo => None,
    }
}

/// The answer to a ping.
#[must_use]
pub fn pong(payload: &[u8]) -> Bytes {
    frame(0x8a, payload)
}

/// What says that a session has ended, and why.
#[must_use]
pub fn close(encoding: Encoding, ending: Close) -> Bytes {
    match encoding {
        Encoding::Native | Encoding::Plain => close_frame(ending),
        Encoding::SocketIo => socket_io::close(ending),
        Encoding::Sse => sse::close(ending),
    }
}

/// A WebSocket close frame with its code and reason.
fn close_frame(ending: Close) -> Bytes {
    let mut payload = ending.code().to_be_bytes().to_vec();
    payload.extend_from_slice(ending.reason().as_bytes());
    frame(0x88, &payload)
}

/// RFC 6455, section 5.2: first byte, length in 7, 16 or 64 bits, payload; a server does not mask.
fn frame(first: u8, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(payload.len() + 10);
    frame.put_u8(first);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length), _) if length < 126 => frame.put_u8(length),
        (_, Ok(length)) => {
            frame.put_u8(126);
            frame.put_u16(length);
        }
        _ => {
            frame.put_u8(127);
            frame.put_u64(payload.len() as u64);
        }
    }
    frame.put_slice(payload);
    frame.freeze()
}

/// Of frames as they are written here, the first: its first byte, its payload, and the other frames.
#[must_use]
pub fn split(frames: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[first, length], rest) = frames.split_first_chunk()?;
    let (length, rest) = match length {
        126 => rest.split_first_chunk().map(|(length, rest)| (u16::from_be_bytes(*length).into(), rest))?,
        127 => rest.split_first_chunk().map(|(length, rest)| (u64::from_be_bytes(*length), rest))?,
        length => (length.into(), rest),
    };
    let (payload, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((first, payload, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_split_as_they_were_joined() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let frames = [binary(&payload), text(b"next")].concat();
            assert_eq!(split(&frames), Some((0x82, &payload[..], &text(b"next")[..])));
            assert_eq!(split(&frames[..=length]), None);
        }
    }

    #[test]
    fn frames_carry_their_length_in_the_shortest_form() {
        assert_eq!(&text(b"hi")[..], b"\x81\x02hi");
        assert_eq!(&text(&[b'x'; 126])[..4], [0x81, 126, 0, 126]);
        assert_eq!(&text(&vec![b'x'; 65_536])[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(&close(Encoding::Native, Close::Slow)[..4], [0x88, 6, 0x0f, 0xa8]);
    }
}
