//! `Desk`: what the API asks of this module.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

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

/// Tests of one agency's endpoints that are under way at the same time.
const TESTS_AT_ONCE: usize = 4;

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
    /// Tests under way.
    pub tests: Tests,
}

/// Counts the tests that are under way, by agency: each waits for an endpoint, which may take its time.
#[derive(Debug, Clone, Default)]
pub struct Tests(Arc<Mutex<HashMap<AgencyId, usize>>>);

/// A test that is under way, until this is dropped.
struct UnderWay(Tests, AgencyId);

impl Tests {
    fn begin(&self, agency: AgencyId) -> Result<UnderWay, StoreError> {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = under_way.entry(agency).or_default();
        if *count >= TESTS_AT_ONCE {
            let words = format!("the agency has {TESTS_AT_ONCE} tests under way: wait for one to end");
            return Err(StoreError::Conflict(words));
        }
        *count += 1;
        Ok(UnderWay(self.clone(), agency))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut under_way = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = under_way.remove(&self.1).unwrap_or_default().saturating_sub(1);
        if left > 0 {
            under_way.insert(self.1, left);
        }
    }
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
    /// [`StoreError::NotFound`] if the agency has no such endpoint; [`StoreError::Conflict`] while it has as many tests under
    /// way as it may; [`StoreError::Unavailable`] if the database is away.
    pub async fn test(&self, agency: AgencyId, endpoint: EndpointId) -> Result<TestOutcome, StoreError> {
        let _under_way = self.tests.begin(agency)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agency_has_a_few_tests_under_way_and_keeps_no_other_from_testing() {
        let (tests, agency) = (Tests::default(), AgencyId::generate());
        let mut under_way: Vec<_> = (0..TESTS_AT_ONCE).map(|_| tests.begin(agency).unwrap()).collect();
        assert!(matches!(tests.begin(agency), Err(StoreError::Conflict(_))));
        assert!(tests.begin(AgencyId::generate()).is_ok());
        under_way.pop();
        assert!(tests.begin(agency).is_ok());
        drop(under_way);
        assert!(tests.0.lock().unwrap().is_empty());
    }
}
