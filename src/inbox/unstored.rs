//! The way from being shown to being stored, and what is left over on it.

use bytes::Bytes;
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, QueryableByName, RunQueryDsl, SqliteConnection,
    sql_query,
    sql_types::{BigInt, Binary, Nullable, Text},
};

use super::{
    Inbox, InboxError,
    schema::{State, events},
    writer::Urgency,
};
use crate::domain::{AccountId, EventId, SourceId, Timestamp, clock};

/// An event that was pushed, or needed no push, and is not in the store yet.
#[derive(Debug, Clone)]
pub struct Unstored {
    /// The event.
    pub id: EventId,
    /// The account that owns it.
    pub account: AccountId,
    /// Where what there is to keep stands.
    pub from: Kept,
}

/// Where what an event leaves in the store stands.
#[derive(Debug, Clone)]
pub enum Kept {
    /// In the envelope as it was pushed, JSON.
    Envelope(Bytes),
    /// In the item: what is shown of it, if anything is, is not all.
    Item {
        /// Through which source it came.
        source: SourceId,
        /// As it stood in the body.
        item: String,
        /// When the hub accepted it.
        received_at: Timestamp,
    },
    /// Its envelope is not in the log any more.
    Nowhere,
}

#[derive(QueryableByName)]
struct AccountRow {
    #[diesel(sql_type = Binary)]
    account: Vec<u8>,
}

#[derive(QueryableByName)]
struct UnstoredRow {
    #[diesel(sql_type = Binary)]
    id: Vec<u8>,
    #[diesel(sql_type = Binary)]
    account: Vec<u8>,
    #[diesel(sql_type = Nullable<Binary>)]
    source: Option<Vec<u8>>,
    #[diesel(sql_type = BigInt)]
    received_at: i64,
    #[diesel(sql_type = Nullable<Text>)]
    item: Option<String>,
    #[diesel(sql_type = Nullable<Binary>)]
    envelope: Option<Vec<u8>>,
}

fn unstored(row: UnstoredRow) -> Option<Unstored> {
    let from = match (row.item, row.envelope) {
        (Some(item), _) => Kept::Item {
            source: SourceId::from_bytes(&row.source?)?,
            item,
            received_at: clock::from_micros(row.received_at),
        },
        (None, Some(envelope)) => Kept::Envelope(Bytes::from(envelope)),
        (None, None) => Kept::Nowhere,
    };
    Some(Unstored { id: EventId::from_bytes(&row.id)?, account: AccountId::from_bytes(&row.account)?, from })
}

impl Inbox {
    /// Marks an event as published of which nothing is shown: it is only to be kept.
    ///
    /// # Errors
    /// If it could not be written; the event is then worked on again.
    pub async fn pass(&self, id: EventId) -> Result<(), InboxError> {
        let change = move |c: &mut SqliteConnection| {
            let received = events::table
                .filter(events::id.eq(id.to_bytes().to_vec()))
                .filter(events::state.eq(State::Received as i32));
            diesel::update(received)
                .set((
                    events::state.eq(State::Published as i32),
                    events::epoch.eq(None::<i64>),
                    events::count.eq(None::<i64>),
                    events::reason.eq(None::<String>),
                    events::changed_at.eq(clock::now().timestamp_micros()),
                ))
                .execute(c)
                .map(drop)
        };
        let (queued, written) = self.writer.enqueue(1, Urgency::Soon, change);
        queued.await;
        written.await
    }

    /// Events that were pushed before `before` and are not stored: of each account the oldest, as many as of the others.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn unstored(&self, before: Timestamp, limit: usize) -> Result<Vec<Unstored>, InboxError> {
        self.read(move |c| {
            let accounts = unstored_accounts(c)?;
            let share = i64::try_from(limit / accounts.len().max(1)).unwrap_or(i64::MAX).max(1);
            let mut all = Vec::new();
            for account in accounts {
                let rows: Vec<UnstoredRow> = sql_query(
                    "SELECT events.id, events.account, events.source, events.received_at, log.envelope, \
                     CASE WHEN events.kind IN ('prospect', 'cost', 'campaign') THEN events.item END AS item \
                     FROM events LEFT JOIN log \
                     ON log.account = events.account AND log.epoch = events.epoch AND log.count = events.count \
                     WHERE events.state = 1 AND events.account = ? AND events.changed_at <= ? ORDER BY events.seq LIMIT ?",
                )
                .bind::<Binary, _>(&account)
                .bind::<BigInt, _>(before.timestamp_micros())
                .bind::<BigInt, _>(share)
                .load(c)?;
                all.extend(rows.into_iter().filter_map(unstored));
                if all.len() >= limit {
                    break;
                }
            }
            Ok(all)
        })
        .await
    }

    /// Whether one of these events was pushed and is not stored yet.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn any_unstored(&self, ids: Vec<EventId>) -> Result<bool, InboxError> {
        self.read(move |c| {
            let unstored = events::table
                .filter(events::state.eq(State::Published as i32))
                .filter(events::id.eq_any(ids.iter().map(|id| id.to_bytes().to_vec())));
            unstored.count().get_result::<i64>(c).map(|count| count > 0)
        })
        .await
    }

    /// Marks events as stored: they are finished.
    ///
    /// # Errors
    /// If it could not be written; the events are then stored once more, which changes nothing.
    pub async fn mark_stored(&self, ids: Vec<EventId>) -> Result<(), InboxError> {
        let change = move |c: &mut SqliteConnection| {
            let now = clock::now().timestamp_micros();
            ids.iter().try_for_each(|id| {
                // One that a person has asked for again meanwhile must not be finished by its earlier round.
                diesel::update(
                    events::table
                        .filter(events::id.eq(id.to_bytes().to_vec()))
                        .filter(events::state.eq(State::Published as i32)),
                )
                .set((events::state.eq(State::Stored as i32), events::changed_at.eq(now)))
                .execute(c)
                .map(drop)
            })
        };
        let (queued, written) = self.writer.enqueue(1, Urgency::Soon, change);
        queued.await;
        written.await
    }
}

/// Accounts that have something to be stored; an index look-up each.
fn unstored_accounts(c: &mut SqliteConnection) -> QueryResult<Vec<Vec<u8>>> {
    let mut accounts: Vec<Vec<u8>> = Vec::new();
    loop {
        let next = sql_query("SELECT account FROM events WHERE state = 1 AND account > ? ORDER BY account LIMIT 1");
        let next: Option<AccountRow> =
            next.bind::<Binary, _>(accounts.last().cloned().unwrap_or_default()).get_result(c).optional()?;
        let Some(next) = next else { return Ok(accounts) };
        accounts.push(next.account);
    }
}
