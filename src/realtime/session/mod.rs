//! `Session`: one connected dashboard on its upgraded socket. Reads frames, asks the shard, answers.
//!
//! The only folder that names `actix-web-actors` (its WebSocket types). Writing is the [`Wire`]'s business, so a client
//! that does not read stops nothing here.

mod frames;

use std::rc::Rc;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, StreamHandler, WrapFuture, dev::ContextFutureSpawner,
};
use actix_web_actors::ws::{Frame, ProtocolError};
use bytes::{Bytes, BytesMut};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde_json::Value;

use super::{
    close::Close,
    encode,
    limits::Seat,
    protocol::{Asked, ClientFrame, Refusal, ServerFrame, Since},
    rooms::{ANY_TYPE, type_bit},
    shard::{JoinError, ShardState, Subscribe},
    wire::Wire,
};
use crate::{
    auth::{AuthError, Credentials, Principal},
    domain::{Room, SessionId},
};

pub use frames::{Frames, Inbound};

/// The room that stands for every account the user may see.
const DASHBOARD: &str = "dashboard";

/// The actor.
pub struct Session {
    id: SessionId,
    key: usize,
    shard: Rc<ShardState>,
    wire: Rc<Wire>,
    head: Credentials,
    bucket: DefaultDirectRateLimiter,
    /// A message whose fragments are still coming: whether it is text, and what came.
    fragments: Option<(bool, BytesMut)>,
}

impl Session {
    /// Starts a session on an upgraded socket. `read`: bytes that came along with the request; `head`: what the
    /// request says about who sent it.
    pub fn open(shard: &Rc<ShardState>, wire: Rc<Wire>, read: BytesMut, head: Credentials, address: Seat) {
        let settings = &shard.settings;
        let one = std::num::NonZeroU32::MIN;
        let quota = Quota::per_second(settings.frames_per_second.try_into().unwrap_or(one))
            .allow_burst(settings.frame_burst.try_into().unwrap_or(one));
        let key = shard.enter(Rc::clone(&wire), address);
        let session = Self {
            id: SessionId::generate(),
            key,
            shard: Rc::clone(shard),
            wire: Rc::clone(&wire),
            head,
            bucket: RateLimiter::direct(quota),
            fragments: None,
        };
        let limit = usize::try_from(settings.max_frame.as_u64()).unwrap_or(usize::MAX);
        Self::create(|ctx| {
            ctx.set_mailbox_capacity(1);
            ctx.add_stream(Frames::new(wire, read, limit));
            session
        });
    }

    fn close(&self, ending: Close) {
        self.shard.close(&self.wire, ending);
    }

    fn send(&self, frame: &ServerFrame<'_>) {
        self.shard.send(&self.wire, frame);
    }

    fn reply(&self, reference: Option<Value>, outcome: Result<(), Refusal>) {
        if let Some(reference) = reference {
            self.send(&ServerFrame::Reply { reference, ok: outcome.is_ok(), error: outcome.err() });
        }
    }

    /// One whole message, from one frame or several.
    fn message(&mut self, text: bool, payload: &[u8], ctx: &mut Context<Self>) {
        if !text {
            return self.close(Close::Protocol);
        }
        if std::str::from_utf8(payload).is_err() {
            return self.close(Close::NotUtf8);
        }
        let Some(Asked { reference, frame }) = Asked::read(payload) else { return self.close(Close::Protocol) };
        let known = self.shard.principal(self.key).is_some();
        match frame {
            Ok(ClientFrame::Auth { token }) => self.authenticate(Credentials::token(token), reference, ctx),
            _ if !known => self.close(Close::Unauthenticated),
            Ok(ClientFrame::Subscribe { room, since, types }) => {
                let outcome = self.subscribe(room, since, types.as_deref(), reference.clone());
                if outcome.is_err() {
                    self.reply(reference, outcome);
                }
            }
            Ok(ClientFrame::Unsubscribe { room }) => {
                let outcome = read_room(&room).map(|room| self.shard.unsubscribe(self.key, room));
                self.reply(reference, outcome);
            }
            Ok(ClientFrame::Ack {}) => self.reply(reference, Ok(())),
            Err(refusal) => self.reply(reference, Err(refusal)),
        }
    }

    /// Further frames wait until it is known who the session is.
    fn authenticate(&self, credentials: Credentials, reference: Option<Value>, ctx: &mut Context<Self>) {
        let auth = self.shard.auth.clone();
        async move { auth.authenticate(credentials).await }
            .into_actor(self)
            .map(|outcome, session, _| session.authenticated(outcome, reference))
            .wait(ctx);
    }

    fn authenticated(&self, outcome: Result<Principal, AuthError>, reference: Option<Value>) {
        let known = self.shard.principal(self.key).is_some();
        match outcome {
            Ok(principal) => match self.shard.identify(self.key, principal) {
                Ok(()) if known => self.reply(reference, Ok(())),
                Ok(()) => {
                    self.welcome();
                    self.reply(reference, Ok(()));
                }
                Err(ending) => self.close(ending),
            },
            // The token it has may still be good.
            Err(error) if known => {
                self.reply(reference, Err(Refusal { code: "unauthenticated", message: error.to_string() }));
            }
            Err(error) => self.close(Close::from_code(error.close_code())),
        }
    }

    fn welcome(&self) {
        let Some(principal) = self.shard.principal(self.key) else { return };
        let mut rooms = vec![DASHBOARD.to_owned()];
        for account in principal.accounts() {
            rooms.push(Room::Account(account).to_string());
            if principal.role_in(account).is_some_and(crate::domain::Role::may_operate) {
                rooms.push(Room::Operators(account).to_string());
            }
        }
        self.send(&ServerFrame::Welcome {
            session: self.id,
            user: principal.subject.to_string(),
            heartbeat: self.shard.settings.heartbeat.as_secs(),
            rooms: &rooms,
            resume: true,
        });
    }

    fn subscribe(
        &self,
        name: String,
        since: Option<Since>,
        types: Option<&[String]>,
        reference: Option<Value>,
    ) -> Result<(), Refusal> {
        let room = read_room(&name)?;
        let types = types.map_or(ANY_TYPE, |types| types.iter().fold(0, |mask, name| mask | type_bit(name)));
        if types == 0 {
            return Err(Refusal { code: "bad_frame", message: "none of these types is known".to_owned() });
        }
        self.shard.subscribe(self.key, Subscribe { name, room, types, since, reference }).map_err(refused)
    }

    fn fragment(&mut self, text: Option<bool>, data: &Bytes) {
        let (_, so_far) = match (text, &mut self.fragments) {
            (Some(text), fragments) => fragments.insert((text, BytesMut::new())),
            (None, Some(fragments)) => fragments,
            (None, None) => return self.close(Close::WebSocket),
        };
        if (so_far.len() + data.len()) as u64 > self.shard.settings.max_frame.as_u64() {
            self.fragments = None;
            return self.close(Close::TooLarge);
        }
        so_far.extend_from_slice(data);
    }

    fn frame(&mut self, frame: Frame, ctx: &mut Context<Self>) {
        use actix_http::ws::Item;
        // Whatever it is costs the same to read: a flood of pongs or of empty fragments is a flood of frames.
        if !matches!(frame, Frame::Close(_)) && self.bucket.check().is_err() {
            return self.close(Close::Protocol);
        }
        match frame {
            Frame::Text(payload) => self.message(true, &payload, ctx),
            Frame::Binary(payload) => self.message(false, &payload, ctx),
            Frame::Continuation(Item::FirstText(data)) => self.fragment(Some(true), &data),
            Frame::Continuation(Item::FirstBinary(data)) => self.fragment(Some(false), &data),
            Frame::Continuation(Item::Continue(data)) => self.fragment(None, &data),
            Frame::Continuation(Item::Last(data)) => {
                self.fragment(None, &data);
                if let Some((text, payload)) = self.fragments.take() {
                    self.message(text, &payload, ctx);
                }
            }
            Frame::Ping(payload) => {
                self.shard.write(&self.wire, &encode::pong(&payload));
            }
            Frame::Pong(_) => {}
            Frame::Close(_) => {
                self.wire.end_answered();
                ctx.stop();
            }
        }
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if !self.head.is_empty() {
            let head = std::mem::take(&mut self.head);
            self.authenticate(head, None, ctx);
        }
    }
}

impl Drop for Session {
    /// However it ended, a panic included.
    fn drop(&mut self) {
        self.shard.exit(self.key);
    }
}

impl StreamHandler<Inbound> for Session {
    fn handle(&mut self, inbound: Inbound, ctx: &mut Self::Context) {
        self.shard.heard(self.key);
        match inbound {
            // After the end was announced only the client's own close frame matters.
            Inbound::Frame(frame) if !self.wire.is_over() || matches!(frame, Frame::Close(_)) => {
                self.frame(frame, ctx);
            }
            Inbound::Frame(_) => {}
            Inbound::TooLarge => self.close(Close::TooLarge),
            Inbound::Broken(error) => self.close(ending_for(&error)),
        }
    }

    fn finished(&mut self, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

fn ending_for(error: &ProtocolError) -> Close {
    match error {
        ProtocolError::Overflow => Close::TooLarge,
        _ => Close::WebSocket,
    }
}

/// A room's name; `None` is the dashboard.
fn read_room(name: &str) -> Result<Option<Room>, Refusal> {
    if name == DASHBOARD {
        return Ok(None);
    }
    name.parse().map(Some).map_err(|error: crate::domain::room::ParseRoomError| Refusal {
        code: "no_such_room",
        message: error.to_string(),
    })
}

fn refused(error: JoinError) -> Refusal {
    let (code, message) = match error {
        JoinError::Forbidden => ("forbidden", "this room is not yours to see"),
        JoinError::TooManyRooms => ("too_many_rooms", "leave a room first"),
        JoinError::AccountFull => ("account_full", "the account has too many sessions: try again later"),
    };
    Refusal { code, message: message.to_owned() }
}
