//! One Engine.IO session: which transport carries it, which requests are under way, and whether it is alive.
//!
//! The caller owns the packets that wait and the sockets. After every call it asks [`Engine::ending`].

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    super::super::close::Close,
    handshake::{Refusal, Transport},
    payload::{self, Malformed, Packet},
};

/// What sessions are told and held to.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Between a pong and the next ping.
    pub ping_interval: Duration,
    /// For the pong.
    pub ping_timeout: Duration,
    /// For a WebSocket that wants to take a session over.
    pub upgrade_timeout: Duration,
    /// The largest body or frame, in bytes.
    pub max_payload: usize,
}

/// The session.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    transport: Transport,
    upgrade: Option<Upgrade>,
    polled: bool,
    posting: bool,
    heartbeat: Heartbeat,
    ending: Option<Close>,
}

/// A WebSocket that is not yet the transport.
#[derive(Debug)]
struct Upgrade {
    by: Instant,
    probed: bool,
}

#[derive(Debug)]
enum Heartbeat {
    PingAt(Instant),
    PongBy(Instant),
}

/// How a GET is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// With what waits, or what comes next.
    WhenSomethingWaits,
    /// With what waits, or [`payload::NOOP`] if nothing does: the session is moving to a WebSocket.
    AtOnce,
}

/// What a packet leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// Nothing more; or the session is over: see [`Engine::ending`].
    Nothing,
    /// This is for the protocol above.
    Text(&'a str),
    /// So is this.
    Binary(Cow<'a, [u8]>),
    /// Answer [`payload::PROBED`] on the new socket; answer a GET that waits at once, as in [`Poll::AtOnce`].
    Probed,
    /// The new socket carries the session: what waits and what comes goes there. A GET that still waits is answered
    /// [`payload::NOOP`].
    Upgraded,
    /// Close the new socket; the session goes on by polling.
    Abandoned,
}

/// What the time leads to. Ask again until it is [`Due::Nothing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing; or the session is over: see [`Engine::ending`].
    Nothing,
    /// Send [`payload::PING`].
    Ping,
    /// Close the new socket; the session goes on by polling.
    Abandoned,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Open<'a> {
    sid: &'a str,
    upgrades: &'a [&'a str],
    ping_interval: u128,
    ping_timeout: u128,
    max_payload: usize,
}

impl Engine {
    /// A session that begins on this transport.
    #[must_use]
    pub fn new(transport: Transport, settings: Settings, now: Instant) -> Self {
        Self {
            settings,
            transport,
            upgrade: None,
            polled: false,
            posting: false,
            heartbeat: Heartbeat::PingAt(now + settings.ping_interval),
            ending: None,
        }
    }

    /// The first packet of the session: the answer of the request that opened it, or the first frame.
    ///
    /// # Errors
    /// None in fact: it is plain JSON.
    pub fn open(&self, id: &str) -> serde_json::Result<String> {
        let open = Open {
            sid: id,
            upgrades: if self.transport == Transport::Polling { &["websocket"] } else { &[] },
            ping_interval: self.settings.ping_interval.as_millis(),
            ping_timeout: self.settings.ping_timeout.as_millis(),
            max_payload: self.settings.max_payload,
        };
        Ok(format!("0{}", serde_json::to_string(&open)?))
    }

    /// Why the session is over, once it is: forget it, answer a GET that waits with [`released`], close its sockets.
    #[must_use]
    pub const fn ending(&self) -> Option<Close> {
        self.ending
    }

    /// Ends the session, for reasons of the protocol above or because a socket or a waiting GET broke.
    pub fn end(&mut self, ending: Close) {
        self.ending.get_or_insert(ending);
    }

    /// What the session is told and held to.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The transport that carries the session now.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        self.transport
    }

    /// A GET came.
    ///
    /// # Errors
    /// How to answer it otherwise; a second one at a time ends the session.
    pub fn poll(&mut self, now: Instant) -> Result<Poll, Refusal> {
        self.polling(now)?;
        if std::mem::replace(&mut self.polled, true) {
            self.end(Close::Protocol);
            return Err(Refusal::BadRequest);
        }
        let moving = self.upgrade.as_ref().is_some_and(|upgrade| upgrade.probed);
        Ok(if moving { Poll::AtOnce } else { Poll::WhenSomethingWaits })
    }

    /// The GET was answered.
    pub const fn polled(&mut self) {
        self.polled = false;
    }

    /// A POST came. Its packets go to [`Engine::hear`], then [`Engine::posted`] is called, whatever became of it.
    ///
    /// # Errors
    /// How to answer it otherwise; a second one at a time ends the session.
    pub fn post(&mut self, now: Instant) -> Result<(), Refusal> {
        self.polling(now)?;
        if std::mem::replace(&mut self.posting, true) {
            self.end(Close::Protocol);
            return Err(Refusal::BadRequest);
        }
        Ok(())
    }

    /// The POST was read.
    pub const fn posted(&mut self) {
        self.posting = false;
    }

    /// Only a live session that polls takes polling requests. One that is over must not live on until its timer runs.
    fn polling(&mut self, now: Instant) -> Result<(), Refusal> {
        if let Heartbeat::PongBy(by) = self.heartbeat
            && by <= now
        {
            self.end(Close::NoHeartbeat);
        }
        match (self.ending, self.transport) {
            (Some(_), _) => Err(Refusal::UnknownSession),
            (None, Transport::WebSocket) => Err(Refusal::BadRequest),
            (None, Transport::Polling) => Ok(()),
        }
    }

    /// A WebSocket wants to take the session over; whether it may try. If not, its handshake is answered and it is
    /// closed: that is what clients expect, and the session is not disturbed.
    pub fn attach(&mut self, now: Instant) -> bool {
        let may = self.ending.is_none() && self.transport == Transport::Polling && self.upgrade.is_none();
        if may {
            self.upgrade = Some(Upgrade { by: now + self.settings.upgrade_timeout, probed: false });
        }
        may
    }

    /// The session's WebSocket is gone, or the one that wanted to become it. Not for one that was turned down or given
    /// up: after that neither its packets nor its end are the session's.
    pub fn detached(&mut self) {
        if self.transport == Transport::WebSocket {
            self.end(Close::Normal);
        }
        self.upgrade = None;
    }

    /// A packet came, or something that is none.
    pub fn hear<'a>(&mut self, from: Transport, packet: Result<Packet<'a>, Malformed>, now: Instant) -> Outcome<'a> {
        if self.ending.is_some() {
            return Outcome::Nothing;
        }
        if from == Transport::WebSocket && self.transport == Transport::Polling {
            return self.upgrading(&packet);
        }
        match packet {
            Ok(Packet::Text(text)) => return Outcome::Text(text),
            Ok(Packet::Binary(bytes)) => return Outcome::Binary(bytes),
            Ok(Packet::Pong) => {
                if matches!(self.heartbeat, Heartbeat::PongBy(_)) {
                    self.heartbeat = Heartbeat::PingAt(now + self.settings.ping_interval);
                }
            }
            Ok(Packet::Noop) => {}
            Ok(Packet::Close) => self.end(Close::Normal),
            Ok(Packet::Probe | Packet::Upgrade) | Err(Malformed) => self.end(Close::Protocol),
        }
        Outcome::Nothing
    }

    /// A packet on the new socket: a probe, then the upgrade, and nothing else.
    fn upgrading<'a>(&mut self, packet: &Result<Packet<'_>, Malformed>) -> Outcome<'a> {
        match (packet, &mut self.upgrade) {
            (Ok(Packet::Probe), Some(upgrade)) if !upgrade.probed => {
                upgrade.probed = true;
                Outcome::Probed
            }
            (Ok(Packet::Upgrade), Some(Upgrade { probed: true, .. })) => {
                self.upgrade = None;
                self.transport = Transport::WebSocket;
                Outcome::Upgraded
            }
            _ => {
                self.upgrade = None;
                Outcome::Abandoned
            }
        }
    }

    /// When [`Engine::tick`] has something to say.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        let (Heartbeat::PingAt(beat) | Heartbeat::PongBy(beat)) = self.heartbeat;
        self.upgrade.as_ref().map_or(beat, |upgrade| beat.min(upgrade.by))
    }

    /// What is due.
    pub fn tick(&mut self, now: Instant) -> Due {
        if self.ending.is_some() {
            return Due::Nothing;
        }
        if self.upgrade.as_ref().is_some_and(|upgrade| upgrade.by <= now) {
            self.upgrade = None;
            return Due::Abandoned;
        }
        match self.heartbeat {
            Heartbeat::PingAt(at) if at <= now => {
                self.heartbeat = Heartbeat::PongBy(at + self.settings.ping_timeout);
                Due::Ping
            }
            Heartbeat::PongBy(by) if by <= now => {
                self.end(Close::NoHeartbeat);
                Due::Nothing
            }
            _ => Due::Nothing,
        }
    }
}

/// The last packet for a GET that waits when the session ends. A client that said so itself knows.
#[must_use]
pub const fn released(ending: Close) -> &'static str {
    match ending {
        Close::Normal => payload::NOOP,
        _ => payload::CLOSE,
    }
}

#[cfg(test)]
mod tests;
