//! `Prospector`: one a node; has accounts take turns, and prospects go through their stages.
//!
//! Woken when prospects were added; a sweep finds what nobody told of: what others added, what was left over by a hub that
//! died. Bounded by how many may be under way; the rest are rows of the store. Its mailbox takes wake-ups only: full means
//! that it is awake.

use std::{sync::Arc, time::Instant};

use actix::{Actor, ActorFutureExt, AsyncContext, Context as Actors, Handler, Message, Recipient, WrapFuture};

use super::{turns::Turns, work};
use crate::{
    config,
    domain::AccountId,
    exports, outbox,
    platforms::{mail::MailDomains, website::Websites},
    realtime::Publish,
    store::{Case, Store, StoreError},
    telemetry::Metrics,
};

/// There may be something to be done.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Wake;

/// What enrichment needs.
#[derive(Clone)]
pub struct Context {
    /// Settings of this module.
    pub settings: Arc<config::Prospecting>,
    /// The queue.
    pub store: Store,
    /// Where envelopes go.
    pub publish: Recipient<Publish>,
    /// Whoever tells others of changes in the store.
    pub outbox: Recipient<outbox::Wake>,
    /// Whoever makes files of campaigns that are completed.
    pub exports: exports::Desk,
    /// Reads websites.
    pub websites: Websites,
    /// Knows which domains take mail.
    pub mail: MailDomains,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// The actor.
pub struct Prospector {
    context: Context,
    turns: Turns,
    /// It is being asked what there is to do.
    asking: bool,
    /// Somebody asked meanwhile.
    again: bool,
}

impl Prospector {
    /// Begins with what the store has.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { turns: Turns::new(&context.settings), context, asking: false, again: false }
    }

    fn sweep(&mut self, ctx: &mut Actors<Self>) {
        if std::mem::replace(&mut self.asking, true) {
            self.again = true;
            return;
        }
        let store = self.context.store.clone();
        let asking = async move { store.accounts_to_enrich().await };
        ctx.spawn(asking.into_actor(self).map(|found, prospector, ctx| {
            prospector.asking = false;
            match found {
                Ok(accounts) => prospector.turns.due(accounts),
                Err(error) => tracing::warn!(%error, "prospects could not be looked for; tried again soon"),
            }
            prospector.go_on(ctx);
            if std::mem::take(&mut prospector.again) {
                prospector.sweep(ctx);
            }
        }));
    }

    fn go_on(&mut self, ctx: &mut Actors<Self>) {
        while let Some(account) = self.turns.next(Instant::now()) {
            let context = self.context.clone();
            let claiming = async move { work::claim(&context, account).await };
            ctx.spawn(claiming.into_actor(self).map(move |claimed, prospector, ctx| {
                prospector.claimed(account, claimed, ctx);
            }));
        }
    }

    fn claimed(&mut self, account: AccountId, claimed: Result<Option<Case>, StoreError>, ctx: &mut Actors<Self>) {
        match claimed {
            Ok(Some(case)) => {
                self.turns.claimed(account);
                self.begin(account, case, ctx);
            }
            Ok(None) => self.turns.drained(account),
            Err(error) => {
                self.turns.drained(account);
                tracing::warn!(%error, %account, "a prospect could not be claimed; tried again soon");
            }
        }
        self.go_on(ctx);
    }

    fn begin(&mut self, account: AccountId, case: Case, ctx: &mut Actors<Self>) {
        let context = self.context.clone();
        let working = async move { work::enrich(&context, case).await };
        ctx.spawn(working.into_actor(self).map(move |calls, prospector, ctx| {
            prospector.turns.done(account, calls);
            prospector.go_on(ctx);
        }));
    }
}

impl Actor for Prospector {
    type Context = Actors<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.sweep(ctx);
        ctx.run_interval(self.context.settings.sweep_interval, Self::sweep);
    }
}

impl Handler<Wake> for Prospector {
    type Result = ();

    fn handle(&mut self, _: Wake, ctx: &mut Self::Context) {
        self.sweep(ctx);
    }
}
