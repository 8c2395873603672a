//! Dashboards for tests, on each of the hub's transports: they show every frame and hide nothing.
//!
//! - [`Socket`]: the WebSocket `/ws`, and `/ws/messages`, whose frames are the same without their sub-protocol
//! - [`EventSource`]: server-sent events
//! - [`SocketIo`]: Socket.IO 4 over Engine.IO 4, by polling, by WebSocket, or from the one to the other
//!
//! All have `connect` and `connect_as` (with a [`Login`]), `next`, `next_of`, `next_envelope`, `closed` and `close`.

mod event_source;
mod login;
mod packet;
mod polling;
mod socket_io;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, MaybeTlsStream, Message, WebSocketStream};

pub use event_source::{Event, EventSource, Streamed};
pub use login::{ConnectError, Login};
pub use packet::Packet;
pub use socket_io::{SocketIo, Transport};

/// What came.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// A text frame, parsed.
    Text(Value),
    /// The hub closed, with its code and reason; or the connection broke, without.
    Closed(Option<(u16, String)>),
}

/// A connected dashboard. Pings are answered while one of its methods waits, and not otherwise.
pub struct Socket {
    stream: Stream,
    waiting: VecDeque<Frame>,
    protocol: Option<String>,
    pings: u64,
    references: u64,
    last_length: usize,
}

/// How long an answer may take that the client waits for by itself.
const ANSWER: Duration = Duration::from_secs(10);

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Shakes hands; the stream, and the headers of the answer.
async fn websocket(url: &str, headers: HeaderMap) -> Result<(Stream, HeaderMap), ConnectError> {
    let mut builder = ClientBuilder::new().uri(url).map_err(ConnectError::failed)?;
    for (name, value) in headers {
        let Some(name) = name else { continue };
        builder = builder.add_header(name, value).map_err(ConnectError::failed)?;
    }
    let (stream, response) = builder.connect().await.map_err(|error| match error {
        tokio_websockets::Error::Upgrade(tokio_websockets::upgrade::Error::DidNotSwitchProtocols(status)) => {
            ConnectError::Refused(status)
        }
        other => ConnectError::failed(other),
    })?;
    Ok((stream, response.headers().clone()))
}

impl Socket {
    /// Connects with a token.
    ///
    /// # Errors
    /// If the hub refuses or is not there.
    pub async fn connect(url: &str, token: &str) -> Result<Self, ConnectError> {
        Self::connect_as(url, Login::Bearer(token)).await
    }

    /// Connects in one of the ways that a client can say who it is.
    ///
    /// # Errors
    /// If the hub refuses or is not there.
    pub async fn connect_as(url: &str, login: Login<'_>) -> Result<Self, ConnectError> {
        Self::open(url, login, Some("leadwire.v1")).await
    }

    /// Connects without offering `leadwire.v1`: how a client of `/ws/messages` does.
    ///
    /// # Errors
    /// If the hub refuses or is not there.
    pub async fn connect_plain(url: &str, login: Login<'_>) -> Result<Self, ConnectError> {
        Self::open(url, login, None).await
    }

    async fn open(url: &str, login: Login<'_>, protocol: Option<&str>) -> Result<Self, ConnectError> {
        let mut headers = login.headers()?;
        let protocols: Vec<_> = protocol.map(str::to_owned).into_iter().chain(login.protocol()).collect();
        if !protocols.is_empty() {
            let value = protocols.join(", ").try_into().map_err(ConnectError::failed)?;
            headers.insert("sec-websocket-protocol", value);
        }
        let (stream, answered) = websocket(url, headers).await?;
        let protocol = answered.get("sec-websocket-protocol");
        let protocol = protocol.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut socket = Self { stream, waiting: VecDeque::new(), protocol, pings: 0, references: 0, last_length: 0 };
        if let Login::Frame(token) = login {
            let sent = socket.send(&json!({"type": "auth", "token": token})).await;
            sent.map_err(ConnectError::failed)?;
        }
        Ok(socket)
    }

    /// The sub-protocol that the hub chose.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// WebSocket pings seen so far.
    #[must_use]
    pub const fn pings(&self) -> u64 {
        self.pings
    }

    /// Bytes of the text frame that was received last.
    #[must_use]
    pub const fn last_length(&self) -> usize {
        self.last_length
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn send(&mut self, frame: &Value) -> Result<()> {
        self.send_text(frame.to_string()).await
    }

    /// Sends a text that need not be JSON.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn send_text(&mut self, text: String) -> Result<()> {
        self.stream.send(Message::text(text)).await.context("the socket takes no frame")
    }

    /// The next frame, whatever it is.
    ///
    /// # Errors
    /// If none comes in time, or one that is no JSON text.
    pub async fn next(&mut self, patience: Duration) -> Result<Frame> {
        match self.waiting.pop_front() {
            Some(frame) => Ok(frame),
            None => self.receive(patience).await,
        }
    }

    /// The next envelope; frames about the session itself (`welcome`, `heartbeat`, `reply` and so on) and what is
    /// not logged (`presence`, `typing`, `ack`) are passed over.
    ///
    /// # Errors
    /// If none comes in time, or the socket is closed.
    pub async fn next_envelope(&mut self, patience: Duration) -> Result<Value> {
        let end = Instant::now() + patience;
        loop {
            match self.next(end.saturating_duration_since(Instant::now())).await? {
                Frame::Text(frame) if is_envelope(&frame) => return Ok(frame),
                Frame::Text(_) => {}
                Frame::Closed(why) => bail!("closed while waiting for an envelope: {why:?}"),
            }
        }
    }

    /// The next frame of one type.
    ///
    /// # Errors
    /// If none comes in time, or the socket is closed.
    pub async fn next_of(&mut self, kind: &str, patience: Duration) -> Result<Value> {
        let end = Instant::now() + patience;
        loop {
            match self.next(end.saturating_duration_since(Instant::now())).await? {
                Frame::Text(frame) if frame["type"] == kind => return Ok(frame),
                Frame::Text(_) => {}
                Frame::Closed(why) => bail!("closed while waiting for `{kind}`: {why:?}"),
            }
        }
    }

    /// Waits until the hub closes; its code and reason.
    ///
    /// # Errors
    /// If it does not in time.
    pub async fn closed(&mut self, patience: Duration) -> Result<Option<(u16, String)>> {
        let end = Instant::now() + patience;
        loop {
            if let Frame::Closed(why) = self.next(end.saturating_duration_since(Instant::now())).await? {
                return Ok(why);
            }
        }
    }

    /// Subscribes to a room; the `subscribed` frame. `dashboard` stands for several rooms: it returns at the first.
    ///
    /// # Errors
    /// If the hub refuses.
    pub async fn subscribe(&mut self, room: &str) -> Result<Value> {
        self.subscribe_with(json!({"room": room})).await
    }

    /// Subscribes to a room from a position on; the `subscribed` frame.
    ///
    /// # Errors
    /// If the hub refuses.
    pub async fn subscribe_since(&mut self, room: &str, since: &str) -> Result<Value> {
        self.subscribe_with(json!({"room": room, "since": since})).await
    }

    /// Subscribes with a frame that has a `room` and what else is wanted; the `subscribed` frame. What comes before it is
    /// kept for [`next`](Self::next).
    ///
    /// # Errors
    /// If the hub refuses.
    pub async fn subscribe_with(&mut self, mut frame: Value) -> Result<Value> {
        self.references += 1;
        let reference = format!("subscribe-{}", self.references);
        frame["type"] = "subscribe".into();
        frame["ref"] = reference.as_str().into();
        self.send(&frame).await?;
        let any_room = frame["room"] == "dashboard";
        let end = Instant::now() + ANSWER;
        loop {
            match self.receive(end.saturating_duration_since(Instant::now())).await? {
                Frame::Text(answer)
                    if answer["type"] == "subscribed" && (any_room || answer["room"] == frame["room"]) =>
                {
                    return Ok(answer);
                }
                Frame::Text(answer) if answer["type"] == "reply" && answer["ref"] == reference.as_str() => {
                    if answer["ok"] != true {
                        bail!("the hub refused to subscribe: {}", answer["error"]);
                    }
                }
                other @ Frame::Text(_) => self.waiting.push_back(other),
                Frame::Closed(why) => bail!("closed while subscribing: {why:?}"),
            }
        }
    }

    /// Says goodbye and waits for the hub's.
    ///
    /// # Errors
    /// If the connection broke before.
    pub async fn close(mut self) -> Result<()> {
        self.stream.close().await.context("the socket was gone already")
    }

    /// The stream itself, for who reads it in a way of its own. Frames that waited are dropped.
    #[must_use]
    pub fn into_stream(self) -> Stream {
        self.stream
    }

    async fn receive(&mut self, patience: Duration) -> Result<Frame> {
        let end = tokio::time::Instant::now() + patience;
        loop {
            let message = tokio::time::timeout_at(end, self.stream.next()).await;
            let Some(Ok(message)) = message.context("nothing came in time")? else {
                return Ok(Frame::Closed(None));
            };
            if message.is_ping() {
                self.pings += 1;
            }
            if let Some((code, reason)) = message.as_close() {
                return Ok(Frame::Closed(Some((code.into(), reason.to_owned()))));
            }
            if let Some(text) = message.as_text() {
                self.last_length = text.len();
                let frame = serde_json::from_str(text).with_context(|| format!("not JSON: {text}"))?;
                return Ok(Frame::Text(frame));
            }
        }
    }
}

/// Not by its position: Socket.IO and plain clients are told none.
fn is_envelope(frame: &Value) -> bool {
    let is_logged = frame["type"].as_str().is_some_and(|kind| !["presence", "typing", "ack"].contains(&kind));
    is_logged && frame.get("payload").is_some()
}

#[cfg(test)]
mod tests;
