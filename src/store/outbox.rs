//! The outbox as the dispatcher sees it: rows become deliveries, deliveries are claimed, and what became of them is kept.
//!
//! The hub's own, and so over all agencies. Who changes a row that others are told of does not come by here: triggers
//! write the outbox, in the same transaction.

use tokio::sync::Notify;

use super::{
    endpoints::{self, Target},
    engine::{Engine, run},
    error::Result,
    handle::Store,
    types::At,
};
use crate::domain::{AccountId, AgencyId, EndpointId, EventId, Timestamp, clock, delivery::Endpoint};

/// What there is to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// Rows are not deliveries yet.
    pub unrouted: bool,
    /// Something is to go to these now.
    pub endpoints: Vec<EndpointId>,
}

/// A delivery that is this hub's until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Of the outbox.
    pub row: i64,
    /// What the receiver knows it by, at every attempt.
    pub event: EventId,
    /// The type of event.
    pub kind: String,
    /// The body, as it goes out.
    pub payload: String,
    /// The number of this attempt, from 1.
    pub attempt: i32,
    /// Attempts in a row that have failed.
    pub failures: i32,
    /// Patience counts from here.
    pub since: Timestamp,
    /// When it happened.
    pub created_at: Timestamp,
    /// Whose it is; `None` is a test of an endpoint for several accounts.
    pub account: Option<AccountId>,
    /// Whether the endpoint may have it.
    pub consent: Consent,
}

/// Whether an endpoint may have an account's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// It may, for as long as this user or API key manages the account; `None`: nobody was ever named.
    By(Option<String>),
    /// Whoever answered for it is gone, and nobody has taken it over.
    LeftBehind,
    /// Somebody stopped it for this account.
    Stopped,
    /// It does not cover the account any more.
    NotCovered,
}

/// One try to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Where it went.
    pub url: String,
    /// When.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: i32,
    /// The answer's status.
    pub status: Option<u16>,
    /// How the answer begins.
    pub answer: Option<String>,
    /// Why it failed, in words.
    pub error: Option<String>,
}

/// What becomes of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint has it, for good.
    Delivered,
    /// Another attempt, not before then.
    Retry(Timestamp),
    /// No attempt was made: another time, which does not count.
    PutOff(Timestamp),
    /// Given up; why.
    Parked(&'static str),
    /// Not wanted any more; why.
    Cancelled(&'static str),
    /// The endpoint says that it is gone: it is disabled, and all that waits for it parked.
    Gone,
}

/// A claimed delivery and what became of it.
#[derive(Debug, Clone)]
pub struct Settled {
    /// Where to.
    pub endpoint: EndpointId,
    /// What.
    pub claimed: Claimed,
    /// The try, unless there was none.
    pub attempt: Option<Attempt>,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// Why deliveries to an endpoint that is gone are parked, and why it is disabled.
pub(super) const GONE: &str = "endpoint_gone";
/// Why deliveries are parked that waited while their endpoint was moved to another scheme, host or port.
pub const MOVED: &str = "endpoint_moved";
/// Why deliveries are parked to an endpoint that nobody answers for; taking it over sends them.
pub const LEFT_BEHIND: &str = "left_behind";

impl Store {
    /// What there is to do now; two questions that indexes answer.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away, as with all of these.
    pub async fn outbox_due(&self) -> Result<Due> {
        let now = At(clock::now());
        run!(self, Read, |c, q| q::outbox::due(c, now).await)
    }

    /// Turns the oldest rows into deliveries, in their order: so many, and to whom.
    ///
    /// # Errors
    /// As above.
    pub async fn route_outbox(&self, most: u32) -> Result<(usize, Vec<EndpointId>)> {
        let now = At(clock::now());
        run!(self, Append, |c, q| q::outbox::route(c, most, now).await)
    }

    /// Takes an endpoint's deliveries that are due, for a while; `None` if it is not there or not enabled. No two calls
    /// take the same.
    ///
    /// # Errors
    /// As above; [`super::StoreError::Corrupt`] if its secrets can't be opened.
    pub async fn claim_deliveries(
        &self,
        endpoint: EndpointId,
        most: u32,
        until: Timestamp,
    ) -> Result<Option<(Target, Vec<Claimed>)>> {
        let (now, until) = (At(clock::now()), At(until));
        let claimed = run!(self, Append, |c, q| q::outbox::claim(c, endpoint, most, now, until).await)?;
        let target = |row| endpoints::target(self.vault(), row, now.0);
        claimed.map(|(row, claimed)| Ok((target(row)?, claimed))).transpose()
    }

    /// Keeps what became of deliveries, all in one transaction. Told twice changes nothing; what is delivered stays so.
    ///
    /// # Errors
    /// As above.
    pub async fn settle_deliveries(&self, settled: Vec<Settled>) -> Result<()> {
        let (now, trail) = (At(clock::now()), self.trail().clone());
        run!(self, Append, |c, q| q::outbox::settle(c, &settled, now, &trail).await)
    }

    /// Keeps that all of these deliveries to one endpoint were made in one attempt. Told twice changes nothing.
    ///
    /// # Errors
    /// As above.
    pub async fn settle_together(&self, endpoint: EndpointId, rows: Vec<i64>, attempt: Attempt) -> Result<()> {
        let now = At(clock::now());
        run!(self, Append, |c, q| q::outbox::settle_together(c, endpoint, &rows, &attempt, now).await)
    }

    /// Keeps a test of an endpoint as its own delivery, claimed already.
    ///
    /// # Errors
    /// As above; [`super::StoreError::NotFound`] if the agency has no such endpoint.
    pub async fn add_test_delivery(
        &self,
        agency: AgencyId,
        endpoint: EndpointId,
        until: Timestamp,
    ) -> Result<(Target, Claimed)> {
        let (now, until) = (At(clock::now()), At(until));
        let (row, claimed) = run!(self, Change, |c, q| q::outbox::add_test(c, agency, endpoint, now, until).await)?;
        Ok((endpoints::target(self.vault(), row, now.0)?, claimed))
    }

    /// Removes rows from before then with which nothing is to happen any more: so many, up to a thousand. What waits for an
    /// endpoint to be taken over waits no longer than this either.
    ///
    /// # Errors
    /// As above.
    pub async fn prune_outbox(&self, before: Timestamp) -> Result<usize> {
        let before = At(before);
        run!(self, Append, |c, q| q::outbox::prune(c, before).await)
    }

    /// Tells other hubs on the database that there is something in the outbox.
    ///
    /// # Errors
    /// As above.
    pub async fn notify_outbox(&self) -> Result<()> {
        run!(self, Append, |c, q| q::notify_outbox(c).await)
    }

    /// Hears of such notifications until the connection is lost; for ever where there are none.
    ///
    /// # Errors
    /// Always in the end: [`super::StoreError::Unavailable`].
    pub async fn listen_to_outbox(&self, heard: &Notify) -> Result<()> {
        match self.engine() {
            Engine::Postgres(pool) => pool.listen(self.limit(), heard).await,
            Engine::Sqlite(_) => std::future::pending().await,
        }
    }
}

/// The payload of a test.
pub(super) fn test_payload(endpoint: &Endpoint, event: EventId, now: Timestamp) -> String {
    serde_json::json!({
        "event_id": event,
        "account_id": endpoint.account,
        "endpoint_id": endpoint.id,
        "timestamp": clock::rfc3339(now),
        "message": "A test of this endpoint, sent by a person.",
    })
    .to_string()
}
