//! One Engine.IO session: an actor on the thread that opened it. Requests of its client come to it from all threads.

use std::{
    cell::Cell,
    net,
    pin::Pin,
    rc::Rc,
    task::{self, Poll},
    time::Instant,
};

use actix::{
    Actor, ActorContext, ActorFuture, ActorFutureExt, AsyncContext, Context, Handler, Message, SpawnHandle,
    StreamHandler, WrapFuture, dev::ContextFutureSpawner,
};
use actix_rt::net::TcpStream;
use bytes::{Bytes, BytesMut};
use tokio::sync::oneshot;

use super::{
    super::super::{
        close::Close,
        encode::{self, Encoding},
        session::{Frames, Inbound},
        wire::{Sent, Wire},
    },
    application::Application,
    engine::{self, Due, Engine, Outcome},
    handshake::{Refusal, Transport},
    payload::{self, Malformed, Packet},
    table::Ticket,
};
use crate::auth::Credentials;

/// Requests that may wait for a session. A client has three at a time at most; full means: refused.
const REQUESTS: usize = 8;

/// A request of a session's client.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) enum Request {
    /// The packets that wait, or the next.
    Poll(oneshot::Sender<Answer>),
    /// Packets from the client, as soon as they have been read.
    Post {
        /// What the request says about who sent it.
        head: Credentials,
        /// The packets; nothing if the request breaks off.
        body: oneshot::Receiver<Bytes>,
        /// How it is answered.
        answer: oneshot::Sender<Answer>,
    },
    /// A WebSocket that was accepted for this session.
    Attach {
        /// What the request says about who sent it.
        head: Credentials,
        /// The socket.
        io: net::TcpStream,
        /// Bytes that came along with the request.
        read: BytesMut,
    },
}

/// How a request is answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// With these packets.
    Packets(String),
    /// It was taken.
    Taken,
    /// Not at all.
    Refused(Refusal),
}

/// The actor.
pub(super) struct Session<A: Application> {
    engine: Engine,
    wire: Rc<Wire>,
    application: A,
    /// A GET that waits.
    get: Option<oneshot::Sender<Answer>>,
    /// The WebSocket that it had was given up: neither its packets nor its end mean anything.
    hung_up: bool,
    /// When the engine or the application is asked again.
    alarm: Option<(Instant, SpawnHandle)>,
    _ticket: Ticket<A>,
}

impl<A: Application> Session<A> {
    /// Starts a session. If its wire has a socket, it is a WebSocket's; `read` came along with its request.
    pub(super) fn start(engine: Engine, wire: Rc<Wire>, application: A, read: BytesMut, ticket: Ticket<A>) {
        Self::create(|ctx| {
            ctx.set_mailbox_capacity(REQUESTS);
            ticket.show(ctx.address());
            ctx.spawn(Watch);
            if wire.socket().is_some() {
                ctx.add_stream(Frames::new(Rc::clone(&wire), read, Rc::new(Cell::new(engine.settings().max_payload))));
            }
            Self { engine, wire, application, get: None, hung_up: false, alarm: None, _ticket: ticket }
        });
    }

    fn poll(&mut self, answer: oneshot::Sender<Answer>, ctx: &mut Context<Self>) {
        let upgrading = self.wire.is_pulled() && self.wire.socket().is_some() && !self.hung_up;
        if !upgrading {
            return self.get(answer);
        }
        // What the client has sent on its new socket may have come before, and decides how this is answered.
        let turn = tokio::task::yield_now().into_actor(self).map(|(), session, ctx| {
            session.get(answer);
            session.settle(ctx);
        });
        ctx.spawn(turn);
    }

    fn get(&mut self, answer: oneshot::Sender<Answer>) {
        match self.engine.poll(Instant::now()) {
            Ok(engine::Poll::WhenSomethingWaits) => self.get = Some(answer),
            Ok(engine::Poll::AtOnce) => {
                self.get = Some(answer);
                self.answer_get(true);
            }
            Err(refusal) => refuse(answer, refusal),
        }
    }

    fn post(
        &mut self,
        head: Credentials,
        body: oneshot::Receiver<Bytes>,
        answer: oneshot::Sender<Answer>,
        ctx: &mut Context<Self>,
    ) {
        if self.wire.is_over() {
            return refuse(answer, Refusal::UnknownSession);
        }
        if let Err(refusal) = self.engine.post(Instant::now()) {
            return refuse(answer, refusal);
        }
        self.application.met(head);
        let reading = body.into_actor(self).map(|body, session, ctx| {
            session.engine.posted();
            if let Ok(body) = body {
                let answered =
                    if session.read(&body, ctx) { Answer::Taken } else { Answer::Refused(Refusal::BadRequest) };
                let _ = answer.send(answered);
            }
            session.settle(ctx);
        });
        ctx.spawn(reading);
    }

    /// Reads packets that were posted; whether all was well with them.
    fn read(&mut self, body: &[u8], ctx: &mut Context<Self>) -> bool {
        let Ok(body) = std::str::from_utf8(body) else {
            self.engine.end(Close::Protocol);
            return false;
        };
        for packet in payload::read(body) {
            if self.wire.is_over() || self.engine.ending().is_some() || !self.application.admit() {
                break;
            }
            self.hear(Transport::Polling, packet, ctx);
        }
        self.engine.ending().map_or(!self.wire.is_over(), |ending| ending == Close::Normal)
    }

    fn attach(&mut self, head: Credentials, io: net::TcpStream, read: BytesMut, ctx: &mut Context<Self>) {
        let Ok(io) = TcpStream::from_std(io) else { return };
        let may = !self.wire.is_over() && self.wire.socket().is_none() && self.engine.attach(Instant::now());
        if !may {
            // It is told in its own way; the session is not disturbed.
            return Wire::new(io, Encoding::SocketIo, self.wire.limit()).end(Close::Normal);
        }
        self.application.met(head);
        if self.wire.attach(io).is_ok() {
            ctx.add_stream(Frames::new(
                Rc::clone(&self.wire),
                read,
                Rc::new(Cell::new(self.engine.settings().max_payload)),
            ));
        }
    }

    fn hear(&mut self, from: Transport, packet: Result<Packet<'_>, Malformed>, ctx: &mut Context<Self>) {
        let now = Instant::now();
        let heard = match self.engine.hear(from, packet, now) {
            Outcome::Nothing => return,
            Outcome::Text(text) => self.application.text(text, now),
            Outcome::Binary(bytes) => self.application.binary(&bytes, now),
            Outcome::Probed => {
                self.wire.aside(&encode::text(payload::PROBED.as_bytes()));
                return self.answer_get(true);
            }
            Outcome::Upgraded => {
                self.wire.flow();
                return self.answer_get(true);
            }
            Outcome::Abandoned => return self.hang_up(),
        };
        match heard {
            Ok(None) => {}
            Ok(Some(lookup)) => lookup
                .into_actor(self)
                .map(|found, session, ctx| {
                    session.application.found(found, Instant::now());
                    session.settle(ctx);
                })
                .wait(ctx),
            Err(ending) => self.engine.end(ending),
        }
    }

    fn hang_up(&mut self) {
        self.hung_up = true;
        self.wire.hang_up();
    }

    fn send(&mut self, frame: &Bytes) {
        if self.wire.send(frame) == Sent::Full {
            self.application.close(Close::Slow);
        }
    }

    /// The WebSocket's end came, or its close frame.
    fn lost(&mut self, ctx: &mut Context<Self>) {
        let carried = self.engine.transport() == Transport::WebSocket;
        self.engine.detached();
        if carried {
            ctx.stop();
        } else {
            self.hang_up();
        }
    }

    /// Answers a GET that waits with what waits for it; with nothing only if it must not wait on.
    fn answer_get(&mut self, at_once: bool) {
        if self.get.is_none() || !(at_once || self.wire.has_waiting()) {
            return;
        }
        // After an upgrade what waits goes to the socket.
        let pull = || if self.wire.is_pulled() { self.wire.pull() } else { None };
        let frames: Vec<_> = std::iter::from_fn(pull).collect();
        let last = self.engine.ending().map_or(payload::CLOSE, engine::released);
        let body = if frames.is_empty() { payload::NOOP.to_owned() } else { payload::body(&frames, last) };
        self.engine.polled();
        if let Some(get) = self.get.take()
            && get.send(Answer::Packets(body)).is_err()
        {
            // Whoever asked is gone, and what was for them with it.
            self.engine.end(Close::Normal);
        }
    }

    /// Brings everything together after something has happened.
    fn settle(&mut self, ctx: &mut Context<Self>) {
        self.answer_get(false);
        if let Some(ending) = self.engine.ending() {
            self.application.close(ending);
            self.answer_get(false);
        }
        if !self.wire.is_over() {
            self.set_alarm(ctx);
        } else if self.wire.is_pulled() && !self.wire.has_waiting() {
            ctx.stop();
        }
    }

    fn set_alarm(&mut self, ctx: &mut Context<Self>) {
        let due = self.engine.deadline();
        let due = self.application.deadline().map_or(due, |deadline| due.min(deadline));
        if self.alarm.is_some_and(|(at, _)| at <= due) {
            return;
        }
        let alarm = ctx.run_later(due.saturating_duration_since(Instant::now()), Self::ring);
        if let Some((_, earlier)) = self.alarm.replace((due, alarm)) {
            ctx.cancel_future(earlier);
        }
    }

    fn ring(&mut self, ctx: &mut Context<Self>) {
        self.alarm = None;
        let now = Instant::now();
        loop {
            match self.engine.tick(now) {
                Due::Nothing => break,
                Due::Ping => self.send(&encode::text(payload::PING.as_bytes())),
                Due::Abandoned => self.hang_up(),
            }
        }
        if self.application.deadline().is_some_and(|deadline| deadline <= now) {
            self.engine.end(Close::Protocol);
        }
        self.settle(ctx);
    }
}

fn refuse(answer: oneshot::Sender<Answer>, refusal: Refusal) {
    // Who does not wait for it any more needs none.
    let _ = answer.send(Answer::Refused(refusal));
}

impl<A: Application> Actor for Session<A> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.settle(ctx);
    }
}

impl<A: Application> Handler<Request> for Session<A> {
    type Result = ();

    fn handle(&mut self, request: Request, ctx: &mut Self::Context) {
        match request {
            Request::Poll(answer) => self.poll(answer, ctx),
            Request::Post { head, body, answer } => self.post(head, body, answer, ctx),
            Request::Attach { head, io, read } => self.attach(head, io, read, ctx),
        }
        self.settle(ctx);
    }
}

impl<A: Application> StreamHandler<Inbound> for Session<A> {
    fn handle(&mut self, inbound: Inbound, ctx: &mut Self::Context) {
        let ended = matches!(inbound, Inbound::Close | Inbound::Broken(_));
        if self.hung_up || (self.wire.is_over() && !ended) || (!ended && !self.application.admit()) {
            return;
        }
        let carries = self.engine.transport() == Transport::WebSocket;
        match inbound {
            Inbound::Text(text) => self.hear(Transport::WebSocket, Packet::from_text(&text), ctx),
            Inbound::Binary(bytes) => self.hear(Transport::WebSocket, Ok(Packet::from_binary(&bytes)), ctx),
            Inbound::Part | Inbound::Pong => {}
            Inbound::Ping(payload) if carries => self.send(&encode::pong(&payload)),
            Inbound::Ping(payload) => self.wire.aside(&encode::pong(&payload)),
            Inbound::Close => {
                if carries {
                    self.wire.end_answered();
                }
                self.lost(ctx);
            }
            Inbound::Broken(ending) if carries => self.engine.end(ending),
            Inbound::Broken(_) => self.hear(Transport::WebSocket, Err(Malformed), ctx),
        }
        self.settle(ctx);
    }

    fn finished(&mut self, ctx: &mut Self::Context) {
        if !self.hung_up {
            self.lost(ctx);
            self.settle(ctx);
        }
    }
}

/// Notices what the shard writes for a client that polls, and that it ends the session.
struct Watch;

impl<A: Application> ActorFuture<Session<A>> for Watch {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        session: &mut Session<A>,
        ctx: &mut Context<Session<A>>,
        task: &mut task::Context<'_>,
    ) -> Poll<()> {
        session.wire.watch(task);
        session.settle(ctx);
        Poll::Pending
    }
}
