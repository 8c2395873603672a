//! `WebhookIngester`: gathers verified POSTs into one inbox commit, answers each, hands their events on.
//!
//! One on every HTTP worker's thread, so that a webhook crosses threads once on its way to the commit and once on its way
//! back, not twice; the inbox's writing thread puts the gatherings of all of them into one commit. While a commit is
//! under way the next one gathers. Its mailbox is bounded, and so are the bytes that wait
//! ([`Intake`](super::Intake)): full means 503, and nothing is accepted.

use std::{cell::RefCell, sync::Arc, time::Instant};

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, Recipient, WrapFuture, dev::SendError,
};
use tokio::sync::oneshot;

use super::intake::Held;
use crate::{
    enrichment::{Arrived, hand_on},
    inbox::{Delivery, Inbox, InboxError},
    telemetry::Metrics,
};

/// POSTs that may wait for the ingester.
const MAILBOX: usize = 8192;

/// Keep this POST; the answer comes when it is durable.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Accept {
    /// The POST and its events.
    pub delivery: Delivery,
    /// Its bytes in memory.
    pub held: Held,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<(), InboxError>>,
}

/// The ingester of one thread: started with its first webhook, and again should it fail.
pub struct Ingester {
    inbox: Inbox,
    arrived: Recipient<Arrived>,
    metrics: Arc<Metrics>,
    actor: RefCell<Option<Addr<WebhookIngester>>>,
}

impl Ingester {
    /// Commits to this inbox, hands on to these supervisors.
    #[must_use]
    pub fn new(inbox: Inbox, arrived: Recipient<Arrived>, metrics: Arc<Metrics>) -> Self {
        Self { inbox, arrived, metrics, actor: RefCell::default() }
    }

    /// Takes a POST in; false if there is no room for it.
    pub fn accept(&self, accept: Accept) -> bool {
        let known = self.actor.borrow().clone();
        let accept = match known {
            None => accept,
            Some(actor) => match actor.try_send(accept) {
                Ok(()) => return true,
                Err(SendError::Full(_)) => return false,
                Err(SendError::Closed(accept)) => {
                    tracing::error!("a webhook ingester has failed; another is started");
                    accept
                }
            },
        };
        let actor = WebhookIngester::new(self.inbox.clone(), self.arrived.clone(), Arc::clone(&self.metrics)).start();
        let accepted = actor.try_send(accept).is_ok();
        self.actor.replace(Some(actor));
        accepted
    }
}

/// The actor.
pub struct WebhookIngester {
    inbox: Inbox,
    arrived: Recipient<Arrived>,
    metrics: Arc<Metrics>,
    gathered: Vec<Delivery>,
    replies: Vec<(Held, oneshot::Sender<Result<(), InboxError>>)>,
    committing: bool,
}

impl WebhookIngester {
    fn new(inbox: Inbox, arrived: Recipient<Arrived>, metrics: Arc<Metrics>) -> Self {
        Self { inbox, arrived, metrics, gathered: Vec::new(), replies: Vec::new(), committing: false }
    }

    fn commit(&mut self, ctx: &mut Context<Self>) {
        if self.committing || self.gathered.is_empty() {
            return;
        }
        self.committing = true;
        let (batch, replies) = (std::mem::take(&mut self.gathered), std::mem::take(&mut self.replies));
        let inbox = self.inbox.clone();
        let started = Instant::now();
        ctx.spawn(async move { inbox.accept(batch).await }.into_actor(self).map(move |outcome, ingester, ctx| {
            ingester.committing = false;
            ingester.metrics.commit_seconds.observe(started.elapsed().as_secs_f64());
            let answer = outcome.as_ref().map(|_| ()).map_err(Clone::clone);
            for (held, reply) in replies {
                drop(held);
                // The platform may have hung up; what was committed stays.
                let _ = reply.send(answer.clone());
            }
            match outcome {
                Ok(accepted) => hand_on(&ingester.arrived, accepted, &ingester.metrics),
                Err(error) => tracing::error!(%error, "webhooks could not be kept and were refused"),
            }
            ingester.commit(ctx);
        }));
    }
}

impl Actor for WebhookIngester {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Accept> for WebhookIngester {
    type Result = ();

    fn handle(&mut self, Accept { delivery, held, reply }: Accept, ctx: &mut Self::Context) {
        self.gathered.push(delivery);
        self.replies.push((held, reply));
        self.commit(ctx);
    }
}
