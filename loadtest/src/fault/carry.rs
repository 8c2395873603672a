//! One connection through the proxy: both directions in one task, which asks for the mode before each step.

use std::{collections::VecDeque, io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use tokio::{
    io::AsyncWriteExt,
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    time::Instant,
};

use super::Mode;

/// Read at once.
const PIECE: usize = 16 * 1024;
/// Held of one direction; whoever sends more waits, as with a server that doesn't read.
const MOST_HELD: usize = 256 * 1024;

/// Forwards between the client and `upstream` until both are done, one breaks, or the mode says so.
pub(super) async fn carry(mut client: TcpStream, upstream: SocketAddr, mut mode: watch::Receiver<Mode>) {
    let _ = client.set_nodelay(true);
    let Some(mut server) = reach(upstream, &mut mode).await else {
        let _ = client.set_zero_linger();
        return;
    };
    let _ = server.set_nodelay(true);
    let end = Connection::default().forward(client.split(), server.split(), &mut mode).await;
    if matches!(end, End::Broken) {
        // Closed like this, a socket sends RST.
        let _ = client.set_zero_linger();
        let _ = server.set_zero_linger();
    }
}

/// The connection to the server, or none if the client's has to go.
async fn reach(upstream: SocketAddr, mode: &mut watch::Receiver<Mode>) -> Option<TcpStream> {
    let mut gone = false;
    loop {
        let now = *mode.borrow_and_update();
        let attempt = async {
            match now {
                Mode::Freeze => std::future::pending().await,
                Mode::HalfOpen if gone => std::future::pending().await,
                _ => TcpStream::connect(upstream).await,
            }
        };
        if now == Mode::Refuse {
            return None;
        }
        tokio::select! {
            biased;
            changed = mode.changed() => changed.ok()?,
            connected = attempt => match connected {
                Ok(server) => return Some(server),
                // The client isn't told that nobody is there.
                Err(_) if now == Mode::HalfOpen => gone = true,
                Err(_) => return None,
            },
        }
    }
}

/// How a connection ends.
enum End {
    /// Both sides have said all they had to say.
    Done,
    /// Both get RST.
    Broken,
}

/// Which end of a direction broke.
enum Broken {
    From,
    To,
}

#[derive(Default)]
struct Connection {
    up: Direction,
    down: Direction,
    /// Something of the server's was dropped: what follows it would be nonsense.
    torn: bool,
    /// Noticed while the client may not know it.
    server_gone: bool,
}

impl Connection {
    async fn forward(
        mut self,
        (from_client, mut to_client): (ReadHalf<'_>, WriteHalf<'_>),
        (from_server, mut to_server): (ReadHalf<'_>, WriteHalf<'_>),
        mode: &mut watch::Receiver<Mode>,
    ) -> End {
        loop {
            let now = *mode.borrow_and_update();
            let lost = self.torn || self.server_gone;
            let delay = match now {
                Mode::Refuse => return End::Broken,
                Mode::Pass | Mode::Slow { .. } if lost => return End::Broken,
                Mode::Slow { delay } => delay,
                Mode::Pass | Mode::Freeze | Mode::HalfOpen => Duration::ZERO,
            };
            if self.up.closed && self.down.closed {
                return End::Done;
            }
            let step = async {
                match now {
                    Mode::Freeze => std::future::pending().await,
                    Mode::HalfOpen => self.one_way(&from_client, &mut to_server, &from_server).await,
                    _ => tokio::select! {
                        step = self.up.step(&from_client, &mut to_server, delay) => step.is_ok(),
                        step = self.down.step(&from_server, &mut to_client, delay) => step.is_ok(),
                    },
                }
            };
            tokio::select! {
                biased;
                changed = mode.changed() => if changed.is_err() { return End::Broken },
                well = step => if !well { return End::Broken },
            }
        }
    }

    /// A step while only the server hears; false if the client's side broke.
    async fn one_way(&mut self, client: &ReadHalf<'_>, to_server: &mut WriteHalf<'_>, server: &ReadHalf<'_>) -> bool {
        self.torn |= !self.down.waiting.is_empty();
        self.down.forget();
        if self.server_gone {
            return std::future::pending().await;
        }
        tokio::select! {
            step = self.up.step(client, to_server, Duration::ZERO) => match step {
                Ok(()) => {}
                Err(Broken::From) => return false,
                Err(Broken::To) => self.server_gone = true,
            },
            said = read(server), if !self.down.ended => match said {
                Ok(None) => {}
                Ok(Some(said)) if said.is_empty() => {
                    self.torn = true;
                    self.down.ended = true;
                }
                Ok(Some(_)) => self.torn = true,
                Err(_) => self.server_gone = true,
            },
        }
        true
    }
}

/// One direction: what was read and not yet passed on, each piece with its time; an empty piece is the FIN.
#[derive(Default)]
struct Direction {
    waiting: VecDeque<(Instant, Bytes)>,
    held: usize,
    ended: bool,
    closed: bool,
}

impl Direction {
    /// Reads a piece or passes one on, whichever can be done first. May be cancelled: it loses nothing.
    async fn step(&mut self, from: &ReadHalf<'_>, to: &mut WriteHalf<'_>, delay: Duration) -> Result<(), Broken> {
        let due = self.waiting.front().map(|(read_at, _)| *read_at + delay);
        let may_read = !self.ended && self.held < MOST_HELD;
        tokio::select! {
            said = read(from), if may_read => self.keep(said.map_err(|_| Broken::From)?),
            ready = ready_at(due, to), if due.is_some() => {
                ready.map_err(|_| Broken::To)?;
                self.pass_on(to).await.map_err(|_| Broken::To)?;
            }
            else => std::future::pending().await,
        }
        Ok(())
    }

    fn keep(&mut self, said: Option<Bytes>) {
        let Some(piece) = said else { return };
        self.ended = piece.is_empty();
        self.held += piece.len();
        self.waiting.push_back((Instant::now(), piece));
    }

    /// Writes of the oldest piece what goes without waiting.
    async fn pass_on(&mut self, to: &mut WriteHalf<'_>) -> io::Result<()> {
        let Some((_, piece)) = self.waiting.front_mut() else { return Ok(()) };
        if piece.is_empty() {
            // On TCP this is a system call, and is over at once.
            to.shutdown().await?;
            self.closed = true;
            self.waiting.pop_front();
            return Ok(());
        }
        match to.try_write(piece) {
            Ok(written) => {
                let _ = piece.split_to(written);
                self.held -= written;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if piece.is_empty() {
            self.waiting.pop_front();
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.waiting.clear();
        self.held = 0;
    }
}

async fn ready_at(due: Option<Instant>, to: &WriteHalf<'_>) -> io::Result<()> {
    if let Some(due) = due.filter(|due| *due > Instant::now()) {
        tokio::time::sleep_until(due).await;
    }
    to.writable().await
}

/// The next piece, empty at the end; none if there is nothing yet.
async fn read(from: &ReadHalf<'_>) -> io::Result<Option<Bytes>> {
    from.readable().await?;
    let mut piece = Vec::with_capacity(PIECE);
    match from.try_read_buf(&mut piece) {
        // Exactly as large as what was read: many small pieces may wait.
        Ok(_) => Ok(Some(piece.into_boxed_slice().into())),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
