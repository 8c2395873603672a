//! A shard: the sessions, rooms and frames of one HTTP worker's thread.
//!
//! Sessions share its state on their thread without locks. Its mailbox is bounded: full means that the registry waits.
//! One clock serves all heartbeats, deadlines and token ends.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, WrapFuture,
    dev::ContextFutureSpawner,
};
use bytes::Bytes;
use slab::Slab;
use smallvec::{SmallVec, smallvec};

use super::{
    AddShard,
    close::Close,
    encode,
    limits::{Seat, SessionLimits},
    protocol::{ServerFrame, Tops},
    rooms::Rooms,
    wire::{Sent, Wire},
};
use crate::{
    auth::{Authenticator, Principal},
    config::Realtime,
    domain::{AccountId, Role, Room, Timestamp, clock, directory::Watch, envelope::Position},
    telemetry::Metrics,
};

/// Deliveries that may wait for a shard.
const MAILBOX: usize = 1024;

/// An encoded envelope for a room.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Deliver {
    /// Where it goes.
    pub room: Room,
    /// The bit of its type.
    pub types: u32,
    /// Its place.
    pub position: Position,
    /// The WebSocket frame.
    pub frame: Bytes,
}

/// The hub stops: say goodbye to every session.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Drain;

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
    members: RefCell<Slab<Member>>,
    rooms: RefCell<Rooms<Wire>>,
}

/// A session as its shard sees it.
struct Member {
    wire: Rc<Wire>,
    principal: Option<Rc<Principal>>,
    subscriptions: Vec<Subscription>,
    born: Timestamp,
    /// Whether a frame came since the last ping; a second ping without is the end.
    alive: bool,
    missed: bool,
    warned: bool,
    /// Held while the session lives: its place among those of its address and of its user.
    seats: SmallVec<[Seat; 2]>,
}

/// A room that a session asked for.
struct Subscription {
    /// `None` for `dashboard`.
    room: Option<Room>,
    types: u32,
    /// The account rooms that it put the session into, each counted for its account.
    joined: Vec<(Room, Seat)>,
}

/// Why a room was not joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinError {
    /// Not the session's to see.
    Forbidden,
    /// The session is in too many rooms.
    TooManyRooms,
    /// The account has too many sessions.
    AccountFull,
}

impl ShardState {
    /// An empty shard.
    #[must_use]
    pub fn new(
        settings: Realtime,
        auth: Authenticator,
        limits: SessionLimits,
        directory: Watch,
        metrics: Arc<Metrics>,
    ) -> Rc<Self> {
        Rc::new(Self {
            settings,
            auth,
            limits,
            metrics,
            directory,
            members: RefCell::default(),
            rooms: RefCell::default(),
        })
    }

    /// A socket came; returns its key.
    pub fn enter(&self, wire: Rc<Wire>, address: Seat) -> usize {
        self.metrics.sessions.inc();
        self.members.borrow_mut().insert(Member {
            wire,
            principal: None,
            subscriptions: Vec::new(),
            born: clock::now(),
            alive: true,
            missed: false,
            warned: false,
            seats: smallvec![address],
        })
    }

    /// A session ended.
    pub fn exit(&self, key: usize) {
        let Some(member) = self.members.borrow_mut().try_remove(key) else { return };
        self.metrics.sessions.dec();
        let mut rooms = self.rooms.borrow_mut();
        for (room, _) in member.subscriptions.iter().flat_map(|subscription| &subscription.joined) {
            rooms.leave(*room, key);
        }
    }

    /// A frame came from the session.
    pub fn heard(&self, key: usize) {
        if let Some(member) = self.members.borrow_mut().get_mut(key) {
            member.alive = true;
        }
    }

    /// Who the session is; a fresh token replaces an older one of the same subject.
    ///
    /// # Errors
    /// The way to close it: another subject, or too many sessions.
    pub fn identify(&self, key: usize, principal: Principal) -> Result<(), Close> {
        let mut members = self.members.borrow_mut();
        let Some(member) = members.get_mut(key) else { return Ok(()) };
        match &member.principal {
            Some(known) if known.subject != principal.subject => return Err(Close::Forbidden),
            Some(_) => {}
            None => {
                member.seats.push(self.limits.admit_subject(principal.subject).ok_or(Close::TooMany)?);
            }
        }
        member.principal = Some(Rc::new(principal));
        member.warned = false;
        drop(members);
        self.refresh(key);
        Ok(())
    }

    /// Who the session is, once that is known.
    #[must_use]
    pub fn principal(&self, key: usize) -> Option<Rc<Principal>> {
        self.members.borrow().get(key)?.principal.clone()
    }

    /// Lets a session into a room, or (`None`) into every account room that it may see.
    ///
    /// # Errors
    /// If it may not, or a limit is reached: nothing was changed.
    pub fn subscribe(&self, key: usize, room: Option<Room>, types: u32) -> Result<Tops, JoinError> {
        let mut members = self.members.borrow_mut();
        let Some(member) = members.get_mut(key) else { return Ok(Tops::new()) };
        let principal = member.principal.clone().ok_or(JoinError::Forbidden)?;
        let wanted = rooms_of(&principal, room);
        if room.is_some() && wanted.is_empty() {
            return Err(JoinError::Forbidden);
        }
        let elsewhere = member.subscriptions.iter().filter(|subscription| subscription.room != room);
        let held: usize = elsewhere.map(|subscription| subscription.joined.len()).sum();
        if held + wanted.len() > self.settings.rooms_per_session {
            return Err(JoinError::TooManyRooms);
        }
        let mut joined = Vec::new();
        for room in &wanted {
            joined.push((*room, self.limits.admit_account(room.account()).ok_or(JoinError::AccountFull)?));
        }
        member.subscriptions.retain(|subscription| subscription.room != room);
        member.subscriptions.push(Subscription { room, types, joined });
        let mut rooms = self.rooms.borrow_mut();
        let tops = wanted.iter().map(|room| (room.to_string(), rooms.top(*room))).collect();
        for room in wanted {
            rooms.join(room, key, types_for(&member.subscriptions, room), &member.wire);
        }
        Ok(tops)
    }

    /// Lets a session out of what it subscribed.
    pub fn unsubscribe(&self, key: usize, room: Option<Room>) {
        let mut members = self.members.borrow_mut();
        let Some(member) = members.get_mut(key) else { return };
        let (gone, kept) =
            std::mem::take(&mut member.subscriptions).into_iter().partition::<Vec<_>, _>(|s| s.room == room);
        member.subscriptions = kept;
        for (room, _) in gone.iter().flat_map(|subscription| &subscription.joined) {
            self.reseat(member, key, *room);
        }
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
        match serde_json::to_vec(frame) {
            Ok(json) => {
                if wire.send(&encode::text(&json)) == Sent::Full {
                    self.close(wire, Close::Slow);
                }
            }
            Err(error) => tracing::error!(%error, "a server frame can't be encoded"),
        }
    }

    /// Puts a session into a room as its remaining subscriptions want it, or out of it.
    fn reseat(&self, member: &Member, key: usize, room: Room) {
        let mut rooms = self.rooms.borrow_mut();
        match types_for(&member.subscriptions, room) {
            0 => rooms.leave(room, key),
            types => rooms.join(room, key, types, &member.wire),
        }
    }

    fn deliver(&self, delivery: &Deliver) {
        let mut rooms = self.rooms.borrow_mut();
        rooms.advance(delivery.room, delivery.position);
        let mut slow = Vec::new();
        let mut delivered = 0;
        for member in rooms.members(delivery.room) {
            if member.types & delivery.types == 0 {
                continue;
            }
            match member.wire.send(&delivery.frame) {
                Sent::Kept => delivered += 1,
                Sent::Full => slow.push(Rc::clone(&member.wire)),
                Sent::Over => {}
            }
        }
        drop(rooms);
        self.metrics.delivered_frames.inc_by(delivered);
        for wire in slow {
            self.close(&wire, Close::Slow);
        }
    }

    /// Applies the newest directory to one session: what it lost it leaves, what it gained its dashboard sees.
    fn refresh(&self, key: usize) {
        let Some(directory) = self.directory.borrow().clone() else { return };
        let mut members = self.members.borrow_mut();
        let Some(member) = members.get_mut(key) else { return };
        let Some(principal) = member.principal.clone() else { return };
        let Some(grants) = principal.recheck(&directory) else {
            self.close(&member.wire, Close::Forbidden);
            return;
        };
        if grants == principal.grants {
            return;
        }
        let principal = Rc::new(Principal { grants, ..(*principal).clone() });
        member.principal = Some(Rc::clone(&principal));
        let mut touched = Vec::new();
        let mut lost = false;
        for subscription in &mut member.subscriptions {
            let wanted = rooms_of(&principal, subscription.room);
            lost |= subscription.room.is_some() && wanted.is_empty();
            touched.extend(subscription.joined.iter().map(|(room, _)| *room));
            subscription.joined.retain(|(room, _)| wanted.contains(room));
            for room in wanted {
                if !subscription.joined.iter().any(|(known, _)| *known == room)
                    && let Some(seat) = self.limits.admit_account(room.account())
                {
                    subscription.joined.push((room, seat));
                    touched.push(room);
                }
            }
        }
        for room in touched {
            self.reseat(member, key, room);
        }
        if lost || principal.grants.is_empty() {
            self.close(&member.wire, Close::Forbidden);
        }
    }

    fn keys(&self) -> Vec<usize> {
        self.members.borrow().iter().map(|(key, _)| key).collect()
    }

    /// Once a second: heartbeats for the sessions whose turn it is, deadlines for all.
    fn tick(&self, tick: u64) {
        let now = clock::now();
        let period = self.settings.heartbeat.as_secs().max(1);
        let mut members = self.members.borrow_mut();
        for (key, member) in &mut *members {
            if let Some(ending) = self.overdue(member, now) {
                self.close(&member.wire, ending);
            } else if key as u64 % period == tick % period {
                self.heartbeat(member);
            }
        }
    }

    /// Warns a session whose token has run out; says how to close one whose time is over.
    fn overdue(&self, member: &mut Member, now: Timestamp) -> Option<Close> {
        let Some(principal) = &member.principal else {
            return (member.born + self.settings.auth_timeout < now).then_some(Close::Unauthenticated);
        };
        let expires_at = principal.expires_at?;
        if expires_at + self.settings.token_grace < now {
            return Some(Close::Unauthenticated);
        }
        if expires_at < now && !member.warned {
            member.warned = true;
            self.send(&member.wire, &ServerFrame::TokenExpired { grace: self.settings.token_grace.as_secs() });
        }
        None
    }

    fn heartbeat(&self, member: &mut Member) {
        if !std::mem::take(&mut member.alive) {
            if member.missed {
                self.close(&member.wire, Close::NoHeartbeat);
                return;
            }
            member.missed = true;
        } else {
            member.missed = false;
        }
        let rooms = self.rooms.borrow();
        let joined = member.subscriptions.iter().flat_map(|subscription| &subscription.joined);
        let positions = joined.map(|(room, _)| (room.to_string(), rooms.top(*room))).collect();
        drop(rooms);
        self.send(&member.wire, &ServerFrame::Heartbeat { positions });
        if member.wire.send(&encode::ping()) == Sent::Full {
            self.close(&member.wire, Close::Slow);
        }
    }

    fn drain(&self) {
        let members = self.members.borrow();
        let total = members.len().max(1) as u64;
        for (place, (_, member)) in members.iter().enumerate() {
            // Spread over five seconds, so that they don't all come back at once.
            let reconnect_after_ms = 500 + place as u64 * 5000 / total;
            let (code, reason) = (Close::Restart.code(), Close::Restart.reason());
            self.send(&member.wire, &ServerFrame::Goodbye { code, reason, reconnect_after_ms });
            self.close(&member.wire, Close::Restart);
        }
    }
}

/// The rooms that a principal gets when it asks for `room`, or for its dashboard.
fn rooms_of(principal: &Principal, room: Option<Room>) -> Vec<Room> {
    let may = |account: AccountId, room: Room| match (principal.role_in(account), room) {
        (Some(role), Room::Operators(_)) => Role::may_operate(role),
        (role, Room::Account(_)) => role.is_some(),
        (None, Room::Operators(_)) => false,
    };
    match room {
        Some(room) => may(room.account(), room).then_some(room).into_iter().collect(),
        None => principal.accounts().into_iter().map(Room::Account).collect(),
    }
}

/// The types that a session wants from a room, over all its subscriptions; 0 if it is in none.
fn types_for(subscriptions: &[Subscription], room: Room) -> u32 {
    subscriptions
        .iter()
        .filter(|subscription| subscription.joined.iter().any(|(joined, _)| *joined == room))
        .fold(0, |types, subscription| types | subscription.types)
}

/// The actor around the state.
pub struct Shard {
    state: Rc<ShardState>,
    registry: Recipient<AddShard>,
    ticks: u64,
}

impl Shard {
    /// A shard of this state that takes part with `registry`.
    #[must_use]
    pub fn new(state: Rc<ShardState>, registry: Recipient<AddShard>) -> Self {
        Self { state, registry, ticks: 0 }
    }
}

impl Actor for Shard {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        let joining =
            self.registry.send(AddShard { deliver: ctx.address().recipient(), drain: ctx.address().recipient() });
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
        let mut directory = self.state.directory.clone();
        let state = Rc::clone(&self.state);
        actix_rt::spawn(async move {
            while directory.changed().await.is_ok() {
                state.keys().into_iter().for_each(|key| state.refresh(key));
            }
        });
    }
}

impl Handler<Deliver> for Shard {
    type Result = ();

    fn handle(&mut self, delivery: Deliver, _: &mut Self::Context) {
        self.state.deliver(&delivery);
    }
}

impl Handler<Drain> for Shard {
    type Result = ();

    fn handle(&mut self, _: Drain, _: &mut Self::Context) {
        self.state.drain();
    }
}
