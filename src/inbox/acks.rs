//! How far each user has received and read each room, on each device, and which part of a room was read for the first
//! time by anybody.

use diesel::{
    QueryResult, QueryableByName, RunQueryDsl, SqliteConnection, sql_query,
    sql_types::{BigInt, Text},
};

use super::{Inbox, InboxError};
use crate::domain::{Room, Timestamp, clock, envelope::Position};

/// Devices of one user that a room remembers; of more, the one that has read least is forgotten.
const DEVICES: usize = 32;

/// Somebody has received, or read, a room up to a position.
#[derive(Debug, Clone)]
pub struct Ack {
    /// Which room.
    pub room: Room,
    /// The user, as text.
    pub reader: String,
    /// One of the user's devices, by a name of the client's choice.
    pub device: String,
    /// Up to here.
    pub position: Position,
    /// Read as well.
    pub read: bool,
    /// Whether what this reader has read is seen: a program shows it to nobody, and a viewer works on nothing.
    pub counts: bool,
    /// When.
    pub at: Timestamp,
}

/// How far a device is in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    /// Its name.
    pub device: String,
    /// What it has received.
    pub delivered: Option<Position>,
    /// What was read on it.
    pub read: Option<Position>,
}

/// A part of a room that nobody had read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Which room.
    pub room: Room,
    /// Everything after this.
    pub after: Position,
    /// Up to and with this.
    pub up_to: Position,
    /// When it was read.
    pub at: Timestamp,
}

#[derive(QueryableByName)]
struct WatermarkRow {
    #[diesel(sql_type = Text)]
    device: String,
    #[diesel(sql_type = BigInt)]
    delivered_epoch: i64,
    #[diesel(sql_type = BigInt)]
    delivered_count: i64,
    #[diesel(sql_type = BigInt)]
    read_epoch: i64,
    #[diesel(sql_type = BigInt)]
    read_count: i64,
}

impl From<WatermarkRow> for Watermark {
    fn from(row: WatermarkRow) -> Self {
        let delivered = Some(position(row.delivered_epoch, row.delivered_count)).filter(|at| *at != BEGINNING);
        let read = Some(position(row.read_epoch, row.read_count)).filter(|at| *at != BEGINNING);
        Self { device: row.device, delivered, read }
    }
}

#[derive(QueryableByName)]
struct SeenRow {
    #[diesel(sql_type = Text)]
    room: String,
    #[diesel(sql_type = BigInt)]
    after_epoch: i64,
    #[diesel(sql_type = BigInt)]
    after_count: i64,
    #[diesel(sql_type = BigInt)]
    to_epoch: i64,
    #[diesel(sql_type = BigInt)]
    to_count: i64,
    #[diesel(sql_type = BigInt)]
    at: i64,
}

/// Before everything.
const BEGINNING: Position = Position { epoch: 0, count: 0 };

fn position(epoch: i64, count: i64) -> Position {
    Position { epoch: u32::try_from(epoch).unwrap_or(u32::MAX), count: u64::try_from(count).unwrap_or(0) }
}

fn count(position: Position) -> i64 {
    i64::try_from(position.count).unwrap_or(i64::MAX)
}

impl Inbox {
    /// Notes an ack; when it returns, it is durable. Whether the user has now read more of the room than on any device
    /// before. What was received or read before stays so.
    ///
    /// # Errors
    /// If it could not be made durable: nothing was noted.
    pub async fn ack(&self, ack: Ack) -> Result<bool, InboxError> {
        let (has_read_on, is_first) = self.writer.write(4, move |c| note(c, &ack)).await?;
        if is_first {
            self.seen.notify_one();
        }
        Ok(has_read_on)
    }

    /// How far a user is in a room, on each device.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn watermarks(&self, room: Room, reader: String) -> Result<Vec<Watermark>, InboxError> {
        self.of_log.read(move |c| watermarks(c, &room.to_string(), &reader)).await
    }

    /// What was read for the first time and is not settled, in the order of rooms and positions, after this one.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn seen_after(&self, last: Option<Seen>, limit: i64) -> Result<Vec<Seen>, InboxError> {
        self.read(move |c| {
            let room = last.map(|last| last.room.to_string()).unwrap_or_default();
            let up_to = last.map_or(BEGINNING, |last| last.up_to);
            let rows: Vec<SeenRow> = sql_query(
                "SELECT room, after_epoch, after_count, to_epoch, to_count, at FROM seen \
                 WHERE (room, to_epoch, to_count) > (?, ?, ?) ORDER BY room, to_epoch, to_count LIMIT ?",
            )
            .bind::<Text, _>(room)
            .bind::<BigInt, _>(i64::from(up_to.epoch))
            .bind::<BigInt, _>(count(up_to))
            .bind::<BigInt, _>(limit)
            .load(c)?;
            let seen = |row: SeenRow| {
                let (after, up_to) = (position(row.after_epoch, row.after_count), position(row.to_epoch, row.to_count));
                Some(Seen { room: row.room.parse().ok()?, after, up_to, at: clock::from_micros(row.at) })
            };
            Ok(rows.into_iter().filter_map(seen).collect())
        })
        .await
    }

    /// Ends when something may have been read for the first time since it ended last.
    pub async fn something_seen(&self) {
        self.seen.notified().await;
    }

    /// All that there is to do about it is done.
    ///
    /// # Errors
    /// If it could not be written: it is then found again.
    pub async fn settle_seen(&self, seen: Seen) -> Result<(), InboxError> {
        let change = move |c: &mut SqliteConnection| {
            sql_query("DELETE FROM seen WHERE room = ? AND to_epoch = ? AND to_count = ?")
                .bind::<Text, _>(seen.room.to_string())
                .bind::<BigInt, _>(i64::from(seen.up_to.epoch))
                .bind::<BigInt, _>(count(seen.up_to))
                .execute(c)
                .map(drop)
        };
        self.writer.write(1, change).await
    }
}

fn watermarks(c: &mut SqliteConnection, room: &str, reader: &str) -> QueryResult<Vec<Watermark>> {
    let rows = sql_query(
        "SELECT device, delivered_epoch, delivered_count, read_epoch, read_count FROM watermarks \
         WHERE room = ? AND subject = ? ORDER BY device",
    );
    let rows: Vec<WatermarkRow> = rows.bind::<Text, _>(room).bind::<Text, _>(reader).load(c)?;
    Ok(rows.into_iter().map(Watermark::from).collect())
}

/// Whether the user has read on, and whether that was the first time that anybody did.
fn note(c: &mut SqliteConnection, ack: &Ack) -> QueryResult<(bool, bool)> {
    let room = ack.room.to_string();
    let known = watermarks(c, &room, &ack.reader)?;
    let own = known.iter().find(|one| one.device == ack.device);
    let at = Some(ack.position);
    let (delivered, read) = own.map_or((None, None), |own| (own.delivered, own.read));
    let new = (delivered.max(at), if ack.read { read.max(at) } else { read });
    let has_read_on = known.iter().map(|one| one.read).max().flatten() < new.1;
    if own.is_some() && new == (delivered, read) {
        return Ok((false, false));
    }
    let least = known.iter().min_by_key(|one| one.read).filter(|_| own.is_none() && known.len() >= DEVICES);
    if let Some(least) = least {
        sql_query("DELETE FROM watermarks WHERE room = ? AND subject = ? AND device = ?")
            .bind::<Text, _>(&room)
            .bind::<Text, _>(&ack.reader)
            .bind::<Text, _>(&least.device)
            .execute(c)?;
    }
    let (delivered, read) = (new.0.unwrap_or(BEGINNING), new.1.unwrap_or(BEGINNING));
    sql_query("INSERT OR REPLACE INTO watermarks VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        .bind::<Text, _>(&room)
        .bind::<Text, _>(&ack.reader)
        .bind::<Text, _>(&ack.device)
        .bind::<BigInt, _>(i64::from(delivered.epoch))
        .bind::<BigInt, _>(count(delivered))
        .bind::<BigInt, _>(i64::from(read.epoch))
        .bind::<BigInt, _>(count(read))
        .bind::<BigInt, _>(ack.at.timestamp_micros())
        .execute(c)?;
    Ok((has_read_on, has_read_on && ack.counts && is_first(c, &room, ack)?))
}

#[derive(QueryableByName)]
struct ReadUpTo {
    #[diesel(sql_type = BigInt)]
    epoch: i64,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Whether nobody had read the room so far before; if so, that is noted for whoever looks what was in there.
fn is_first(c: &mut SqliteConnection, room: &str, ack: &Ack) -> QueryResult<bool> {
    let before: Vec<ReadUpTo> =
        sql_query("SELECT epoch, count FROM read_tops WHERE room = ?").bind::<Text, _>(room).load(c)?;
    let before = before.first().map_or(BEGINNING, |before| position(before.epoch, before.count));
    if ack.position <= before {
        return Ok(false);
    }
    sql_query("INSERT OR REPLACE INTO read_tops VALUES (?, ?, ?)")
        .bind::<Text, _>(room)
        .bind::<BigInt, _>(i64::from(ack.position.epoch))
        .bind::<BigInt, _>(count(ack.position))
        .execute(c)?;
    sql_query("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?, ?)")
        .bind::<Text, _>(room)
        .bind::<BigInt, _>(i64::from(ack.position.epoch))
        .bind::<BigInt, _>(count(ack.position))
        .bind::<BigInt, _>(i64::from(before.epoch))
        .bind::<BigInt, _>(count(before))
        .bind::<BigInt, _>(ack.at.timestamp_micros())
        .execute(c)?;
    Ok(true)
}

/// An envelope comes into the log after the room was read so far: it is looked at for itself.
pub(super) fn seen_late(c: &mut SqliteConnection, room: Room, position: Position, at: Timestamp) -> QueryResult<()> {
    sql_query(
        "INSERT OR IGNORE INTO seen SELECT room, ?1, ?2, ?1, ?2 - 1, ?3 FROM read_tops \
         WHERE room = ?4 AND (epoch, count) >= (?1, ?2)",
    )
    .bind::<BigInt, _>(i64::from(position.epoch))
    .bind::<BigInt, _>(count(position))
    .bind::<BigInt, _>(at.timestamp_micros())
    .bind::<Text, _>(room.to_string())
    .execute(c)
    .map(drop)
}
