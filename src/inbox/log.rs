//! The envelope log: what was pushed, by account and position, for sessions that resume and for the store.

use bytes::Bytes;
use diesel::{
    ExpressionMethods, QueryResult, QueryableByName, RunQueryDsl, SqliteConnection,
    connection::DefaultLoadingMode,
    sql_query,
    sql_types::{BigInt, Binary, Text},
};
use serde::Deserialize;

use super::{Inbox, InboxError, acks::seen_late, schema::log};
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
    /// When it is logged.
    pub at: Timestamp,
    /// It was pushed long before, and may have been read since.
    pub is_late: bool,
    /// The JSON text that sessions received.
    pub envelope: Bytes,
}

/// An envelope as the log has it.
#[derive(Debug, Clone)]
pub struct Logged {
    /// Its place.
    pub position: Position,
    /// The one before it in its room.
    pub prev: Option<Position>,
    /// Its type.
    pub kind: String,
    /// The JSON text.
    pub envelope: Bytes,
}

/// What the log has after a position.
#[derive(Debug, Default)]
pub struct Page {
    /// In order.
    pub entries: Vec<Logged>,
    /// Whether there may be more after these.
    pub more: bool,
}

/// What is read of a logged envelope; the payload is not.
#[derive(Deserialize)]
struct Head {
    r#type: String,
    prev: Option<Position>,
}

#[derive(QueryableByName)]
struct EntryRow {
    #[diesel(sql_type = BigInt)]
    epoch: i64,
    #[diesel(sql_type = BigInt)]
    count: i64,
    #[diesel(sql_type = Binary)]
    envelope: Vec<u8>,
}

impl EntryRow {
    /// `None` for what this version can't read.
    fn logged(self) -> Option<Logged> {
        let Head { r#type: kind, prev } = serde_json::from_slice(&self.envelope).ok()?;
        let position = Position { epoch: u32::try_from(self.epoch).ok()?, count: u64::try_from(self.count).ok()? };
        Some(Logged { position, prev, kind, envelope: self.envelope.into() })
    }
}

/// Envelopes read at once.
const PAGE: i64 = 256;
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
    /// What a room's log has after a position, up to `bytes` of it, and one envelope at least.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn log_after(&self, room: Room, after: Position, bytes: usize) -> Result<Page, InboxError> {
        self.of_log.read(move |c| entries(c, room, after, PAGE, bytes)).await
    }

    /// For each room the first envelope after a position.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn first_after(&self, asked: Vec<(Room, Position)>) -> Result<Vec<Option<Logged>>, InboxError> {
        let first = |c: &mut SqliteConnection, (room, after)| Ok(entries(c, room, after, 1, 1)?.entries.pop());
        self.of_log.read(move |c| asked.into_iter().map(|one| first(c, one)).collect()).await
    }

    /// Ends when everything that was to be written before is written, or has failed.
    ///
    /// # Errors
    /// If the file can't be written.
    pub async fn settle(&self) -> Result<(), InboxError> {
        self.writer.write(0, |_| Ok(())).await
    }

    /// The newest position of every room, so that the first envelope after a start names the one before it.
    ///
    /// # Errors
    /// If the file can't be read or written.
    pub async fn top_positions(&self) -> Result<Vec<(Room, Position)>, InboxError> {
        let tops = self.writer.write(1, |c| {
            fold_tops(c)?;
            sql_query("SELECT room, epoch, count FROM tops").load::<Top>(c)
        });
        let top = |top: Top| {
            let epoch = u32::try_from(top.epoch).ok()?;
            Some((top.room.parse().ok()?, Position { epoch, count: u64::try_from(top.count).ok()? }))
        };
        Ok(tops.await?.into_iter().filter_map(top).collect())
    }
}

/// Notes the newest position of every room that the log has something new of.
pub(super) fn fold_tops(c: &mut SqliteConnection) -> QueryResult<()> {
    // By position, not by row: what could not be logged at first comes behind later ones.
    sql_query(
        "INSERT INTO tops SELECT room, epoch, max(count) FROM log WHERE seq > (SELECT folded FROM meta) \
         GROUP BY room, epoch ORDER BY epoch \
         ON CONFLICT (room) DO UPDATE SET epoch = excluded.epoch, count = excluded.count \
         WHERE (excluded.epoch, excluded.count) > (tops.epoch, tops.count)",
    )
    .execute(c)?;
    // Not simply the highest: with all rows gone, numbers begin again.
    sql_query("UPDATE meta SET folded = coalesce((SELECT max(seq) FROM log), 0)").execute(c).map(drop)
}

fn entries(c: &mut SqliteConnection, room: Room, after: Position, most: i64, bytes: usize) -> QueryResult<Page> {
    let rows = sql_query(
        "SELECT epoch, count, envelope FROM log WHERE account = ? AND (epoch, count) > (?, ?) AND room = ? \
         ORDER BY epoch, count LIMIT ?",
    )
    .bind::<Binary, _>(room.account().to_bytes().to_vec())
    .bind::<BigInt, _>(i64::from(after.epoch))
    .bind::<BigInt, _>(i64::try_from(after.count).unwrap_or(i64::MAX))
    .bind::<Text, _>(room.to_string())
    .bind::<BigInt, _>(most)
    .load_iter::<EntryRow, DefaultLoadingMode>(c)?;
    let (mut page, mut read, mut rows_read) = (Page::default(), 0, 0);
    for row in rows {
        let row = row?;
        read += row.envelope.len();
        rows_read += 1;
        page.entries.extend(row.logged());
        page.more = read >= bytes || rows_read == most;
        if page.more {
            break;
        }
    }
    Ok(page)
}

/// Adds an envelope; part of the commit that marks its event as published. One may be there already: it was committed, but
/// could not be synced.
pub(super) fn append(c: &mut SqliteConnection, entry: &LogEntry) -> QueryResult<()> {
    diesel::insert_or_ignore_into(log::table)
        .values((
            log::account.eq(entry.account.to_bytes().to_vec()),
            log::epoch.eq(i64::from(entry.position.epoch)),
            log::count.eq(i64::try_from(entry.position.count).unwrap_or(i64::MAX)),
            log::room.eq(entry.room.to_string()),
            log::logged_at.eq(entry.at.timestamp_micros()),
            log::envelope.eq(&entry.envelope[..]),
        ))
        .execute(c)?;
    if entry.is_late { seen_late(c, entry.room, entry.position, entry.at) } else { Ok(()) }
}
