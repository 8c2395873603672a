//! Keeps what became of deliveries: counted and told first, then written in batches.

use actix::{ActorFutureExt, AsyncContext, Context as Actors, WrapFuture};

use super::{
    attempt,
    dispatcher::{AWAY, BATCH, Dispatcher},
};
use crate::{
    domain::clock,
    store::{Outcome, Settled, StoreError},
    telemetry::Metrics,
};

impl Dispatcher {
    pub(super) fn note(&self, settled: &Settled) {
        let metrics = &self.context.metrics;
        Metrics::count(&metrics.deliveries, attempt::word(&settled.outcome));
        if let Some(attempt) = &settled.attempt {
            metrics.delivery_seconds.observe(f64::from(attempt.duration_ms) / 1000.0);
        }
        match settled.outcome {
            Outcome::Delivered => {
                let delay = (clock::now() - settled.claimed.created_at).to_std().unwrap_or_default();
                metrics.delivery_delay_seconds.observe(delay.as_secs_f64());
            }
            Outcome::Gone => {
                tracing::warn!(endpoint = %settled.endpoint, "an endpoint says that it is gone: it is disabled");
            }
            Outcome::Parked(why) => {
                tracing::warn!(endpoint = %settled.endpoint, event = %settled.claimed.event, why, "a delivery is parked");
            }
            _ => {}
        }
    }

    /// Keeps what became of deliveries: what comes while one batch is written is the next.
    pub(super) fn settle(&mut self, ctx: &mut Actors<Self>) {
        if self.settled.is_empty() || std::mem::replace(&mut self.settling, true) {
            return;
        }
        let most = self.settled.len().min(BATCH as usize);
        let batch: Vec<Settled> = self.settled.drain(..most).collect();
        let store = self.context.store.clone();
        let settling = async move {
            let outcome = store.settle_deliveries(batch.clone()).await;
            (batch, outcome)
        };
        ctx.spawn(settling.into_actor(self).map(|(batch, outcome), dispatcher, ctx| {
            dispatcher.kept(batch, outcome, ctx);
        }));
    }

    fn kept(&mut self, batch: Vec<Settled>, outcome: Result<(), StoreError>, ctx: &mut Actors<Self>) {
        match outcome {
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "what became of deliveries could not be kept; tried again soon");
                self.settled.splice(..0, batch);
                ctx.run_later(AWAY, |dispatcher, ctx| {
                    dispatcher.settling = false;
                    dispatcher.settle(ctx);
                });
                return;
            }
            // They are made again when their lease ends.
            Err(error) => tracing::error!(%error, "what became of deliveries is refused by the database"),
            Ok(()) => {}
        }
        self.settling = false;
        self.settle(ctx);
        // Those that stood behind one of these may go now.
        for one in batch {
            self.look(one.endpoint, ctx);
        }
    }
}
