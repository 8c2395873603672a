//! Engine.IO packets: one in a WebSocket frame, several in the body of a polling request.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::super::super::encode;

/// Stands between the packets of a polling body.
pub const SEPARATOR: char = '\u{1e}';

/// The session is over.
pub const CLOSE: &str = "1";
/// Asks for [`Packet::Pong`].
pub const PING: &str = "2";
/// The answer to [`Packet::Probe`].
pub const PROBED: &str = "3probe";
/// Nothing; answers a polling request that must not wait on.
pub const NOOP: &str = "6";

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The session is over.
    Close,
    /// The answer to a ping.
    Pong,
    /// Asks whether a WebSocket works, before the upgrade.
    Probe,
    /// From now on the WebSocket is used.
    Upgrade,
    /// Nothing.
    Noop,
    /// For the protocol above.
    Text(&'a str),
    /// An attachment for the protocol above.
    Binary(Cow<'a, [u8]>),
}

/// Not a packet that a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl<'a> Packet<'a> {
    /// Reads a text frame.
    ///
    /// # Errors
    /// If it is none. A client of this version of the protocol neither opens nor pings.
    pub fn from_text(text: &'a str) -> Result<Self, Malformed> {
        Ok(match text {
            "1" => Self::Close,
            "2probe" => Self::Probe,
            "3" => Self::Pong,
            "5" => Self::Upgrade,
            "6" => Self::Noop,
            _ => Self::Text(text.strip_prefix('4').ok_or(Malformed)?),
        })
    }

    /// Takes a binary frame, which is an attachment as it stands.
    #[must_use]
    pub const fn from_binary(bytes: &'a [u8]) -> Self {
        Self::Binary(Cow::Borrowed(bytes))
    }
}

/// Reads the body of a polling request, one packet at a time.
pub fn read(body: &str) -> impl Iterator<Item = Result<Packet<'_>, Malformed>> {
    body.split(SEPARATOR).map(|text| match text.strip_prefix('b') {
        Some(base64) => STANDARD.decode(base64).map(|bytes| Packet::Binary(bytes.into())).map_err(|_| Malformed),
        None => Packet::from_text(text),
    })
}

/// The body that answers a polling request, from what would be WebSocket frames; `close` stands for a close frame.
#[must_use]
pub fn body(chunks: &[Bytes], close: &str) -> String {
    let mut body = String::with_capacity(chunks.iter().map(Bytes::len).sum());
    for chunk in chunks {
        let mut frames = &chunk[..];
        while let Some((kind, payload, rest)) = encode::split(frames) {
            frames = rest;
            if !body.is_empty() {
                body.push(SEPARATOR);
            }
            match kind {
                0x81 => body.push_str(&String::from_utf8_lossy(payload)),
                0x82 => {
                    body.push('b');
                    STANDARD.encode_string(payload, &mut body);
                }
                _ => body.push_str(close),
            }
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::{close::Close, encode::Encoding};

    fn all(body: &str) -> Result<Vec<Packet<'_>>, Malformed> {
        read(body).collect()
    }

    #[test]
    fn a_body_holds_one_packet_or_several_text_and_binary() {
        assert_eq!(all("4hello"), Ok(vec![Packet::Text("hello")]));
        assert_eq!(all("4a\u{1e}4\u{1e}4é"), Ok(vec![Packet::Text("a"), Packet::Text(""), Packet::Text("é")]));
        let binary = Packet::Binary(vec![1, 2, 3, 4].into());
        assert_eq!(all("4hello\u{1e}bAQIDBA=="), Ok(vec![Packet::Text("hello"), binary]));
    }

    #[test]
    fn an_answer_holds_what_would_be_frames() {
        let chunks = [encode::text("4é".as_bytes()), encode::binary(&[1, 2, 3, 4])];
        assert_eq!(body(&chunks, CLOSE), "4é\u{1e}bAQIDBA==");
        let close = encode::close(Encoding::SocketIo, Close::Forbidden);
        assert_eq!(body(&[close], CLOSE), "41\u{1e}1");
        assert_eq!(body(&[], CLOSE), "");
    }

    #[test]
    fn what_a_client_may_not_send_is_no_packet() {
        for text in ["", "abc", "0", "0{}", "2", "2 probe", "3probe", "7", "1x", "3x", "5x", "6x", "é", "bAQID"] {
            assert_eq!(Packet::from_text(text), Err(Malformed), "{text:?}");
        }
        for body in ["", "4a\u{1e}", "\u{1e}4a", "bAQIDBA", "b====", "bé", "4a\u{1e}abc"] {
            assert_eq!(all(body), Err(Malformed), "{body:?}");
        }
    }

    #[test]
    fn no_body_whatever_makes_the_reader_panic_or_lose_a_text() {
        let mut random = fastrand::Rng::with_seed(7);
        let alphabet: Vec<char> = "0123456bprobe=/+ A\u{1e}\u{1e}é\u{0}\u{10ffff}".chars().collect();
        for _ in 0..50_000 {
            let body: String = (0..random.usize(..12)).map(|_| alphabet[random.usize(..alphabet.len())]).collect();
            for (text, packet) in body.split(SEPARATOR).zip(read(&body)) {
                match packet {
                    Ok(Packet::Text(inner)) => assert_eq!(text, format!("4{inner}")),
                    Ok(Packet::Binary(bytes)) => assert_eq!(text, format!("b{}", STANDARD.encode(bytes))),
                    Ok(_) | Err(Malformed) => {}
                }
            }
        }
    }
}
