//! A dashboard's WebSocket, for tests: it shows every frame and hides nothing.

use std::{
    collections::VecDeque,
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, MaybeTlsStream, Message, WebSocketStream};

/// How a client says who it is.
#[derive(Debug, Clone, Copy)]
pub enum Login<'a> {
    /// `Authorization: Bearer <token or key>`
    Bearer(&'a str),
    /// The sub-protocol `leadwire.token.<token>`, for browsers without a cookie.
    Protocol(&'a str),
    /// The first frame, `{"type":"auth"}`.
    Frame(&'a str),
    /// The cookie `leadwire_session`, with this `Origin`.
    Cookie(&'a str, &'a str),
    /// Not at all.
    Nothing,
}

/// Why there is no socket.
#[derive(Debug)]
pub enum ConnectError {
    /// The hub answered the handshake with this HTTP status.
    Refused(u16),
    /// It did not come to an answer.
    Failed(String),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) => write!(f, "the hub refused the WebSocket with status {status}"),
            Self::Failed(why) => write!(f, "no WebSocket: {why}"),
        }
    }
}

impl std::error::Error for ConnectError {}

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
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    waiting: VecDeque<Frame>,
    protocol: Option<String>,
    pings: u64,
    references: u64,
    last_length: usize,
}

/// How long [`Socket::subscribe`] waits for its answer.
const ANSWER: Duration = Duration::from_secs(10);

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
        let failed = |why: &dyn fmt::Display| ConnectError::Failed(why.to_string());
        let mut builder = ClientBuilder::new().uri(url).map_err(|why| failed(&why))?;
        let mut headers = vec![("sec-websocket-protocol", "leadwire.v1".to_owned())];
        match login {
            Login::Bearer(token) => headers.push(("authorization", format!("Bearer {token}"))),
            Login::Protocol(token) => headers[0].1 = format!("leadwire.v1, leadwire.token.{token}"),
            Login::Cookie(cookie, origin) => {
                headers.push(("cookie", format!("leadwire_session={cookie}")));
                headers.push(("origin", origin.to_owned()));
            }
            Login::Frame(_) | Login::Nothing => {}
        }
        for (name, value) in headers {
            let value = HeaderValue::from_str(&value).map_err(|why| failed(&why))?;
            builder = builder.add_header(HeaderName::from_static(name), value).map_err(|why| failed(&why))?;
        }
        let (stream, response) = builder.connect().await.map_err(|error| match error {
            tokio_websockets::Error::Upgrade(tokio_websockets::upgrade::Error::DidNotSwitchProtocols(status)) => {
                ConnectError::Refused(status)
            }
            other => failed(&other),
        })?;
        let protocol = response.headers().get("sec-websocket-protocol");
        let protocol = protocol.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut socket = Self { stream, waiting: VecDeque::new(), protocol, pings: 0, references: 0, last_length: 0 };
        if let Login::Frame(token) = login {
            let sent = socket.send(&json!({"type": "auth", "token": token})).await;
            sent.map_err(|why| failed(&why))?;
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

    /// The next envelope; frames about the session itself (`welcome`, `heartbeat`, `reply` and so on) are passed over.
    ///
    /// # Errors
    /// If none comes in time, or the socket is closed.
    pub async fn next_envelope(&mut self, patience: Duration) -> Result<Value> {
        let end = Instant::now() + patience;
        loop {
            match self.next(end.saturating_duration_since(Instant::now())).await? {
                Frame::Text(frame) if frame.get("payload").is_some() => return Ok(frame),
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
    pub fn into_stream(self) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
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

#[cfg(test)]
mod tests;
