//! Connections for reading: each lane has its own, so that long readings delay no short ones.

use std::sync::{Arc, Mutex, PoisonError};

use diesel::{QueryResult, SqliteConnection};
use tokio::sync::Semaphore;

use super::InboxError;

/// The connections of a lane. As many read at the same time; the others wait their turn, first come first served.
#[derive(Clone)]
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<SqliteConnection>>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(
        count: usize,
        connect: impl Fn() -> Result<SqliteConnection, InboxError>,
    ) -> Result<Self, InboxError> {
        let connections = (0..count).map(|_| connect()).collect::<Result<_, _>>()?;
        Ok(Self { idle: Arc::new(Mutex::new(connections)), turns: Arc::new(Semaphore::new(count)) })
    }

    /// Runs a query off the caller's thread.
    pub(super) async fn read<T, F>(&self, query: F) -> Result<T, InboxError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| InboxError::Closed)?;
        let idle = Arc::clone(&self.idle);
        let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = taken.ok_or(InboxError::Closed)?;
        let reading = tokio::task::spawn_blocking(move || {
            let outcome = query(&mut connection);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            drop(turn);
            outcome
        });
        Ok(reading.await.map_err(|_| InboxError::Closed)??)
    }
}
