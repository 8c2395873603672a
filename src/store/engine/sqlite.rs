//! SQLite: one file, one connection that writes, and a few that read beside it.
//!
//! The work of a connection runs on a thread for blocking work. Work is never dropped half-way (`Store::finish` gives
//! each piece a task of its own), because a connection that is taken from a running thread can't be used again.

use std::{path::Path, time::Duration};

use deadpool::Runtime;
use diesel::{
    ConnectionError, ConnectionResult, QueryResult, SqliteConnection, connection::SimpleConnection,
    expression::functions::declare_sql_function, sql_types::Text, sqlite::Sqlite,
};
use diesel_async::{
    AsyncConnection,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
        deadpool::{Object, Pool as Deadpool},
    },
    sync_connection_wrapper::SyncConnectionWrapper,
};
use futures_util::FutureExt;

use super::{Lane, no_connection};
use crate::{
    config::data_folder,
    store::{Result, StoreError},
};

#[path = "../queries/mod.rs"]
#[expect(clippy::duplicate_mod, reason = "the queries are compiled once for each engine")]
pub(in crate::store) mod queries;

pub(in crate::store) type Conn = SyncConnectionWrapper<SqliteConnection>;
pub(in crate::store) type DB = Sqlite;

/// Every column of every table.
pub(in crate::store) const COLUMNS: &str = "SELECT t.name AS table_name, c.name AS column_name
    FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'";

/// The file's connections.
#[derive(Clone)]
pub(in crate::store) struct Files {
    writer: Deadpool<Conn>,
    readers: Deadpool<Conn>,
    /// For work that no person waits for, which must not wait behind what people look for.
    background: Deadpool<Conn>,
    /// Which of the readers this handle takes.
    is_background: bool,
}

impl Files {
    /// How many there are, idle ones as well.
    pub fn connections(&self) -> usize {
        self.writer.status().size + self.readers.status().size + self.background.status().size
    }

    /// The same file, by the readers for background work. There is one writer.
    pub fn in_background(&self) -> Self {
        Self { is_background: true, ..self.clone() }
    }

    /// Opens the file, which is made (for its owner alone) if it isn't there. `readers` connections read.
    pub async fn open(path: &Path, readers: usize, limit: Duration) -> Result<Self> {
        // The log and index that SQLite puts beside it get the file's permissions.
        data_folder::database(path).map_err(|error| StoreError::Address(format!("{}: {error}", path.display())))?;
        let Some(name) = path.to_str() else {
            return Err(StoreError::Address("the file's name is not UTF-8".into()));
        };
        let reading = || pool(name, true, readers.max(1), limit);
        let files = Self {
            writer: pool(name, false, 1, limit)?,
            readers: reading()?,
            background: reading()?,
            is_background: false,
        };
        drop(files.checkout(Lane::Change).await?);
        Ok(files)
    }

    /// A connection; waits while the others are busy.
    pub async fn checkout(&self, lane: Lane) -> Result<Object<Conn>> {
        let readers = if self.is_background { &self.background } else { &self.readers };
        let pool = if lane == Lane::Read { readers } else { &self.writer };
        pool.get().await.map_err(no_connection)
    }
}

fn pool(path: &str, reads: bool, size: usize, limit: Duration) -> Result<Deadpool<Conn>> {
    let mut config = ManagerConfig::<Conn>::default();
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |path| connect(path, reads, limit).boxed());
    Deadpool::builder(AsyncDieselConnectionManager::new_with_config(path, config))
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(limit / 2))
        .build()
        .map_err(|error| StoreError::Address(error.to_string()))
}

async fn connect(path: &str, reads: bool, limit: Duration) -> ConnectionResult<Conn> {
    let mut connection = Conn::establish(path).await?;
    connection
        .spawn_blocking(move |c| prepare(c, reads, limit))
        .await
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// The order matters: everything after the first line may have to wait for a lock. Waiting for the connection and for the
/// lock get half of the limit each, so that the work ends before its caller gives up.
fn prepare(c: &mut SqliteConnection, reads: bool, limit: Duration) -> QueryResult<()> {
    c.batch_execute(&format!("PRAGMA busy_timeout = {}", (limit / 2).as_millis()))?;
    c.batch_execute("PRAGMA journal_mode = WAL")?;
    // NORMAL would lose the last commits when the power fails.
    c.batch_execute("PRAGMA synchronous = FULL")?;
    c.batch_execute("PRAGMA foreign_keys = ON")?;
    c.batch_execute("PRAGMA cache_size = -65536")?;
    c.batch_execute("PRAGMA mmap_size = 268435456")?;
    // Checkpoints run inside commits; fewer of them make for a shorter tail.
    c.batch_execute("PRAGMA wal_autocheckpoint = 4000")?;
    // What is deleted leaves no bytes in free pages.
    c.batch_execute("PRAGMA secure_delete = ON")?;
    if reads {
        c.batch_execute("PRAGMA query_only = ON")?;
    }
    has_folded_utils::register_impl(c, |text: String, folded: String| text.to_lowercase().contains(&folded))
}

#[declare_sql_function]
extern "SQL" {
    /// Whether the text has the other in it, which is in lower case. SQLite's own `lower` and `LIKE` know ASCII only.
    fn has_folded(text: Text, folded: Text) -> Bool;
}

/// What only this engine says.
pub(in crate::store) mod dialect {
    use std::future::{Ready, ready};

    use diesel::{
        BoolExpressionMethods, BoxableExpression, ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl,
        sql_types::Bool,
    };

    use super::{Conn, DB, has_folded};
    use crate::{
        domain::AccountId,
        store::{
            Result,
            enrichments::EnrichmentRow,
            leads::LeadRow,
            messages::{MessageRow, Tenancy},
            prospects::ProspectRow,
            schema::{accounts, enhanced_leads, enrichments, leads, messages},
            types::Word,
        },
    };

    /// A transaction that writes. It takes the lock at once: one that read first could not wait for it later.
    macro_rules! write_tx {
        ($c:expr, $work:expr) => {
            $c.immediate_transaction::<_, $crate::store::StoreError, _>($work)
        };
    }
    pub(in crate::store) use write_tx;

    /// A transaction whose reads all see the same moment.
    macro_rules! read_tx {
        ($c:expr, $work:expr) => {
            diesel_async::AsyncConnection::transaction::<_, $crate::store::StoreError, _>($c, $work)
        };
    }
    pub(in crate::store) use read_tx;

    /// A transaction that writes is alone as it is.
    macro_rules! unlocked {
        ($query:expr) => {
            $query
        };
    }
    pub(in crate::store) use unlocked;

    /// A transaction that writes is alone as it is.
    macro_rules! locked {
        ($query:expr) => {
            $query
        };
    }
    pub(in crate::store) use locked;

    /// Nobody listens: the file has one hub.
    pub(in crate::store) fn notify_outbox(_: &mut Conn) -> Ready<Result<()>> {
        ready(Ok(()))
    }

    /// Moves what is in the write-ahead log into the file, and empties it. `false`: somebody reads.
    pub(in crate::store) async fn checkpoint(c: &mut Conn) -> Result<bool> {
        #[derive(diesel::QueryableByName)]
        struct Moved {
            #[diesel(sql_type = diesel::sql_types::Integer)]
            busy: i32,
        }
        let moved = diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)");
        Ok(diesel_async::RunQueryDsl::get_result::<Moved>(moved, c).await?.busy == 0)
    }

    /// In which hour since 1970 `created_at` is.
    pub(in crate::store) const HOUR: &str = "created_at / 3600000000";

    /// How long a campaign was at work.
    pub(in crate::store) const SECONDS_TAKEN: &str = "(completed_at - started_at) / 1000000.0";

    /// Leads that have the text in one of the fields that people search, in any case.
    pub(in crate::store) fn mentions(text: &str) -> Box<dyn BoxableExpression<leads::table, DB, SqlType = Bool>> {
        let folded = text.to_lowercase();
        Box::new(
            has_folded(leads::name, folded.clone())
                .or(has_folded(leads::phone, folded.clone()))
                .or(has_folded(leads::email, folded.clone()))
                .or(has_folded(leads::notes, folded)),
        )
    }

    /// One prepared statement, run for each row within one commit; rows that are there already are left alone.
    pub(in crate::store) async fn insert_leads(c: &mut Conn, rows: &[LeadRow]) -> Result<usize> {
        let rows = rows.to_vec();
        Ok(c.spawn_blocking(move |c| c.immediate_transaction(|c| insert_each_lead(c, &rows))).await?)
    }

    /// The same within a transaction that is under way.
    pub(in crate::store) async fn insert_leads_within(c: &mut Conn, rows: &[LeadRow]) -> Result<usize> {
        let rows = rows.to_vec();
        Ok(c.spawn_blocking(move |c| insert_each_lead(c, &rows)).await?)
    }

    fn insert_each_lead(c: &mut diesel::SqliteConnection, rows: &[LeadRow]) -> diesel::QueryResult<usize> {
        let mut stored = 0;
        for row in rows {
            stored += diesel::insert_into(leads::table).values(row).on_conflict_do_nothing().execute(c)?;
        }
        Ok(stored)
    }

    /// One prepared statement, run for each row; those that are there already are left alone.
    pub(in crate::store) async fn insert_prospects(c: &mut Conn, rows: Vec<ProspectRow>) -> Result<usize> {
        let insert = move |c: &mut diesel::SqliteConnection| {
            let mut added = 0;
            for row in &rows {
                added += diesel::insert_into(enhanced_leads::table).values(row).on_conflict_do_nothing().execute(c)?;
            }
            Ok(added)
        };
        Ok(c.spawn_blocking(insert).await?)
    }

    /// The same.
    pub(in crate::store) async fn insert_enrichments(c: &mut Conn, rows: Vec<EnrichmentRow>) -> Result<usize> {
        let insert = move |c: &mut diesel::SqliteConnection| {
            let mut added = 0;
            for row in &rows {
                added += diesel::insert_into(enrichments::table).values(row).on_conflict_do_nothing().execute(c)?;
            }
            Ok(added)
        };
        Ok(c.spawn_blocking(insert).await?)
    }

    /// Whether there is such an account. A transaction that writes is alone as it is.
    pub(in crate::store) async fn lock_account(c: &mut Conn, tenancy: Tenancy) -> Result<bool> {
        let account = accounts::table
            .filter(accounts::id.eq(Word(tenancy.account)))
            .filter(accounts::agency_id.eq(Word(tenancy.agency)))
            .select(accounts::id);
        Ok(diesel_async::RunQueryDsl::first::<Word<AccountId>>(account, c).await.optional()?.is_some())
    }

    /// One prepared statement, run for each row.
    pub(in crate::store) async fn insert_messages(c: &mut Conn, rows: Vec<MessageRow>) -> Result<()> {
        let insert = move |c: &mut diesel::SqliteConnection| {
            rows.iter().try_for_each(|row| diesel::insert_into(messages::table).values(row).execute(c).map(drop))
        };
        Ok(c.spawn_blocking(insert).await?)
    }
}
