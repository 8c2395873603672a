//! Deliveries as people see them: what went to an endpoint, what is parked, and making deliveries again.

use std::collections::HashMap;

use serde::Serialize;

use super::{engine::run, error::Result, handle::Store, types::At};
use crate::domain::{AccountId, EndpointId, EventId, ReplayId, Timestamp, clock, delivery::DeliveryState};

/// A delivery with its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Of the outbox; cuts pages.
    #[serde(skip)]
    pub row: i64,
    /// What the receiver knows it by.
    #[serde(rename = "id")]
    pub event: EventId,
    /// The type of event.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whose event it is.
    #[serde(rename = "account_id")]
    pub account: Option<AccountId>,
    /// What keeps its order.
    pub subject: String,
    /// How far it is.
    pub state: DeliveryState,
    /// Why it is parked or cancelled.
    pub reason: Option<String>,
    /// When the next attempt is due; `null` when none is.
    #[serde(with = "clock::wire::option")]
    pub next_try: Option<Timestamp>,
    /// When it happened.
    #[serde(with = "clock::wire")]
    pub created_at: Timestamp,
    /// When nothing was to be done any more.
    #[serde(with = "clock::wire::option")]
    pub finished_at: Option<Timestamp>,
    /// The oldest first.
    pub attempts: Vec<ListedAttempt>,
}

/// One try to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedAttempt {
    /// From 1; one that is missing was cut off by a crash.
    pub attempt: i32,
    /// When.
    #[serde(with = "clock::wire")]
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: i32,
    /// The answer's status.
    pub status: Option<i32>,
    /// How the answer begins.
    pub answer: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
}

/// Whose deliveries.
#[derive(Debug, Clone, Default)]
pub struct Whose {
    /// Of these accounts.
    pub accounts: Vec<AccountId>,
    /// Tests of an endpoint for several accounts as well.
    pub tests: bool,
}

/// Which of an endpoint's deliveries.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// This one.
    pub event: Option<EventId>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Of this type.
    pub kind: Option<String>,
    /// That happened then or later.
    pub since: Option<Timestamp>,
    /// That happened before then.
    pub until: Option<Timestamp>,
    /// Only these; `None`: whatever ever went there.
    pub whose: Option<Whose>,
}

/// What is on its way to an endpoint, and what became of the newest of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Deliveries that are not over.
    pub pending: i64,
    /// Those of them that have failed so far.
    pub retrying: i64,
    /// Given up.
    pub parked: i64,
    /// The newest delivery's.
    pub last_attempt: Option<ListedAttempt>,
}

impl Traffic {
    /// The endpoint does not take what it gets.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        let failed = |attempt: &ListedAttempt| !attempt.status.is_some_and(|status| (200..300).contains(&status));
        self.retrying > 0 || self.last_attempt.as_ref().is_some_and(failed)
    }
}

/// Several parked deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedDeliveries {
    /// Whose.
    pub account: AccountId,
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// Where they were to go, for people.
    pub endpoint: String,
    /// Why they are parked.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// Since when the oldest was tried.
    pub oldest: Timestamp,
}

/// How far a replay is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replay {
    /// Its id.
    pub id: ReplayId,
    /// Whose deliveries.
    #[serde(rename = "endpoint_id")]
    pub endpoint: EndpointId,
    /// How many it began with.
    pub total: i64,
    /// Are still to be made.
    pub pending: i64,
    /// Were made.
    pub delivered: i64,
    /// Were given up again.
    pub parked: i64,
    /// Whether a person stopped it.
    pub cancelled: bool,
    /// When it began.
    #[serde(with = "clock::wire")]
    pub created_at: Timestamp,
}

impl Store {
    /// An endpoint's deliveries, the newest first: those before a row of the outbox, if one is given.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away, as with all of these.
    pub async fn deliveries(
        &self,
        endpoint: EndpointId,
        filter: &DeliveryFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Delivery>> {
        let filter = filter.clone();
        run!(self, Read, |c, q| q::deliveries::list(c, endpoint, &filter, before, limit).await)
    }

    /// What is on its way to these endpoints; of one that never got anything there is nothing.
    ///
    /// # Errors
    /// As above.
    pub async fn traffic(&self, endpoints: &[EndpointId], whose: &Whose) -> Result<HashMap<EndpointId, Traffic>> {
        let (endpoints, whose) = (endpoints.to_vec(), whose.clone());
        run!(self, Read, |c, q| q::deliveries::traffic(c, &endpoints, &whose).await)
    }

    /// What is parked of these accounts.
    ///
    /// # Errors
    /// As above.
    pub async fn parked_deliveries(&self, accounts: &[AccountId]) -> Result<Vec<ParkedDeliveries>> {
        let accounts = accounts.to_vec();
        run!(self, Read, |c, q| q::deliveries::parked(c, &accounts).await)
    }

    /// How many of an endpoint's finished deliveries a replay would make again; counts no further than `most` and one.
    ///
    /// # Errors
    /// As above.
    pub async fn count_replay(&self, endpoint: EndpointId, filter: &DeliveryFilter, most: u32) -> Result<usize> {
        let filter = filter.clone();
        Ok(run!(self, Read, |c, q| q::deliveries::finished(c, endpoint, &filter, most).await)?.len())
    }

    /// Makes an endpoint's finished deliveries again, with the ids that they have; `None` if there are more than `most`.
    ///
    /// # Errors
    /// As above.
    pub async fn replay(&self, endpoint: EndpointId, filter: &DeliveryFilter, most: u32) -> Result<Option<Replay>> {
        let (filter, id, now) = (filter.clone(), ReplayId::generate(), At(clock::now()));
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::deliveries::replay(c, (id, endpoint), &filter, most, now, &trail).await)
    }

    /// How far one of an endpoint's replays is.
    ///
    /// # Errors
    /// As above.
    pub async fn replay_progress(&self, endpoint: EndpointId, id: ReplayId) -> Result<Option<Replay>> {
        run!(self, Read, |c, q| q::deliveries::progress(c, endpoint, id).await)
    }

    /// Stops one of an endpoint's replays: what is not under way stays undone.
    ///
    /// # Errors
    /// As above.
    pub async fn cancel_replay(&self, endpoint: EndpointId, id: ReplayId) -> Result<Option<Replay>> {
        let now = At(clock::now());
        run!(self, Change, |c, q| q::deliveries::cancel(c, endpoint, id, now).await)
    }
}
