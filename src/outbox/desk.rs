//! `Desk`: what the API asks of this module.

use std::sync::Arc;

use actix::Recipient;
use chrono::TimeDelta;
use serde::Serialize;

use super::{attempt, client::Client, dispatcher::Wake, pauses::Pauses};
use crate::{
    config,
    domain::{AgencyId, EndpointId, EventId, clock},
    store::{Outcome, Store, StoreError},
    telemetry::Metrics,
};

/// Tests endpoints and wakes the dispatcher. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    /// Settings of this module.
    pub settings: Arc<config::Outbox>,
    /// Where deliveries are.
    pub store: Store,
    /// Posts them.
    pub client: Client,
    /// The dispatcher.
    pub wake: Recipient<Wake>,
    /// Which endpoints the dispatcher leaves alone.
    pub pauses: Pauses,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// What an endpoint made of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestOutcome {
    /// What the endpoint knows it by.
    pub id: EventId,
    /// Whether it took it.
    pub delivered: bool,
    /// The answer's status; `null` if there was none.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub duration_ms: i32,
    /// How the answer begins.
    pub answer: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
}

impl Desk {
    /// Sends a test the way that events go, once, and waits for what the endpoint says.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the agency has no such endpoint; [`StoreError::Unavailable`] if the database is away.
    pub async fn test(&self, agency: AgencyId, endpoint: EndpointId) -> Result<TestOutcome, StoreError> {
        let until = clock::now() + TimeDelta::from_std(self.settings.lease).unwrap_or(TimeDelta::MAX);
        let (target, claimed) = self.store.add_test_delivery(agency, endpoint, until).await?;
        let made = attempt::make(&self.client, &self.settings, &target, claimed).await;
        let settled = made.settled;
        self.store.settle_deliveries(vec![settled.clone()]).await?;
        Metrics::count(&self.metrics.deliveries, attempt::word(&settled.outcome));
        let delivered = settled.outcome == Outcome::Delivered;
        let Some(attempt) = settled.attempt else { return Err(StoreError::NotFound("attempt")) };
        let (status, answer, error) = (attempt.status, attempt.answer, attempt.error);
        Ok(TestOutcome {
            id: settled.claimed.event,
            delivered,
            status,
            duration_ms: attempt.duration_ms,
            answer,
            error,
        })
    }

    /// Something was written that others may be told of.
    pub fn wake(&self) {
        // Full: it is awake.
        let _ = self.wake.try_send(Wake);
    }
}
