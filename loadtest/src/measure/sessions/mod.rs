//! Many dashboards in one process, as cheap as can be: one task and one socket each, one buffer for all of them, messages
//! counted by a mark in their text. A process of its own, so that its CPU time is not the hub's, nor the publisher's.
//!
//! It says `connected <n>` as they connect, `ready` when all are subscribed, `done <number>` when all have the envelope of
//! that number, and `tally <json>` when it is told to `finish`.

mod connect;
mod plan;
mod remote;
mod tally;

use std::{
    cell::RefCell,
    io::ErrorKind,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::LocalSet,
};

use super::frames;
use connect::Scanner;
pub(super) use plan::{Plan, Wire};
pub(super) use remote::Remote;
use tally::{Mark, Tally, seen};
pub(super) use tally::{Summary, marked, sample};

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
    /// The room to subscribe to; without one, and without a plan, frames come as soon as there is a connection.
    #[arg(long)]
    room: Option<String>,
}

/// The variable that has the token.
pub(super) const TOKEN: &str = "LOADTEST_TOKEN";
/// The variable that has a plan, for sessions at another hub. It is no argument, for there are tokens in it.
pub(super) const PLAN: &str = "LOADTEST_PLAN";

/// Connections that are being made at once.
const AT_ONCE: usize = 64;

/// Connects, counts, and ends when it is told to.
///
/// # Errors
/// If a session can't be had, or one ends before its time.
pub fn run(options: &Sessions) -> Result<()> {
    let files = u64::try_from(options.count)? + 64;
    raise_file_limit(files)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve(options))
}

/// Lets this process, and those it starts, open this many files.
///
/// # Errors
/// If the hard limit is lower.
pub fn raise_file_limit(files: u64) -> Result<()> {
    let got = rlimit::increase_nofile_limit(files).context("can't read the limit of open files")?;
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
    let plan = Rc::new(plan_of(options)?);
    let mut connected = 0;
    while connected < options.count {
        let batch = AT_ONCE.min(options.count - connected);
        let wanted = (connected..connected + batch).map(|index| connect::open(options.address, &plan, index));
        for (index, (socket, scanner)) in (connected..).zip(futures_util::future::try_join_all(wanted).await?) {
            let (plan, tally, broken) = (Rc::clone(&plan), Rc::clone(&tally), broken.clone());
            tokio::task::spawn_local(async move {
                let why = count(socket, scanner, &plan, index, &tally).await;
                // Full means that the first break, which is what is shown, is there already.
                let _ = broken.try_send(format!("session {index} ended: {why}"));
            });
        }
        connected += batch;
        println!("connected {connected}");
    }
    println!("ready");
    let mut order = first_line();
    tokio::select! {
        line = &mut order => match line?.trim() {
            "finish" | "" => {}
            other => bail!("`{other}` is no order"),
        },
        Some(why) = breaks.recv() => bail!(why),
    }
    println!("tally {}", serde_json::to_string(&tally.borrow().summary())?);
    Ok(())
}

fn plan_of(options: &Sessions) -> Result<Plan> {
    if let Ok(plan) = std::env::var(PLAN) {
        return serde_json::from_str(&plan).context("not a plan for sessions");
    }
    let token = std::env::var(TOKEN).unwrap_or_default();
    let native = |room: &String| Plan::native(options.address, room, &token);
    Ok(options.room.as_ref().map_or_else(Plan::bare, native))
}

/// Waits for a line on stdin, in a thread that nobody has to wait for.
fn first_line() -> oneshot::Receiver<String> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        // An end of the input, for whatever reason, is an order to finish.
        let _ = std::io::stdin().read_line(&mut line);
        tell.send(line)
    });
    told
}

/// A read buffer for all sessions: only one of them reads at a time.
const READ: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// Counts what comes until the socket ends; why it ended.
async fn count(socket: TcpStream, mut scanner: Scanner, plan: &Plan, index: usize, tally: &RefCell<Tally>) -> String {
    loop {
        if let Err(error) = socket.readable().await {
            return error.to_string();
        }
        let read = BUFFER.with_borrow_mut(|buffer| {
            let read = socket.try_read(buffer)?;
            Ok(take(&socket, &mut scanner, &buffer[..read], plan, |mark, now| {
                tally.borrow_mut().record(index, mark, now)
            })
            .map(|()| read))
        });
        match read {
            Ok(Ok(0)) => return "the hub closed the connection".to_owned(),
            Ok(Ok(_)) => {}
            Ok(Err(why)) => return why,
            Err(error) if std::io::Error::kind(&error) == ErrorKind::WouldBlock => {}
            Err(error) => return error.to_string(),
        }
    }
}

fn take(
    socket: &TcpStream,
    scanner: &mut Scanner,
    bytes: &[u8],
    plan: &Plan,
    mut record: impl FnMut(Mark, SystemTime) -> Option<usize>,
) -> Result<(), String> {
    let now = SystemTime::now();
    let mut end = Ok(());
    // An answer is a few bytes on a socket that we hardly write to: it fits.
    let answer = |frame: &[u8]| drop(socket.try_write(frame));
    scanner.feed(bytes, |frame| match frame.opcode {
        frames::TEXT => {
            for message in plan.messages(frame.payload) {
                if let Some(mark) = seen(message) {
                    if let Some(number) = record(mark, now) {
                        println!("done {number}");
                    }
                } else if let Some(pong) = plan.pong(message) {
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
