//! What clients may send on a WebSocket, for [fuzzing](crate::fuzzing).

use serde_json::Value;

use super::frames::{Inbound, heard};
use crate::realtime::{close::Close, protocol::Asked};

/// Of a message, in bytes.
const LIMIT: usize = 512;

/// A text frame: every JSON object is read, and keeps its reference whatever else is in it; nothing else is one.
pub fn frames(data: &[u8]) {
    let object = match serde_json::from_slice(data) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    };
    let asked = Asked::read(data);
    assert_eq!(asked.is_some(), object.is_some(), "an object is a frame, and nothing else is");
    let (Some(asked), Some(object)) = (asked, object) else { return };
    assert_eq!(asked.reference.as_ref(), object.get("ref"), "its answer would refer to something else");
    match asked.frame {
        Ok(_) => assert!(object.get("type").is_some_and(Value::is_string)),
        Err(refusal) => assert!(!refusal.message.is_empty()),
    }
}

/// Bytes from a socket: however they are cut into pieces, the same is heard, nothing longer than the limit, and nothing
/// after an error.
pub fn websocket(data: &[u8]) {
    let whole = heard([data], LIMIT);
    for inbound in &whole {
        let length = match inbound {
            Inbound::Text(text) => text.len(),
            Inbound::Binary(bytes) | Inbound::Ping(bytes) => bytes.len(),
            Inbound::Part | Inbound::Pong | Inbound::Close | Inbound::Broken(_) => 0,
        };
        assert!(length <= LIMIT, "{length} bytes were taken");
    }
    let broken = |heard: &[Inbound]| heard.iter().position(|inbound| matches!(inbound, Inbound::Broken(_)));
    assert!(broken(&whole).is_none_or(|at| at + 1 == whole.len()), "something is heard after an error");
    for size in [1, 2, 7, 64] {
        let pieces = heard(data.chunks(size), LIMIT);
        // A text that is no UTF-8 may be refused before a later error of its frame is seen.
        let same = |(one, other): (&Inbound, &Inbound)| {
            one == other
                || matches!(
                    (one, other),
                    (Inbound::Broken(_), Inbound::Broken(Close::NotUtf8 | Close::WebSocket | Close::TooLarge))
                )
        };
        assert!(whole.len() == pieces.len() && whole.iter().zip(&pieces).all(same), "{whole:?} became {pieces:?}");
    }
}
