//! The write-ahead log as a file: syncing it, and moving what it holds into the database.
//!
//! SQLite does neither here, for both would keep the writing thread waiting: a thread of its own syncs, another moves.

use std::{
    fmt::Display,
    fs::File,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use diesel::{
    QueryResult, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_query,
    sql_types::Integer,
};

use super::InboxError;

/// Between two moves, so that pages that change often move once.
const PAUSE: Duration = Duration::from_millis(250);
/// Pages (of 4 KiB) in the log from which the writer has to help: it begins anew only when all of it was moved, and while
/// the writer goes on there is always a rest.
const LONG: i32 = 8000;

/// What the threads of one inbox share.
pub(super) struct Wal {
    file: File,
    /// A sync has failed: what was written before may never reach the disk, though later syncs succeed.
    torn: AtomicBool,
    long: AtomicBool,
    written: SyncSender<()>,
}

#[derive(QueryableByName)]
struct Moved {
    #[diesel(sql_type = Integer)]
    busy: i32,
    #[diesel(sql_type = Integer)]
    log: i32,
}

impl Wal {
    /// Takes syncing and moving over from `writing`, which has the file at `path` open; `moving` is a connection to the
    /// same file.
    pub(super) fn take_over(
        path: &Path,
        writing: &mut SqliteConnection,
        moving: SqliteConnection,
    ) -> Result<Arc<Self>, InboxError> {
        let unusable = |error: &dyn Display| InboxError::Unusable(format!("{}: {error}", path.display()));
        let mut name = path.as_os_str().to_owned();
        name.push("-wal");
        // It stays the same file as long as a connection is open.
        let file = File::options().write(true).open(&name).map_err(|error| unusable(&error))?;
        writing
            .batch_execute("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;")
            .map_err(|error| unusable(&error))?;
        let (written, to_move) = sync_channel(1);
        let wal = Arc::new(Self { file, torn: AtomicBool::default(), long: AtomicBool::default(), written });
        let watched = Arc::downgrade(&wal);
        let keep_short = move || {
            let (mut moving, mut failed) = (moving, false);
            while to_move.recv().is_ok() {
                thread::sleep(PAUSE);
                let Some(wal) = watched.upgrade() else { break };
                let moved = wal.keep_short(&mut moving);
                if let Err(error) = &moved
                    && !failed
                {
                    tracing::warn!(%error, "the inbox's write-ahead log grows: it can't be moved into its database");
                }
                failed = moved.is_err();
            }
        };
        thread::Builder::new()
            .name("inbox-checkpoint".to_owned())
            .spawn(keep_short)
            .map_err(|error| unusable(&error))?;
        Ok(wal)
    }

    /// Makes durable what was committed before.
    pub(super) fn sync(&self) -> Result<(), InboxError> {
        let synced = if self.torn.load(Ordering::Acquire) {
            Err(io::Error::other("an earlier sync failed"))
        } else {
            self.file.sync_data().inspect_err(|_| self.torn.store(true, Ordering::Release))
        };
        // Full: it is going to look anyway.
        let _ = self.written.try_send(());
        synced.map_err(|error| unsynced(&error))
    }

    /// To be called by the writer between two groups. Fails while nothing can be made durable.
    pub(super) fn maintain(&self, writing: &mut SqliteConnection) -> Result<(), InboxError> {
        if self.torn.load(Ordering::Acquire) {
            // In the database, and synced there, nothing hangs on the failed sync any more.
            if move_to_database(writing, "TRUNCATE")?.busy != 0 {
                return Err(unsynced(&"it is being read"));
            }
            self.torn.store(false, Ordering::Release);
        } else if self.long.swap(false, Ordering::Relaxed) {
            // Whether it can be moved or not, webhooks can be kept; the thread that moves says so when it can't.
            let _ = move_to_database(writing, "PASSIVE");
        }
        Ok(())
    }

    fn keep_short(&self, moving: &mut SqliteConnection) -> QueryResult<()> {
        let moved = move_to_database(moving, "PASSIVE")?;
        self.long.store(moved.log > LONG, Ordering::Relaxed);
        Ok(())
    }
}

fn unsynced(why: &dyn Display) -> InboxError {
    InboxError::Unavailable(format!("its write-ahead log is not synced: {why}"))
}

/// A checkpoint, in SQLite's words.
fn move_to_database(connection: &mut SqliteConnection, how: &str) -> QueryResult<Moved> {
    sql_query(format!("PRAGMA wal_checkpoint({how})")).get_result(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbox::{connect, writer::Writer};

    #[tokio::test]
    async fn after_a_failed_sync_nothing_is_answered_until_all_is_in_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inbox.sqlite3");
        let (written, _to_move) = sync_channel(1);
        // A file that can't be synced.
        let file = File::open("/dev/null").unwrap();
        let wal = Arc::new(Wal { file, torn: AtomicBool::default(), long: AtomicBool::default(), written });
        let writer = Writer::start(connect(&path).unwrap(), Arc::clone(&wal), 1).unwrap();
        let refused = writer.write(1, |c| c.batch_execute("CREATE TABLE t (n); INSERT INTO t VALUES (1)")).await;
        assert!(matches!(refused, Err(InboxError::Unavailable(_))), "{refused:?}");
        assert!(wal.torn.load(Ordering::Relaxed) && wal.sync().is_err());

        wal.maintain(&mut connect(&path).unwrap()).unwrap();
        assert!(!wal.torn.load(Ordering::Relaxed));
        assert_eq!(std::fs::metadata(path.with_extension("sqlite3-wal")).unwrap().len(), 0);
    }
}
