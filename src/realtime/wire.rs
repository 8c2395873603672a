//! A socket's writing side, shared on one thread by the session that reads it and the shard that writes to it.
//!
//! What the socket does not take at once waits here, and the bytes are counted: the shard sees a client that does not
//! read, whatever its session is doing, and cuts the connection itself. Full means: the session is over.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    net::Shutdown,
    rc::Rc,
    time::Duration,
};

use actix_rt::net::TcpStream;
use bytes::{Buf, Bytes};
use socket2::SockRef;

use super::{close::Close, encode};

/// How long a client has to take the close frame before the connection is cut.
const LINGER: Duration = Duration::from_millis(800);
/// Frames handed to the kernel in one call.
const VECTORED: usize = 64;

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Written, or waiting its turn.
    Kept,
    /// Not taken: too many bytes are waiting.
    Full,
    /// Not taken: the session is over.
    Over,
}

/// The writing side.
pub struct Wire {
    io: TcpStream,
    limit: usize,
    waiting: RefCell<VecDeque<Bytes>>,
    bytes: Cell<usize>,
    flushing: Cell<bool>,
    over: Cell<bool>,
}

impl Wire {
    /// Takes a socket over; `limit` is the most bytes that may wait.
    #[must_use]
    pub fn new(io: TcpStream, limit: usize) -> Rc<Self> {
        Rc::new(Self {
            io,
            limit,
            waiting: RefCell::default(),
            bytes: Cell::default(),
            flushing: Cell::default(),
            over: Cell::default(),
        })
    }

    /// The socket, to read from.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        &self.io
    }

    /// Whether the session was ended or its socket failed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Writes a frame, or keeps it until the socket takes it.
    pub fn send(self: &Rc<Self>, frame: &Bytes) -> Sent {
        if self.over.get() {
            return Sent::Over;
        }
        if self.bytes.get() > 0 {
            if self.bytes.get() + frame.len() > self.limit {
                return Sent::Full;
            }
            self.keep(frame.clone());
            return Sent::Kept;
        }
        // Past the runtime's own book-keeping, which costs a cache miss a session: a socket that takes nothing says so
        // again when the rest is flushed, and the runtime notes it there.
        match SockRef::from(&self.io).send(frame) {
            Ok(written) if written == frame.len() => Sent::Kept,
            Ok(written) => {
                self.keep(frame.slice(written..));
                Sent::Kept
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.keep(frame.clone());
                Sent::Kept
            }
            Err(_) => {
                self.cut();
                Sent::Over
            }
        }
    }

    /// Ends the session: the close frame goes out if the client takes it within a second, then the connection is cut.
    /// What else was waiting is dropped; a client that resumes gets it from the log.
    pub fn end(self: &Rc<Self>, ending: Close) {
        if self.over.replace(true) {
            return;
        }
        {
            let mut waiting = self.waiting.borrow_mut();
            // A frame that has begun must be finished, or the close frame would end up inside it.
            let begun = self.flushing.get() && waiting.front().is_some();
            waiting.truncate(usize::from(begun));
            self.bytes.set(waiting.iter().map(Bytes::len).sum());
        }
        self.keep(encode::close(ending));
        let wire = Rc::clone(self);
        actix_rt::spawn(async move {
            actix_rt::time::sleep(LINGER).await;
            wire.cut();
        });
    }

    /// The client has sent its close frame: answers it, unless it was itself the answer, and closes.
    pub fn end_answered(self: &Rc<Self>) {
        if self.bytes.get() > 0 {
            // The answer, or the close frame that is still on its way, goes after the frame that has begun.
            return self.end(Close::Normal);
        }
        if !self.over.replace(true) {
            let _ = self.io.try_write(&encode::close(Close::Normal));
        }
        let _ = SockRef::from(&self.io).shutdown(Shutdown::Both);
    }

    /// Ends the connection now; the reading side sees its end.
    pub fn cut(&self) {
        self.over.set(true);
        self.waiting.borrow_mut().clear();
        self.bytes.set(0);
        let socket = SockRef::from(&self.io);
        // Without lingering the kernel drops what the client has not read, instead of keeping it for minutes.
        let _ = socket.set_linger(Some(Duration::ZERO));
        let _ = socket.shutdown(Shutdown::Both);
    }

    fn keep(self: &Rc<Self>, frame: Bytes) {
        self.bytes.set(self.bytes.get() + frame.len());
        self.waiting.borrow_mut().push_back(frame);
        if !self.flushing.replace(true) {
            let wire = Rc::clone(self);
            actix_rt::spawn(async move {
                if wire.flush().await.is_err() {
                    wire.cut();
                }
                wire.flushing.set(false);
                // An idle session should hold no buffer.
                wire.waiting.borrow_mut().shrink_to_fit();
            });
        }
    }

    /// Writes what waits, several frames in one call.
    async fn flush(&self) -> io::Result<()> {
        while self.bytes.get() > 0 {
            self.io.writable().await?;
            let written = {
                let waiting = self.waiting.borrow();
                let mut slices = [io::IoSlice::new(&[]); VECTORED];
                let mut count = 0;
                for (slice, frame) in slices.iter_mut().zip(waiting.iter()) {
                    *slice = io::IoSlice::new(frame);
                    count += 1;
                }
                self.io.try_write_vectored(&slices[..count])
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.took(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn took(&self, mut written: usize) {
        self.bytes.set(self.bytes.get() - written);
        let mut waiting = self.waiting.borrow_mut();
        while let Some(frame) = waiting.front_mut() {
            if written < frame.len() {
                frame.advance(written);
                return;
            }
            written -= frame.len();
            waiting.pop_front();
        }
    }
}
