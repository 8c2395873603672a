//! `SessionRegistry`: gives an envelope its position, encodes it once, hands it to the shards, then puts it into the log.
//!
//! One a node. Its mailbox is bounded: full means that publishers wait. A shard that is full makes the registry wait,
//! so that order is kept.

use std::{collections::HashMap, sync::Arc};

use actix::{
    Actor, ActorContext, ActorFutureExt, Context, Handler, Message, Recipient, ResponseFuture, WrapFuture,
    dev::ContextFutureSpawner,
};
use futures_util::{FutureExt, future::join_all};

use super::{Deliver, Drain, Tell, encode, rooms};
use crate::{
    domain::{
        AccountId, EventId, Room, clock,
        envelope::{Envelope, Position},
    },
    inbox::{Inbox, InboxError, LogEntry},
    telemetry::{Labelled, Metrics},
};

/// Push this to whoever may see it. The answer comes when the envelope is also in the log.
#[derive(Message)]
#[rtype(result = "Result<Position, PublishError>")]
pub struct Publish {
    /// What to push.
    pub envelope: Envelope,
    /// The inbox event that it carries, which is then marked as published.
    pub event: Option<EventId>,
}

/// Why an envelope is not in the log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// Nothing was pushed: the payload can't be written as JSON.
    #[error("the envelope can't be encoded: {0}")]
    Encode(String),
    /// It was pushed, but is not in the log: push it again later, under the same id.
    #[error(transparent)]
    Log(#[from] InboxError),
}

/// A shard wants to take part; the answer is how far each room is.
#[derive(Message)]
#[rtype(result = "RoomTops")]
pub struct AddShard {
    /// Takes envelopes.
    pub deliver: Recipient<Deliver>,
    /// Takes what is no envelope.
    pub tell: Recipient<Tell>,
    /// Says goodbye to its sessions.
    pub drain: Recipient<Drain>,
}

/// How far each room is.
#[derive(Debug, Clone, Default, actix::MessageResponse)]
pub struct RoomTops(pub Vec<(Room, Position)>);

/// Positions: what was given out last. Plain state.
struct Positions {
    epoch: u32,
    counts: HashMap<AccountId, u64>,
    tops: HashMap<Room, Position>,
}

impl Positions {
    /// The next position of the account, and the one before it in the room.
    fn next(&mut self, room: Room) -> (Position, Option<Position>) {
        let count = self.counts.entry(room.account()).or_insert(0);
        *count += 1;
        let position = Position { epoch: self.epoch, count: *count };
        (position, self.tops.insert(room, position))
    }
}

/// The actor.
pub struct SessionRegistry {
    positions: Positions,
    shards: Vec<AddShard>,
    inbox: Inbox,
    metrics: Arc<Metrics>,
    mailbox: usize,
    /// The hub stops, and the shards end.
    draining: bool,
}

impl SessionRegistry {
    /// `tops`: the log's newest positions; `mailbox`: envelopes that may wait.
    #[must_use]
    pub fn new(inbox: Inbox, tops: Vec<(Room, Position)>, mailbox: usize, metrics: Arc<Metrics>) -> Self {
        let positions = Positions { epoch: inbox.epoch(), counts: HashMap::new(), tops: tops.into_iter().collect() };
        Self { positions, shards: Vec::new(), inbox, metrics, mailbox, draining: false }
    }

    /// Hands something to every shard; makes the mailbox wait while one of them is full. Without one of its shards it
    /// ends, and the hub with it: that shard's sessions would seem well and receive nothing.
    fn hand_out<M>(&self, message: &M, to: fn(&AddShard) -> &Recipient<M>, ctx: &mut Context<Self>)
    where
        M: Message<Result = ()> + Clone + Send + 'static,
    {
        let mut waiting = Vec::new();
        for shard in &self.shards {
            match to(shard).try_send(message.clone()) {
                Ok(()) => {}
                Err(actix::dev::SendError::Full(message)) => waiting.push(to(shard).send(message)),
                Err(actix::dev::SendError::Closed(_)) if self.draining => {}
                Err(actix::dev::SendError::Closed(_)) => {
                    tracing::error!("a shard has failed");
                    ctx.stop();
                }
            }
        }
        if !waiting.is_empty() {
            join_all(waiting).into_actor(self).map(|_, _, _| ()).wait(ctx);
        }
    }
}

impl Actor for SessionRegistry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.mailbox);
    }
}

impl Handler<AddShard> for SessionRegistry {
    type Result = RoomTops;

    fn handle(&mut self, shard: AddShard, _: &mut Self::Context) -> Self::Result {
        self.shards.push(shard);
        RoomTops(self.positions.tops.iter().map(|(room, position)| (*room, *position)).collect())
    }
}

impl Handler<Publish> for SessionRegistry {
    type Result = ResponseFuture<Result<Position, PublishError>>;

    fn handle(&mut self, Publish { envelope, event }: Publish, ctx: &mut Self::Context) -> Self::Result {
        let room = envelope.room();
        let (position, prev) = self.positions.next(room);
        let encoded = match encode::envelope(&envelope, position, prev) {
            Ok(encoded) => encoded,
            Err(error) => {
                return Box::pin(std::future::ready(Err(PublishError::Encode(error.to_string()))));
            }
        };
        let what = envelope.body.type_name();
        let entry = LogEntry { account: envelope.account, room, position, at: clock::now(), envelope: encoded.json() };
        // It has its place in the log before a session sees it: who then waits until the log has settled finds it there.
        let (queued, logged) = self.inbox.publish(entry, event);
        let mut queued = Box::pin(queued);
        let is_queued = (&mut queued).now_or_never().is_some();
        let delivery = Deliver { room, types: rooms::type_bit(what), position, prev, envelope: Arc::new(encoded) };
        self.hand_out(&delivery, |shard| &shard.deliver, ctx);
        if !is_queued {
            // The log is far behind. Later envelopes must not get ahead of this one there.
            queued.into_actor(self).wait(ctx);
        }
        self.metrics.published_envelopes.get_or_create(&Labelled { what }).inc();
        Box::pin(async move {
            logged.await?;
            Ok(position)
        })
    }
}

impl Handler<Tell> for SessionRegistry {
    type Result = ();

    fn handle(&mut self, tell: Tell, ctx: &mut Self::Context) {
        self.hand_out(&tell, |shard| &shard.tell, ctx);
    }
}

impl Handler<Drain> for SessionRegistry {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, _: &mut Self::Context) -> Self::Result {
        self.draining = true;
        let farewells = join_all(self.shards.iter().map(|shard| shard.drain.send(Drain)));
        Box::pin(async move {
            // A shard that is gone has no sessions left to say goodbye to.
            farewells.await;
        })
    }
}

#[cfg(test)]
mod tests {
    use actix::Addr;

    use super::*;
    use crate::domain::{
        LeadId,
        envelope::{Body, LeadUpdated},
    };

    /// A shard that counts what it gets, until it is told to end.
    struct Counting(usize);

    #[derive(Message)]
    #[rtype(result = "usize")]
    struct End;

    impl Actor for Counting {
        type Context = Context<Self>;
    }

    impl Handler<Deliver> for Counting {
        type Result = ();

        fn handle(&mut self, _: Deliver, _: &mut Self::Context) {
            self.0 += 1;
        }
    }

    impl Handler<Tell> for Counting {
        type Result = ();

        fn handle(&mut self, _: Tell, _: &mut Self::Context) {}
    }

    impl Handler<Drain> for Counting {
        type Result = ();

        fn handle(&mut self, _: Drain, _: &mut Self::Context) {}
    }

    impl Handler<End> for Counting {
        type Result = usize;

        fn handle(&mut self, _: End, ctx: &mut Self::Context) -> usize {
            ctx.stop();
            self.0
        }
    }

    fn update() -> Publish {
        let body = Body::LeadUpdated(LeadUpdated::deleted(LeadId::generate()));
        let account = AccountId::generate();
        Publish { envelope: Envelope { id: EventId::generate(), account, timestamp: clock::now(), body }, event: None }
    }

    async fn with_a_shard(folder: &std::path::Path) -> (Addr<SessionRegistry>, Addr<Counting>) {
        let inbox = Inbox::open(&folder.join("inbox.sqlite3"), 16).unwrap();
        let registry = SessionRegistry::new(inbox, Vec::new(), 16, Arc::new(Metrics::new())).start();
        let shard = Counting(0).start();
        let joining = AddShard {
            deliver: shard.clone().recipient(),
            tell: shard.clone().recipient(),
            drain: shard.clone().recipient(),
        };
        registry.send(joining).await.unwrap();
        (registry, shard)
    }

    #[actix_rt::test]
    async fn a_registry_that_lost_a_shard_ends_so_that_the_hub_does() {
        let folder = tempfile::tempdir().unwrap();
        let (registry, shard) = with_a_shard(folder.path()).await;
        registry.send(update()).await.unwrap().unwrap();
        assert_eq!(shard.send(End).await.unwrap(), 1);
        let _ = registry.send(update()).await;
        assert!(registry.send(update()).await.is_err(), "it takes nothing any more");
        assert!(!registry.connected());
    }

    #[actix_rt::test]
    async fn shards_may_go_when_the_hub_stops_and_what_comes_is_still_logged() {
        let folder = tempfile::tempdir().unwrap();
        let (registry, shard) = with_a_shard(folder.path()).await;
        registry.send(Drain).await.unwrap();
        shard.send(End).await.unwrap();
        registry.send(update()).await.unwrap().unwrap();
        registry.send(update()).await.unwrap().unwrap();
    }
}
