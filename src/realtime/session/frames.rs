//! The stream of what a client sends: frames, their fragments joined, text checked.
//!
//! The codec looks at a frame's size only once the whole frame is there, so what a header announces is checked here
//! first, before anything is kept. An idle session keeps no buffer: bytes are read into one that the thread shares.

use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    rc::Rc,
    str,
    task::{Context, Poll, ready},
};

use actix_codec::Decoder;
use actix_http::ws::{Codec, Item};
use actix_web_actors::ws::{Frame, ProtocolError};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;

use super::super::{close::Close, wire::Wire};

/// Read at once, by whichever session's turn it is.
const SHARED: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SHARED].into_boxed_slice());
}

/// Opcodes.
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;

/// What came: one frame's worth of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Inbound {
    /// A whole message of text.
    Text(String),
    /// A whole message of bytes.
    Binary(Bytes),
    /// A fragment of a message that is not whole yet.
    Part,
    /// Wants the same bytes back.
    Ping(Bytes),
    /// The answer to a ping.
    Pong,
    /// The client closes.
    Close,
    /// Something that no client may send; how to close, and nothing more is read.
    Broken(Close),
}

/// The stream; it ends with the connection.
pub struct Frames {
    wire: Rc<Wire>,
    partial: BytesMut,
    codec: Codec,
    limit: Rc<Cell<usize>>,
    message: Option<Message>,
    /// So many bytes of the text of a frame that is not whole yet are whole characters.
    whole: usize,
    over: bool,
}

/// A message whose fragments are still coming.
struct Message {
    text: bool,
    payload: BytesMut,
    /// So much of a text is whole characters.
    checked: usize,
}

impl Message {
    /// Adds a fragment. A text that can't become UTF-8 any more is refused at once.
    fn add(&mut self, data: &[u8], limit: usize) -> Result<(), Close> {
        if self.payload.len() + data.len() > limit {
            return Err(Close::TooLarge);
        }
        self.payload.extend_from_slice(data);
        if self.text {
            self.checked += whole_characters(&self.payload[self.checked..])?;
        }
        Ok(())
    }
}

impl Frames {
    /// Reads from the wire's socket; `read` came before. `limit`: bytes of a message at most, as of when it comes.
    #[must_use]
    pub fn new(wire: Rc<Wire>, read: BytesMut, limit: Rc<Cell<usize>>) -> Self {
        // What a header announces is held against the limit before the codec sees it.
        let codec = Codec::new().max_size(usize::MAX);
        Self { wire, partial: read, codec, limit, message: None, whole: 0, over: false }
    }

    fn take(&mut self) -> Option<Inbound> {
        if announced(&self.partial) > self.limit.get() as u64 {
            return Some(Inbound::Broken(Close::TooLarge));
        }
        let inbound = match self.codec.decode(&mut self.partial) {
            Ok(Some(frame)) => {
                self.whole = 0;
                self.join(frame)
            }
            Ok(None) => return self.look_ahead().err().map(Inbound::Broken),
            Err(ProtocolError::Overflow) => Err(Close::TooLarge),
            Err(_) => Err(Close::WebSocket),
        };
        Some(inbound.unwrap_or_else(Inbound::Broken))
    }

    /// Refuses a text as soon as what is there of its frame can't become UTF-8 any more, however much is still to come.
    fn look_ahead(&mut self) -> Result<(), Close> {
        let begun = match (self.partial.first().map(|first| first & 0x0f), &self.message) {
            (Some(TEXT), _) => &[][..],
            (Some(CONTINUATION), Some(message)) if message.text => &message.payload[message.checked..],
            _ => return Ok(()),
        };
        let Some((mask, payload)) = masked(&self.partial) else { return Ok(()) };
        let begun = if self.whole == 0 { begun } else { &[] };
        let fresh = payload.iter().zip(mask.iter().cycle()).skip(self.whole).map(|(byte, mask)| byte ^ mask);
        let text: Vec<u8> = begun.iter().copied().chain(fresh).collect();
        self.whole += whole_characters(&text)?.saturating_sub(begun.len());
        Ok(())
    }

    fn join(&mut self, frame: Frame) -> Result<Inbound, Close> {
        Ok(match frame {
            Frame::Text(payload) => Inbound::Text(text(payload.into())?),
            Frame::Binary(payload) => Inbound::Binary(payload),
            Frame::Continuation(Item::FirstText(data)) => self.begin(true, &data)?,
            Frame::Continuation(Item::FirstBinary(data)) => self.begin(false, &data)?,
            Frame::Continuation(Item::Continue(data)) => {
                self.message.as_mut().ok_or(Close::WebSocket)?.add(&data, self.limit.get())?;
                Inbound::Part
            }
            Frame::Continuation(Item::Last(data)) => {
                let mut message = self.message.take().ok_or(Close::WebSocket)?;
                message.add(&data, self.limit.get())?;
                if message.text {
                    Inbound::Text(text(message.payload.into())?)
                } else {
                    Inbound::Binary(message.payload.freeze())
                }
            }
            Frame::Ping(payload) => Inbound::Ping(payload),
            Frame::Pong(_) => Inbound::Pong,
            Frame::Close(_) => Inbound::Close,
        })
    }

    fn begin(&mut self, text: bool, data: &[u8]) -> Result<Inbound, Close> {
        let message = self.message.insert(Message { text, payload: BytesMut::new(), checked: 0 });
        message.add(data, self.limit.get())?;
        Ok(Inbound::Part)
    }

    /// One read; 0 at the end of the stream.
    fn read(&mut self) -> io::Result<usize> {
        BUFFER.with(|buffer| {
            let mut buffer = buffer.borrow_mut();
            let Some(socket) = self.wire.socket() else { return Ok(0) };
            let count = socket.try_read(&mut buffer)?;
            self.partial.extend_from_slice(&buffer[..count]);
            Ok(count)
        })
    }
}

fn text(payload: Vec<u8>) -> Result<String, Close> {
    String::from_utf8(payload).map_err(|_| Close::NotUtf8)
}

/// How many bytes of a text that may end within a character are whole ones.
fn whole_characters(text: &[u8]) -> Result<usize, Close> {
    match str::from_utf8(text) {
        Ok(text) => Ok(text.len()),
        Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
        Err(_) => Err(Close::NotUtf8),
    }
}

/// The mask of a frame, and what is there of its payload.
fn masked(bytes: &[u8]) -> Option<(&[u8; 4], &[u8])> {
    let header = match bytes.get(1)? & 0x7f {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    bytes.get(header..)?.split_first_chunk()
}

/// The payload length in a frame's header; 0 while too little of it is there to tell.
fn announced(bytes: &[u8]) -> u64 {
    let [_, short, extended @ ..] = bytes else { return 0 };
    match short & 0x7f {
        126 => extended.first_chunk().map_or(0, |length| u16::from_be_bytes(*length).into()),
        127 => extended.first_chunk().map_or(0, |length| u64::from_be_bytes(*length)),
        short => short.into(),
    }
}

impl Stream for Frames {
    type Item = Inbound;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Inbound>> {
        loop {
            // The bytes after an error mean nothing, but they are still read: a client that is told why it is closed
            // must be able to answer, and the connection's end must be seen.
            if self.over {
                self.partial.clear();
                self.message = None;
            } else if let Some(inbound) = self.take() {
                self.over = matches!(inbound, Inbound::Broken(_));
                return Poll::Ready(Some(inbound));
            }
            if self.partial.is_empty() {
                self.partial = BytesMut::new();
            }
            let Some(socket) = self.wire.socket() else { return Poll::Ready(None) };
            if ready!(socket.poll_read_ready(cx)).is_err() {
                return Poll::Ready(None);
            }
            match self.read() {
                Ok(0) => return Poll::Ready(None),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Poll::Ready(None),
            }
        }
    }
}

/// What a client is heard to send whose bytes come in these pieces.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn heard<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> Vec<Inbound> {
    let wire = Wire::pulled(crate::realtime::encode::Encoding::Native, limit, None);
    let (mut frames, mut heard) = (Frames::new(wire, BytesMut::new(), Rc::new(Cell::new(limit))), Vec::new());
    for piece in pieces {
        frames.partial.extend_from_slice(piece);
        while let Some(inbound) = frames.take() {
            let over = matches!(inbound, Inbound::Broken(_));
            heard.push(inbound);
            if over {
                return heard;
            }
        }
    }
    heard
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::encode::Encoding;

    #[test]
    fn a_header_tells_its_length_before_the_payload_comes() {
        assert_eq!(announced(&[0x81, 0x85]), 5);
        assert_eq!(announced(&[0x81, 0xfe, 1, 0]), 256);
        assert_eq!(announced(&[0x81, 0xfe, 1]), 0);
        assert_eq!(announced(&[0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0]), 1 << 62);
    }

    fn joined(fragments: &[&[u8]], limit: usize) -> Vec<Inbound> {
        let wire = Wire::pulled(Encoding::Native, limit, None);
        let mut frames = Frames::new(wire, BytesMut::new(), Rc::new(Cell::new(limit)));
        let (first, rest) = fragments.split_first().unwrap();
        let mut items = vec![Item::FirstText(Bytes::copy_from_slice(first))];
        items.extend(rest.iter().map(|data| Item::Continue(Bytes::copy_from_slice(data))));
        items.push(Item::Last(Bytes::new()));
        let join = |item| frames.join(Frame::Continuation(item)).unwrap_or_else(Inbound::Broken);
        items.into_iter().map(join).filter(|inbound| *inbound != Inbound::Part).collect()
    }

    #[test]
    fn a_text_in_fragments_is_joined_wherever_they_part_it() {
        let fragments: Vec<&[u8]> = "né€😀".as_bytes().chunks(1).collect();
        assert_eq!(joined(&fragments, 10), [Inbound::Text("né€😀".into())]);
        assert_eq!(joined(&fragments, 9)[0], Inbound::Broken(Close::TooLarge));
    }

    #[test]
    fn a_text_that_is_not_utf_8_is_refused_before_its_frame_is_whole() {
        const MASK: [u8; 4] = [1, 2, 3, 4];
        let frame = |first: u8, payload: &[u8], announced: u8| -> Vec<u8> {
            let masked = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
            [first, 0x80 | announced].into_iter().chain(MASK).chain(masked).collect()
        };
        let wire = Wire::pulled(Encoding::Native, 99, None);
        let mut frames = Frames::new(wire, BytesMut::new(), Rc::new(Cell::new(99)));
        let mut feed = |bytes: &[u8]| {
            frames.partial.extend_from_slice(bytes);
            frames.take()
        };
        let (begun, rest) = "€é😀".as_bytes().split_at(2);
        assert_eq!(feed(&frame(0x01, begun, 2)), Some(Inbound::Part));
        for bytes in frame(0x80, rest, 20).chunks(1) {
            assert_eq!(feed(bytes), None, "nothing is wrong so far");
        }
        assert_eq!(feed(&[0xff ^ MASK[rest.len() % 4]]), Some(Inbound::Broken(Close::NotUtf8)));
    }

    #[test]
    fn a_text_that_is_not_utf_8_is_refused_with_the_fragment_that_shows_it() {
        assert_eq!(joined(&[b"a\xe2\x82", b"\xff", b"more"], 99)[0], Inbound::Broken(Close::NotUtf8));
        assert_eq!(joined(&[b"a\xe2\x82"], 99), [Inbound::Broken(Close::NotUtf8)], "it ends within a character");
    }
}
