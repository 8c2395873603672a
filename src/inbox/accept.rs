//! Keeping webhooks: the raw POST and every event in it, in one commit.

use std::{borrow::Cow, collections::BTreeMap, sync::atomic::Ordering};

use bytes::Bytes;
use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, SqliteConnection, sql_query,
    sql_types::{BigInt, Text},
};

use super::{
    Inbox, InboxError, ParkReason, Space,
    erase::was_erased,
    rows::{DeliveryRow, EventRow},
    schema::{State, quarantine, refusals},
    tombstone::without,
};
use crate::domain::{
    Timestamp,
    event::{Event, EventKind, Fate, NewEvent},
};

/// An event that was handed on in memory is looked for again only after this long, in microseconds.
pub(super) const HANDED_ON: i64 = 10_000_000;
/// What an event takes in the file besides its item and its part of the body, in bytes, roughly.
const ROW: usize = 512;

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
        if self.space() == Space::Full {
            return Err(InboxError::Unavailable("it is larger than inbox.max_size".to_owned()));
        }
        let rows = batch.iter().map(|delivery| 1 + delivery.events.len()).sum();
        let first = 1 + self.deliveries.fetch_add(i64::try_from(batch.len()).unwrap_or(0), Ordering::Relaxed);
        let change = move |c: &mut SqliteConnection| {
            let mut unclaimed = BTreeMap::new();
            let kept = (first..).zip(&batch).map(|(seq, delivery)| keep(c, seq, delivery, &mut unclaimed));
            let kept = kept.collect::<QueryResult<Vec<_>>>()?;
            count_unclaimed(c, &unclaimed)?;
            Ok(kept)
        };
        self.writer.write(rows, change).await
    }

    /// Keeps a refused POST for a look; beyond `limit` the oldest goes, and beyond a quarter of it the oldest of the same
    /// address. `count`: how many there were at its address
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
            sql_query(
                "DELETE FROM quarantine WHERE path = ?1 AND seq <= \
                 (SELECT seq FROM quarantine WHERE path = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
            )
            .bind::<Text, _>(&refused.path)
            .bind::<BigInt, _>(i64::from(limit / 4).max(1))
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

/// How many events that nobody has claimed came, and what they weigh, by scope.
type Unclaimed = BTreeMap<String, (i64, i64)>;

/// Once for all of a commit: a trigger for each would cost as much as keeping the event.
fn count_unclaimed(c: &mut SqliteConnection, unclaimed: &Unclaimed) -> QueryResult<()> {
    unclaimed.iter().try_for_each(|(scope, (events, bytes))| {
        sql_query("INSERT INTO parking VALUES (NULL, NULL, ?, ?, ?, ?, NULL)")
            .bind::<Text, _>(scope)
            .bind::<Text, _>(ParkReason::Unrouted.as_str())
            .bind::<BigInt, _>(events)
            .bind::<BigInt, _>(bytes)
            .execute(c)
            .map(drop)
    })
}

fn keep(c: &mut SqliteConnection, seq: i64, delivery: &Delivery, unclaimed: &mut Unclaimed) -> QueryResult<Accepted> {
    let received_at = delivery.received_at.timestamp_micros();
    let mut accepted = Accepted::default();
    let mut body = Cow::Borrowed(&delivery.body[..]);
    let part = delivery.body.len() / delivery.events.len().max(1);
    for event in &delivery.events {
        if !insert(c, seq, received_at, event, part)? {
            accepted.duplicates += 1;
            if was_erased(c, event.id)? {
                body = Cow::Owned(without(&body, &event.item));
            }
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
            Fate::Unrouted { scope } => {
                accepted.unrouted += 1;
                let (events, bytes) = unclaimed.entry(scope.to_string()).or_default();
                *events += 1;
                *bytes += weight(event, part);
            }
            Fate::Record { .. } => {}
        }
    }
    let row = DeliveryRow {
        seq,
        received_at,
        provider: delivery.provider,
        path: &delivery.path,
        remote: &delivery.remote,
        headers: &delivery.headers,
        body: &body,
    };
    row.execute(c)?;
    Ok(accepted)
}

/// False if an event with this id is here already. `part`: the bytes of the body that fall to it.
fn insert(c: &mut SqliteConnection, delivery: i64, at: i64, event: &NewEvent, part: usize) -> QueryResult<bool> {
    let (state, owner, scope) = match event.fate {
        Fate::Work { account, source } => (State::Received, Some((account, source)), None),
        Fate::Unrouted { scope } => (State::Parked, None, Some(scope)),
        Fate::Record { owner } => (State::Recorded, owner, None),
    };
    let (id, scope) = (event.id.to_bytes(), scope.map(|scope| scope.to_string()));
    let owner = owner.map(|(account, source)| (account.to_bytes(), source.to_bytes()));
    let row = EventRow {
        id: &id,
        account: owner.as_ref().map(|(account, _)| &account[..]),
        source: owner.as_ref().map(|(_, source)| &source[..]),
        scope: scope.as_deref(),
        reason: scope.as_ref().map(|_| ParkReason::Unrouted.as_str()),
        kind: event.kind.as_str(),
        source_kind: event.source_kind.as_str(),
        external_id: &event.external_id,
        platform_id: &event.platform_id,
        item: &event.item,
        state: state as i32,
        delivery,
        next_try: at + HANDED_ON,
        received_at: at,
        weight: weight(event, part),
    };
    Ok(row.execute(c)? == 1)
}

/// What an event takes in the file, in bytes, roughly; `part`: of the body.
fn weight(event: &NewEvent, part: usize) -> i64 {
    i64::try_from(ROW + event.item.len() + part).unwrap_or(i64::MAX)
}
