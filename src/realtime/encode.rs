//! JSON text to WebSocket frames, once for all sockets.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

use super::close::Close;
use crate::domain::{
    AccountId, EventId, clock,
    envelope::{Body, Envelope, Position},
};

/// An envelope as a WebSocket text frame, with its JSON inside.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The whole frame, ready for any socket.
    pub frame: Bytes,
    /// The JSON text in it; shares the frame's memory.
    pub json: Bytes,
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
    let json = serde_json::to_vec(&json)?;
    let frame = text(&json);
    Ok(Encoded { json: frame.slice(frame.len() - json.len()..), frame })
}

/// A server's text frame.
#[must_use]
pub fn text(payload: &[u8]) -> Bytes {
    frame(0x81, payload)
}

/// A ping without payload.
#[must_use]
pub fn ping() -> Bytes {
    Bytes::from_static(&[0x89, 0])
}

/// The answer to a ping.
#[must_use]
pub fn pong(payload: &[u8]) -> Bytes {
    frame(0x8a, payload)
}

/// A close frame with its code and reason.
#[must_use]
pub fn close(ending: Close) -> Bytes {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_carry_their_length_in_the_shortest_form() {
        assert_eq!(&text(b"hi")[..], b"\x81\x02hi");
        assert_eq!(&text(&[b'x'; 126])[..4], [0x81, 126, 0, 126]);
        assert_eq!(&text(&vec![b'x'; 65_536])[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(&close(Close::Slow)[..4], [0x88, 6, 0x0f, 0xa8]);
    }
}
