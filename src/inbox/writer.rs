//! One thread that owns the writing connection and commits in groups, and one that makes the commits durable.
//!
//! Whatever waits when a commit ends shares the next one: a sync costs the same for one row as for a thousand. SQLite
//! only writes its log; the second thread syncs it while the first writes the next group, and gives the answers after
//! that. A sync covers every commit before it.
//!
//! What a platform waits for is committed at once. What nobody waits for (the log, and what is finished) may linger for a
//! moment, so that it shares a commit with what comes next.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use diesel::{QueryResult, SqliteConnection};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    time::{Instant, timeout_at},
};

use super::{InboxError, wal::Wal};

/// Requests waiting for the thread. Full means: the caller waits. Bytes are bounded where webhooks come in.
const WAITING: usize = 4096;
/// Groups that are committed and wait for the sync.
const UNSYNCED: usize = 64;
/// How long a change may linger that nobody waits for.
const LINGER: Duration = Duration::from_millis(2);

/// A request, with its answer inside until the commit.
trait Job: Send {
    fn run(&mut self, connection: &mut SqliteConnection) -> QueryResult<()>;
    fn answer(self: Box<Self>, committed: Result<(), InboxError>);
    fn rows(&self) -> usize;
    fn urgency(&self) -> Urgency;
}

/// Whether somebody waits for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// It is committed at once.
    Now,
    /// It may share a commit that comes a moment later.
    Soon,
}

struct Request<F, T> {
    change: F,
    rows: usize,
    urgency: Urgency,
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

    fn urgency(&self) -> Urgency {
        self.urgency
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
        let unusable = |error: std::io::Error| InboxError::Unusable(error.to_string());
        let timer = Builder::new_current_thread().enable_time().build().map_err(unusable)?;
        let writer = Writing { connection, commit_rows, wal: Arc::clone(&wal), unsynced, timer };
        let threads = [
            thread::Builder::new().name("inbox-writer".to_owned()).spawn(move || writer.run(waiting)),
            thread::Builder::new().name("inbox-sync".to_owned()).spawn(move || sync(&wal, &committed)),
        ];
        for thread in threads {
            thread.map_err(unusable)?;
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
        let (queued, written) = self.enqueue(rows, Urgency::Now, change);
        queued.await;
        written.await
    }

    /// As [`write`](Self::write), in two parts: the first has ended when the change has its place among the others, at
    /// once unless too many wait; the second when it is durable or has failed.
    pub(super) fn enqueue<T, F>(
        &self,
        rows: usize,
        urgency: Urgency,
        change: F,
    ) -> (impl Future<Output = ()> + use<T, F>, impl Future<Output = Result<T, InboxError>> + use<T, F>)
    where
        T: Send + 'static,
        F: FnMut(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let request: Box<dyn Job> = Box::new(Request { change, rows, urgency, value: None, reply });
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
    timer: Runtime,
}

impl Writing {
    fn run(mut self, mut waiting: mpsc::Receiver<Box<dyn Job>>) {
        while let Some(first) = waiting.blocking_recv() {
            let mut group = self.gather(first, &mut waiting);
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

    /// What waits by now, and what comes within a moment if none of it is urgent.
    fn gather(&self, first: Box<dyn Job>, waiting: &mut mpsc::Receiver<Box<dyn Job>>) -> Group {
        let (mut rows, mut urgent) = (first.rows(), first.urgency() == Urgency::Now);
        let mut group = vec![first];
        let until = Instant::now() + LINGER;
        while rows < self.commit_rows {
            let next = match waiting.try_recv() {
                Err(_) if !urgent => {
                    self.timer.block_on(async { timeout_at(until, waiting.recv()).await.ok().flatten() })
                }
                next => next.ok(),
            };
            let Some(job) = next else { break };
            rows += job.rows();
            urgent |= job.urgency() == Urgency::Now;
            group.push(job);
        }
        group
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
