//! `AccountSupervisor`: one account's events, in order, within its budget.
//!
//! Fetches leads, reads messages and what prospecting databases tell, publishes, hands to the persister. Its mailbox and its line are bounded: full means that the event stays in
//! the inbox and is read back when there is room.

mod conversation;
mod outcome;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context as Actors, Handler, Message, Recipient, SpawnHandle, WrapFuture,
};
use recloser::{AsyncRecloser, Recloser};
use secrecy::SecretString;
use tokio::sync::mpsc;

use super::{
    Pauses,
    budget::Budget,
    line::{Admitted, Line},
    supervisors::Idle,
};
use crate::{
    config::Enrichment,
    domain::{
        AccountId, EventId, SourceId, Timestamp, clock,
        directory::{Source, Watch},
        envelope::{Body, LeadUpdated, NewLead, Origin, SourceHealth, SourceState},
        event::{Event, EventKind},
        lead::Lead,
        message::Happening,
        prospecting::Told,
    },
    inbox::{Inbox, ParkReason},
    persistence::{Keep, Store},
    platforms::meta::{GraphClient, GraphError, Remedy},
    realtime::Publish,
    telemetry::Metrics,
};

/// Work messages that may wait for a supervisor.
const MAILBOX: usize = 32;

/// Events for this account, just accepted.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Work(pub(super) Vec<Event>);

/// There is something in the inbox for this account.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct LookAgain;

/// What every supervisor needs.
#[derive(Clone)]
pub struct Context {
    /// Settings of this module.
    pub settings: Arc<Enrichment>,
    /// Who is who.
    pub directory: Watch,
    /// What is not finished.
    pub inbox: Inbox,
    /// Meta's Graph API.
    pub graph: GraphClient,
    /// Secrets of the hub's own app, the newest first.
    pub app_secret: Option<SecretString>,
    /// What must not be called for a while.
    pub pauses: Pauses,
    /// Where envelopes go.
    pub publish: Recipient<Publish>,
    /// Where leads go after that.
    pub persist: Recipient<Store>,
    /// Told of sources that are connected again. Full: they are read before long anyway.
    pub reconnected: mpsc::Sender<SourceId>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// The actor.
pub(super) struct AccountSupervisor {
    account: AccountId,
    context: Context,
    parent: Recipient<Idle>,
    /// Leads.
    line: Line<Ready>,
    /// All else. It waits for no lead.
    talk: Line<Ready>,
    events: HashMap<EventId, Event>,
    budgets: HashMap<SourceId, Budget>,
    /// Tokens that the platform refused; a token that was replaced is tried again.
    refused: HashMap<SourceId, SecretString>,
    health: HashMap<SourceId, SourceState>,
    breaker: AsyncRecloser,
    behind: bool,
    later: Option<SpawnHandle>,
    last_work: Instant,
}

/// What is ready to be published.
enum Ready {
    Lead(Box<Lead>, Origin),
    Happening(Happening),
    Health(SourceHealth),
    Told(Told),
}

impl Ready {
    /// What is shown, if anything is, and what is kept.
    fn into_parts(self) -> (Option<Body>, Keep) {
        match self {
            Self::Lead(lead, source) => {
                let body = NewLead { lead: (*lead).clone(), timestamp: clock::now(), source };
                (Some(Body::NewLead(Box::new(body))), Keep::Lead(lead))
            }
            Self::Happening(happening) => {
                let body = match happening.clone() {
                    Happening::Message(message) => Body::NewMessage(message),
                    Happening::Change(change) => Body::MessageChanged(change),
                };
                (Some(body), Keep::Happening(happening))
            }
            Self::Health(health) => (Some(Body::SourceHealth(health)), Keep::Nothing),
            Self::Told(told) => {
                let body = match &told {
                    Told::Prospect(told) => {
                        told.update().map(|lead| Body::LeadUpdated(LeadUpdated { lead, deleted: false }))
                    }
                    Told::Campaign(told) => told.lifecycle().map(|told| Body::CampaignLifecycle(Box::new(told))),
                    Told::Alert(alert) => Some(Body::CostAlert(Box::new((**alert).clone().raised()))),
                    Told::Cost(_) => None,
                };
                (body, told.into())
            }
        }
    }
}

/// Why an event is parked whose source is no more.
const SOURCE_GONE: &str = "the source was removed, disabled or given to another account";

/// Whether an event may be fetched now.
enum Gate {
    Open(Box<Source>),
    Wait(Duration),
    Defer(Timestamp, &'static str),
    Park(ParkReason, &'static str),
}

impl AccountSupervisor {
    pub(super) fn new(account: AccountId, context: Context, parent: Recipient<Idle>) -> Self {
        let settings = &context.settings;
        let breaker = Recloser::custom()
            .closed_len(settings.breaker_calls)
            .half_open_len((settings.breaker_calls / 4).max(1))
            .error_rate(settings.breaker_rate)
            .open_wait(settings.breaker_wait)
            .build();
        Self {
            account,
            line: Line::new(settings.queue, settings.concurrency),
            talk: Line::new(settings.queue, settings.queue),
            events: HashMap::new(),
            budgets: HashMap::new(),
            refused: HashMap::new(),
            health: HashMap::new(),
            breaker: breaker.into(),
            behind: false,
            later: None,
            last_work: Instant::now(),
            context,
            parent,
        }
    }

    /// Starts what may be started, then reads back what did not fit.
    fn advance(&mut self, ctx: &mut Actors<Self>) {
        while let Some(event) = self.line.next() {
            match self.gate(&event) {
                Gate::Open(source) => self.fetch(event, *source, ctx),
                Gate::Wait(wait) => {
                    self.line.put_back(event);
                    self.advance_after(wait, ctx);
                    break;
                }
                Gate::Defer(until, why) => self.defer(event.id, until, false, why, why.to_owned(), ctx),
                Gate::Park(reason, why) => self.park(event.id, reason, why.to_owned(), ctx),
            }
        }
        self.talk_on(ctx);
        if self.behind && self.line.room().min(self.talk.room()) * 2 >= self.context.settings.queue {
            self.read_back(ctx);
        }
    }

    fn advance_after(&mut self, wait: Duration, ctx: &mut Actors<Self>) {
        if self.later.is_none() {
            self.later = Some(ctx.run_later(wait.max(Duration::from_millis(1)), |supervisor, ctx| {
                supervisor.later = None;
                supervisor.advance(ctx);
            }));
        }
    }

    fn source_of(&self, event: &Event) -> Option<Source> {
        let source = self.context.directory.borrow().as_ref().and_then(|d| d.sources.get(&event.source).cloned());
        source.filter(|source| source.enabled && source.account == self.account)
    }

    fn admit(&mut self, event: Event) -> Admitted {
        if event.kind == EventKind::Lead { self.line.admit(event) } else { self.talk.admit(event) }
    }

    /// The inbox knows what became of an event.
    fn settle(&mut self, id: EventId) {
        self.line.settle(id);
        self.talk.settle(id);
    }

    fn gate(&mut self, event: &Event) -> Gate {
        let Some(source) = self.source_of(event) else { return Gate::Park(ParkReason::SourceGone, SOURCE_GONE) };
        if self.refused.get(&source.id).is_some_and(|refused| source.same_token(refused)) {
            return Gate::Park(ParkReason::TokenInvalid, "not asked for: the token was refused before");
        }
        if let Some(left) = self.context.pauses.left(&source) {
            return Gate::Defer(clock::now() + left, "paused");
        }
        let settings = &self.context.settings;
        let budget = self
            .budgets
            .entry(source.id)
            .or_insert_with(|| Budget::new(settings.calls_per_second, settings.call_burst));
        match budget.take() {
            Ok(()) => Gate::Open(Box::new(source)),
            Err(wait) => Gate::Wait(wait),
        }
    }

    fn fetch(&mut self, event: Event, source: Source, ctx: &mut Actors<Self>) {
        self.line.fetching(event.id);
        let (id, leadgen_id) = (event.id, event.platform_id.clone());
        self.events.insert(id, event);
        let context = self.context.clone();
        let breaker = self.breaker.clone();
        let call = async move {
            let secret = source.app_secrets.first().or(context.app_secret.as_ref());
            let started = Instant::now();
            let counts_as_failure = |error: &GraphError| error.remedy == Remedy::Retry;
            let call = context.graph.lead(&source.token, secret, &leadgen_id);
            let outcome = breaker.call_with(counts_as_failure, call).await;
            context.metrics.platform_seconds.observe(started.elapsed().as_secs_f64());
            (source, outcome)
        };
        ctx.spawn(call.into_actor(self).map(move |(source, outcome), supervisor, ctx| {
            supervisor.fetched(id, &source, outcome, ctx);
        }));
    }

    fn read_back(&mut self, ctx: &mut Actors<Self>) {
        if !(self.line.begin_reading() && self.talk.begin_reading()) {
            return;
        }
        self.behind = false;
        let (inbox, account) = (self.context.inbox.clone(), self.account);
        // Those in memory already are read as well; one more than fit tells whether that was all.
        let limit = self.context.settings.queue + 1;
        let reading = async move {
            let now = clock::now();
            (inbox.due(account, now, true, limit).await, inbox.due(account, now, false, limit).await)
        };
        ctx.spawn(reading.into_actor(self).map(move |(leads, others), supervisor, ctx| {
            for (line, read) in [(&mut supervisor.line, leads), (&mut supervisor.talk, others)] {
                let read = read.unwrap_or_else(|error| {
                    tracing::error!(%error, "the inbox could not be read; tried again soon");
                    Vec::new()
                });
                let filled = read.len() >= limit;
                supervisor.behind |= line.end_reading(read) == Admitted::Full || filled;
            }
            supervisor.advance(ctx);
        }));
    }
}

impl Actor for AccountSupervisor {
    type Context = Actors<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.context.metrics.supervisors.inc();
        let idle_after = self.context.settings.idle_after;
        ctx.run_interval(idle_after.max(Duration::from_millis(10)), move |supervisor, _| {
            if supervisor.line.is_empty() && supervisor.talk.is_empty() && supervisor.last_work.elapsed() >= idle_after
            {
                // The parent lets go of the address; what was sent before that is still done.
                let _ = supervisor.parent.try_send(Idle(supervisor.account));
            }
        });
    }
}

impl Drop for AccountSupervisor {
    fn drop(&mut self) {
        self.context.metrics.supervisors.dec();
    }
}

impl Handler<Work> for AccountSupervisor {
    type Result = ();

    fn handle(&mut self, Work(events): Work, ctx: &mut Self::Context) {
        self.last_work = Instant::now();
        for event in events {
            self.behind |= self.admit(event) == Admitted::Full;
        }
        self.advance(ctx);
    }
}

impl Handler<LookAgain> for AccountSupervisor {
    type Result = ();

    fn handle(&mut self, _: LookAgain, ctx: &mut Self::Context) {
        self.last_work = Instant::now();
        self.behind = true;
        self.advance(ctx);
    }
}

#[cfg(test)]
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Crash;

#[cfg(test)]
impl Handler<Crash> for AccountSupervisor {
    type Result = ();

    fn handle(&mut self, _: Crash, _: &mut Self::Context) {
        panic!("as a test asked");
    }
}
