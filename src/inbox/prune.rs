//! Retention: finished records go when their time is over, or earlier when the file grows too large.
//!
//! Never an unfinished event, nor the delivery or the envelope that one still needs, nor envelopes that were read and
//! are still to be looked at for it. Rows go in small portions, so that
//! commits of webhooks fit in between.

use std::{sync::atomic::Ordering, time::Duration};

use diesel::{QueryResult, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::BigInt};

use super::{Inbox, InboxError, log::fold_tops};
use crate::domain::Timestamp;

/// Rows removed in one commit.
const PORTION: i64 = 500;

/// How long what is kept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Raw webhooks whose events are finished.
    pub deliveries: Duration,
    /// Finished events: the deduplication keys.
    pub events: Duration,
    /// Envelopes.
    pub log: Duration,
    /// Bytes of the file.
    pub max_size: u64,
}

/// What is removed: among the oldest rows (so that a round never reads the whole table), those past their time that no
/// unfinished event needs.
const DELIVERIES: &str = "DELETE FROM deliveries WHERE seq IN (\
     SELECT seq FROM (SELECT seq, received_at FROM deliveries ORDER BY seq LIMIT 20000) WHERE received_at < ? \
     AND seq NOT IN (SELECT delivery FROM events WHERE state = 0 UNION ALL SELECT delivery FROM events WHERE state = 1 \
     UNION ALL SELECT delivery FROM events WHERE state = 3) LIMIT ?)";
const EVENTS: &str = "DELETE FROM events WHERE seq IN (\
     SELECT seq FROM (SELECT seq, state, changed_at FROM events ORDER BY seq LIMIT 20000) \
     WHERE state IN (2, 4) AND changed_at < ? LIMIT ?)";
const LOG: &str = "DELETE FROM log WHERE seq IN (\
     SELECT seq FROM (SELECT seq, account, epoch, count, room, logged_at FROM log ORDER BY seq LIMIT 20000) l \
     WHERE logged_at < ? AND NOT EXISTS (SELECT 1 FROM events e \
     WHERE e.state = 1 AND e.account = l.account AND e.epoch = l.epoch AND e.count = l.count) \
     AND NOT EXISTS (SELECT 1 FROM (SELECT after_epoch, after_count FROM seen WHERE room = l.room \
     ORDER BY to_epoch, to_count LIMIT 1) WHERE (after_epoch, after_count) < (l.epoch, l.count)) LIMIT ?)";
/// Where a user is in a room says nothing any more when all that was there is gone.
const WATERMARKS: &str = "DELETE FROM watermarks WHERE (room, subject, device) IN (\
     SELECT room, subject, device FROM watermarks WHERE changed_at < ? LIMIT ?)";

#[derive(QueryableByName)]
struct Size {
    #[diesel(sql_type = BigInt)]
    bytes: i64,
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

    /// Removes what is past its time; while the file is too large, also the oldest of what is finished. If that isn't
    /// enough, nothing is accepted until a later call finds room.
    ///
    /// Returns the rows removed.
    ///
    /// # Errors
    /// If the file can't be read or written.
    pub async fn prune(&self, now: Timestamp, limits: Limits) -> Result<usize, InboxError> {
        let past = |age: Duration| now.timestamp_micros() - i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        let mut removed = 0;
        for (statement, before) in [
            (DELIVERIES, past(limits.deliveries)),
            (LOG, past(limits.log)),
            (WATERMARKS, past(limits.log)),
            (EVENTS, past(limits.events)),
        ] {
            loop {
                let rows = self.remove(statement, before).await?;
                removed += rows;
                if rows == 0 {
                    break;
                }
            }
        }
        let full = loop {
            if self.size().await? <= limits.max_size {
                break false;
            }
            let rows = self.remove(DELIVERIES, i64::MAX).await? + self.remove(LOG, i64::MAX).await?;
            removed += rows;
            if rows == 0 {
                break true;
            }
        };
        self.full.store(full, Ordering::Relaxed);
        Ok(removed)
    }

    async fn remove(&self, statement: &'static str, before: i64) -> Result<usize, InboxError> {
        let change = move |c: &mut SqliteConnection| -> QueryResult<usize> {
            // How far each room is must outlive its envelopes: who comes back has to be told that some are gone.
            if statement == LOG {
                fold_tops(c)?;
            }
            let removed = sql_query(statement).bind::<BigInt, _>(before).bind::<BigInt, _>(PORTION).execute(c)?;
            if statement == LOG {
                fold_tops(c)?;
            }
            Ok(removed)
        };
        self.writer.write(usize::try_from(PORTION).unwrap_or(1), change).await
    }
}
