//! `Dispatcher`: one a node; turns rows of the outbox into deliveries, and makes those that are due.
//!
//! Woken after our own commits and by notifications; a sweep finds what nobody told of. Each endpoint has a line of its
//! own, so that a slow one delays no other; what goes to the hub itself is handed over ([`super::own`]). Bounded: no more is
//! claimed than may be under way, and some for an endpoint that is quick; what became of it is held only until it is kept. Its
//! mailbox takes wake-ups only: full means that it is awake.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorFutureExt, AsyncContext, Context as Actors, Handler, Message, WrapFuture};
use chrono::TimeDelta;
use recloser::Error as BreakerError;
use tokio::sync::Notify;

use super::{
    attempt::{self, Made},
    client::Client,
    consent,
    line::{Line, Waiting},
    own::Own,
    pauses::Pauses,
};
use crate::{
    config,
    domain::{EndpointId, clock, directory::Watch},
    store::{Claimed, Due, Outcome, Settled, Store, StoreError, Target},
    telemetry::{Metrics, lasting},
};

/// Rows that become deliveries in one transaction, and deliveries that are settled in one.
pub(super) const BATCH: u32 = 200;
/// Deliveries that are over and not kept yet, from which on none are claimed: an endpoint may be quicker than the database.
const UNKEPT: usize = 4 * BATCH as usize;
/// Between two tries while the database is away.
pub(super) const AWAY: Duration = Duration::from_secs(1);
/// Other hubs are told no more often.
const TELL: Duration = Duration::from_millis(100);

/// There may be something in the outbox.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Wake;

/// What the dispatcher needs.
#[derive(Clone)]
pub struct Context {
    /// Settings of this module.
    pub settings: Arc<config::Outbox>,
    /// The outbox.
    pub store: Store,
    /// Posts deliveries.
    pub client: Client,
    /// Takes those to the hub itself.
    pub own: Arc<dyn Own>,
    /// Knows who still manages what.
    pub directory: Watch,
    /// Where it says which endpoints it leaves alone.
    pub pauses: Pauses,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// The question what there is to do.
#[derive(Default)]
struct Sweep {
    asking: bool,
    /// Somebody asked meanwhile.
    again: bool,
}

/// The actor.
pub struct Dispatcher {
    pub(super) context: Context,
    /// One an endpoint, kept for what its breaker remembers.
    pub(super) lines: HashMap<EndpointId, Line>,
    sweep: Sweep,
    routing: bool,
    /// Not kept yet.
    pub(super) settled: Vec<Settled>,
    pub(super) settling: bool,
    /// Other hubs will be told.
    telling: bool,
}

impl Dispatcher {
    /// Begins with what the store has.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self {
            context,
            lines: HashMap::new(),
            sweep: Sweep::default(),
            routing: false,
            settled: Vec::new(),
            settling: false,
            telling: false,
        }
    }

    /// Asks what there is to do. Who asks while it is being asked is answered by the next.
    fn sweep(&mut self, ctx: &mut Actors<Self>) {
        if std::mem::replace(&mut self.sweep.asking, true) {
            self.sweep.again = true;
            return;
        }
        let store = self.context.store.clone();
        let asking = async move { store.outbox_due().await };
        ctx.spawn(asking.into_actor(self).map(|due, dispatcher, ctx| dispatcher.swept(due, ctx)));
    }

    fn swept(&mut self, due: Result<Due, StoreError>, ctx: &mut Actors<Self>) {
        let again = std::mem::take(&mut self.sweep).again;
        match due {
            Ok(due) => {
                if due.unrouted {
                    self.route(ctx);
                }
                for endpoint in due.endpoints {
                    self.look(endpoint, ctx);
                }
            }
            Err(error) => tracing::warn!(%error, "the outbox could not be asked; tried again soon"),
        }
        if again {
            self.sweep(ctx);
        }
    }

    fn route(&mut self, ctx: &mut Actors<Self>) {
        if std::mem::replace(&mut self.routing, true) {
            return;
        }
        let store = self.context.store.clone();
        let routing = async move { store.route_outbox(BATCH).await };
        ctx.spawn(routing.into_actor(self).map(|routed, dispatcher, ctx| {
            dispatcher.routing = false;
            match routed {
                Ok((rows, endpoints)) => {
                    if !endpoints.is_empty() {
                        dispatcher.tell_others(ctx);
                    }
                    for endpoint in endpoints {
                        dispatcher.look(endpoint, ctx);
                    }
                    if rows > 0 {
                        // What came meanwhile.
                        dispatcher.sweep(ctx);
                    }
                }
                Err(error) => tracing::warn!(%error, "the outbox could not be read; tried again soon"),
            }
        }));
    }

    /// Other hubs may take some of it. Apart from every transaction, and not for each.
    fn tell_others(&mut self, ctx: &mut Actors<Self>) {
        if std::mem::replace(&mut self.telling, true) {
            return;
        }
        ctx.run_later(TELL, |dispatcher, ctx| {
            dispatcher.telling = false;
            let store = dispatcher.context.store.clone();
            let telling = async move {
                if let Err(error) = store.notify_outbox().await {
                    tracing::debug!(%error, "other hubs were not told of the outbox; they look for themselves");
                }
            };
            ctx.spawn(telling.into_actor(dispatcher));
        });
    }

    /// Claims what is due for an endpoint, as far as there is room for it.
    pub(super) fn look(&mut self, endpoint: EndpointId, ctx: &mut Actors<Self>) {
        if self.settled.len() >= UNKEPT {
            // Looked at again when some are kept, and by the sweep.
            return;
        }
        let context = &self.context;
        let line = self.lines.entry(endpoint).or_insert_with(|| Line::new(&context.settings));
        let wanted = line.wants(Instant::now());
        if wanted == 0 {
            return;
        }
        if std::mem::replace(&mut line.looking, true) {
            line.look_again = true;
            return;
        }
        let store = context.store.clone();
        let settings = &context.settings;
        let until = clock::now() + TimeDelta::from_std(settings.lease).unwrap_or(TimeDelta::MAX);
        let begin_by = Instant::now() + settings.lease.saturating_sub(settings.timeout);
        let claiming = async move { store.claim_deliveries(endpoint, wanted, until).await };
        ctx.spawn(claiming.into_actor(self).map(move |claimed, dispatcher, ctx| {
            let again = dispatcher.lines.get_mut(&endpoint).is_some_and(|line| {
                line.looking = false;
                std::mem::take(&mut line.look_again)
            });
            match claimed {
                Ok(Some((target, claimed))) if target.own.is_some() => {
                    dispatcher.hand_over(target, claimed, ctx);
                }
                Ok(Some((target, claimed))) => {
                    let target = Arc::new(target);
                    if let Some(line) = dispatcher.lines.get_mut(&endpoint) {
                        let waiting = |claimed| Waiting { target: Arc::clone(&target), claimed, begin_by };
                        line.waiting.extend(claimed.into_iter().map(waiting));
                    }
                    dispatcher.go_on(endpoint, ctx);
                }
                // Nothing goes there any more, nor what was claimed ahead.
                Ok(None) => {
                    dispatcher.give_back(endpoint);
                    dispatcher.settle(ctx);
                }
                Err(error) => tracing::error!(%error, %endpoint, "deliveries could not be claimed; tried again soon"),
            }
            if again {
                dispatcher.look(endpoint, ctx);
            }
        }));
    }

    /// Begins what waits, as far as there is room for it. What waited for too long, or for an endpoint that is left alone, is
    /// given back; what the endpoint may not have is not sent.
    fn go_on(&mut self, endpoint: EndpointId, ctx: &mut Actors<Self>) {
        let now = Instant::now();
        let mut given_back = Vec::new();
        while let Some(line) = self.lines.get_mut(&endpoint)
            && (line.is_paused(now) || line.room(now) > 0)
            && let Some(Waiting { target, claimed, begin_by }) = line.waiting.pop_front()
        {
            let withheld = consent::withheld(&claimed, self.context.directory.borrow().as_deref(), clock::now());
            if let Some(outcome) = withheld {
                Metrics::count(&self.context.metrics.deliveries, attempt::word(&outcome));
                given_back.push(Settled { endpoint, claimed, attempt: None, outcome });
            } else if line.is_paused(now) || now > begin_by {
                let wait = if line.is_paused(now) { self.context.settings.breaker_wait } else { Duration::ZERO };
                given_back.push(put_off(endpoint, claimed, wait));
            } else {
                self.begin(target, claimed, ctx);
            }
        }
        if !given_back.is_empty() {
            self.settled.append(&mut given_back);
            self.settle(ctx);
        }
    }

    /// Begins none of those that wait.
    fn give_back(&mut self, endpoint: EndpointId) {
        let Some(line) = self.lines.get_mut(&endpoint) else { return };
        let waiting = std::mem::take(&mut line.waiting);
        self.settled.extend(waiting.into_iter().map(|one| put_off(endpoint, one.claimed, Duration::ZERO)));
    }

    fn begin(&mut self, target: Arc<Target>, claimed: Claimed, ctx: &mut Actors<Self>) {
        let Some(line) = self.lines.get_mut(&target.endpoint.id) else { return };
        line.begin(1);
        let (breaker, context) = (line.breaker.clone(), self.context.clone());
        let making = async move {
            let try_it = async {
                let made = attempt::make(&context.client, &context.settings, &target, claimed.clone()).await;
                if made.verdict.is_ailing() { Err(made) } else { Ok(made) }
            };
            let made = match breaker.call_with(|_: &Made| true, try_it).await {
                Ok(made) | Err(BreakerError::Inner(made)) => Some(made.settled),
                Err(BreakerError::Rejected) => None,
            };
            (target, claimed, made)
        };
        ctx.spawn(making.into_actor(self).map(|(target, claimed, made), dispatcher, ctx| {
            dispatcher.made(&target, claimed, made, ctx);
        }));
    }

    fn made(&mut self, target: &Target, claimed: Claimed, made: Option<Settled>, ctx: &mut Actors<Self>) {
        let (endpoint, wait) = (target.endpoint.id, self.context.settings.breaker_wait);
        if let Some(line) = self.lines.get_mut(&endpoint) {
            let took = made.as_ref().and_then(|made| made.attempt.as_ref()).map_or(0, |attempt| attempt.duration_ms);
            line.done(1, Duration::from_millis(took.unsigned_abs().into()));
            if made.is_none() {
                line.pause(Instant::now(), wait);
                let now = clock::now();
                let until = now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
                self.context.pauses.note(endpoint, now, until);
            }
        }
        let settled = made.unwrap_or_else(|| put_off(endpoint, claimed, wait));
        self.note(&settled);
        if settled.outcome == Outcome::Gone {
            self.give_back(endpoint);
        }
        self.settled.push(settled);
        self.settle(ctx);
        self.go_on(endpoint, ctx);
        if !target.endpoint.ordered {
            self.look(endpoint, ctx);
        }
    }
}

/// No attempt was made; not before then.
fn put_off(endpoint: EndpointId, claimed: Claimed, wait: Duration) -> Settled {
    let outcome = Outcome::PutOff(clock::now() + TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX));
    Settled { endpoint, claimed, attempt: None, outcome }
}

impl Actor for Dispatcher {
    type Context = Actors<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.sweep(ctx);
        ctx.run_interval(self.context.settings.sweep_interval, Self::sweep);
        let heard = Arc::new(Notify::new());
        lasting("who hears of the outbox", listen(self.context.store.clone(), Arc::clone(&heard)));
        let dispatcher = ctx.address().recipient();
        actix_rt::spawn(async move {
            while dispatcher.connected() {
                heard.notified().await;
                // Full: it is awake.
                let _ = dispatcher.try_send(Wake);
            }
        });
    }
}

/// Hears of notifications for as long as the hub runs.
async fn listen(store: Store, heard: Arc<Notify>) {
    while let Err(error) = store.listen_to_outbox(&heard).await {
        tracing::debug!(%error, "notifications of the outbox are not heard; tried again soon");
        tokio::time::sleep(AWAY).await;
    }
}

impl Handler<Wake> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: Wake, ctx: &mut Self::Context) {
        self.sweep(ctx);
    }
}
