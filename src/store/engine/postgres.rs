//! PostgreSQL: a pool of connections that are made when they are needed, so that the server may be away at the start.

use std::{future::Future, sync::Arc, time::Duration};

use deadpool::Runtime;
use diesel::{ConnectionError, ConnectionResult, pg::Pg};
use diesel_async::{
    AsyncPgConnection, SimpleAsyncConnection,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, PoolableConnection, RecyclingMethod,
        deadpool::{Object, Pool as Deadpool},
    },
};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Notify;
use tokio_postgres::NoTls;

use super::{Lane, address::Server, no_connection, tls::reasons};
use crate::store::{Result, StoreError};

#[path = "../queries/mod.rs"]
#[expect(clippy::duplicate_mod, reason = "the queries are compiled once for each engine")]
pub(in crate::store) mod queries;

pub(in crate::store) type Conn = AsyncPgConnection;
pub(in crate::store) type DB = Pg;

/// The channel of notifications that there is something in the outbox. Programs that write rows of their own may use it.
const OUTBOX: &str = "leadwire_outbox";

/// Every column of every table.
pub(in crate::store) const COLUMNS: &str = "SELECT c.table_name::text AS table_name, c.column_name::text AS column_name
    FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'";

/// Connections to one server.
#[derive(Clone)]
pub(in crate::store) struct Pool {
    people: Deadpool<Conn>,
    /// Those of work that no person waits for, which must not wait behind what people look for.
    background: Deadpool<Conn>,
    /// Which of these this handle takes.
    is_background: bool,
    server: Arc<Server>,
}

impl Pool {
    /// Makes the pool; connects to nothing yet.
    pub fn new(server: Server, size: usize, limit: Duration) -> Result<Self> {
        let server = Arc::new(server);
        let people = connections(&server, size.max(1), limit)?;
        let background = connections(&server, size.max(1), limit)?;
        Ok(Self { people, background, is_background: false, server })
    }

    /// The same server, by the connections for background work.
    pub fn in_background(&self) -> Self {
        Self { is_background: true, ..self.clone() }
    }

    /// How many there are, idle ones as well.
    pub fn connections(&self) -> usize {
        self.people.status().size + self.background.status().size
    }

    /// A connection of the pool. One that closed while it was idle is replaced unseen; one that is dead without our
    /// knowing is found by [`Self::is_lost`], or here when the work can't be done twice.
    pub async fn checkout(&self, lane: Lane) -> Result<Object<Conn>> {
        let mut connection = self.get().await?;
        if lane == Lane::Change && connection.batch_execute("SELECT 1").await.is_err() {
            drop(Object::take(connection));
            self.forget_idle();
            connection = self.get().await?;
        }
        Ok(connection)
    }

    /// Whether the connection of work that failed is dead; if so the idle ones, which are of the same age, go as well.
    pub async fn is_lost(&self, mut connection: Object<Conn>) -> bool {
        let broken = PoolableConnection::is_broken(&mut *connection);
        let lost = broken || connection.batch_execute("SELECT 1").await.is_err();
        if lost {
            drop(Object::take(connection));
            self.forget_idle();
        }
        lost
    }

    /// A connection outside of the pool, whose statements may take as long as they need.
    pub async fn connect_apart(&self, limit: Duration) -> Result<Conn> {
        within(limit, async { Ok(self.server.connect().await?) }).await
    }

    /// Hears of notifications for the outbox, on a connection of its own, until that is lost.
    pub async fn listen(&self, limit: Duration, heard: &Notify) -> Result<()> {
        let mut connection = self.connect_apart(limit).await?;
        connection.batch_execute(&format!("LISTEN {OUTBOX}")).await?;
        // What came while nobody listened.
        heard.notify_one();
        let mut notices = std::pin::pin!(connection.notifications_stream());
        while let Some(notice) = notices.next().await {
            notice?;
            heard.notify_one();
        }
        Err(StoreError::Unavailable("the connection that listens was closed".into()))
    }

    async fn get(&self) -> Result<Object<Conn>> {
        let pool = if self.is_background { &self.background } else { &self.people };
        pool.get().await.map_err(no_connection)
    }

    fn forget_idle(&self) {
        self.people.retain(|_, _| false);
        self.background.retain(|_, _| false);
    }
}

fn connections(server: &Arc<Server>, size: usize, limit: Duration) -> Result<Deadpool<Conn>> {
    let mut config = ManagerConfig::<Conn>::default();
    config.recycling_method = RecyclingMethod::Fast;
    let target = Arc::clone(server);
    config.custom_setup = Box::new(move |_| {
        let target = Arc::clone(&target);
        async move { target.connect_with_limit(limit).await }.boxed()
    });
    let manager = AsyncDieselConnectionManager::new_with_config(String::new(), config);
    Deadpool::builder(manager)
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(limit))
        .create_timeout(Some(limit))
        .build()
        .map_err(|error| StoreError::Address(error.to_string()))
}

/// Whoever waits for a row that another program has locked waits no longer: others wait for its connection.
const LOCKED: Duration = Duration::from_secs(2);

/// Gives up on work that takes too long, and so on its connection.
pub(in crate::store) async fn within<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(StoreError::Unavailable(format!("no answer within {limit:?}"))),
    }
}

impl Server {
    async fn connect_with_limit(&self, limit: Duration) -> ConnectionResult<Conn> {
        let mut connection = self.connect().await?;
        let (limit, lock) = (limit.as_millis(), limit.min(LOCKED).as_millis());
        let set = format!("SET statement_timeout = {limit}; SET lock_timeout = {lock}");
        connection.batch_execute(&set).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }

    async fn connect(&self) -> ConnectionResult<Conn> {
        let refused = |error: tokio_postgres::Error| ConnectionError::BadConnection(reasons(&error));
        if let Some(tls) = &self.tls {
            let (client, connection) = self.config.connect(tls.clone()).await.map_err(refused)?;
            Conn::try_from_client_and_connection(client, connection).await
        } else {
            let (client, connection) = self.config.connect(NoTls).await.map_err(refused)?;
            Conn::try_from_client_and_connection(client, connection).await
        }
    }
}

/// What only this engine says.
pub(in crate::store) mod dialect {
    use diesel::{
        BoolExpressionMethods, BoxableExpression, ExpressionMethods, OptionalExtension, PgTextExpressionMethods,
        QueryDsl, sql_types::Bool,
    };
    use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

    use super::{Conn, DB, OUTBOX};
    use crate::{
        domain::AccountId,
        store::{
            Result,
            engine::bulk::InsertLeads,
            enrichments::EnrichmentRow,
            leads::LeadRow,
            messages::{MessageRow, Tenancy},
            prospects::ProspectRow,
            schema::{accounts, enhanced_leads, enrichments, leads, messages},
            types::Word,
        },
    };

    /// A transaction that writes.
    macro_rules! write_tx {
        ($c:expr, $work:expr) => {
            diesel_async::AsyncConnection::transaction::<_, $crate::store::StoreError, _>($c, $work)
        };
    }
    pub(in crate::store) use write_tx;

    /// A transaction whose reads all see the same moment.
    macro_rules! read_tx {
        ($c:expr, $work:expr) => {
            $c.build_transaction().repeatable_read().read_only().run::<_, $crate::store::StoreError, _>($work)
        };
    }
    pub(in crate::store) use read_tx;

    /// Rows that nobody else works on, and nobody else will until the transaction ends.
    macro_rules! unlocked {
        ($query:expr) => {
            $query.for_update().skip_locked()
        };
    }
    pub(in crate::store) use unlocked;

    /// Rows that nobody else works on until the transaction ends; whoever does is waited for. Rows that name them may be
    /// added meanwhile: two that add one and then lock the same row would otherwise wait for each other.
    macro_rules! locked {
        ($query:expr) => {
            $query.for_no_key_update()
        };
    }
    pub(in crate::store) use locked;

    /// Wakes whoever listens for the outbox. Never within a transaction that does something else: commits would then go
    /// one by one.
    pub(in crate::store) async fn notify_outbox(c: &mut Conn) -> Result<()> {
        let notify = format!("SELECT pg_notify('{OUTBOX}', '')");
        Ok(c.batch_execute(&notify).await?)
    }

    /// The server sees to its own files.
    pub(in crate::store) fn checkpoint(_: &mut Conn) -> std::future::Ready<Result<bool>> {
        std::future::ready(Ok(true))
    }

    /// In which hour since 1970 `created_at` is.
    pub(in crate::store) const HOUR: &str = "CAST(floor(extract(epoch FROM created_at) / 3600) AS BIGINT)";

    /// How long a campaign was at work.
    pub(in crate::store) const SECONDS_TAKEN: &str =
        "CAST(extract(epoch FROM completed_at - started_at) AS DOUBLE PRECISION)";

    /// Leads that have the text in one of the fields that people search, in any case.
    pub(in crate::store) fn mentions(text: &str) -> Box<dyn BoxableExpression<leads::table, DB, SqlType = Bool>> {
        let pattern = format!("%{}%", text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_"));
        Box::new(
            leads::name
                .ilike(pattern.clone())
                .or(leads::phone.ilike(pattern.clone()))
                .or(leads::email.ilike(pattern.clone()))
                .or(leads::notes.ilike(pattern)),
        )
    }

    /// One statement for all rows; those that are there already are left alone.
    pub(in crate::store) async fn insert_leads(c: &mut Conn, rows: &[LeadRow]) -> Result<usize> {
        Ok(InsertLeads::from(rows).execute(c).await?)
    }

    /// The same within a transaction that is under way.
    pub(in crate::store) use insert_leads as insert_leads_within;

    /// As many rows a statement as its parameters allow; those that are there already are left alone.
    pub(in crate::store) async fn insert_prospects(c: &mut Conn, rows: Vec<ProspectRow>) -> Result<usize> {
        let mut added = 0;
        for rows in rows.chunks(1_000) {
            added +=
                diesel::insert_into(enhanced_leads::table).values(rows).on_conflict_do_nothing().execute(c).await?;
        }
        Ok(added)
    }

    /// The same.
    pub(in crate::store) async fn insert_enrichments(c: &mut Conn, rows: Vec<EnrichmentRow>) -> Result<usize> {
        let mut added = 0;
        for rows in rows.chunks(1_000) {
            added += diesel::insert_into(enrichments::table).values(rows).on_conflict_do_nothing().execute(c).await?;
        }
        Ok(added)
    }

    /// Keeps others from changing the account's conversations until the transaction ends; `false` if there is none.
    pub(in crate::store) async fn lock_account(c: &mut Conn, tenancy: Tenancy) -> Result<bool> {
        let account = accounts::table
            .filter(accounts::id.eq(Word(tenancy.account)))
            .filter(accounts::agency_id.eq(Word(tenancy.agency)))
            .select(accounts::id)
            .for_no_key_update();
        Ok(account.first::<Word<AccountId>>(c).await.optional()?.is_some())
    }

    /// As many rows a statement as its parameters allow.
    pub(in crate::store) async fn insert_messages(c: &mut Conn, rows: Vec<MessageRow>) -> Result<()> {
        for rows in rows.chunks(1_000) {
            diesel::insert_into(messages::table).values(rows).execute(c).await?;
        }
        Ok(())
    }
}
