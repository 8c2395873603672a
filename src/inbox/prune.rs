//! Retention: finished records go when their time is over, or earlier when the file grows too large.
//!
//! An event that is not finished never goes, nor do envelopes that the store still needs, or that were read and are still to
//! be looked at for it. Of a finished event the record goes with its raw webhook; its key stays, so that a redelivery is known.
//! What is to go is looked for beside the writer, wherever it stands, and goes in small portions, so that commits of webhooks
//! fit in between.

use std::{
    ops::ControlFlow::{self, Break, Continue},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, QueryableByName, RunQueryDsl, SqliteConnection,
    sql_query,
    sql_types::{BigInt, Bool},
};
use tokio::sync::Mutex;

use super::{Inbox, InboxError, log::fold_tops, schema::deliveries};
use crate::domain::{Timestamp, clock};

/// Rows changed in one commit.
const PORTION: i64 = 500;
/// Rows looked at in one reading.
pub(super) const LOOKED_AT: i64 = 20_000;
/// Rows of a table without an order of time that one round looks at; the next goes on behind them.
pub(super) const ROUND: i64 = 1_000_000;
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// How long what is kept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Raw webhooks, with the records of their events.
    pub deliveries: Duration,
    /// The keys of finished events.
    pub events: Duration,
    /// Envelopes.
    pub log: Duration,
    /// Bytes of the file.
    pub max_size: u64,
}

/// How much room the file has. The numbers are in the file: never change one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Space {
    /// The log of a day fits beside what can't go.
    Enough = 0,
    /// Envelopes younger than a day, or records younger than an hour, had to go within the last hour.
    NearlyFull = 1,
    /// Nothing is left that could go: nothing is accepted.
    Full = 2,
}

/// What a round of pruning came to.
#[derive(Debug, Clone, Copy)]
pub struct Pruned {
    /// Records that went.
    pub removed: usize,
    /// The room that is left.
    pub space: Space,
}

#[derive(Clone, Default)]
pub(super) struct Pruning {
    space: Arc<AtomicU8>,
    walk: Arc<Mutex<Walk>>,
}

#[derive(QueryableByName)]
struct Noted {
    #[diesel(sql_type = BigInt)]
    space: i64,
}

impl Pruning {
    pub(super) fn read(c: &mut SqliteConnection) -> QueryResult<Self> {
        let noted: Noted = sql_query("SELECT space FROM meta").get_result(c)?;
        Ok(Self { space: Arc::new(AtomicU8::new(u8::try_from(noted.space).unwrap_or(0))), walk: Arc::default() })
    }
}

/// How far the tables without an order of time have been looked through, and when it was tight last.
#[derive(Default)]
struct Walk {
    event: i64,
    key: Vec<u8>,
    tight: Option<Timestamp>,
}

/// Tables whose rows are looked through by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    /// Raw webhooks, and with them the records of their events.
    Deliveries,
    /// Events that were finished after their webhook had gone.
    Events,
    Log,
}

/// What is to go.
#[derive(Clone, Copy)]
struct Going {
    table: Table,
    /// What was written before.
    before: i64,
    /// Only until the file is no larger; then raw webhooks go also while an event of theirs is not finished, for it has all
    /// that it needs.
    until: Option<u64>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = BigInt)]
    at: i64,
    /// Rows that go with it, itself included.
    #[diesel(sql_type = BigInt)]
    rows: i64,
    #[diesel(sql_type = Bool)]
    needed: bool,
}

#[derive(QueryableByName)]
struct Size {
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

impl Table {
    const fn rows(self) -> &'static str {
        match self {
            Self::Deliveries => {
                "SELECT seq, received_at AS at, 1 + (SELECT count(*) FROM events WHERE delivery = d.seq) AS rows, \
                 EXISTS (SELECT 1 FROM events WHERE delivery = d.seq AND state IN (0, 1, 3)) AS needed \
                 FROM deliveries d WHERE seq > ? ORDER BY seq LIMIT ?"
            }
            Self::Events => {
                "SELECT seq, changed_at AS at, 1 AS rows, state NOT IN (2, 4) \
                 OR EXISTS (SELECT 1 FROM deliveries WHERE seq = e.delivery) AS needed \
                 FROM events e WHERE seq > ? ORDER BY seq LIMIT ?"
            }
            Self::Log => {
                "SELECT seq, logged_at AS at, 1 AS rows, \
                 (account, epoch, count) IN (SELECT account, epoch, count FROM events WHERE state = 1) \
                 OR EXISTS (SELECT 1 FROM (SELECT after_epoch, after_count FROM seen WHERE room = l.room \
                 ORDER BY to_epoch, to_count LIMIT 1) WHERE (after_epoch, after_count) < (l.epoch, l.count)) AS needed \
                 FROM log l WHERE seq > ? ORDER BY seq LIMIT ?"
            }
        }
    }

    /// Removes rows that were found, and answers how many. What is not finished stays, also if it came back meanwhile.
    fn remove(self, c: &mut SqliteConnection, found: &[i64]) -> QueryResult<usize> {
        let column = match self {
            Self::Deliveries => "delivery",
            Self::Events => "seq",
            Self::Log => return remove_envelopes(c, found),
        };
        let keep = format!(
            "INSERT OR IGNORE INTO keys SELECT id, changed_at / {HOUR} FROM events WHERE {column} = ? AND state IN (2, 4)"
        );
        let drop_events = format!("DELETE FROM events WHERE {column} = ? AND state IN (2, 4)");
        let mut removed = 0;
        for row in found {
            sql_query(&keep).bind::<BigInt, _>(row).execute(c)?;
            removed += sql_query(&drop_events).bind::<BigInt, _>(row).execute(c)?;
            if self == Self::Deliveries {
                removed += sql_query("DELETE FROM deliveries WHERE seq = ?").bind::<BigInt, _>(row).execute(c)?;
            }
        }
        Ok(removed)
    }
}

fn remove_envelopes(c: &mut SqliteConnection, found: &[i64]) -> QueryResult<usize> {
    // How far each room is must outlive its envelopes: who comes back has to be told that some are gone.
    fold_tops(c)?;
    let one = |row: &i64| sql_query("DELETE FROM log WHERE seq = ?").bind::<BigInt, _>(row).execute(c);
    let removed = found.iter().map(one).sum::<QueryResult<usize>>()?;
    fold_tops(c)?;
    Ok(removed)
}

impl Inbox {
    /// Bytes of the file that hold something.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn size(&self) -> Result<u64, InboxError> {
        let size: Size = self
            .read(|c| {
                sql_query(
                    "SELECT (page_count - freelist_count) * page_size AS bytes \
                     FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
                )
                .get_result(c)
            })
            .await?;
        Ok(u64::try_from(size.bytes).unwrap_or(0))
    }

    /// When the newest of what is kept was received.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn newest(&self) -> Result<Option<Timestamp>, InboxError> {
        let newest = self.read(|c| {
            deliveries::table.order(deliveries::seq.desc()).select(deliveries::received_at).first::<i64>(c).optional()
        });
        Ok(newest.await?.map(clock::from_micros))
    }

    /// The room that was left after the last round.
    #[must_use]
    pub fn space(&self) -> Space {
        match self.pruning.space.load(Ordering::Relaxed) {
            0 => Space::Enough,
            1 => Space::NearlyFull,
            _ => Space::Full,
        }
    }

    /// Removes what is past its time; while the file is too large, also the oldest of what is finished: first records, then
    /// envelopes older than a day, then all else that can go. If that isn't enough, nothing is accepted until a later call
    /// finds room.
    ///
    /// # Errors
    /// If the file can't be read or written: doing it again goes on.
    pub async fn prune(&self, now: Timestamp, limits: Limits) -> Result<Pruned, InboxError> {
        let mut walk = self.pruning.walk.lock().await;
        let past = |age: Duration| now.timestamp_micros() - i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        let going = |table, before| Going { table, before, until: None };
        let mut removed = self.remove(going(Table::Deliveries, past(limits.deliveries)), now, &mut walk).await?;
        removed += self.remove(going(Table::Events, past(limits.deliveries)), now, &mut walk).await?;
        removed += self.remove(going(Table::Log, past(limits.log)), now, &mut walk).await?;
        removed += self.remove_watermarks(past(limits.log)).await?;
        removed += self.remove_keys(past(limits.events) / HOUR, &mut walk.key).await?;

        let (hour, day) = (now.timestamp_micros() - HOUR, now.timestamp_micros() - DAY);
        let older = [(Table::Deliveries, hour), (Table::Events, hour), (Table::Log, day)];
        let rest = [(Table::Deliveries, i64::MAX), (Table::Events, i64::MAX), (Table::Log, i64::MAX)];
        for (table, before) in older.into_iter().chain(rest) {
            if self.size().await? <= limits.max_size {
                break;
            }
            let going = Going { table, before, until: Some(limits.max_size) };
            let went = self.remove(going, now, &mut walk).await?;
            removed += went;
            if before == i64::MAX && went > 0 {
                walk.tight = Some(now);
            }
        }
        let is_tight = walk.tight.is_some_and(|at| now.timestamp_micros() - at.timestamp_micros() < HOUR);
        let space = match self.size().await? {
            size if size > limits.max_size => Space::Full,
            _ if is_tight => Space::NearlyFull,
            _ => Space::Enough,
        };
        self.set_space(space, now).await?;
        Ok(Pruned { removed, space })
    }

    async fn set_space(&self, space: Space, now: Timestamp) -> Result<(), InboxError> {
        if self.pruning.space.swap(space as u8, Ordering::Relaxed) == space as u8 {
            return Ok(());
        }
        let change = move |c: &mut SqliteConnection| {
            let noted = sql_query("UPDATE meta SET space = ?, space_since = ?").bind::<BigInt, _>(space as i64);
            noted.bind::<BigInt, _>(now.timestamp_micros()).execute(c).map(drop)
        };
        self.writer.write(1, change).await
    }

    /// Looks through a table and removes what is to go.
    async fn remove(&self, going: Going, now: Timestamp, walk: &mut Walk) -> Result<usize, InboxError> {
        let (mut after, mut removed, mut looked_at) = (0, 0, 0);
        let in_order = going.table != Table::Events;
        if !in_order {
            after = walk.event;
        }
        // Of a time when the clock was wrong: it tells nothing of what stands behind it.
        let wrong = now.timestamp_micros() + DAY;
        loop {
            let rows: Vec<Row> = self
                .survey
                .read(move |c| {
                    let rows = sql_query(going.table.rows()).bind::<BigInt, _>(after);
                    rows.bind::<BigInt, _>(LOOKED_AT).load(c)
                })
                .await?;
            let Some(last) = rows.last().map(|row| row.seq) else {
                after = 0;
                break;
            };
            (after, looked_at) = (last, looked_at + LOOKED_AT);
            let none_past = rows.iter().all(|row| row.at >= going.before && row.at < wrong);
            let all = going.table == Table::Deliveries && going.until.is_some();
            let found = rows.into_iter().filter(|row| row.at < going.before && (all || !row.needed));
            match self.remove_found(going, found.collect(), &mut removed).await? {
                Continue(()) if in_order && !none_past => {}
                Continue(()) if !in_order && looked_at < ROUND => {}
                Continue(()) | Break(()) => break,
            }
        }
        if !in_order {
            walk.event = after;
        }
        Ok(removed)
    }

    /// In portions; breaks off when the file is small enough.
    async fn remove_found(
        &self,
        going: Going,
        found: Vec<Row>,
        removed: &mut usize,
    ) -> Result<ControlFlow<()>, InboxError> {
        let mut found = found.into_iter().peekable();
        while found.peek().is_some() {
            let mut rows = 0;
            let portion = std::iter::from_fn(|| {
                let row = found.next_if(|row| rows == 0 || rows + row.rows <= PORTION)?;
                rows += row.rows;
                Some(row.seq)
            });
            let portion: Vec<i64> = portion.collect();
            let change = move |c: &mut SqliteConnection| going.table.remove(c, &portion);
            *removed += self.writer.write(500, change).await?;
            if let Some(size) = going.until
                && self.size().await? <= size
            {
                return Ok(Break(()));
            }
        }
        Ok(Continue(()))
    }

    /// Where a user is in a room says nothing any more when all that was there is gone.
    async fn remove_watermarks(&self, before: i64) -> Result<usize, InboxError> {
        let mut removed = 0;
        loop {
            let change = move |c: &mut SqliteConnection| {
                let old = sql_query(
                    "DELETE FROM watermarks WHERE (room, subject, device) IN (\
                     SELECT room, subject, device FROM watermarks WHERE changed_at < ? LIMIT ?)",
                );
                old.bind::<BigInt, _>(before).bind::<BigInt, _>(PORTION).execute(c)
            };
            match self.writer.write(500, change).await? {
                0 => return Ok(removed),
                rows => removed += rows,
            }
        }
    }
}
