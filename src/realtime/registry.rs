//! `SessionRegistry`: gives an envelope its position, encodes it once, hands it to the shards, then puts it into the log.
//!
//! One a node. Its mailbox is bounded: full means that publishers wait. A shard that is full makes the registry wait,
//! so that order is kept.

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use actix::{
    Actor, ActorContext, ActorFutureExt, Context, Handler, Message, Recipient, ResponseFuture, WrapFuture,
    dev::ContextFutureSpawner,
};
use futures_util::{FutureExt, future::join_all};

use super::{Deliver, Drain, Tell, encode, rooms, unlogged::Unlogged};
use crate::{
    domain::{
        AccountId, EventId, Room, clock,
        envelope::{Envelope, Position},
    },
    inbox::{Inbox, InboxError, LogEntry},
    telemetry::{Labelled, Metrics},
};

/// Push this to whoever may see it. The answer comes when the envelope is also in the log. One that was pushed before and
/// could not be logged is not pushed again: what sessions have read is then logged, at its position.
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
    /// It was pushed, but is not in the log: publish it again later, under the same id.
    #[error(transparent)]
    Log(#[from] InboxError),
    /// It tells of something that was deleted: it is not shown, and its event is finished.
    #[error("what it tells of was deleted")]
    Erased,
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
    unlogged: Rc<RefCell<Unlogged>>,
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
        Self { positions, shards: Vec::new(), unlogged: Rc::default(), inbox, metrics, mailbox, draining: false }
    }

    /// Gives an entry its place in the log, before all that is published later. The future ends when it is there for good.
    fn log(
        &mut self,
        entry: LogEntry,
        event: Option<EventId>,
        ctx: &mut Context<Self>,
    ) -> ResponseFuture<Result<Position, PublishError>> {
        let position = entry.position;
        let (queued, logged) = self.inbox.publish(entry.clone(), event);
        let mut queued = Box::pin(queued);
        if (&mut queued).now_or_never().is_none() {
            // The log is far behind. Later envelopes must not get ahead of this one there.
            queued.into_actor(self).wait(ctx);
        }
        let unlogged = Rc::clone(&self.unlogged);
        Box::pin(async move {
            let outcome = logged.await;
            if let Some(event) = event {
                match &outcome {
                    Ok(()) => unlogged.borrow_mut().forget(event),
                    Err(_) => unlogged.borrow_mut().keep(event, entry),
                }
            }
            outcome?;
            Ok(position)
        })
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
        if self.inbox.is_erased(&envelope) {
            let (inbox, unlogged) = (self.inbox.clone(), Rc::clone(&self.unlogged));
            return Box::pin(async move {
                if let Some(event) = event {
                    unlogged.borrow_mut().forget(event);
                    inbox.forget_event(event).await?;
                }
                Err(PublishError::Erased)
            });
        }
        let pushed = event.and_then(|event| self.unlogged.borrow().of(event));
        if let Some(entry) = pushed {
            return self.log(LogEntry { at: clock::now(), is_late: true, ..entry }, event, ctx);
        }
        let (room, chat) = (envelope.room(), envelope.chat());
        let (position, prev) = self.positions.next(room);
        let encoded = match encode::envelope(&envelope, position, prev) {
            Ok(encoded) => encoded,
            Err(error) => {
                return Box::pin(std::future::ready(Err(PublishError::Encode(error.to_string()))));
            }
        };
        let what = envelope.body.type_name();
        let entry = LogEntry {
            account: envelope.account,
            room,
            position,
            at: clock::now(),
            is_late: false,
            envelope: encoded.json(),
        };
        // It has its place in the log before a session sees it: who then waits until the log has settled finds it there.
        let logged = self.log(entry, event, ctx);
        let delivery =
            Deliver { room, chat, types: rooms::type_bit(what), position, prev, envelope: Arc::new(encoded) };
        self.hand_out(&delivery, |shard| &shard.deliver, ctx);
        self.metrics.published_envelopes.get_or_create(&Labelled { what }).inc();
        logged
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

    /// A shard that keeps what it gets, until it is told to end.
    struct Keeping(Vec<Deliver>);

    #[derive(Message)]
    #[rtype(result = "Delivered")]
    struct End;

    #[derive(actix::MessageResponse)]
    struct Delivered(Vec<Deliver>);

    impl Actor for Keeping {
        type Context = Context<Self>;
    }

    impl Handler<Deliver> for Keeping {
        type Result = ();

        fn handle(&mut self, delivery: Deliver, _: &mut Self::Context) {
            self.0.push(delivery);
        }
    }

    impl Handler<Tell> for Keeping {
        type Result = ();

        fn handle(&mut self, _: Tell, _: &mut Self::Context) {}
    }

    impl Handler<Drain> for Keeping {
        type Result = ();

        fn handle(&mut self, _: Drain, _: &mut Self::Context) {}
    }

    impl Handler<End> for Keeping {
        type Result = Delivered;

        fn handle(&mut self, _: End, ctx: &mut Self::Context) -> Delivered {
            ctx.stop();
            Delivered(std::mem::take(&mut self.0))
        }
    }

    fn update() -> Publish {
        let body = Body::LeadUpdated(LeadUpdated::deleted(LeadId::generate()));
        let account = AccountId::generate();
        Publish { envelope: Envelope { id: EventId::generate(), account, timestamp: clock::now(), body }, event: None }
    }

    async fn with_a_shard(folder: &std::path::Path) -> (Addr<SessionRegistry>, Addr<Keeping>) {
        with_an_inbox(Inbox::open(&folder.join("inbox.sqlite3"), 16).unwrap()).await
    }

    async fn with_an_inbox(inbox: Inbox) -> (Addr<SessionRegistry>, Addr<Keeping>) {
        let registry = SessionRegistry::new(inbox, Vec::new(), 16, Arc::new(Metrics::new())).start();
        let shard = Keeping(Vec::new()).start();
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
        assert_eq!(shard.send(End).await.unwrap().0.len(), 1);
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

    #[actix_rt::test]
    async fn what_was_pushed_and_could_not_be_logged_is_logged_later_and_not_pushed_again() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(&folder.path().join("inbox.sqlite3"), 16).unwrap();
        let (registry, shard) = with_an_inbox(inbox.clone()).await;
        let first = update().envelope;
        let room = first.room();
        let (id, after) = (EventId::generate(), Envelope { id: EventId::generate(), ..first.clone() });
        let publish = async |envelope: &Envelope, event| {
            registry.send(Publish { envelope: envelope.clone(), event }).await.unwrap()
        };
        inbox.lose_log().await;
        for _ in 0..3 {
            let error = publish(&first, Some(id)).await.unwrap_err();
            assert!(matches!(error, PublishError::Log(_)), "{error}");
        }
        inbox.regain_log().await;
        let second = publish(&after, None).await.unwrap();
        let hole = inbox.first_after(vec![(room, Position { epoch: 0, count: 0 })]).await.unwrap().remove(0).unwrap();
        let late = publish(&Envelope { timestamp: clock::now(), ..first.clone() }, Some(id)).await.unwrap();
        assert_eq!((hole.position, hole.prev), (second, Some(late)), "who resumes meanwhile is told to read again");
        let again = publish(&first, Some(id)).await.unwrap();
        assert!(late < second && second < again, "once it is logged, it is as any other");

        let pushed = shard.send(End).await.unwrap().0;
        assert_eq!(pushed.iter().map(|one| one.position).collect::<Vec<_>>(), [late, second, again]);
        let logged = inbox.log_after(room, Position { epoch: 0, count: 0 }, usize::MAX).await.unwrap().entries;
        let [pushed, logged] = [
            pushed.iter().map(|one| one.envelope.json()).collect::<Vec<_>>(),
            logged.into_iter().map(|one| one.envelope).collect(),
        ];
        assert_eq!(pushed, logged);
    }
}
