//! Many dashboards in one process, as cheap as can be: one task and one socket each, one buffer for all of them, messages
//! counted by a mark in their text. A process of its own, so that its CPU time is not the hub's, nor the publisher's.
//!
//! Told to `connect`, it says `connected <n>` meanwhile and `ready <json>` when all are subscribed; told to `cut`, it breaks
//! all connections at once and says `gone`; told to `finish`, it says `tally <json>` and ends. It says `done <number> <ms>`
//! when all have the envelope of that number.

mod connect;
mod plan;
mod remote;
mod tally;

use std::{
    cell::RefCell,
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Poll, ready},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
    sync::mpsc,
    task::{JoinSet, LocalSet},
};

use super::{
    frames,
    latency::{Latencies, Quantiles},
};
use connect::Scanner;
pub(super) use plan::{Plan, Wire};
pub(super) use remote::{Remote, Wanted};
pub(super) use tally::{Summary, marked, sample};
use tally::{Tally, seen};

/// The hidden command.
#[derive(Debug, Args)]
pub struct Sessions {
    /// Where to connect.
    #[arg(long)]
    address: SocketAddr,
    /// How many.
    #[arg(long)]
    count: usize,
    /// How many envelopes will come at most.
    #[arg(long)]
    envelopes: usize,
    /// Connections that are being made at once.
    #[arg(long)]
    at_once: usize,
}

/// The variable that has the plan. It is no argument, for there are tokens in it.
const PLAN: &str = "LOADTEST_PLAN";

/// How the sessions came up.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Connected {
    /// From the first connection to the last subscription.
    pub seconds: f64,
    /// From connecting to subscribed, of one session.
    pub each: Quantiles,
}

/// Connects, counts, and ends when it is told to.
///
/// # Errors
/// If a session can't be had, or one ends before its time.
pub fn run(options: &Sessions) -> Result<()> {
    raise_file_limit(u64::try_from(options.count)? + 64)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve(options))
}

/// Lets this process, and those it starts, open as many files as the hard limit allows: at least this many.
///
/// # Errors
/// If the hard limit is lower.
pub fn raise_file_limit(files: u64) -> Result<()> {
    let got = rlimit::increase_nofile_limit(u64::MAX).context("can't read the limit of open files")?;
    if got < files {
        bail!(
            "{files} open files are needed, but the hard limit is {got}: raise it (`ulimit -Hn {files}`), or take fewer sessions"
        );
    }
    Ok(())
}

async fn serve(options: &Sessions) -> Result<()> {
    let tally = Rc::new(RefCell::new(Tally::new(options.count, options.envelopes)?));
    let (broken, mut breaks) = mpsc::channel::<String>(1);
    let plan = std::env::var(PLAN).context("sessions need a plan")?;
    let plan = Rc::new(serde_json::from_str(&plan).context("not a plan for sessions")?);
    let (mut orders, mut sessions, mut times) = (orders(), JoinSet::new(), 0);
    loop {
        let order = tokio::select! {
            order = orders.recv() => order.unwrap_or_default(),
            Some(why) = breaks.recv() => bail!(why),
        };
        match order.as_str() {
            "connect" => {
                let connected = connect(options, &plan, times, &mut sessions, &tally, &broken).await?;
                println!("ready {}", serde_json::to_string(&connected)?);
                times += 1;
            }
            "cut" => {
                sessions.shutdown().await;
                println!("gone");
            }
            "finish" | "" => break,
            other => bail!("`{other}` is no order"),
        }
    }
    println!("tally {}", serde_json::to_string(&tally.borrow().summary())?);
    Ok(())
}

/// Connects all sessions, for the first time or again.
async fn connect(
    options: &Sessions,
    plan: &Rc<Plan>,
    times: usize,
    sessions: &mut JoinSet<()>,
    tally: &Rc<RefCell<Tally>>,
    broken: &mpsc::Sender<String>,
) -> Result<Connected> {
    let (begin, mut each) = (Instant::now(), Latencies::new()?);
    let place = tally.borrow().place().cloned();
    let since = place.as_ref();
    let opening = |index| async move {
        let begin = Instant::now();
        let other = |message: &[u8]| {
            note(message, index, tally, SystemTime::now());
        };
        let opened = connect::open(options, plan, index, (times, since), other).await;
        anyhow::Ok((index, begin.elapsed(), opened?))
    };
    // All of these are one task with one budget of reads: without an end to that, each waits for its turn among thousands of
    // sessions, and a hub that is patient for five seconds gives up on a request that was never sent.
    let opening = |index| tokio::task::unconstrained(opening(index));
    let mut opened = std::pin::pin!(stream::iter(0..options.count).map(opening).buffer_unordered(options.at_once));
    while let Some(next) = opened.next().await {
        let (index, took, (socket, scanner)) = next?;
        each.record(took);
        let (plan, tally, broken) = (Rc::clone(plan), Rc::clone(tally), broken.clone());
        sessions.spawn_local(async move {
            let why = count(socket, scanner, &plan, index, &tally).await;
            // Full means that the first break, which is what is shown, is there already.
            let _ = broken.try_send(format!("session {index} ended: {why}"));
        });
        if sessions.len().is_multiple_of(64) {
            println!("connected {}", sessions.len());
        }
    }
    let each = each.quantiles().context("there are no sessions")?;
    Ok(Connected { seconds: begin.elapsed().as_secs_f64(), each })
}

/// The lines on stdin, read in a thread that nobody has to wait for.
fn orders() -> mpsc::Receiver<String> {
    let (tell, told) = mpsc::channel(4);
    std::thread::spawn(move || {
        // An end of the input, for whatever reason, is an order to finish.
        std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| tell.blocking_send(line).ok())
    });
    told
}

/// A read buffer for all sessions: only one of them reads at a time.
const READ: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// Counts what comes until the socket ends; why it ended.
async fn count(
    mut socket: TcpStream,
    mut scanner: Scanner,
    plan: &Plan,
    index: usize,
    tally: &RefCell<Tally>,
) -> String {
    loop {
        // Polled and not awaited, for only so the runtime sees that a read took all there was, and spares the next one.
        let read = poll_fn(|cx| {
            BUFFER.with_borrow_mut(|buffer| {
                let mut buffer = ReadBuf::new(buffer);
                ready!(Pin::new(&mut socket).poll_read(cx, &mut buffer)).map_err(|error| error.to_string())?;
                if buffer.filled().is_empty() {
                    return Poll::Ready(Err("the hub closed the connection".to_owned()));
                }
                let note = |message: &[u8], now| note(message, index, tally, now);
                Poll::Ready(take(&socket, &mut scanner, buffer.filled(), plan, note))
            })
        });
        if let Err(why) = read.await {
            return why;
        }
    }
}

fn take(
    socket: &TcpStream,
    scanner: &mut Scanner,
    bytes: &[u8],
    plan: &Plan,
    note: impl Fn(&[u8], SystemTime) -> bool,
) -> Result<(), String> {
    let now = SystemTime::now();
    let mut end = Ok(());
    // An answer is a few bytes on a socket that we hardly write to: it fits.
    let answer = |frame: &[u8]| drop(socket.try_write(frame));
    scanner.feed(bytes, |frame| match frame.opcode {
        frames::TEXT => {
            for message in plan.messages(frame.payload) {
                if !note(message, now)
                    && let Some(pong) = plan.pong(message)
                {
                    answer(&frames::client_text(pong));
                }
            }
        }
        frames::PING => answer(&frames::pong(frame.payload)),
        frames::CLOSE => end = Err(format!("closed by the hub: {}", close_reason(frame.payload))),
        _ => {}
    });
    end
}

/// Notes a message, if it is a measured envelope; whether it is.
fn note(message: &[u8], index: usize, tally: &RefCell<Tally>, now: SystemTime) -> bool {
    let Some(mark) = seen(message) else { return false };
    let mut tally = tally.borrow_mut();
    if let Some((number, p99)) = tally.record(index, mark, now) {
        tally.all_are_at(message);
        println!("done {number} {p99}");
    }
    true
}

fn close_reason(payload: &[u8]) -> String {
    let Some((code, reason)) = payload.split_at_checked(2) else { return "without a code".to_owned() };
    let code = u16::from_be_bytes([code[0], code[1]]);
    format!("{code} {}", String::from_utf8_lossy(reason))
}

/// Nanoseconds since 1970: what two processes of a machine can both read.
pub(super) fn wall_clock(now: SystemTime) -> u64 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
