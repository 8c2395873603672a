//! `WebhookIngester`: gathers verified POSTs into one inbox commit, answers each, hands their events on.
//!
//! While a commit is under way the next one gathers. Its mailbox is bounded, and so are the bytes that wait
//! ([`Receiving`](super::Receiving)): full means 503, and nothing is accepted.

use std::{sync::Arc, time::Instant};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, WrapFuture};
use tokio::sync::oneshot;

use super::receiving::Held;
use crate::{
    domain::event::{Event, NewEvent},
    enrichment::Arrived,
    inbox::{Accepted, Delivery, Inbox, InboxError},
    telemetry::{Labelled, Metrics},
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
    /// Commits to this inbox, hands on to these supervisors.
    #[must_use]
    pub fn new(inbox: Inbox, arrived: Recipient<Arrived>, metrics: Arc<Metrics>) -> Self {
        Self { inbox, arrived, metrics, gathered: Vec::new(), replies: Vec::new(), committing: false }
    }

    fn commit(&mut self, ctx: &mut Context<Self>) {
        if self.committing || self.gathered.is_empty() {
            return;
        }
        self.committing = true;
        let (batch, replies) = (std::mem::take(&mut self.gathered), std::mem::take(&mut self.replies));
        let kinds: Vec<Vec<&'static str>> =
            batch.iter().map(|delivery| delivery.events.iter().map(kind_of).collect()).collect();
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
                Ok(accepted) => ingester.hand_on(accepted, &kinds),
                Err(error) => tracing::error!(%error, "webhooks could not be kept and were refused"),
            }
            ingester.commit(ctx);
        }));
    }

    fn hand_on(&self, accepted: Vec<Accepted>, kinds: &[Vec<&'static str>]) {
        let mut work: Vec<Event> = Vec::new();
        for (accepted, kinds) in accepted.into_iter().zip(kinds) {
            self.metrics.duplicate_events.inc_by(accepted.duplicates as u64);
            if accepted.duplicates == 0 {
                for what in kinds {
                    self.metrics.accepted_events.get_or_create(&Labelled { what }).inc();
                }
            } else if let Some(what) = kinds.first() {
                self.metrics.accepted_events.get_or_create(&Labelled { what }).inc_by(accepted.new as u64);
            }
            for _ in 0..accepted.unrouted {
                Metrics::count(&self.metrics.parked_events, "unrouted");
            }
            work.extend(accepted.work);
        }
        if !work.is_empty() {
            // Full: the sweep finds them in the inbox.
            let _ = self.arrived.try_send(Arrived(work));
        }
    }
}

fn kind_of(event: &NewEvent) -> &'static str {
    event.kind.as_str()
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
