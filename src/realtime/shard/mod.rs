//! A shard: the sessions, rooms and frames of one HTTP worker's thread.
//!
//! Sessions share its state on their thread without locks. Its mailbox is bounded: full means that the registry waits.
//! One clock serves all heartbeats, deadlines and token ends.

mod acks;
mod act;
mod beat;
mod catch_up;
#[cfg(test)]
mod crossing;
#[cfg(test)]
mod deaf;
mod deliver;
mod farewell;
mod gates;
mod joined;
mod membership;
mod presence;
mod refresh;
mod subscribe;
mod tell;
mod vitals;

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, ResponseFuture,
    WrapFuture, dev::ContextFutureSpawner,
};
use bytes::Bytes;
use serde_json::Value;
use slab::Slab;
use smallvec::{SmallVec, smallvec};
use tokio::sync::Notify;

use self::{gates::Gates, membership::Membership, presence::Typed, subscribe::Job, vitals::Vitals};
use super::{
    AddShard,
    actions::Actions,
    close::Close,
    encode::{self, Encoded},
    limits::{Seat, SessionLimits},
    presence::Presence,
    protocol::{Refusal, ServerFrame},
    rooms::Rooms,
    wire::{Sent, Wire},
};
use crate::{
    auth::{Authenticator, Principal},
    config::Realtime,
    domain::{ChatId, Room, SessionId, clock, directory::Watch, envelope::Position},
    inbox::Inbox,
    telemetry::Metrics,
};

pub use acks::Acked;
pub use joined::Joined;
pub(super) use membership::may_see;
pub use membership::{JoinError, RoomName};
pub use subscribe::Subscribe;
pub use tell::{Audience, Tell};

/// Deliveries that may wait for a shard.
const MAILBOX: usize = 1024;

/// An encoded envelope for a room.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Deliver {
    /// Where it goes.
    pub room: Room,
    /// Who has subscribed this chat and not that room sees it too.
    pub chat: Option<ChatId>,
    /// The bit of its type.
    pub types: u32,
    /// Its place.
    pub position: Position,
    /// The place before it in the room.
    pub prev: Option<Position>,
    /// What is written.
    pub envelope: Arc<Encoded>,
}

/// The hub stops: say goodbye to every session, and to those that still come. The answer comes when they have left.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Drain;

/// What a shard is made of; every worker has its own clone.
#[derive(Clone)]
pub struct ShardParts {
    /// Settings of sessions.
    pub settings: Realtime,
    /// Verifies tokens.
    pub auth: Authenticator,
    /// Counts over all shards.
    pub limits: SessionLimits,
    /// The newest directory.
    pub directory: Watch,
    /// The envelope log.
    pub inbox: Inbox,
    /// Who is where, over all shards.
    pub presence: Presence,
    /// Does what sessions ask for that is not realtime's business.
    pub actions: Arc<dyn Actions>,
    /// Takes what is to be told to sessions on all shards.
    pub registry: Recipient<Tell>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// What the whole thread shares.
pub struct ShardState {
    /// Settings of sessions.
    pub settings: Realtime,
    /// Verifies tokens.
    pub auth: Authenticator,
    /// Counts over all shards.
    pub limits: SessionLimits,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The newest directory.
    pub directory: Watch,
    /// The envelope log.
    inbox: Inbox,
    presence: Presence,
    actions: Arc<dyn Actions>,
    registry: Recipient<Tell>,
    members: RefCell<Slab<Member>>,
    rooms: RefCell<Rooms<Wire>>,
    gates: RefCell<Gates>,
    /// How many subscriptions had to catch up.
    jobs: Cell<u64>,
    draining: Cell<bool>,
    /// A session has left.
    left: Notify,
}

/// A session as its shard sees it.
struct Member {
    id: SessionId,
    wire: Rc<Wire>,
    principal: Option<Rc<Principal>>,
    membership: Membership,
    /// Subscriptions that have to catch up, in the order in which they came.
    jobs: VecDeque<Job>,
    vitals: Vitals,
    typed: Typed,
    /// Questions to the inbox's file that are not answered yet.
    waiting: u8,
    /// Held while the session lives: its place among those of its address and of its user.
    seats: SmallVec<[Seat; 2]>,
}

impl ShardState {
    /// An empty shard.
    #[must_use]
    pub fn new(parts: ShardParts) -> Rc<Self> {
        let ShardParts { settings, auth, limits, directory, inbox, presence, actions, registry, metrics } = parts;
        Rc::new(Self {
            settings,
            auth,
            limits,
            metrics,
            directory,
            inbox,
            presence,
            actions,
            registry,
            members: RefCell::default(),
            rooms: RefCell::default(),
            gates: RefCell::default(),
            jobs: Cell::default(),
            draining: Cell::default(),
            left: Notify::new(),
        })
    }

    /// A socket came; returns its key.
    pub fn enter(&self, wire: Rc<Wire>, address: Seat) -> usize {
        self.metrics.sessions.inc();
        self.members.borrow_mut().insert(Member {
            id: SessionId::generate(),
            wire,
            principal: None,
            membership: Membership::default(),
            jobs: VecDeque::new(),
            vitals: Vitals::new(clock::now()),
            typed: Typed::default(),
            waiting: 0,
            seats: smallvec![address],
        })
    }

    /// The cookie of a session did not count: it is told so if nothing better comes.
    pub fn cookie_refused(&self, key: usize) {
        if let Some(member) = self.members.borrow_mut().get_mut(key) {
            member.vitals.refuse_cookie();
        }
    }

    /// A session ended.
    pub fn exit(&self, key: usize) {
        let Some(member) = self.members.borrow_mut().try_remove(key) else { return };
        self.metrics.sessions.dec();
        if !member.wire.is_over() {
            // The client left without a word. What waits for it must not wait on: half a connection may stay for ever.
            member.wire.abandon();
        }
        for room in member.membership.rooms() {
            self.unseat(&member, key, room);
            self.gates.borrow_mut().close(room, key);
        }
        self.left.notify_one();
    }

    /// A frame came from the session.
    pub fn heard(&self, key: usize) {
        if let Some(member) = self.members.borrow_mut().get_mut(key) {
            member.vitals.heard();
        }
    }

    /// Who the session is; a fresh token replaces an older one of the same subject.
    ///
    /// # Errors
    /// The way to close it: another subject, or too many sessions.
    pub fn identify(&self, key: usize, mut principal: Principal) -> Result<(), Close> {
        let mut members = self.members.borrow_mut();
        let Some(member) = members.get_mut(key) else { return Ok(()) };
        match &member.principal {
            Some(known) if known.subject != principal.subject => return Err(Close::Forbidden),
            // The rooms that it is in are those of the grants it had: `refresh` sees what has changed since.
            Some(known) => principal.grants = Arc::clone(&known.grants),
            None => {
                member.seats.push(self.limits.admit_subject(principal.subject).ok_or(Close::TooMany)?);
            }
        }
        member.principal = Some(Rc::new(principal));
        member.vitals.renewed();
        drop(members);
        self.refresh(key);
        Ok(())
    }

    /// Who the session is, once that is known.
    #[must_use]
    pub fn principal(&self, key: usize) -> Option<Rc<Principal>> {
        self.members.borrow().get(key)?.principal.clone()
    }

    /// This connection.
    #[must_use]
    pub fn session(&self, key: usize) -> Option<SessionId> {
        Some(self.members.borrow().get(key)?.id)
    }

    /// Closes a session and counts why.
    pub fn close(&self, wire: &Rc<Wire>, ending: Close) {
        if !wire.is_over() {
            Metrics::count(&self.metrics.closed_sessions, ending.reason());
            wire.end(ending);
        }
    }

    /// Sends a frame of the protocol to one session.
    pub fn send(&self, wire: &Rc<Wire>, frame: &ServerFrame<'_>) {
        match encode::server_frame(wire.encoding(), frame) {
            Ok(Some(frame)) => {
                self.write(wire, &frame);
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "a server frame can't be encoded"),
        }
    }

    /// Answers a frame, if it asks for an answer.
    pub fn reply(&self, wire: &Rc<Wire>, reference: Option<Value>, outcome: Result<Option<Value>, Refusal>) {
        let Some(reference) = reference else { return };
        let ok = outcome.is_ok();
        let (data, error) = outcome.map_or_else(|error| (None, Some(error)), |data| (data, None));
        self.send(wire, &ServerFrame::Reply { reference, ok, error, data });
    }

    /// Writes to one session, or ends it if too much waits; whether it took the frame.
    pub fn write(&self, wire: &Rc<Wire>, frame: &Bytes) -> bool {
        let sent = wire.send(frame);
        if sent == Sent::Full {
            self.close(wire, Close::Slow);
        }
        sent == Sent::Kept
    }
}

/// The actor around the state.
pub struct Shard {
    state: Rc<ShardState>,
    registry: Recipient<AddShard>,
    ticks: u64,
    /// Came since the mailbox was last empty; no more than fit into it.
    arrived: Vec<Deliver>,
}

impl Shard {
    /// A shard of this state that takes part with `registry`.
    #[must_use]
    pub fn new(state: Rc<ShardState>, registry: Recipient<AddShard>) -> Self {
        Self { state, registry, ticks: 0, arrived: Vec::new() }
    }
}

impl Actor for Shard {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        let joining = self.registry.send(AddShard {
            deliver: ctx.address().recipient(),
            tell: ctx.address().recipient(),
            drain: ctx.address().recipient(),
        });
        joining
            .into_actor(self)
            .map(|tops, shard, ctx| match tops {
                Ok(tops) => {
                    let mut rooms = shard.state.rooms.borrow_mut();
                    tops.0.into_iter().for_each(|(room, position)| rooms.advance(room, position));
                }
                Err(_) => ctx.stop(),
            })
            .wait(ctx);
        ctx.run_interval(Duration::from_secs(1), |shard, _| {
            shard.ticks += 1;
            shard.state.tick(shard.ticks);
        });
        self.state.follow_directory();
    }
}

impl Handler<Deliver> for Shard {
    type Result = ();

    /// What is in the mailbox by now goes out together: the future runs when the mailbox is empty.
    fn handle(&mut self, delivery: Deliver, ctx: &mut Self::Context) {
        if self.arrived.is_empty() {
            let all_here = std::future::ready(()).into_actor(self);
            ctx.spawn(all_here.map(|(), shard, _| {
                shard.state.deliver(&shard.arrived);
                shard.arrived.clear();
            }));
        }
        self.arrived.push(delivery);
    }
}

impl Handler<Drain> for Shard {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, _: &mut Self::Context) -> Self::Result {
        let state = Rc::clone(&self.state);
        Box::pin(async move { state.drain().await })
    }
}
