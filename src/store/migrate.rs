//! Brings the schema up to date, or back. The migrations are compiled in.

use std::time::Duration;

use diesel::{SqliteConnection, migration::MigrationSource};
use diesel_async::{SimpleAsyncConnection, async_connection_wrapper::AsyncConnectionWrapper};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{
    engine::{Engine, Lane, postgres, sqlite},
    error::{Result, StoreError},
    handle::Store,
};

const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// PostgreSQL's advisory lock that nodes take turns with; any number that nobody else uses.
const TURN: i64 = 0x6c65_6164_7769_7265;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

impl Store {
    /// Applies what is pending, and answers with the names, oldest first. Nodes that start together take turns.
    ///
    /// # Errors
    /// [`StoreError::Migration`] if one fails, [`StoreError::Unavailable`] if the database is away.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        self.migrations(|steps| steps.up()).await
    }

    /// Takes back the last `steps` migrations, and answers with their names, newest first.
    ///
    /// # Errors
    /// As [`Store::migrate`].
    pub async fn revert(&self, steps: usize) -> Result<Vec<String>> {
        self.migrations(move |migrations| migrations.down(steps)).await
    }

    /// The names of the migrations that were not applied yet, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database is away.
    pub async fn pending_migrations(&self) -> Result<Vec<String>> {
        self.migrations(|steps| steps.pending()).await
    }

    async fn migrations<F>(&self, work: F) -> Result<Vec<String>>
    where
        F: Fn(&mut dyn Steps) -> Outcome<Vec<String>> + Send + 'static,
    {
        match self.engine().clone() {
            Engine::Postgres(pool) => self.finish_patiently(on_postgres(pool, self.limit(), work)).await,
            Engine::Sqlite(files) => self.finish_patiently(on_sqlite(files, work)).await,
        }
    }
}

/// The migrations of one engine, on a connection to it.
trait Steps {
    fn up(&mut self) -> Outcome<Vec<String>>;
    fn down(&mut self, steps: usize) -> Outcome<Vec<String>>;
    fn pending(&mut self) -> Outcome<Vec<String>>;
}

/// A connection with its migrations.
struct On<'a, C> {
    connection: &'a mut C,
    all: fn() -> EmbeddedMigrations,
}

impl<C, B> Steps for On<'_, C>
where
    B: diesel::backend::Backend,
    C: MigrationHarness<B> + diesel::Connection<Backend = B>,
    EmbeddedMigrations: MigrationSource<B>,
{
    fn up(&mut self) -> Outcome<Vec<String>> {
        let names = self.pending()?;
        self.connection.run_pending_migrations((self.all)())?;
        Ok(names)
    }

    fn down(&mut self, steps: usize) -> Outcome<Vec<String>> {
        let applied = self.connection.applied_migrations()?.len();
        let all = (self.all)().migrations()?;
        let mut names = Vec::new();
        for _ in 0..steps.min(applied) {
            let version = self.connection.revert_last_migration((self.all)())?;
            let migration = all.iter().find(|migration| migration.name().version() == version);
            names.push(migration.map_or_else(|| version.to_string(), |migration| migration.name().to_string()));
        }
        Ok(names)
    }

    fn pending(&mut self) -> Outcome<Vec<String>> {
        let pending = self.connection.pending_migrations((self.all)())?;
        Ok(pending.iter().map(|migration| migration.name().to_string()).collect())
    }
}

/// Diesel's migrations are synchronous, so they run on a thread for blocking work; that also works on a runtime with
/// one thread, where `AsyncMigrationHarness` panics.
async fn on_postgres<F>(pool: postgres::Pool, limit: Duration, work: F) -> Result<Vec<String>>
where
    F: Fn(&mut dyn Steps) -> Outcome<Vec<String>> + Send + 'static,
{
    let mut connection = pool.connect_apart(limit).await?;
    // The lock ends with the connection.
    connection.batch_execute(&format!("SELECT pg_advisory_lock({TURN})")).await?;
    let run = move || {
        let mut connection = AsyncConnectionWrapper::<postgres::Conn>::from(connection);
        work(&mut On { connection: &mut connection, all: || POSTGRES })
    };
    outcome(tokio::task::spawn_blocking(run).await)
}

/// All in one transaction, so that two processes take turns.
async fn on_sqlite<F>(files: sqlite::Files, work: F) -> Result<Vec<String>>
where
    F: Fn(&mut dyn Steps) -> Outcome<Vec<String>> + Send + 'static,
{
    let mut connection = files.checkout(Lane::Change).await?;
    let run = move |connection: &mut SqliteConnection| {
        let work = |connection: &mut SqliteConnection| {
            work(&mut On { connection, all: || SQLITE }).map_err(diesel::result::Error::QueryBuilderError)
        };
        Ok(connection.immediate_transaction(work))
    };
    connection.spawn_blocking(run).await?.map_err(failed)
}

fn outcome(done: Result<Outcome<Vec<String>>, tokio::task::JoinError>) -> Result<Vec<String>> {
    done.map_err(|error| StoreError::Unavailable(error.to_string()))?.map_err(|error| failed_with(&*error))
}

fn failed(error: diesel::result::Error) -> StoreError {
    match error {
        diesel::result::Error::QueryBuilderError(reason) => StoreError::Migration(reason.to_string()),
        other => other.into(),
    }
}

fn failed_with(error: &(dyn std::error::Error + Send + Sync)) -> StoreError {
    StoreError::Migration(error.to_string())
}
