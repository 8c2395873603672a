//! The way from being shown to being stored, and what is left over on it.

use bytes::Bytes;
use diesel::{
    ExpressionMethods, QueryDsl, QueryableByName, RunQueryDsl, SqliteConnection, sql_query,
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
        /// Whose it is.
        account: AccountId,
        /// Through which source it came.
        source: SourceId,
        /// As it stood in the body.
        item: String,
        /// When the hub accepted it.
        received_at: Timestamp,
    },
}

#[derive(QueryableByName)]
struct UnstoredRow {
    #[diesel(sql_type = Binary)]
    id: Vec<u8>,
    #[diesel(sql_type = Nullable<Binary>)]
    account: Option<Vec<u8>>,
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
            account: AccountId::from_bytes(&row.account?)?,
            source: SourceId::from_bytes(&row.source?)?,
            item,
            received_at: clock::from_micros(row.received_at),
        },
        (None, envelope) => Kept::Envelope(Bytes::from(envelope?)),
    };
    Some(Unstored { id: EventId::from_bytes(&row.id)?, from })
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

    /// Events that were pushed before `before` and are not stored, the oldest first.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn unstored(&self, before: Timestamp, limit: usize) -> Result<Vec<Unstored>, InboxError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(move |c| {
            let rows: Vec<UnstoredRow> = sql_query(
                "SELECT events.id, events.account, events.source, events.received_at, log.envelope, \
                 CASE WHEN events.kind IN ('prospect', 'cost', 'campaign') THEN events.item END AS item \
                 FROM events LEFT JOIN log \
                 ON log.account = events.account AND log.epoch = events.epoch AND log.count = events.count \
                 WHERE events.state = 1 AND events.changed_at <= ? ORDER BY events.seq LIMIT ?",
            )
            .bind::<BigInt, _>(before.timestamp_micros())
            .bind::<BigInt, _>(limit)
            .load(c)?;
            Ok(rows.into_iter().filter_map(unstored).collect())
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
