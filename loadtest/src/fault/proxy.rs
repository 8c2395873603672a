//! The proxy: its port, its thread and its mode. What becomes of a connection is in [`carry`](super::carry).

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime,
    sync::{mpsc as commands, watch},
    task::JoinSet,
};

use super::carry::carry;

/// Connections that the kernel keeps for the proxy until it takes them.
const BACKLOG: u32 = 1024;

/// What the proxy does with connections, those under way included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Forwards everything, with both sides' FIN and RST.
    Pass,
    /// Connections get RST and new ones are refused: the server was stopped.
    Refuse,
    /// Connections are accepted and none is closed, but nothing is read or forwarded: the server got SIGSTOP, or a switch
    /// swallows all. What waits is forwarded when this ends.
    Freeze,
    /// Client to server is forwarded. What the server says, its FIN and RST included, never reaches the client. A connection
    /// that lost something gets RST when a mode is set in which it would be missed.
    HalfOpen,
    /// Everything is forwarded in order, each piece so long after it came. At most 256 KiB are on their way in a direction.
    Slow {
        /// How long a piece is held back.
        delay: Duration,
    },
}

/// A TCP proxy on a loopback port, with a thread of its own, so that it doesn't wait for a busy test. It and its
/// connections end when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    /// None only while it is dropped. Whoever sends holds it until the answer is there, so one place is enough.
    commands: Mutex<Option<commands::Sender<Command>>>,
    thread: Option<JoinHandle<()>>,
}

struct Command {
    mode: Mode,
    done: mpsc::Sender<()>,
}

/// The port stays ours while it is shut: a socket that is bound and doesn't listen refuses.
enum Door {
    Open(TcpListener),
    Shut(TcpSocket),
}

impl Proxy {
    /// Starts forwarding to `upstream`, which need not be there yet.
    ///
    /// # Errors
    /// If there is no port or no thread for it.
    pub fn start(upstream: SocketAddr) -> Result<Self> {
        let (commands, asked) = commands::channel(1);
        let (started, wait) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("proxy".to_owned())
            .spawn(move || run(upstream, asked, &started))
            .context("no thread for the proxy")?;
        let address = wait.recv().context("the proxy's thread ended at once")??;
        Ok(Self { address, commands: Mutex::new(Some(commands)), thread: Some(thread) })
    }

    /// Where clients connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what happens to connections. When this returns, it is so: nothing more goes by the mode before.
    ///
    /// # Panics
    /// If the proxy's thread has ended, which takes a panic in it.
    pub fn set(&self, mode: Mode) {
        let (done, wait) = mpsc::channel();
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = commands.as_ref().is_some_and(|commands| commands.try_send(Command { mode, done }).is_ok());
        assert!(sent && wait.recv().is_ok(), "the proxy's thread has ended");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.commands.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(upstream: SocketAddr, asked: commands::Receiver<Command>, started: &mpsc::Sender<Result<SocketAddr>>) {
    // One thread: a command runs between the steps of the connections, never beside one.
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(error.into()))),
    };
    runtime.block_on(async move {
        let door = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).and_then(|socket| Ok(socket.listen(BACKLOG)?));
        let opened = door.and_then(|door| Ok((door.local_addr()?, door)));
        match opened {
            Ok((address, door)) => {
                let _ = started.send(Ok(address));
                serve(address, Door::Open(door), upstream, asked).await;
            }
            Err(error) => drop(started.send(Err(error))),
        }
    });
}

async fn serve(address: SocketAddr, mut door: Door, upstream: SocketAddr, mut asked: commands::Receiver<Command>) {
    let mode = watch::Sender::new(Mode::Pass);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            command = asked.recv() => {
                let Some(command) = command else { break };
                mode.send_replace(command.mode);
                door = turn(door, address, command.mode).await;
                if command.mode == Mode::Refuse {
                    while connections.join_next().await.is_some() {}
                }
                let _ = command.done.send(());
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            client = accepted(&door) => {
                connections.spawn(carry(client, upstream, mode.subscribe()));
            }
        }
    }
    mode.send_replace(Mode::Refuse);
    drop(door);
    while connections.join_next().await.is_some() {}
}

/// Opens the door, or shuts it, as the mode wants.
async fn turn(door: Door, address: SocketAddr, mode: Mode) -> Door {
    match door {
        Door::Open(listener) if mode == Mode::Refuse => {
            drop(listener);
            Door::Shut(hold(address).await)
        }
        Door::Shut(mut socket) if mode != Mode::Refuse => loop {
            match socket.listen(BACKLOG) {
                Ok(listener) => break Door::Open(listener),
                Err(_) => socket = hold(address).await,
            }
        },
        same => same,
    }
}

async fn accepted(door: &Door) -> TcpStream {
    loop {
        match door {
            Door::Shut(_) => std::future::pending().await,
            Door::Open(listener) => match listener.accept().await {
                Ok((client, _)) => return client,
                // Out of files, or a client that is gone already.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
        }
    }
}

/// The port again, after the moment in which it was nobody's.
async fn hold(address: SocketAddr) -> TcpSocket {
    loop {
        match bound(address) {
            Ok(socket) => return socket,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

fn bound(address: SocketAddr) -> Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address).with_context(|| format!("can't listen on {address}"))?;
    Ok(socket)
}
