//! How one of the many sessions is opened.

use std::{
    fmt::Write,
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use memchr::memmem;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::{
    super::{events, frames},
    Sessions,
    plan::{Plan, Step, Wire},
    tally::Place,
};

/// Connections from one loopback address; beyond it, the next address is taken, for its ports run out at 28,000, and those
/// of connections that ended stay taken for a while.
const PER_ADDRESS: usize = 10_000;
/// How long a session may take until it is subscribed.
const PATIENCE: Duration = Duration::from_secs(30);

/// What puts together that which comes.
pub(super) enum Scanner {
    Frames(frames::Scanner),
    Events(events::Scanner),
}

impl Scanner {
    pub(super) fn feed(&mut self, bytes: &[u8], each: impl FnMut(frames::Frame<'_>)) {
        match self {
            Self::Frames(scanner) => scanner.feed(bytes, each),
            Self::Events(scanner) => scanner.feed(bytes, each),
        }
    }
}

/// Opens a session and goes through the steps of its plan. `times` is how often it was open before, `since` the place of
/// the last envelope that all had. Messages that are none of the plan's go to `other`.
pub(super) async fn open(
    options: &Sessions,
    plan: &Plan,
    index: usize,
    (times, since): (usize, Option<&Place>),
    other: impl FnMut(&[u8]),
) -> Result<(TcpStream, Scanner)> {
    // A room has positions of its own: another room's means nothing there.
    let since = |text: &str| {
        let place = since.filter(|place| text.contains(&place.room));
        place.map(|place| format!(r#","since":"{}""#, place.position)).unwrap_or_default()
    };
    let (address, addresses) = (options.address, options.count.div_ceil(PER_ADDRESS));
    let opened = timeout(PATIENCE, async {
        let stream = connect(address, times * addresses + index / PER_ADDRESS).await;
        let stream = stream.with_context(|| format!("can't connect to {address}"))?;
        if plan.wire == Wire::Frames {
            return Ok((stream, Scanner::Frames(frames::Scanner::default())));
        }
        let fill = |text: &str| text.replace("{session}", &index.to_string()).replace("{since}", &since(text));
        join(stream, &plan.map(fill), other).await
    });
    opened.await.with_context(|| format!("session {index} was not subscribed in time"))?
}

/// Connects; on the loopback device from one of its many addresses: the usual one, or one of its own.
async fn connect(address: SocketAddr, from: usize) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if from > 0 && address.ip().is_loopback() && address.is_ipv4() {
        let host = u8::try_from(1 + from).map_err(|_| ErrorKind::AddrNotAvailable)?;
        socket.bind((IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)), 0).into())?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The handshake and the steps.
async fn join(mut stream: TcpStream, plan: &Plan, other: impl FnMut(&[u8])) -> Result<(TcpStream, Scanner)> {
    stream.write_all(request(plan)?.as_bytes()).await?;
    let mut bytes = Vec::new();
    let end = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            bail!("the hub closed the connection instead of answering the handshake");
        }
        if let Some(end) = memmem::find(&bytes, b"\r\n\r\n") {
            break end + 4;
        }
    };
    let early = bytes.split_off(end);
    let mut scanner = scanner(plan.wire, &String::from_utf8_lossy(&bytes))?;
    follow(&mut stream, &mut scanner, early, plan, other).await?;
    Ok((stream, scanner))
}

fn request(plan: &Plan) -> Result<String> {
    let (_, rest) = plan.url.split_once("://").context("a URL with http:// is wanted")?;
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut request = format!("GET {slash}{path} HTTP/1.1\r\nhost: {host}\r\n");
    request.push_str(match plan.wire {
        Wire::Sse => "accept: text/event-stream\r\ncache-control: no-cache\r\n",
        Wire::WebSocket | Wire::Frames => {
            "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        }
    });
    for (name, value) in &plan.headers {
        ensure!(!value.contains(['\r', '\n']), "the header {name} has more than one line");
        write!(request, "{name}: {value}\r\n")?;
    }
    Ok(request + "\r\n")
}

/// What is to be put together after this answer.
fn scanner(wire: Wire, head: &str) -> Result<Scanner> {
    let lower = head.to_ascii_lowercase();
    let has = |name: &str, value: &str| {
        let mut values = lower.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        values.any(|found| found.contains(value))
    };
    let status = lower.split(' ').nth(1).unwrap_or_default();
    match wire {
        Wire::WebSocket if status == "101" => Ok(Scanner::Frames(frames::Scanner::default())),
        Wire::Sse if status == "200" && has("content-type", "text/event-stream") => {
            Ok(Scanner::Events(events::Scanner::new(has("transfer-encoding", "chunked"))))
        }
        Wire::Sse if status == "200" => bail!("what the hub answers is no event stream: {}", head.trim()),
        _ => bail!("the hub refused the connection: {}", head.trim()),
    }
}

/// Says and waits for what the plan wants; `bytes` was read before and is used up first.
async fn follow(
    stream: &mut TcpStream,
    scanner: &mut Scanner,
    mut bytes: Vec<u8>,
    plan: &Plan,
    mut other: impl FnMut(&[u8]),
) -> Result<()> {
    let mut steps = plan.steps.as_slice();
    loop {
        let (mut refused, mut answers) = (None, Vec::new());
        scanner.feed(&bytes, |frame| match frame.opcode {
            frames::TEXT => {
                for message in plan.messages(frame.payload) {
                    let has = |text: &str| memmem::find(message, text.as_bytes()).is_some();
                    if let [Step::Wait(text), rest @ ..] = steps
                        && has(text)
                    {
                        steps = rest;
                    } else if plan.refused.iter().any(|text| has(text)) {
                        refused = Some(String::from_utf8_lossy(message).into_owned());
                    } else if let Some(pong) = plan.pong(message) {
                        answers.push(frames::client_text(pong));
                    } else {
                        other(message);
                    }
                }
            }
            frames::PING => answers.push(frames::pong(frame.payload)),
            frames::CLOSE => refused = Some(super::close_reason(frame.payload)),
            _ => {}
        });
        bytes.clear();
        if let Some(why) = refused {
            bail!("the hub refused: {why}");
        }
        while let [Step::Send(text), rest @ ..] = steps {
            answers.push(frames::client_text(text));
            steps = rest;
        }
        stream.write_all(&answers.concat()).await?;
        let [Step::Wait(wanted), ..] = steps else { return Ok(()) };
        if stream.read_buf(&mut bytes).await? == 0 {
            bail!("the hub closed the connection before it said {wanted}");
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt, StreamExt};
    use serde_json::json;
    use tokio::net::TcpListener;
    use tokio_websockets::{Message, ServerBuilder};

    use super::*;

    fn options(address: SocketAddr) -> Sessions {
        Sessions { address, count: 1, envelopes: 1, at_once: 1 }
    }

    #[tokio::test]
    async fn a_session_shakes_hands_waits_for_the_welcome_and_subscribes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let hub = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (request, mut socket) = ServerBuilder::new().accept(stream).await.unwrap();
            assert_eq!(request.headers()["authorization"], "Bearer tok");
            assert_eq!(request.headers()["sec-websocket-protocol"], "leadwire.v1");
            socket.send(Message::text(json!({"type": "welcome"}).to_string())).await.unwrap();
            let mut asked = Vec::new();
            for _ in 0..2 {
                let subscribe = socket.next().await.unwrap().unwrap();
                asked.push(serde_json::from_str::<serde_json::Value>(subscribe.as_text().unwrap()).unwrap());
                for kind in ["new_lead", "subscribed"] {
                    socket.send(Message::text(json!({"type": kind}).to_string())).await.unwrap();
                }
            }
            asked
        });
        let rooms = ["account:acc_1", "operators:acc_1"];
        let (plan, mut others) = (Plan::native(&address.to_string(), &rooms, "tok", false), 0);
        let place = Place { room: rooms[0].to_owned(), position: "3-7".to_owned() };
        open(&options(address), &plan, 0, (1, Some(&place)), |_| others += 1).await.unwrap();
        assert_eq!(others, 2, "what is pushed meanwhile is not lost");
        let first = json!({"type": "subscribe", "room": "account:acc_1", "since": "3-7"});
        let second = json!({"type": "subscribe", "room": "operators:acc_1"});
        assert_eq!(hub.await.unwrap(), [first, second], "a position is of one room");
    }

    #[tokio::test]
    async fn what_comes_in_one_read_can_answer_several_steps_and_pings_are_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let hub = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (_, mut socket) = ServerBuilder::new().accept(stream).await.unwrap();
            socket.send(Message::text("{}\n{\"a\":1}\n{\"b\":1}")).await.unwrap();
            [socket.next().await, socket.next().await].map(|said| said.unwrap().unwrap().as_text().unwrap().to_owned())
        });
        let [a, b] = [r#""a""#, r#""b""#].map(|text| Step::Wait(text.to_owned()));
        let plan = Plan {
            steps: vec![a, b, Step::Send("session {session}".to_owned())],
            ping: Some(("{}".to_owned(), "{}".to_owned())),
            lines: true,
            ..Plan::native(&address.to_string(), &[], "", false)
        };
        open(&options(address), &plan, 7, (0, None), |_| ()).await.unwrap();
        assert_eq!(hub.await.unwrap(), ["{}", "session 7"]);
    }

    #[tokio::test]
    async fn a_refusal_is_shown() {
        for (wire, answer, shown) in [
            (Wire::WebSocket, "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n", "401 Unauthorized"),
            (Wire::Sse, "HTTP/1.1 404 Not Found\r\n\r\n", "404 Not Found"),
            (Wire::Sse, "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n", "no event stream"),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let hub = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream
            });
            let plan = Plan { wire, ..Plan::native(&address.to_string(), &[], "t", false) };
            let error = open(&options(address), &plan, 0, (0, None), |_| ()).await.err().unwrap();
            assert!(error.to_string().contains(shown), "{error}");
            drop(hub.await);
        }
    }
}
