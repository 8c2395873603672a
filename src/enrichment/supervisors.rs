//! `Supervisors`: the parent of all account supervisors of a node.
//!
//! Starts one when an account has work, lets go of it when it is idle, starts another when one has failed. Every sweep
//! asks the inbox which accounts have something due: retries whose time has come, what did not fit into memory, what
//! was left over from before a crash. Its mailbox is bounded: full means that the sweep finds the events instead.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context as Actors, Handler, Message, Recipient, WrapFuture,
    dev::SendError,
};
use secrecy::SecretString;

use super::supervisor::{AccountSupervisor, Context, LookAgain, Work};
use crate::{
    domain::{
        AccountId, SourceId, Timestamp, clock,
        directory::{Directory, Source},
        event::Event,
    },
    inbox::{Accepted, ParkReason},
    telemetry::Metrics,
};

/// Commits' worth of arrived events that may wait.
const MAILBOX: usize = 64;
/// After a release that failed.
const RELEASE_AGAIN: Duration = Duration::from_secs(1);

/// Events that were just accepted.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Arrived(pub Vec<Event>);

/// Hands on what was just made durable, and counts it.
pub fn hand_on(arrived: &Recipient<Arrived>, accepted: Vec<Accepted>, metrics: &Metrics) {
    let mut work: Vec<Event> = Vec::new();
    for accepted in accepted {
        metrics.duplicate_events.inc_by(accepted.duplicates as u64);
        for kind in accepted.new {
            Metrics::count(&metrics.accepted_events, kind.as_str());
        }
        for _ in 0..accepted.unrouted {
            Metrics::count(&metrics.parked_events, "unrouted");
        }
        work.extend(accepted.work);
    }
    if !work.is_empty() {
        // Full: the sweep finds them in the inbox.
        let _ = arrived.try_send(Arrived(work));
    }
}

/// An account's supervisor has had no work for long.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Idle(pub(super) AccountId);

/// The actor.
pub struct Supervisors {
    context: Context,
    sweep_interval: Duration,
    children: HashMap<AccountId, Addr<AccountSupervisor>>,
    behind: HashSet<AccountId>,
    sweeping: bool,
    /// When it was swept last. A clock that shows less has gone back.
    swept_at: Timestamp,
    tokens: HashMap<SourceId, SecretString>,
    /// Sources with a new token, whose events are still to be released.
    renewed: HashSet<SourceId>,
    /// The newest directory, if events are still to be released by it.
    to_release: Option<Arc<Directory>>,
    releasing: bool,
}

impl Supervisors {
    /// None yet; they start with the first events, or the first sweep.
    #[must_use]
    pub fn new(context: Context, sweep_interval: Duration) -> Self {
        Self {
            context,
            sweep_interval,
            children: HashMap::new(),
            behind: HashSet::new(),
            sweeping: false,
            // While the hub was down the clock may have gone back: the first sweep sees to it.
            swept_at: Timestamp::MAX_UTC,
            tokens: HashMap::new(),
            renewed: HashSet::new(),
            to_release: None,
            releasing: false,
        }
    }

    /// Sends a message to an account's supervisor, starting one if there is none, or none alive.
    fn tell<M>(&mut self, account: AccountId, message: M, ctx: &mut Actors<Self>)
    where
        M: Message<Result = ()> + Send + 'static,
        AccountSupervisor: Handler<M>,
    {
        if let Some(child) = self.children.get(&account) {
            match child.try_send(message) {
                Ok(()) => return,
                Err(SendError::Full(_)) => {
                    self.behind.insert(account);
                    return;
                }
                Err(SendError::Closed(_)) => {
                    tracing::error!(%account, "a supervisor failed; another is started");
                    self.context.metrics.supervisor_restarts.inc();
                }
            }
        }
        self.start_child(account, ctx);
    }

    /// It begins with the inbox, where all of it is, and what came before that as well: in order.
    fn start_child(&mut self, account: AccountId, ctx: &mut Actors<Self>) {
        let child = AccountSupervisor::new(account, self.context.clone(), ctx.address().recipient()).start();
        if child.try_send(LookAgain).is_err() {
            self.behind.insert(account);
        }
        self.children.insert(account, child);
    }

    fn sweep(&mut self, ctx: &mut Actors<Self>) {
        if std::mem::replace(&mut self.sweeping, true) {
            return;
        }
        let (inbox, now) = (self.context.inbox.clone(), clock::now());
        if now < self.swept_at {
            self.went_back(now, ctx);
        }
        self.swept_at = now;
        ctx.spawn(async move { inbox.due_accounts(now).await }.into_actor(self).map(|due, parent, ctx| {
            parent.sweeping = false;
            let due = due.unwrap_or_else(|error| {
                tracing::error!(%error, "the inbox could not be swept; tried again soon");
                Vec::new()
            });
            let behind = std::mem::take(&mut parent.behind);
            for account in behind.into_iter().chain(due).collect::<HashSet<_>>() {
                parent.tell(account, LookAgain, ctx);
            }
        }));
    }

    /// Beside the sweeps, which find what is done of it already.
    fn went_back(&self, now: Timestamp, ctx: &mut Actors<Self>) {
        let inbox = self.context.inbox.clone();
        ctx.spawn(async move { inbox.clock_went_back(now).await }.into_actor(self).map(|outcome, parent, _| {
            if let Err(error) = outcome {
                tracing::error!(%error, "what was put off before the clock went back still waits; tried again soon");
                parent.swept_at = Timestamp::MAX_UTC;
            }
        }));
    }

    /// A page may have been claimed, a token replaced, a source enabled again: what waited for it goes on.
    fn directory_changed(&mut self, directory: &Arc<Directory>, ctx: &mut Actors<Self>) {
        let known = std::mem::take(&mut self.tokens);
        let is_renewed = |source: &&Source| known.get(&source.id).is_some_and(|known| !source.same_token(known));
        self.renewed.extend(directory.sources.values().filter(is_renewed).map(|source| source.id));
        self.tokens = directory.sources.values().map(|source| (source.id, source.token.clone())).collect();
        self.to_release = Some(Arc::clone(directory));
        self.release(ctx);
    }

    /// One release at a time, by the newest directory.
    fn release(&mut self, ctx: &mut Actors<Self>) {
        if self.releasing {
            return;
        }
        let Some(directory) = self.to_release.take() else { return };
        self.releasing = true;
        let (inbox, renewed) = (self.context.inbox.clone(), std::mem::take(&mut self.renewed));
        let again = (Arc::clone(&directory), renewed.clone());
        let release = async move {
            let enabled = directory.sources.values().filter(|source| source.enabled);
            let usable = enabled.map(|source| source.id).collect();
            let mut released = inbox.release_claimed(directory).await?;
            released += inbox.release_sources(renewed.into_iter().collect(), ParkReason::TokenInvalid).await?;
            released += inbox.release_sources(usable, ParkReason::SourceGone).await?;
            Ok::<_, crate::inbox::InboxError>(released)
        };
        ctx.spawn(release.into_actor(self).map(|outcome, parent, ctx| {
            parent.releasing = false;
            match outcome {
                Ok(0) => {}
                Ok(released) => {
                    tracing::info!(released, "parked events go on after a change of the directory");
                    parent.sweep(ctx);
                }
                Err(error) => {
                    tracing::error!(%error, "parked events could not be released; tried again soon");
                    let (directory, renewed) = again;
                    parent.renewed.extend(renewed);
                    parent.to_release.get_or_insert(directory);
                    ctx.run_later(RELEASE_AGAIN, Self::release);
                    return;
                }
            }
            parent.release(ctx);
        }));
    }
}

impl Actor for Supervisors {
    type Context = Actors<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(self.sweep_interval, Self::sweep);
        let directory = self.context.directory.clone();
        ctx.add_stream(futures_util::stream::unfold((directory, true), |(mut watch, first)| async move {
            if !first {
                watch.changed().await.ok()?;
            }
            let newest = watch.borrow_and_update().clone();
            Some((newest, (watch, false)))
        }));
    }
}

impl actix::StreamHandler<Option<Arc<Directory>>> for Supervisors {
    fn handle(&mut self, directory: Option<Arc<Directory>>, ctx: &mut Self::Context) {
        if let Some(directory) = directory {
            self.directory_changed(&directory, ctx);
        }
    }

    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<Arrived> for Supervisors {
    type Result = ();

    fn handle(&mut self, Arrived(events): Arrived, ctx: &mut Self::Context) {
        let mut by_account: HashMap<AccountId, Vec<Event>> = HashMap::new();
        for event in events {
            by_account.entry(event.account).or_default().push(event);
        }
        for (account, events) in by_account {
            self.tell(account, Work(events), ctx);
        }
    }
}

impl Handler<Idle> for Supervisors {
    type Result = ();

    fn handle(&mut self, Idle(account): Idle, _: &mut Self::Context) {
        self.children.remove(&account);
    }
}
