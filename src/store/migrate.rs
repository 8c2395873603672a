//! Brings the schema up to date, or back. The migrations are compiled in.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    time::Duration,
};

use diesel::{
    QueryableByName, RunQueryDsl, SqliteConnection,
    migration::MigrationSource,
    query_builder::SqlQuery,
    query_dsl::LoadQuery,
    result::Error,
    sql_query,
    sql_types::{BigInt, Text},
};
use diesel_async::{SimpleAsyncConnection, async_connection_wrapper::AsyncConnectionWrapper};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{
    engine::{Engine, Lane, postgres, run, sqlite},
    error::{Result, StoreError},
    handle::Store,
};

const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// Whoever changes tables waits for no other transaction longer than that: everybody else would wait behind it.
const PATIENCE: &str = "SET lock_timeout = '10s'";
/// PostgreSQL's advisory lock that nodes take turns with; any number that nobody else uses.
const TURN: i64 = 0x6c65_6164_7769_7265;

/// What taking migrations back would come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Their names, newest first.
    pub migrations: Vec<String>,
    /// Tables, and columns (`table.column`) of tables that remain, with how many rows have something in them.
    pub lost: BTreeMap<String, i64>,
}

/// How the database's schema stands to the one that this program knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The newest migration that was applied.
    pub version: Option<String>,
    /// Migrations of this program that were not applied: the schema is older.
    pub pending: usize,
    /// Migrations that this program does not know: the schema is newer.
    pub unknown: usize,
}

impl Schema {
    /// Whether it is exactly the one that this program knows.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.pending == 0 && self.unknown == 0
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

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

    /// What [`Store::revert`] would take back, and with it. Changes nothing.
    ///
    /// # Errors
    /// As [`Store::migrate`].
    pub async fn preview_revert(&self, steps: usize) -> Result<Preview> {
        self.migrations(move |migrations| migrations.preview(steps)).await
    }

    /// How the schema stands to the one that this program knows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database is away, or has no schema yet.
    pub async fn schema(&self) -> Result<Schema> {
        let applied = run!(self, Read, |c, q| q::applied_migrations(c).await)?;
        let known = match self.engine() {
            Engine::Postgres(_) => versions::<diesel::pg::Pg>(&POSTGRES),
            Engine::Sqlite(_) => versions::<diesel::sqlite::Sqlite>(&SQLITE),
        };
        let known = known.map_err(|error| failed_with(&*error))?;
        Ok(Schema {
            pending: known.iter().filter(|version| !applied.contains(*version)).count(),
            unknown: applied.iter().filter(|version| !known.contains(*version)).count(),
            version: applied.into_iter().max(),
        })
    }

    async fn migrations<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Steps) -> Outcome<T> + Send + 'static,
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
    fn preview(&mut self, steps: usize) -> Outcome<Preview>;
}

/// A connection with its migrations.
struct On<'a, C> {
    connection: &'a mut C,
    all: fn() -> EmbeddedMigrations,
    /// Asks for every column of every table.
    columns: &'static str,
}

impl<C, B> Steps for On<'_, C>
where
    B: diesel::backend::Backend,
    C: MigrationHarness<B> + diesel::Connection<Backend = B>,
    EmbeddedMigrations: MigrationSource<B>,
    SqlQuery: for<'q> LoadQuery<'q, C, Column> + for<'q> LoadQuery<'q, C, Counted>,
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

    /// Takes them back and undoes that, so that what is missing in between is what would be lost.
    fn preview(&mut self, steps: usize) -> Outcome<Preview> {
        let before: BTreeSet<Column> = self.tables()?;
        let mut found = None;
        let undone = self.connection.transaction::<(), Error, _>(|connection| {
            let mut within = On { connection, all: self.all, columns: self.columns };
            let done = within.down(steps).and_then(|migrations| Ok((migrations, within.tables()?)));
            found = Some(done);
            Err(Error::RollbackTransaction)
        });
        let Some(done) = found else { return Err(undone.err().unwrap_or(Error::NotFound).into()) };
        let (migrations, after) = done?;
        let remains: BTreeSet<&str> = after.iter().map(|column| &*column.table_name).collect();
        let mut lost = BTreeMap::new();
        for Column { table_name: table, column_name: column } in before.difference(&after) {
            let (what, counted) = if remains.contains(&**table) {
                (format!("{table}.{column}"), format!("\"{column}\""))
            } else {
                (table.clone(), "*".to_owned())
            };
            if let Entry::Vacant(entry) = lost.entry(what) {
                let count = sql_query(format!("SELECT count({counted}) AS count FROM \"{table}\""));
                entry.insert(count.get_result::<Counted>(self.connection)?.count);
            }
        }
        Ok(Preview { migrations, lost })
    }

    fn pending(&mut self) -> Outcome<Vec<String>> {
        let pending = self.connection.pending_migrations((self.all)())?;
        Ok(pending.iter().map(|migration| migration.name().to_string()).collect())
    }
}

impl<C> On<'_, C>
where
    C: diesel::Connection,
    SqlQuery: for<'q> LoadQuery<'q, C, Column>,
{
    fn tables(&mut self) -> diesel::QueryResult<BTreeSet<Column>> {
        Ok(sql_query(self.columns).load::<Column>(self.connection)?.into_iter().collect())
    }
}

fn versions<B: diesel::backend::Backend>(all: &EmbeddedMigrations) -> Outcome<BTreeSet<String>>
where
    EmbeddedMigrations: MigrationSource<B>,
{
    let all = MigrationSource::<B>::migrations(all)?;
    Ok(all.iter().map(|migration| migration.name().version().to_string()).collect())
}

/// Diesel's migrations are synchronous, so they run on a thread for blocking work; that also works on a runtime with
/// one thread, where `AsyncMigrationHarness` panics.
async fn on_postgres<T, F>(pool: postgres::Pool, limit: Duration, work: F) -> Result<T>
where
    T: Send + 'static,
    F: Fn(&mut dyn Steps) -> Outcome<T> + Send + 'static,
{
    let mut connection = pool.connect_apart(limit).await?;
    connection.batch_execute(PATIENCE).await?;
    // The lock ends with the connection.
    connection.batch_execute(&format!("SELECT pg_advisory_lock({TURN})")).await.map_err(|error| {
        StoreError::Unavailable(format!(
            "another hub or command has been changing its tables for ten seconds ({error})"
        ))
    })?;
    let run = move || {
        let mut connection = AsyncConnectionWrapper::<postgres::Conn>::from(connection);
        work(&mut On { connection: &mut connection, all: || POSTGRES, columns: postgres::COLUMNS })
    };
    outcome(tokio::task::spawn_blocking(run).await)
}

/// All in one transaction, so that two processes take turns.
async fn on_sqlite<T, F>(files: sqlite::Files, work: F) -> Result<T>
where
    T: Send + 'static,
    F: Fn(&mut dyn Steps) -> Outcome<T> + Send + 'static,
{
    let mut connection = files.checkout(Lane::Change).await?;
    let run = move |connection: &mut SqliteConnection| {
        let work = |connection: &mut SqliteConnection| {
            work(&mut On { connection, all: || SQLITE, columns: sqlite::COLUMNS })
                .map_err(diesel::result::Error::QueryBuilderError)
        };
        Ok(connection.immediate_transaction(work))
    };
    connection.spawn_blocking(run).await?.map_err(failed)
}

fn outcome<T>(done: Result<Outcome<T>, tokio::task::JoinError>) -> Result<T> {
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
