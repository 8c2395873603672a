//! What becomes of a fetched event: published, put off, or parked; and what its source's health is.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use actix::{ActorFutureExt, AsyncContext, Context as Actors, WrapFuture};
use recloser::Error as BreakerError;

use super::{
    super::schedule::{self, Next},
    AccountSupervisor, Ready,
};
use crate::{
    domain::{
        EventId, SourceId, Timestamp, clock,
        directory::Source,
        envelope::{Body, Envelope, Origin, SourceHealth, SourceState},
        event::Event,
        lead::Lead,
        prospecting::LIFECYCLE,
    },
    inbox::{InboxError, ParkReason},
    persistence::{Keep, Store},
    platforms::meta::{self, Fetched, GraphError, PauseScope, Remedy},
    realtime::{Publish, PublishError},
    telemetry::Metrics,
};

impl AccountSupervisor {
    pub(super) fn fetched(
        &mut self,
        id: EventId,
        source: &Source,
        outcome: Result<Fetched, BreakerError<GraphError>>,
        ctx: &mut Actors<Self>,
    ) {
        let Some(event) = self.events.remove(&id) else { return };
        let lead = match outcome {
            Ok(fetched) => {
                Metrics::count(&self.context.metrics.platform_calls, "ok");
                self.observe(source, fetched.usage, ctx);
                let origin = if event.replayed { Origin::Replay } else { Origin::Webhook };
                self.translate(&fetched, &event, source, ctx).map(|lead| Ready::Lead(Box::new(lead), origin))
            }
            Err(BreakerError::Rejected) => {
                Metrics::count(&self.context.metrics.platform_calls, "breaker_open");
                let until = clock::now() + self.context.settings.breaker_wait;
                self.defer(id, until, false, "breaker_open", "the platform keeps failing".to_owned(), ctx);
                None
            }
            Err(BreakerError::Inner(error)) => {
                self.failed(&event, source, &error, ctx);
                None
            }
        };
        self.line.fetched(id, lead);
        while let Some((id, ready)) = self.line.publishable() {
            self.publish(id, ready, ctx);
        }
        self.advance(ctx);
    }

    fn observe(&mut self, source: &Source, usage: meta::Usage, ctx: &mut Actors<Self>) {
        if let Some(budget) = self.budgets.get_mut(&source.id) {
            budget.observe(usage.percent);
        }
        if let Some(regain) = usage.regain {
            self.context.pauses.pause_source(source, regain);
        }
        self.refused.remove(&source.id);
        self.note_health(source.id, SourceState::Healthy, "", ctx);
    }

    /// The lead in what was fetched. A defect of the hub's own must not take the account's other events with it.
    fn translate(&mut self, fetched: &Fetched, event: &Event, source: &Source, ctx: &mut Actors<Self>) -> Option<Lead> {
        let origin = meta::Origin {
            agency: source.agency,
            account: self.account,
            source: source.id,
            leadgen_id: &event.platform_id,
            received_at: event.received_at,
            now: clock::now(),
        };
        let lead = catch_unwind(AssertUnwindSafe(|| meta::lead_from(&fetched.object, origin)));
        if lead.is_err() {
            tracing::error!(event = %event.id, "the hub failed to read a lead; the event is parked");
            self.park(event.id, ParkReason::Impossible, "the hub failed to read the lead".to_owned(), ctx);
        }
        lead.ok()
    }

    fn failed(&mut self, event: &Event, source: &Source, error: &GraphError, ctx: &mut Actors<Self>) {
        let now = clock::now();
        if let Some(budget) = self.budgets.get_mut(&source.id) {
            budget.observe(error.usage.percent);
        }
        let detail = error.to_string();
        match schedule::after(error, event, now, &self.context.settings) {
            Next::Later { wait, counted } => {
                let wait = if counted { schedule::jittered(wait) } else { wait };
                self.pause(source, error.remedy, wait, &detail, ctx);
                let why = if counted { "retry" } else { "paused" };
                self.defer(event.id, now + wait, counted, why, detail, ctx);
            }
            Next::Park(reason) => {
                if reason == ParkReason::TokenInvalid {
                    self.refused.insert(source.id, source.token.clone());
                    self.note_health(source.id, SourceState::TokenInvalid, &detail, ctx);
                }
                self.park(event.id, reason, detail, ctx);
            }
        }
    }

    fn pause(&mut self, source: &Source, remedy: Remedy, wait: Duration, detail: &str, ctx: &mut Actors<Self>) {
        let (state, outcome) = match remedy {
            Remedy::Pause { scope: PauseScope::App, .. } => {
                self.context.pauses.pause_app(source, wait);
                (SourceState::Throttled, "throttled")
            }
            Remedy::Pause { .. } | Remedy::Blocked => {
                self.context.pauses.pause_source(source, wait);
                (SourceState::Throttled, "throttled")
            }
            _ => (SourceState::Failing, "failed"),
        };
        Metrics::count(&self.context.metrics.platform_calls, outcome);
        self.note_health(source.id, state, detail, ctx);
    }

    /// Push first; the persister gets it when the push is in the log. What is not shown is kept all the same.
    pub(super) fn publish(&mut self, id: EventId, ready: Ready, ctx: &mut Actors<Self>) {
        if let Ready::Health(health) = &ready {
            self.health.insert(health.source, health.state);
        }
        let (body, what) = ready.into_parts();
        let Some(body) = body else { return self.pass(id, what, ctx) };
        self.count(&body);
        let envelope = Envelope { id, account: self.account, timestamp: clock::now(), body };
        let publishing = self.context.publish.send(Publish { envelope, event: Some(id) });
        ctx.spawn(publishing.into_actor(self).map(move |outcome, supervisor, ctx| {
            match outcome {
                Ok(Ok(_)) => {
                    supervisor.observe_push(id);
                    // Full: it is in the log, the persister reads it from there when it has room.
                    let _ = supervisor.context.persist.try_send(Store { account: supervisor.account, event: id, what });
                }
                Ok(Err(PublishError::Erased)) => tracing::info!(event = %id, "not shown: what it tells of was deleted"),
                Ok(Err(error)) => tracing::error!(event = %id, %error, "pushed, but not logged; tried again"),
                Err(error) => tracing::warn!(event = %id, %error, "not pushed; the event is read back later"),
            }
            supervisor.settle(id);
            supervisor.advance(ctx);
        }));
    }

    fn observe_push(&self, id: EventId) {
        let received_at = self.line.received_at(id).or_else(|| self.talk.received_at(id));
        if let Some(took) = received_at.and_then(|at| (clock::now() - at).to_std().ok()) {
            self.context.metrics.push_seconds.observe(took.as_secs_f64());
        }
    }

    fn count(&self, body: &Body) {
        let metrics = &self.context.metrics;
        match body {
            Body::CampaignLifecycle(told) => {
                let what = LIFECYCLE.iter().find(|event| **event == told.lifecycle_event).unwrap_or(&"other");
                Metrics::count(&metrics.campaigns, what);
            }
            Body::CostAlert(_) => Metrics::count(&metrics.cost_alerts, "told"),
            _ => {}
        }
    }

    fn pass(&mut self, id: EventId, what: Keep, ctx: &mut Actors<Self>) {
        let inbox = self.context.inbox.clone();
        let passing = async move { inbox.pass(id).await };
        ctx.spawn(passing.into_actor(self).map(move |outcome, supervisor, ctx| {
            match outcome {
                Ok(()) => {
                    // Full: the persister reads it from the inbox when it has room.
                    let _ = supervisor.context.persist.try_send(Store { account: supervisor.account, event: id, what });
                }
                Err(error) => tracing::error!(event = %id, %error, "not passed on; tried again"),
            }
            supervisor.settle(id);
            supervisor.advance(ctx);
        }));
    }

    pub(super) fn defer(
        &mut self,
        id: EventId,
        until: Timestamp,
        counted: bool,
        why: &'static str,
        detail: String,
        ctx: &mut Actors<Self>,
    ) {
        Metrics::count(&self.context.metrics.deferred_events, why);
        let inbox = self.context.inbox.clone();
        self.settle_with(id, async move { inbox.defer(id, until, counted, detail).await }, ctx);
    }

    pub(super) fn park(&mut self, id: EventId, reason: ParkReason, detail: String, ctx: &mut Actors<Self>) {
        tracing::warn!(event = %id, account = %self.account, reason = reason.as_str(), detail, "event parked");
        Metrics::count(&self.context.metrics.parked_events, reason.as_str());
        let inbox = self.context.inbox.clone();
        self.settle_with(id, async move { inbox.park(id, reason, detail).await }, ctx);
    }

    /// The event leaves memory when the inbox knows what became of it, or has failed: then it is simply due again.
    fn settle_with(
        &mut self,
        id: EventId,
        change: impl Future<Output = Result<(), InboxError>> + 'static,
        ctx: &mut Actors<Self>,
    ) {
        ctx.spawn(change.into_actor(self).map(move |outcome, supervisor, ctx| {
            if let Err(error) = outcome {
                tracing::error!(event = %id, %error, "the inbox could not note what became of an event");
            }
            supervisor.settle(id);
            supervisor.advance(ctx);
        }));
    }

    /// Tells operators when a source's state changes.
    fn note_health(&mut self, source: SourceId, state: SourceState, reason: &str, ctx: &mut Actors<Self>) {
        let before = self.health.insert(source, state).unwrap_or(SourceState::Healthy);
        if before == state {
            return;
        }
        tracing::info!(%source, ?state, reason, "source health");
        let health = SourceHealth { source, state, reason: reason.to_owned() };
        let envelope = Envelope {
            id: EventId::generate(),
            account: self.account,
            timestamp: clock::now(),
            body: Body::SourceHealth(health),
        };
        let publishing = self.context.publish.send(Publish { envelope, event: None });
        ctx.spawn(publishing.into_actor(self).map(|_, _, _| ()));
    }
}
