//! `Sender`: one a node; starts what is due, one send a chat at a time, and looks again when something is over.
//!
//! Woken when a send was kept. Now and then it asks the store for what nobody told of: what waits for another try, what
//! was left over from before a crash. What was read here it tells to the platforms. Its mailbox is bounded: full means that the sweep finds the send instead.

use std::{collections::HashMap, sync::Arc, time::Duration};

use actix::{Actor, ActorFutureExt, AsyncContext, Context as Actors, Handler, Message, Recipient, WrapFuture};
use tokio::sync::broadcast;

use super::{
    attempt,
    line::{Line, Turns},
    platform::Clients,
    seen::{self, Read, Seen},
};
use crate::{
    config,
    domain::{SourceId, clock, directory::Watch, send::Outgoing},
    enrichment::Arrived,
    inbox::Inbox,
    realtime::Publish,
    store::{OpenSend, Store, StoreError},
    telemetry::Metrics,
};

/// Wake-ups that may wait.
const MAILBOX: usize = 1024;

/// Echoes that come late are looked for no more often.
const LATE: Duration = Duration::from_secs(1);

/// Something is to go through this source.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Wake(pub SourceId);

/// What sending needs.
#[derive(Clone)]
pub struct Context {
    /// Settings of this module.
    pub settings: Arc<config::Sending>,
    /// The queue.
    pub store: Store,
    /// Who is who.
    pub directory: Watch,
    /// Takes what was sent as a message.
    pub inbox: Inbox,
    /// Who goes on with that.
    pub arrived: Recipient<Arrived>,
    /// Where envelopes go.
    pub publish: Recipient<Publish>,
    /// Whoever waits for what becomes of a send.
    pub outcomes: broadcast::Sender<Outgoing>,
    /// The platforms' APIs.
    pub clients: Clients,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// The actor.
pub struct Sender {
    context: Context,
    lines: HashMap<SourceId, Line>,
    seen: HashMap<SourceId, Seen>,
}

impl Sender {
    /// Begins with what the store has.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { context, lines: HashMap::new(), seen: HashMap::new() }
    }

    fn sweep(&mut self, ctx: &mut Actors<Self>) {
        let store = self.context.store.clone();
        let asking = async move { store.sources_to_send().await };
        ctx.spawn(asking.into_actor(self).map(|found, sender, ctx| match found {
            Ok(sources) => sources.into_iter().for_each(|source| sender.look(source, ctx)),
            Err(error) => tracing::warn!(%error, "sends could not be looked for; tried again soon"),
        }));
    }

    fn look(&mut self, source: SourceId, ctx: &mut Actors<Self>) {
        let settings = &self.context.settings;
        let line = self.lines.entry(source).or_insert_with(|| Line::new(settings));
        if std::mem::replace(&mut line.looking, true) {
            line.look_again = true;
            return;
        }
        let store = self.context.store.clone();
        let asking = async move { store.open_sends(source).await };
        ctx.spawn(asking.into_actor(self).map(move |open, sender, ctx| sender.looked(source, open, ctx)));
    }

    fn looked(&mut self, source: SourceId, open: Result<Vec<OpenSend>, StoreError>, ctx: &mut Actors<Self>) {
        let Some(line) = self.lines.get_mut(&source) else { return };
        line.looking = false;
        let again = std::mem::take(&mut line.look_again);
        match open {
            Ok(open) => {
                let Turns { now, next } = line.take_turns(&open, clock::now());
                for send in now {
                    self.begin(source, send, ctx);
                }
                // A later time than the sweep's is the sweep's business.
                let wait = next.and_then(|next| (next - clock::now()).to_std().ok()).unwrap_or(Duration::ZERO);
                if next.is_some() && wait < self.context.settings.sweep_interval {
                    ctx.run_later(wait, move |sender, ctx| sender.look(source, ctx));
                }
            }
            Err(error) => tracing::warn!(%error, %source, "a source's sends could not be read; tried again soon"),
        }
        if again {
            self.look(source, ctx);
        }
    }

    fn begin(&mut self, source: SourceId, send: OpenSend, ctx: &mut Actors<Self>) {
        let context = self.context.clone();
        let attempt = async move { attempt::attempt(&context, send).await };
        ctx.spawn(attempt.into_actor(self).map(move |(), sender, ctx| {
            if let Some(line) = sender.lines.get_mut(&source) {
                line.done(send.chat);
            }
            sender.look(source, ctx);
        }));
    }

    /// Tells of the next chat of a source that was read.
    fn tell(&mut self, source: SourceId, ctx: &mut Actors<Self>) {
        let Some(read) = self.seen.get_mut(&source).and_then(Seen::next) else { return };
        let context = self.context.clone();
        let telling = async move { seen::tell(&context, &read).await };
        ctx.spawn(telling.into_actor(self).map(move |(), sender, ctx| {
            if let Some(seen) = sender.seen.get_mut(&source) {
                seen.done();
            }
            sender.tell(source, ctx);
        }));
    }

    fn confirm_late(&mut self, ctx: &mut Actors<Self>) {
        let context = self.context.clone();
        let confirming = async move { attempt::confirm_late(&context).await };
        ctx.spawn(confirming.into_actor(self));
    }
}

impl Actor for Sender {
    type Context = Actors<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.sweep(ctx);
        ctx.run_interval(self.context.settings.sweep_interval, Self::sweep);
        ctx.run_interval(self.context.settings.confirm_within.max(LATE), Self::confirm_late);
    }
}

impl Handler<Wake> for Sender {
    type Result = ();

    fn handle(&mut self, Wake(source): Wake, ctx: &mut Self::Context) {
        self.look(source, ctx);
    }
}

impl Handler<Read> for Sender {
    type Result = ();

    fn handle(&mut self, read: Read, ctx: &mut Self::Context) {
        let source = read.source;
        if self.seen.entry(source).or_default().admit(read) {
            self.tell(source, ctx);
        } else {
            Metrics::count(&self.context.metrics.platform_calls, "read_dropped");
        }
    }
}
