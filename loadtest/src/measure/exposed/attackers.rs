//! Strangers who attack, each kind from an address of its own on this machine, bounded in number and rate: what they cost the
//! machine is meant to be little, and what they could cost the hub is not.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Result, bail};
use flate2::{Compression, write::GzEncoder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::oneshot,
    task::LocalSet,
    time::{sleep, timeout},
};

use super::super::Report;

/// How long one holds on to a connection that the hub lets be.
const HOLDS: Duration = Duration::from_mins(2);
/// For an answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A kind of attacker: its name, how many connections it has, and how often each does something, a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Bombs,
    HalfBodies,
    SlowBodies,
    SlowHeads,
    LongHeaders,
    BadSignatures,
    WrongLogins,
    WrongSecrets,
    NoReaders,
}

const KINDS: [(Kind, &str, usize, f64); 9] = [
    (Kind::Bombs, "gzip bombs", 4, 5.0),
    (Kind::HalfBodies, "4 MiB bodies without their last byte", 17, 0.2),
    (Kind::SlowBodies, "bodies of a byte a second at the login", 100, 1.0),
    (Kind::SlowHeads, "connections of a byte a second", 300, 1.0),
    (Kind::LongHeaders, "webhooks with a header of 100 KB", 2, 50.0),
    (Kind::BadSignatures, "webhooks with a bad signature", 4, 50.0),
    (Kind::WrongLogins, "wrong passwords of a known person", 2, 5.0),
    (Kind::WrongSecrets, "wrong secrets at a shared door", 4, 50.0),
    (Kind::NoReaders, "clients that read no answer", 20, 1.0),
];

/// How attempts ended, by kind: a status, or that the connection was cut or stayed.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<(Kind, String), u64>);

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        for (key, count) in other.0 {
            *self.0.entry(key).or_default() += count;
        }
    }

    pub(super) fn report(&self, report: &mut Report) {
        for (kind, name, ..) in KINDS {
            for ((_, ending), count) in self.0.iter().filter(|((of, _), _)| *of == kind) {
                report.count(format!("{name}: {ending}"), *count);
            }
        }
    }
}

/// All of them, until they are stopped: on a thread of their own, so that what they do costs the honest clients nothing but what
/// the hub makes of it.
pub(super) struct Attackers {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<std::io::Result<Tally>>,
}

/// What an attacker knows.
struct Attacker {
    kind: Kind,
    /// Where it comes from.
    from: Ipv4Addr,
    hub: SocketAddr,
    email: String,
    bomb: Rc<[u8]>,
    every: Duration,
    tally: Rc<RefCell<Tally>>,
}

impl Attackers {
    /// `email`: of a person whom strangers know.
    pub(super) fn start(hub: SocketAddr, email: &str) -> Result<Self> {
        let ((stop, stopped), email) = (oneshot::channel(), email.to_owned());
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            LocalSet::new().block_on(&runtime, async {
                let tally = Rc::default();
                spawn(hub, &email, &tally);
                // The sender that is dropped says the same.
                let _ = stopped.await;
                Ok(tally.take())
            })
        };
        Ok(Self { stop, thread: thread::Builder::new().name("attackers".to_owned()).spawn(work)? })
    }

    /// Ends them, and tells how they fared.
    pub(super) fn stop(self) -> Result<Tally> {
        let _ = self.stop.send(());
        let Ok(tally) = self.thread.join() else { bail!("the thread of the attackers panicked") };
        Ok(tally?)
    }
}

fn spawn(hub: SocketAddr, email: &str, tally: &Rc<RefCell<Tally>>) {
    let bomb = bomb();
    for (number, (kind, _, connections, rate)) in (66..).zip(KINDS) {
        for connection in 0..connections {
            let attacker = Attacker {
                kind,
                // Each kind has a network of its own, and three machines there.
                from: Ipv4Addr::new(127, 0, number, 1 + u8::try_from(connection % 3).unwrap_or_default()),
                hub,
                email: email.to_owned(),
                bomb: Rc::clone(&bomb),
                every: Duration::from_secs_f64(1.0 / rate),
                tally: Rc::clone(tally),
            };
            tokio::task::spawn_local(attacker.run());
        }
    }
}

/// 128 MiB in some 128 KB.
fn bomb() -> Rc<[u8]> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let piece = vec![b'0'; 1 << 20];
    let written = (0..128).try_for_each(|_| encoder.write_all(&piece)).and_then(|()| encoder.finish());
    written.unwrap_or_default().into()
}

impl Attacker {
    async fn run(self) {
        loop {
            let ending = match self.strike().await {
                Ok(ending) => ending,
                Err(_) => "cut off".to_owned(),
            };
            *self.tally.borrow_mut().0.entry((self.kind, ending)).or_default() += 1;
            sleep(self.every).await;
        }
    }

    async fn connect(&self) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((self.from, 0).into())?;
        if self.kind == Kind::NoReaders {
            socket.set_recv_buffer_size(4096)?;
        }
        timeout(ANSWER, socket.connect(self.hub)).await?
    }

    fn post(&self, path: &str, headers: &str, length: usize) -> Vec<u8> {
        let hub = self.hub;
        let head = "content-type: application/json\r\n";
        format!("POST {path} HTTP/1.1\r\nhost: {hub}\r\n{head}{headers}content-length: {length}\r\n\r\n").into_bytes()
    }

    async fn strike(&self) -> std::io::Result<String> {
        let mut stream = self.connect().await?;
        match self.kind {
            Kind::Bombs => {
                let head = self.post("/api/login", "content-encoding: gzip\r\n", self.bomb.len());
                answer(&mut stream, &[&head[..], &self.bomb].concat()).await
            }
            Kind::HalfBodies => {
                let length = 4 << 20;
                stream.write_all(&self.post("/webhook", "", length)).await?;
                stream.write_all(&vec![b' '; length - 1]).await?;
                self.hold(&mut stream, &[]).await
            }
            Kind::SlowBodies => {
                stream.write_all(&self.post("/api/login", "", 1000)).await?;
                self.hold(&mut stream, b"{").await
            }
            Kind::SlowHeads => {
                stream.write_all(b"GET / HTTP/1.1\r\nx-slow: ").await?;
                self.hold(&mut stream, b"x").await
            }
            Kind::LongHeaders => {
                let header = format!("unipile-auth: {}\r\n", "x".repeat(100_000));
                answer(&mut stream, &self.post("/api/webhooks/unipile/messages", &header, 0)).await
            }
            Kind::BadSignatures => {
                let header = format!("x-hub-signature-256: sha256={}\r\n", "0".repeat(64));
                let request = [self.post("/webhook", &header, 15), b"{\"object\":\"no\"}".to_vec()].concat();
                answer(&mut stream, &request).await
            }
            Kind::WrongLogins => {
                let body = format!(r#"{{"email":"{}","password":"wrong wrong wrong"}}"#, self.email);
                let request = [self.post("/api/login", "", body.len()), body.into_bytes()].concat();
                answer(&mut stream, &request).await
            }
            Kind::WrongSecrets => {
                let header = format!("unipile-auth: guess number {}\r\n", fastrand::u64(..));
                answer(&mut stream, &self.post("/api/webhooks/unipile/messages", &header, 0)).await
            }
            Kind::NoReaders => {
                let request = format!("GET /client.js HTTP/1.1\r\nhost: {}\r\n\r\n", self.hub);
                stream.write_all(request.repeat(64).as_bytes()).await?;
                let asking = async {
                    while stream.write_all(request.as_bytes()).await.is_ok() {
                        sleep(self.every).await;
                    }
                };
                Ok(if timeout(HOLDS, asking).await.is_ok() { "cut off" } else { "stayed" }.to_owned())
            }
        }
    }

    /// Sends a byte now and then until the hub answers or has enough.
    async fn hold(&self, stream: &mut TcpStream, byte: &[u8]) -> std::io::Result<String> {
        let holding = async {
            let mut head = [0; 64];
            loop {
                match timeout(self.every, stream.read(&mut head)).await {
                    Ok(Ok(0)) => return Ok("cut off".to_owned()),
                    Ok(read) => return Ok(status(&head[..read?])),
                    Err(_) => stream.write_all(byte).await?,
                }
            }
        };
        timeout(HOLDS, holding).await.unwrap_or_else(|_| Ok("stayed".to_owned()))
    }
}

/// Sends a request; the status of its answer.
async fn answer(stream: &mut TcpStream, request: &[u8]) -> std::io::Result<String> {
    // What is refused unread may break off; the answer is there all the same.
    let _ = stream.write_all(request).await;
    let mut head = [0; 64];
    let read = timeout(ANSWER, stream.read(&mut head)).await??;
    Ok(if read == 0 { "cut off".to_owned() } else { status(&head[..read]) })
}

fn status(head: &[u8]) -> String {
    String::from_utf8_lossy(head).split(' ').nth(1).unwrap_or("no HTTP").to_owned()
}
