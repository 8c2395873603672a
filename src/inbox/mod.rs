//! The inbox: what was accepted and is not finished, the record of all that was received, the envelope log, and how far users
//! have read it; and how far sources were read at their platforms.
//!
//! Its own SQLite file, so that webhooks are kept while the store is slow or away. One thread owns the writing connection
//! and commits in groups ([`writer`]), others make the commits durable ([`wal`]); reading has connections of its own
//! ([`readers`]): for look-ups, for what reads long, and for the log.
//! An event is `received`, then `published` (pushed and in the envelope log), then `stored`; or `parked`, or `recorded`
//! when nothing is to be done with it. It knows nothing of platforms, rooms or the store.

mod accept;
mod acks;
mod attention;
mod erase;
mod keys;
mod log;
mod prune;
mod readers;
mod release;
mod rows;
mod schema;
mod shares;
mod sweep;
mod synced;
mod tombstone;
mod unstored;
mod wal;
mod work;
mod writer;

#[cfg(test)]
mod erase_tests;
#[cfg(test)]
mod prune_tests;
#[cfg(test)]
mod release_tests;
#[cfg(test)]
mod shares_tests;
#[cfg(test)]
mod tests;

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use diesel::{Connection, QueryResult, SqliteConnection, connection::SimpleConnection};
use tokio::sync::Notify;

use crate::{config::data_folder, domain::clock};

pub use accept::{Accepted, Delivery, Quarantined};
pub use acks::{Ack, Seen, Watermark};
pub use attention::{Attention, ParkedEvent};
pub use erase::Forgotten;
pub use log::{LogEntry, Logged, Page};
pub use prune::{Limits, Pruned, Space};
use readers::Readers;
pub use release::Selection;
pub use schema::State;
pub use shares::{Shares, Weighed};
pub use sweep::{Sweep, Swept};
pub use tombstone::ERASED;
pub use unstored::{Kept, Unstored};
pub use work::ParkReason;

/// Why the inbox could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InboxError {
    /// The file can't be written or read: a full disk, a failing one. Nothing of the request was kept; try again later.
    #[error("the inbox can't be used: {0}")]
    Unavailable(String),
    /// The file is damaged or of a later version: a person has to look.
    #[error("the inbox file can't be opened: {0}")]
    Unusable(String),
    /// The hub is stopping.
    #[error("the inbox is closed")]
    Closed,
}

impl From<diesel::result::Error> for InboxError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// A handle to the inbox; cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    writer: writer::Writer,
    /// For look-ups by an index, which are short however much there is.
    look_ups: Readers,
    /// For what reads much: it waits for its like only.
    survey: Readers,
    of_log: Readers,
    waiting: attention::Waiting,
    epoch: u32,
    /// The number of the newest delivery; only the hub accepts, so it is counted here.
    deliveries: Arc<AtomicI64>,
    pruning: prune::Pruning,
    /// Something was read for the first time.
    seen: Arc<Notify>,
    gone: erase::Gone,
    over: shares::Over,
}

impl Inbox {
    /// Opens the file, makes it if there is none, and begins a new boot epoch.
    ///
    /// `commit_rows`: rows that share one commit at most.
    ///
    /// # Errors
    /// If the file can't be opened or written, or belongs to a later version.
    pub fn open(path: &Path, commit_rows: usize) -> Result<Self, InboxError> {
        let mut connection = prepared(path)?;
        let epoch = schema::next_epoch(&mut connection, clock::now())?;
        let last_delivery = schema::last_delivery(&mut connection)?;
        Self::start(connection, path, commit_rows, (epoch, last_delivery))
    }

    /// Opens the file beside a running hub, for a command: no new epoch begins.
    ///
    /// # Errors
    /// As [`Inbox::open`].
    pub fn attach(path: &Path) -> Result<Self, InboxError> {
        Self::start(prepared(path)?, path, 1, (0, 0))
    }

    fn start(
        mut writing: SqliteConnection,
        path: &Path,
        commit_rows: usize,
        (epoch, last_delivery): (u32, i64),
    ) -> Result<Self, InboxError> {
        let gone = erase::Gone::read(&mut writing)?;
        let lane = |count| Readers::open(count, || connect(path));
        let pruning = prune::Pruning::read(&mut writing)?;
        let (look_ups, survey, of_log) = (lane(2)?, lane(1)?, lane(2)?);
        let wal = wal::Wal::take_over(path, &mut writing, connect(path)?)?;
        let deliveries = Arc::new(AtomicI64::new(last_delivery));
        Ok(Self {
            writer: writer::Writer::start(writing, wal, commit_rows)?,
            look_ups,
            survey,
            of_log,
            waiting: attention::Waiting::default(),
            epoch,
            deliveries,
            pruning,
            seen: Arc::default(),
            gone,
            over: shares::Over::default(),
        })
    }

    /// The boot epoch: grows each time the hub starts, and begins every position.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether the writing thread is gone: nothing is accepted any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.writer.is_closed()
    }

    /// Runs a look-up, off the caller's thread.
    async fn read<T, F>(&self, query: F) -> Result<T, InboxError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    {
        self.look_ups.read(query).await
    }
}

fn prepared(path: &Path) -> Result<SqliteConnection, InboxError> {
    let unusable = |error| InboxError::Unusable(format!("{}: {error}", path.display()));
    data_folder::database(path).map_err(unusable)?;
    let mut connection = connect(path)?;
    schema::prepare(&mut connection)?;
    Ok(connection)
}

fn connect(path: &Path) -> Result<SqliteConnection, InboxError> {
    let unusable = |error: &dyn std::fmt::Display| InboxError::Unusable(format!("{}: {error}", path.display()));
    let mut connection = SqliteConnection::establish(&path.to_string_lossy()).map_err(|error| unusable(&error))?;
    connection
        .batch_execute(&format!(
            "PRAGMA busy_timeout = {};
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA temp_store = MEMORY;
             PRAGMA secure_delete = ON;
             PRAGMA cache_size = -16384;
             PRAGMA wal_autocheckpoint = 4000;",
            Duration::from_secs(5).as_millis()
        ))
        .map_err(|error| unusable(&error))?;
    Ok(connection)
}
