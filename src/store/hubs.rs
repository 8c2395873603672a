//! Which hubs run on a PostgreSQL database. A hub holds a lock there as long as it runs; who wants to take tables away needs it
//! alone. An embedded file has one hub, whose data folder is locked.

use diesel::{QueryableByName, sql_query, sql_types::Bool};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use futures_util::StreamExt;

use super::{
    engine::{
        Engine,
        postgres::{self, within},
    },
    error::Result,
    handle::Store,
};

/// The advisory lock that hubs share; any number that nobody else uses.
const HUBS: i64 = 0x6c65_6164_7769_7266;

/// Holds the lock, on a connection of its own, until it is dropped or the connection is lost.
pub struct Hold(Option<postgres::Conn>);

#[derive(QueryableByName)]
struct Got {
    #[diesel(sql_type = Bool)]
    got: bool,
}

impl Store {
    /// Tells others that a hub runs on this database.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away, or somebody takes its tables away right now.
    pub async fn hold_for_hub(&self) -> Result<Hold> {
        let Engine::Postgres(pool) = self.engine().clone() else { return Ok(Hold(None)) };
        let limit = self.limit();
        self.finish(async move {
            let mut connection = pool.connect_apart(limit).await?;
            let shared = format!("SELECT pg_advisory_lock_shared({HUBS})");
            within(limit, async { Ok(connection.batch_execute(&shared).await?) }).await?;
            Ok(Hold(Some(connection)))
        })
        .await
    }

    /// Keeps hubs from starting on this database; `None` if one runs.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away.
    pub async fn hold_alone(&self) -> Result<Option<Hold>> {
        let Engine::Postgres(pool) = self.engine().clone() else { return Ok(Some(Hold(None))) };
        let limit = self.limit();
        self.finish(async move {
            let mut connection = pool.connect_apart(limit).await?;
            let alone = sql_query(format!("SELECT pg_try_advisory_lock({HUBS}) AS got"));
            let Got { got } = within(limit, async { Ok(alone.get_result(&mut connection).await?) }).await?;
            Ok(got.then_some(Hold(Some(connection))))
        })
        .await
    }
}

impl Hold {
    /// Ends when the connection is lost, and the lock with it.
    pub async fn lost(self) {
        let Some(mut connection) = self.0 else { return std::future::pending().await };
        let mut notices = std::pin::pin!(connection.notifications_stream());
        while let Some(Ok(_)) = notices.next().await {}
    }
}
