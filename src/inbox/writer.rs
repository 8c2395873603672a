//! One thread that owns the writing connection and commits in groups, and one that makes the commits durable.
//!
//! Whatever waits when a commit ends shares the next one: a sync costs the same for one row as for a thousand. SQLite
//! only writes its log; the second thread syncs it while the first writes the next group, and gives the answers after
//! that. A sync covers every commit before it.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use diesel::{QueryResult, SqliteConnection};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

use super::{InboxError, wal::Wal};

/// Requests waiting for the thread. Full means: the caller waits. Bytes are bounded where webhooks come in.
const WAITING: usize = 4096;
/// Groups that are committed and wait for the sync.
const UNSYNCED: usize = 64;

/// A request, with its answer inside until the commit.
trait Job: Send {
    fn run(&mut self, connection: &mut SqliteConnection) -> QueryResult<()>;
    fn answer(self: Box<Self>, committed: Result<(), InboxError>);
    fn rows(&self) -> usize;
}

struct Request<F, T> {
    change: F,
    rows: usize,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, InboxError>>,
}

impl<F, T> Job for Request<F, T>
where
    F: FnMut(&mut SqliteConnection) -> QueryResult<T> + Send,
    T: Send,
{
    fn run(&mut self, connection: &mut SqliteConnection) -> QueryResult<()> {
        self.value = Some((self.change)(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), InboxError>) {
        let Self { value, reply, .. } = *self;
        // The asker may have gone away; what was committed stays.
        let _ = reply.send(committed.and_then(|()| value.ok_or(InboxError::Closed)));
    }

    fn rows(&self) -> usize {
        self.rows
    }
}

/// The way to the writing thread; it ends when the last of these is dropped.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Box<dyn Job>>,
}

impl Writer {
    pub(super) fn start(connection: SqliteConnection, wal: Arc<Wal>, commit_rows: usize) -> Result<Self, InboxError> {
        let (jobs, waiting) = mpsc::channel(WAITING);
        let (unsynced, committed) = sync_channel(UNSYNCED);
        let writer = Writing { connection, commit_rows, wal: Arc::clone(&wal), unsynced };
        let threads = [
            thread::Builder::new().name("inbox-writer".to_owned()).spawn(move || writer.run(waiting)),
            thread::Builder::new().name("inbox-sync".to_owned()).spawn(move || sync(&wal, &committed)),
        ];
        for thread in threads {
            thread.map_err(|error| InboxError::Unusable(error.to_string()))?;
        }
        Ok(Self { jobs })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.jobs.is_closed()
    }

    /// Runs `change` in the next commit; the future ends when that commit is durable or has failed.
    ///
    /// A change may be run twice (alone, when the group that it was in has failed), so it must give the same result.
    pub(super) async fn write<T, F>(&self, rows: usize, change: F) -> Result<T, InboxError>
    where
        T: Send + 'static,
        F: FnMut(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    {
        let (queued, written) = self.enqueue(rows, change);
        queued.await;
        written.await
    }

    /// As [`write`](Self::write), in two parts: the first has ended when the change has its place among the others, at
    /// once unless too many wait; the second when it is durable or has failed.
    pub(super) fn enqueue<T, F>(
        &self,
        rows: usize,
        change: F,
    ) -> (impl Future<Output = ()> + use<T, F>, impl Future<Output = Result<T, InboxError>> + use<T, F>)
    where
        T: Send + 'static,
        F: FnMut(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let request: Box<dyn Job> = Box::new(Request { change, rows, value: None, reply });
        let full = match self.jobs.try_send(request) {
            Err(TrySendError::Full(request)) => Some((self.jobs.clone(), request)),
            // A closed queue drops the request, and the answer says so.
            Ok(()) | Err(TrySendError::Closed(_)) => None,
        };
        let queued = async move {
            if let Some((jobs, request)) = full {
                let _ = jobs.send(request).await;
            }
        };
        (queued, async move { answer.await.map_err(|_| InboxError::Closed)? })
    }
}

type Group = Vec<Box<dyn Job>>;

/// The writing thread.
struct Writing {
    connection: SqliteConnection,
    commit_rows: usize,
    wal: Arc<Wal>,
    unsynced: SyncSender<Group>,
}

impl Writing {
    fn run(mut self, mut waiting: mpsc::Receiver<Box<dyn Job>>) {
        while let Some(first) = waiting.blocking_recv() {
            let mut rows = first.rows();
            let mut group = vec![first];
            while rows < self.commit_rows
                && let Ok(job) = waiting.try_recv()
            {
                rows += job.rows();
                group.push(job);
            }
            if let Err(error) = self.wal.maintain(&mut self.connection) {
                answer(group, &Err(error));
                continue;
            }
            let Err(error) = self.commit(&mut group) else {
                self.to_sync(group);
                continue;
            };
            if group.len() == 1 {
                answer(group, &Err(error));
                continue;
            }
            // One of them spoilt the group, or the disk is full: each on its own tells which.
            for job in group {
                let mut alone = vec![job];
                match self.commit(&mut alone) {
                    Ok(()) => self.to_sync(alone),
                    Err(error) => answer(alone, &Err(error)),
                }
            }
        }
    }

    fn commit(&mut self, group: &mut Group) -> Result<(), InboxError> {
        let run = |c: &mut SqliteConnection| group.iter_mut().try_for_each(|job| job.run(c));
        self.connection.immediate_transaction(run).map_err(InboxError::from)
    }

    fn to_sync(&self, group: Group) {
        if let Err(unsent) = self.unsynced.send(group) {
            answer(unsent.0, &Err(InboxError::Closed));
        }
    }
}

/// The syncing thread.
fn sync(wal: &Wal, committed: &Receiver<Group>) {
    while let Ok(mut group) = committed.recv() {
        // All that is committed by now is covered by one sync.
        while let Ok(more) = committed.try_recv() {
            group.extend(more);
        }
        answer(group, &wal.sync());
    }
}

fn answer(group: Group, committed: &Result<(), InboxError>) {
    for job in group {
        job.answer(committed.clone());
    }
}
