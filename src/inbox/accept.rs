//! Keeping webhooks: the raw POST and every event in it, in one commit.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, SqliteConnection, insert_or_ignore_into};

use super::{
    Inbox, InboxError,
    schema::{State, deliveries, events, quarantine, refusals},
};
use crate::domain::{
    Timestamp,
    event::{Event, EventKind, Fate, NewEvent},
};

/// An event that was handed on in memory is looked for again only after this long, in microseconds.
const HANDED_ON: i64 = 10_000_000;

/// A verified POST with the events found in it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// When it was received.
    pub received_at: Timestamp,
    /// The provider's name.
    pub provider: &'static str,
    /// The source whose address was used, or empty.
    pub path: String,
    /// The peer's address.
    pub remote: String,
    /// The headers that matter, as a JSON object.
    pub headers: String,
    /// The body as it came.
    pub body: Bytes,
    /// What was found in it.
    pub events: Vec<NewEvent>,
}

/// What became of one delivery.
#[derive(Debug, Default, Clone)]
pub struct Accepted {
    /// New events that want work, in the order of the body.
    pub work: Vec<Event>,
    /// The kinds of the new events, of whatever fate.
    pub new: Vec<EventKind>,
    /// Events that were here already.
    pub duplicates: usize,
    /// New events that nobody has claimed.
    pub unrouted: usize,
}

/// A POST whose signature was wrong.
#[derive(Debug, Clone)]
pub struct Quarantined {
    /// When it was received.
    pub received_at: Timestamp,
    /// The source whose address was used, or empty.
    pub path: String,
    /// The peer's address.
    pub remote: String,
    /// The headers that matter, as a JSON object.
    pub headers: String,
    /// The beginning of the body.
    pub body: Bytes,
}

impl Inbox {
    /// Keeps deliveries and their events; when it returns, they are durable. Answers in the same order.
    ///
    /// # Errors
    /// If they could not be made durable: none of them was kept.
    pub async fn accept(&self, batch: Vec<Delivery>) -> Result<Vec<Accepted>, InboxError> {
        if self.full.load(Ordering::Relaxed) {
            return Err(InboxError::Unavailable("it is larger than inbox.max_size".to_owned()));
        }
        let rows = batch.iter().map(|delivery| 1 + delivery.events.len()).sum();
        let first = 1 + self.deliveries.fetch_add(i64::try_from(batch.len()).unwrap_or(0), Ordering::Relaxed);
        let change = move |c: &mut SqliteConnection| {
            (first..).zip(&batch).map(|(seq, delivery)| keep(c, seq, delivery)).collect()
        };
        self.writer.write(rows, change).await
    }

    /// Keeps a refused POST for a look; beyond `limit` the oldest goes. `count`: how many there were at its address
    /// since the last that was kept, itself included.
    ///
    /// # Errors
    /// If it could not be written.
    pub async fn quarantine(&self, refused: Quarantined, count: i64, limit: u32) -> Result<(), InboxError> {
        let change = move |c: &mut SqliteConnection| {
            diesel::insert_into(quarantine::table)
                .values((
                    quarantine::received_at.eq(refused.received_at.timestamp_micros()),
                    quarantine::path.eq(&refused.path),
                    quarantine::remote.eq(&refused.remote),
                    quarantine::headers.eq(&refused.headers),
                    quarantine::body.eq(&refused.body[..]),
                ))
                .execute(c)?;
            let newest: Option<i64> = quarantine::table.select(diesel::dsl::max(quarantine::seq)).first(c)?;
            let oldest = newest.unwrap_or(0) - i64::from(limit);
            diesel::delete(quarantine::table.filter(quarantine::seq.le(oldest))).execute(c)?;
            let at = refused.received_at.timestamp_micros();
            diesel::insert_into(refusals::table)
                .values((
                    refusals::path.eq(&refused.path),
                    refusals::refused.eq(count),
                    refusals::first_at.eq(at),
                    refusals::last_at.eq(at),
                ))
                .on_conflict(refusals::path)
                .do_update()
                .set((refusals::refused.eq(refusals::refused + count), refusals::last_at.eq(at)))
                .execute(c)?;
            Ok(())
        };
        self.writer.write(1, change).await
    }

    /// How many refused POSTs are kept.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn quarantined(&self) -> Result<i64, InboxError> {
        self.read(|c| quarantine::table.count().get_result(c)).await
    }
}

fn keep(c: &mut SqliteConnection, seq: i64, delivery: &Delivery) -> QueryResult<Accepted> {
    let received_at = delivery.received_at.timestamp_micros();
    diesel::insert_into(deliveries::table)
        .values((
            deliveries::seq.eq(seq),
            deliveries::received_at.eq(received_at),
            deliveries::provider.eq(delivery.provider),
            deliveries::path.eq(&delivery.path),
            deliveries::remote.eq(&delivery.remote),
            deliveries::headers.eq(&delivery.headers),
            deliveries::body.eq(&delivery.body[..]),
        ))
        .execute(c)?;
    let mut accepted = Accepted::default();
    for event in &delivery.events {
        if !insert(c, seq, received_at, event)? {
            accepted.duplicates += 1;
            continue;
        }
        accepted.new.push(event.kind);
        match event.fate {
            Fate::Work { account, source } => accepted.work.push(Event {
                id: event.id,
                account,
                source,
                kind: event.kind,
                platform_id: event.platform_id.clone(),
                item: event.item.clone(),
                received_at: delivery.received_at,
                attempts: 0,
                replayed: false,
            }),
            Fate::Unrouted { .. } => accepted.unrouted += 1,
            Fate::Record { .. } => {}
        }
    }
    Ok(accepted)
}

/// False if an event with this id is here already.
fn insert(c: &mut SqliteConnection, delivery: i64, at: i64, event: &NewEvent) -> QueryResult<bool> {
    let (state, owner, scope) = match event.fate {
        Fate::Work { account, source } => (State::Received, Some((account, source)), None),
        Fate::Unrouted { scope } => (State::Parked, None, Some(scope)),
        Fate::Record { owner } => (State::Recorded, owner, None),
    };
    let reason = scope.map(|_| super::ParkReason::Unrouted.as_str());
    let added = insert_or_ignore_into(events::table)
        .values((
            events::id.eq(&event.id.to_bytes()[..]),
            events::delivery.eq(delivery),
            (
                events::account.eq(owner.map(|(account, _)| account.to_bytes().to_vec())),
                events::source.eq(owner.map(|(_, source)| source.to_bytes().to_vec())),
                events::scope.eq(scope.map(|scope| scope.to_string())),
            ),
            (
                events::kind.eq(event.kind.as_str()),
                events::source_kind.eq(event.source_kind.as_str()),
                events::external_id.eq(&event.external_id),
                events::platform_id.eq(&event.platform_id),
                events::item.eq(&event.item),
            ),
            (
                events::state.eq(state as i32),
                events::attempts.eq(0),
                events::next_try.eq(at + HANDED_ON),
                events::reason.eq(reason),
                events::received_at.eq(at),
                events::changed_at.eq(at),
                events::replayed.eq(false),
            ),
        ))
        .execute(c)?;
    Ok(added == 1)
}
