//! A dashboard that speaks Socket.IO 4.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_websockets::Message;

use super::{
    ANSWER, ConnectError, Login, Packet, Stream,
    packet::{self, SEPARATOR},
    polling::{Polled, Polling},
    websocket,
};

/// How packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// WebSocket from the beginning.
    WebSocket,
    /// Polling, and nothing else.
    Polling,
    /// Polling first, then WebSocket: what stock clients do.
    Upgrade,
}

enum Wire {
    WebSocket(Box<Stream>),
    Polling(Polling),
}

/// A connected client. Pings are answered while one of its methods waits, and not otherwise.
pub struct SocketIo {
    wire: Wire,
    url: String,
    headers: HeaderMap,
    session: Value,
    waiting: VecDeque<Packet>,
    acks: u64,
    pings: u64,
}

/// Events about the connection itself, which carry no envelope.
const ABOUT_ITSELF: [&str; 2] = ["connection_response", "joined_dashboard"];

impl SocketIo {
    /// Connects with a token, as a stock client does.
    ///
    /// # Errors
    /// If the hub refuses or is not there.
    pub async fn connect(url: &str, token: &str) -> Result<Self> {
        Self::connect_as(url, Login::Frame(token), Transport::Upgrade).await
    }

    /// Connects to `http://…/socket.io/` in one of the ways that a client can say who it is, and is let in.
    ///
    /// # Errors
    /// If the hub refuses or is not there: a [`ConnectError`] where it refuses with an HTTP status.
    pub async fn connect_as(url: &str, login: Login<'_>, transport: Transport) -> Result<Self> {
        let mut socket = Self::open(url, login, transport).await?;
        let auth = if let Login::Frame(token) = login { Some(json!({"token": token})) } else { None };
        match socket.join(auth.as_ref()).await? {
            Packet::Connect(_) => {}
            refused => bail!("the hub lets nobody in: {refused:?}"),
        }
        if transport == Transport::Upgrade {
            socket.upgrade().await?;
        }
        Ok(socket)
    }

    /// Has an Engine.IO session and asks for nothing: [`join`](Self::join) and [`upgrade`](Self::upgrade) are left to do.
    ///
    /// # Errors
    /// If the hub refuses or is not there.
    pub async fn open(url: &str, login: Login<'_>, transport: Transport) -> Result<Self, ConnectError> {
        let headers = login.headers()?;
        let wire = if transport == Transport::WebSocket {
            let (stream, _) = websocket(&websocket_url(url, None), headers.clone()).await?;
            Wire::WebSocket(Box::new(stream))
        } else {
            Wire::Polling(Polling::new(&format!("{url}?EIO=4&transport=polling"), headers.clone()))
        };
        let (url, waiting) = (url.to_owned(), VecDeque::new());
        let mut socket = Self { wire, url, headers, session: Value::Null, waiting, acks: 0, pings: 0 };
        match socket.receive(ANSWER).await.map_err(ConnectError::failed)? {
            Packet::Open(session) => socket.session = session,
            Packet::Closed(why) => return Err(refusal(why)),
            other => return Err(ConnectError::failed(format!("the hub began with {other:?}"))),
        }
        if let Wire::Polling(polling) = &mut socket.wire {
            let id = socket.session["sid"].as_str().ok_or_else(|| ConnectError::failed("a session without an id"))?;
            polling.set_session(id);
        }
        Ok(socket)
    }

    /// Asks to be let into the namespace; [`Packet::Connect`] or whatever else is said to that. Events that come before
    /// it are kept for [`next`](Self::next).
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn join(&mut self, auth: Option<&Value>) -> Result<Packet> {
        self.send_text(packet::connect(auth)).await?;
        self.answer(|packet| !matches!(packet, Packet::Event { .. })).await
    }

    /// Goes from polling to WebSocket: probes it while a poll waits, which the hub has to end.
    ///
    /// # Errors
    /// If the hub does not play along.
    pub async fn upgrade(&mut self) -> Result<()> {
        let (Wire::Polling(polling), Some(id)) = (&mut self.wire, self.session["sid"].as_str()) else {
            bail!("only a polling session can be upgraded");
        };
        let url = websocket_url(&self.url, Some(id));
        let probe = async {
            let (mut stream, _) = websocket(&url, self.headers.clone()).await?;
            stream.send(Message::text("2probe")).await?;
            let said = stream.next().await.context("the hub closed instead of answering the probe")??;
            ensure!(said.as_text() == Some("3probe"), "the hub answers the probe with {said:?}");
            anyhow::Ok(stream)
        };
        let probed = async { timeout(ANSWER, probe).await.context("the probe was not answered")? };
        let (polled, stream) = tokio::join!(polling.next(ANSWER), probed);
        let (mut stream, mut polled) = (stream?, Some(polled.context("the poll was not ended for the upgrade")?));
        stream.send(Message::text("5")).await?;
        // What the poll still brought comes before whatever the WebSocket will bring.
        while let Some(came) = polled {
            match came {
                Polled::Packet(text) => match Packet::parse(&text) {
                    Packet::Noop => {}
                    Packet::Ping => {
                        self.pings += 1;
                        stream.send(Message::text("3")).await?;
                    }
                    packet => self.waiting.push_back(packet),
                },
                Polled::Gone(why) => bail!("the session ended in the upgrade: {why}"),
            }
            polled = polling.at_hand();
        }
        self.wire = Wire::WebSocket(Box::new(stream));
        Ok(())
    }

    /// What the hub said about the session at its beginning: ids and intervals.
    #[must_use]
    pub const fn session(&self) -> &Value {
        &self.session
    }

    /// Whether packets travel by WebSocket now.
    #[must_use]
    pub const fn is_websocket(&self) -> bool {
        matches!(self.wire, Wire::WebSocket(_))
    }

    /// The hub's pings seen so far.
    #[must_use]
    pub const fn pings(&self) -> u64 {
        self.pings
    }

    /// Sends an event.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn emit(&mut self, name: &str, args: &[Value]) -> Result<()> {
        self.send_text(packet::event(name, args, None)).await
    }

    /// Sends an event and waits for its acknowledgement. What comes before it is kept for [`next`](Self::next).
    ///
    /// # Errors
    /// If it is not acknowledged in time.
    pub async fn ask(&mut self, name: &str, args: &[Value]) -> Result<Vec<Value>> {
        let number = self.acks;
        self.acks += 1;
        self.send_text(packet::event(name, args, Some(number))).await?;
        match self.answer(|packet| matches!(packet, Packet::Ack { id, .. } if *id == number)).await? {
            Packet::Ack { args, .. } => Ok(args),
            other => bail!("instead of acknowledging `{name}` the hub says {other:?}"),
        }
    }

    /// Acknowledges an event of the hub's.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn acknowledge(&mut self, id: u64, args: &[Value]) -> Result<()> {
        self.send_text(packet::ack(id, args)).await
    }

    /// Sends a packet that need not be one.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn send_text(&mut self, text: String) -> Result<()> {
        match &mut self.wire {
            Wire::WebSocket(stream) => stream.send(Message::text(text)).await.context("the socket takes no frame"),
            Wire::Polling(polling) => polling.send(text).await,
        }
    }

    /// The next packet, whatever it is; pings are answered and counted, not shown.
    ///
    /// # Errors
    /// If none comes in time.
    pub async fn next(&mut self, patience: Duration) -> Result<Packet> {
        match self.waiting.pop_front() {
            Some(packet) => Ok(packet),
            None => self.receive(patience).await,
        }
    }

    /// The next event, its name and what comes with it.
    ///
    /// # Errors
    /// If none comes in time, or the session ends.
    pub async fn next_event(&mut self, patience: Duration) -> Result<(String, Vec<Value>)> {
        let end = Instant::now() + patience;
        loop {
            match self.next(end.saturating_duration_since(Instant::now())).await? {
                Packet::Event { name, args, .. } => return Ok((name, args)),
                end @ (Packet::Closed(_) | Packet::Disconnect) => bail!("{end:?} while waiting for an event"),
                _ => {}
            }
        }
    }

    /// The first argument of the next event of one name.
    ///
    /// # Errors
    /// If none comes in time, or the session ends.
    pub async fn next_of(&mut self, name: &str, patience: Duration) -> Result<Value> {
        self.next_that(patience, |of| of == name).await.map(|(_, value)| value)
    }

    /// The next envelope as `{type, payload}`; events about the connection itself are passed over.
    ///
    /// # Errors
    /// If none comes in time, or the session ends.
    pub async fn next_envelope(&mut self, patience: Duration) -> Result<Value> {
        let (name, payload) = self.next_that(patience, |of| !ABOUT_ITSELF.contains(&of)).await?;
        Ok(json!({"type": name, "payload": payload}))
    }

    async fn next_that(&mut self, patience: Duration, wanted: impl Fn(&str) -> bool) -> Result<(String, Value)> {
        let end = Instant::now() + patience;
        loop {
            let (name, args) = self.next_event(end.saturating_duration_since(Instant::now())).await?;
            if wanted(&name) {
                return Ok((name, args.into_iter().next().unwrap_or_default()));
            }
        }
    }

    /// Waits until the session ends; what is known of why.
    ///
    /// # Errors
    /// If it does not in time.
    pub async fn closed(&mut self, patience: Duration) -> Result<String> {
        let end = Instant::now() + patience;
        loop {
            if let Packet::Closed(why) = self.next(end.saturating_duration_since(Instant::now())).await? {
                return Ok(why);
            }
        }
    }

    /// Leaves the namespace and ends the session.
    ///
    /// # Errors
    /// If the connection broke before.
    pub async fn close(mut self) -> Result<()> {
        match &mut self.wire {
            Wire::WebSocket(stream) => {
                stream.send(Message::text("41")).await?;
                stream.close().await.context("the socket was gone already")
            }
            Wire::Polling(polling) => polling.send(format!("41{SEPARATOR}1")).await,
        }
    }

    /// The first packet that is wanted, or that ends all; the others are kept.
    async fn answer(&mut self, wanted: impl Fn(&Packet) -> bool) -> Result<Packet> {
        let end = Instant::now() + ANSWER;
        loop {
            let packet = self.receive(end.saturating_duration_since(Instant::now())).await?;
            if wanted(&packet) || matches!(packet, Packet::Closed(_)) {
                return Ok(packet);
            }
            self.waiting.push_back(packet);
        }
    }

    async fn receive(&mut self, patience: Duration) -> Result<Packet> {
        let end = Instant::now() + patience;
        loop {
            let packet = self.packet(end.saturating_duration_since(Instant::now())).await?;
            if packet != Packet::Ping {
                return Ok(packet);
            }
            self.pings += 1;
            self.send_text("3".to_owned()).await?;
        }
    }

    async fn packet(&mut self, patience: Duration) -> Result<Packet> {
        let stream = match &mut self.wire {
            Wire::WebSocket(stream) => stream,
            Wire::Polling(polling) => {
                return Ok(match polling.next(patience).await? {
                    Polled::Packet(text) => Packet::parse(&text),
                    Polled::Gone(why) => Packet::Closed(why),
                });
            }
        };
        let end = tokio::time::Instant::now() + patience;
        loop {
            let message = tokio::time::timeout_at(end, stream.next()).await;
            let Some(Ok(message)) = message.context("nothing came in time")? else {
                return Ok(Packet::Closed("the connection broke".to_owned()));
            };
            if let Some((code, reason)) = message.as_close() {
                return Ok(Packet::Closed(format!("{} {reason}", u16::from(code))));
            }
            if let Some(text) = message.as_text() {
                return Ok(Packet::parse(text));
            }
        }
    }
}

fn websocket_url(url: &str, session: Option<&str>) -> String {
    let session = session.map_or_else(String::new, |id| format!("&sid={id}"));
    format!("{}?EIO=4&transport=websocket{session}", url.replacen("http", "ws", 1))
}

/// A poll's `<status> <body>` that brought no session.
fn refusal(why: String) -> ConnectError {
    let status = why.split(' ').next().and_then(|word| word.parse().ok());
    status.map_or(ConnectError::Failed(why), ConnectError::Refused)
}

#[cfg(test)]
mod tests;
