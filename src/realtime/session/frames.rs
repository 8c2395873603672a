//! The stream of a client's frames.
//!
//! The codec looks at a frame's size only once the whole frame is there, so what a header announces is checked here
//! first, before anything is kept. An idle session keeps no buffer: bytes are read into one that the thread shares.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_codec::Decoder;
use actix_http::ws::Codec;
use actix_web_actors::ws::{Frame, ProtocolError};
use bytes::BytesMut;
use futures_util::Stream;

use super::super::wire::Wire;

/// Read at once, by whichever session's turn it is.
const SHARED: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SHARED].into_boxed_slice());
}

/// What came.
#[derive(Debug)]
pub enum Inbound {
    /// A frame.
    Frame(Frame),
    /// The beginning of a frame that is too large; nothing more is read.
    TooLarge,
    /// Something that is not WebSocket; nothing more is read.
    Broken(ProtocolError),
}

/// The stream; it ends with the connection, or after the first error.
pub struct Frames {
    wire: Rc<Wire>,
    partial: BytesMut,
    codec: Codec,
    limit: usize,
    over: bool,
}

impl Frames {
    /// Reads from the wire's socket; `read` came before.
    #[must_use]
    pub fn new(wire: Rc<Wire>, read: BytesMut, limit: usize) -> Self {
        Self { wire, partial: read, codec: Codec::new().max_size(limit), limit, over: false }
    }

    fn take(&mut self) -> Option<Inbound> {
        if announced(&self.partial) > self.limit as u64 {
            return Some(Inbound::TooLarge);
        }
        match self.codec.decode(&mut self.partial) {
            Ok(frame) => frame.map(Inbound::Frame),
            Err(error) => Some(Inbound::Broken(error)),
        }
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
            } else if let Some(inbound) = self.take() {
                self.over = !matches!(inbound, Inbound::Frame(_));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_tells_its_length_before_the_payload_comes() {
        assert_eq!(announced(&[0x81, 0x85]), 5);
        assert_eq!(announced(&[0x81, 0xfe, 1, 0]), 256);
        assert_eq!(announced(&[0x81, 0xfe, 1]), 0);
        assert_eq!(announced(&[0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0]), 1 << 62);
    }
}
