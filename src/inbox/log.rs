//! The envelope log: what was pushed, by account and position, for sessions that resume and for the store.

use bytes::Bytes;
use diesel::{
    ExpressionMethods, QueryResult, QueryableByName, RunQueryDsl, SqliteConnection, sql_query,
    sql_types::{BigInt, Text},
};

use super::{Inbox, InboxError, schema::log};
use crate::domain::{AccountId, Room, Timestamp, envelope::Position};

/// An envelope as it was pushed.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// Whose it is.
    pub account: AccountId,
    /// Where it went.
    pub room: Room,
    /// Its place.
    pub position: Position,
    /// When it was pushed.
    pub at: Timestamp,
    /// The JSON text that sessions received.
    pub envelope: Bytes,
}

#[derive(QueryableByName)]
struct Top {
    #[diesel(sql_type = Text)]
    room: String,
    #[diesel(sql_type = BigInt)]
    epoch: i64,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

impl Inbox {
    /// The newest position of every room, so that the first envelope after a start names the one before it.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn top_positions(&self) -> Result<Vec<(Room, Position)>, InboxError> {
        self.read(|c| {
            let tops: Vec<Top> =
                sql_query("SELECT room, epoch, count FROM log WHERE seq IN (SELECT max(seq) FROM log GROUP BY room)")
                    .load(c)?;
            let top = |top: Top| {
                let epoch = u32::try_from(top.epoch).ok()?;
                Some((top.room.parse().ok()?, Position { epoch, count: u64::try_from(top.count).ok()? }))
            };
            Ok(tops.into_iter().filter_map(top).collect())
        })
        .await
    }
}

/// Adds an envelope; part of the commit that marks its event as published.
pub(super) fn append(c: &mut SqliteConnection, entry: &LogEntry) -> QueryResult<()> {
    diesel::insert_into(log::table)
        .values((
            log::account.eq(entry.account.to_bytes().to_vec()),
            log::epoch.eq(i64::from(entry.position.epoch)),
            log::count.eq(i64::try_from(entry.position.count).unwrap_or(i64::MAX)),
            log::room.eq(entry.room.to_string()),
            log::logged_at.eq(entry.at.timestamp_micros()),
            log::envelope.eq(&entry.envelope[..]),
        ))
        .execute(c)
        .map(drop)
}
