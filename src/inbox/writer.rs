//! One thread that owns the writing connection and commits in groups.
//!
//! Whatever waits when a commit ends shares the next one: an fsync costs the same for one row as for a thousand. An
//! answer is given only after the commit that covers it.

use std::thread;

use diesel::{QueryResult, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::InboxError;

/// Requests waiting for the thread. Full means: the caller waits. Bytes are bounded where webhooks come in.
const WAITING: usize = 4096;

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
    pub(super) fn start(connection: SqliteConnection, commit_rows: usize) -> Result<Self, InboxError> {
        let (jobs, waiting) = mpsc::channel(WAITING);
        thread::Builder::new()
            .name("inbox-writer".to_owned())
            .spawn(move || write(connection, waiting, commit_rows))
            .map_err(|error| InboxError::Unusable(error.to_string()))?;
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
        let (reply, answer) = oneshot::channel();
        let request = Box::new(Request { change, rows, value: None, reply });
        self.jobs.send(request).await.map_err(|_| InboxError::Closed)?;
        answer.await.map_err(|_| InboxError::Closed)?
    }
}

fn write(mut connection: SqliteConnection, mut waiting: mpsc::Receiver<Box<dyn Job>>, commit_rows: usize) {
    let mut group: Vec<Box<dyn Job>> = Vec::new();
    while let Some(first) = waiting.blocking_recv() {
        let mut rows = first.rows();
        group.push(first);
        while rows < commit_rows
            && let Ok(job) = waiting.try_recv()
        {
            rows += job.rows();
            group.push(job);
        }
        let committed = commit(&mut connection, &mut group);
        match committed {
            Ok(()) => group.drain(..).for_each(|job| job.answer(Ok(()))),
            Err(error) if group.len() == 1 => {
                group.drain(..).for_each(|job| job.answer(Err(error.clone())));
            }
            // One of them spoilt the group, or the disk is full: each on its own tells which.
            Err(_) => {
                for job in group.drain(..) {
                    let mut alone = vec![job];
                    let committed = commit(&mut connection, &mut alone);
                    for job in alone {
                        job.answer(committed.clone());
                    }
                }
            }
        }
    }
}

fn commit(connection: &mut SqliteConnection, group: &mut [Box<dyn Job>]) -> Result<(), InboxError> {
    connection.immediate_transaction(|c| group.iter_mut().try_for_each(|job| job.run(c))).map_err(InboxError::from)
}
