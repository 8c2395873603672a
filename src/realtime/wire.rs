//! A session's writing side, shared on one thread by the session that reads and the shard that writes.
//!
//! What the socket does not take at once waits here, and the bytes are counted: the shard sees a client that does not
//! read, whatever its session is doing, and cuts the connection itself. Full means: the session is over.
//!
//! A session without a socket of its own (its transport is HTTP) has a wire that is pulled: all frames wait until a
//! request fetches them. It may get a socket later: at first beside what is pulled, then instead.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    io,
    net::Shutdown,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use actix_rt::net::TcpStream;
use bytes::{Buf, Bytes};
use socket2::SockRef;

use super::{
    close::Close,
    encode::{self, Encoding},
};

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
    /// While the wire is pulled: none, or one beside it.
    io: OnceCell<TcpStream>,
    /// Frames wait until they are fetched.
    pulled: Cell<bool>,
    encoding: Encoding,
    limit: usize,
    waiting: RefCell<VecDeque<Bytes>>,
    bytes: Cell<usize>,
    flushing: Cell<bool>,
    over: Cell<bool>,
    /// Of a pulled wire: whoever waits for a frame.
    puller: RefCell<Option<Waker>>,
    /// Whoever waits until less is waiting.
    patient: RefCell<Option<Waker>>,
    /// Of a pulled wire: the connection that a stalled client keeps, to cut it.
    line: Option<Rc<TcpStream>>,
}

impl Wire {
    /// Takes a socket over; `limit` is the most bytes that may wait.
    #[must_use]
    pub fn new(io: TcpStream, encoding: Encoding, limit: usize) -> Rc<Self> {
        Self::build(OnceCell::from(io), encoding, limit, None)
    }

    /// A wire whose frames are fetched by requests. `line`: a handle of the connection, if there is but one.
    #[must_use]
    pub fn pulled(encoding: Encoding, limit: usize, line: Option<Rc<TcpStream>>) -> Rc<Self> {
        Self::build(OnceCell::new(), encoding, limit, line)
    }

    fn build(io: OnceCell<TcpStream>, encoding: Encoding, limit: usize, line: Option<Rc<TcpStream>>) -> Rc<Self> {
        Rc::new(Self {
            pulled: Cell::new(io.get().is_none()),
            io,
            encoding,
            limit,
            waiting: RefCell::default(),
            bytes: Cell::default(),
            flushing: Cell::default(),
            over: Cell::default(),
            puller: RefCell::default(),
            patient: RefCell::default(),
            line,
        })
    }

    /// The socket, to read from.
    #[must_use]
    pub fn socket(&self) -> Option<&TcpStream> {
        self.io.get()
    }

    /// Puts a socket beside a pulled wire: it can be read from, and written to with [`Wire::aside`].
    ///
    /// # Errors
    /// Gives it back if there is one already.
    pub fn attach(&self, io: TcpStream) -> Result<(), TcpStream> {
        self.io.set(io)
    }

    /// Writes past what is pulled, to the socket beside it. It carries a few bytes at a time and is not waited for.
    pub fn aside(&self, frame: &Bytes) {
        if let Some(io) = self.io.get().filter(|_| self.pulled.get()) {
            let _ = SockRef::from(io).send(frame);
        }
    }

    /// Is done with the socket beside what is pulled.
    pub fn hang_up(&self) {
        self.aside(&encode::close(Encoding::Native, Close::Normal));
        if let Some(io) = self.io.get().filter(|_| self.pulled.get()) {
            let _ = SockRef::from(io).shutdown(Shutdown::Both);
        }
    }

    /// Is pulled no more: what waits and what comes goes to the socket.
    pub fn flow(self: &Rc<Self>) {
        if self.io.get().is_some() && self.pulled.replace(false) && self.bytes.get() > 0 {
            self.begin_flush();
        }
    }

    /// Whether frames wait to be fetched, or will.
    #[must_use]
    pub fn is_pulled(&self) -> bool {
        self.pulled.get()
    }

    /// How this session's frames are written.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The most bytes that may wait.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
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
        let Some(io) = self.io.get().filter(|_| !self.pulled.get()) else {
            self.keep(frame.clone());
            return Sent::Kept;
        };
        // Past the runtime's own book-keeping, which costs a cache miss a session: a socket that takes nothing says so
        // again when the rest is flushed, and the runtime notes it there.
        match SockRef::from(io).send(frame) {
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

    /// The next frame of a pulled wire; `None` when the session is over and nothing is left.
    pub fn poll_pull(&self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(frame) = self.pull() {
            return Poll::Ready(Some(frame));
        }
        if self.over.get() {
            return Poll::Ready(None);
        }
        self.watch(cx);
        Poll::Pending
    }

    /// Wakes whoever pulls when there is another frame, or the session is over.
    pub fn watch(&self, cx: &Context<'_>) {
        *self.puller.borrow_mut() = Some(cx.waker().clone());
    }

    /// The next frame of a pulled wire, if one waits.
    pub fn pull(&self) -> Option<Bytes> {
        let frame = self.waiting.borrow_mut().pop_front()?;
        self.took(frame.len());
        Some(frame)
    }

    /// Whether frames wait.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        self.bytes.get() > 0
    }

    /// Ends when no more than `bytes` wait, or the session is over.
    pub async fn drained(&self, bytes: usize) {
        poll_fn(|cx| {
            if self.bytes.get() <= bytes || self.over.get() {
                return Poll::Ready(());
            }
            *self.patient.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Ends the session: the close frame goes out if the client takes it within a second, then the connection is cut.
    /// What else was waiting is dropped; a client that resumes gets it from the log.
    pub fn end(self: &Rc<Self>, ending: Close) {
        if self.over.replace(true) {
            return;
        }
        // What is pulled is not in the close frame's way.
        if !self.pulled.get() {
            let mut waiting = self.waiting.borrow_mut();
            // A frame that has begun must be finished, or the close frame would end up inside it.
            let begun = self.flushing.get() && waiting.front().is_some();
            waiting.truncate(usize::from(begun));
            self.bytes.set(waiting.iter().map(Bytes::len).sum());
        }
        self.keep(encode::close(self.encoding, ending));
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
        let Some(io) = self.io.get() else { return };
        if !self.over.replace(true) {
            let _ = io.try_write(&encode::close(Encoding::Native, Close::Normal));
        }
        let _ = SockRef::from(io).shutdown(Shutdown::Both);
    }

    /// The session is over without a word from either side.
    pub fn abandon(&self) {
        if !self.pulled.get() {
            return self.cut();
        }
        // The connection is not the session's own: an answer may be on its way there.
        self.over.set(true);
        wake(&self.puller);
        wake(&self.patient);
    }

    /// Ends the connection now; the reading side sees its end.
    pub fn cut(&self) {
        self.over.set(true);
        self.waiting.borrow_mut().clear();
        self.bytes.set(0);
        wake(&self.puller);
        wake(&self.patient);
        let io = self.io.get().map(SockRef::from);
        let Some(socket) = io.or_else(|| self.line.as_deref().map(SockRef::from)) else { return };
        // Without lingering the kernel drops what the client has not read, instead of keeping it for minutes.
        let _ = socket.set_linger(Some(Duration::ZERO));
        let _ = socket.shutdown(Shutdown::Both);
    }

    fn keep(self: &Rc<Self>, frame: Bytes) {
        self.bytes.set(self.bytes.get() + frame.len());
        self.waiting.borrow_mut().push_back(frame);
        if self.pulled.get() {
            wake(&self.puller);
        } else {
            self.begin_flush();
        }
    }

    fn begin_flush(self: &Rc<Self>) {
        if !self.flushing.replace(true) {
            let wire = Rc::clone(self);
            actix_rt::spawn(async move {
                match (wire.flush().await, wire.io.get()) {
                    (Err(_), _) => wire.cut(),
                    // Nothing may follow the close frame. Who sees that can leave at once, whatever it thinks of it.
                    (Ok(()), Some(io)) if wire.over.get() => {
                        let _ = SockRef::from(io).shutdown(Shutdown::Write);
                    }
                    _ => {}
                }
                wire.flushing.set(false);
                // An idle session should hold no buffer.
                wire.waiting.borrow_mut().shrink_to_fit();
            });
        }
    }

    /// Writes what waits, several frames in one call.
    async fn flush(&self) -> io::Result<()> {
        let Some(io) = self.io.get() else { return Ok(()) };
        while self.bytes.get() > 0 {
            io.writable().await?;
            let written = {
                let waiting = self.waiting.borrow();
                let mut slices = [io::IoSlice::new(&[]); VECTORED];
                let mut count = 0;
                for (slice, frame) in slices.iter_mut().zip(waiting.iter()) {
                    *slice = io::IoSlice::new(frame);
                    count += 1;
                }
                io.try_write_vectored(&slices[..count])
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.wrote(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn took(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() - bytes);
        wake(&self.patient);
    }

    fn wrote(&self, mut written: usize) {
        self.took(written);
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

fn wake(waiting: &RefCell<Option<Waker>>) {
    if let Some(waker) = waiting.borrow_mut().take() {
        waker.wake();
    }
}
