//! Deliveries to the hub itself: handed over without HTTP, several in one commit, with the promises of every webhook.

use std::time::{Duration, Instant};

use actix::{ActorFutureExt, AsyncContext, Context as Actors, WrapFuture};
use futures_util::future::BoxFuture;

use super::{
    dispatcher::Dispatcher,
    schedule::{self, Verdict},
};
use crate::{
    domain::{SourceId, clock},
    store::{Attempt, Claimed, Outcome, Settled, Target},
};

/// Handed over at once; a claim takes no more.
const AT_ONCE: u32 = 400;
/// What an endpoint would answer that has no room, or has not begun.
const UNAVAILABLE: u16 = 503;

/// Takes what goes to the hub itself.
pub trait Own: Send + Sync {
    /// Takes deliveries for a source, all or none; when it returns, they are durable. Those that it has taken before change
    /// nothing.
    ///
    /// # Errors
    /// In words, if there is no room now, or no such source yet.
    fn take<'a>(&'a self, source: SourceId, claimed: &'a [Claimed]) -> BoxFuture<'a, Result<(), String>>;
}

impl Dispatcher {
    pub(super) fn hand_over(&mut self, target: Target, claimed: Vec<Claimed>, ctx: &mut Actors<Self>) {
        let (endpoint, count) = (target.endpoint.id, u32::try_from(claimed.len()).unwrap_or(u32::MAX));
        let (Some(source), Some(line), 1..) = (target.own, self.lines.get_mut(&endpoint), count) else { return };
        line.widen(AT_ONCE);
        line.begin(count);
        let context = self.context.clone();
        let handing = async move {
            let (started_at, began) = (clock::now(), Instant::now());
            let taken = context.own.take(source, &claimed).await;
            let duration_ms = i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX);
            let status = if taken.is_ok() { 200 } else { UNAVAILABLE };
            let attempt = Attempt {
                url: target.endpoint.url,
                started_at,
                duration_ms,
                status: Some(status),
                answer: None,
                error: taken.err(),
            };
            let is_kept = status == 200 && {
                let rows = claimed.iter().map(|one| one.row).collect();
                context.store.settle_together(endpoint, rows, attempt.clone()).await.is_ok()
            };
            // One for all: what is tried again together stays in its order.
            let (now, shift) = (clock::now(), 2.0 * fastrand::f64() - 1.0);
            let verdict = Verdict { status: Some(status), retry_after: None };
            let settled = claimed.into_iter().map(|claimed| {
                let outcome = schedule::after(verdict, &claimed, now, shift, &context.settings);
                Settled { endpoint, claimed, attempt: Some(attempt.clone()), outcome }
            });
            (settled.collect::<Vec<_>>(), is_kept)
        };
        ctx.spawn(handing.into_actor(self).map(move |(settled, is_kept), dispatcher, ctx| {
            if let Some(line) = dispatcher.lines.get_mut(&endpoint) {
                // Nothing is claimed ahead for it: what is claimed is handed over.
                line.done(count, Duration::MAX);
            }
            for one in &settled {
                dispatcher.note(one);
            }
            let is_taken = settled.first().is_some_and(|one| one.outcome == Outcome::Delivered);
            if !is_kept {
                if let Some(error) = settled.first().and_then(|one| one.attempt.as_ref()?.error.as_ref()) {
                    tracing::warn!(%source, error, "the hub does not take its own events; tried again soon");
                }
                dispatcher.settled.extend(settled);
                dispatcher.settle(ctx);
            }
            if is_taken {
                dispatcher.look(endpoint, ctx);
            }
        }));
    }
}
