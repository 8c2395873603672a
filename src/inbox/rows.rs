//! The two INSERTs of the accept path, in SQL: putting them together from columns takes longer than SQLite needs for them.

use diesel::{
    QueryResult, RunQueryDsl, SqliteConnection,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{BigInt, Binary, Integer, Nullable, Text},
    sqlite::Sqlite,
};

/// A row of `deliveries`.
pub(super) struct DeliveryRow<'a> {
    pub(super) seq: i64,
    pub(super) received_at: i64,
    pub(super) provider: &'a str,
    pub(super) path: &'a str,
    pub(super) remote: &'a str,
    pub(super) headers: &'a str,
    pub(super) body: &'a [u8],
}

impl QueryFragment<Sqlite> for DeliveryRow<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("INSERT INTO deliveries (seq, received_at, provider, path, remote, headers, body) VALUES (");
        out.push_bind_param::<BigInt, _>(&self.seq)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.received_at)?;
        for text in [&self.provider, &self.path, &self.remote, &self.headers] {
            out.push_sql(", ");
            out.push_bind_param::<Text, _>(text)?;
        }
        out.push_sql(", ");
        out.push_bind_param::<Binary, _>(&self.body)?;
        out.push_sql(")");
        Ok(())
    }
}

impl QueryId for DeliveryRow<'_> {
    type QueryId = DeliveryRow<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<SqliteConnection> for DeliveryRow<'_> {}

/// A row of `events` that was never tried; left out when an event of its id is there.
pub(super) struct EventRow<'a> {
    pub(super) id: &'a [u8],
    pub(super) account: Option<&'a [u8]>,
    pub(super) source: Option<&'a [u8]>,
    pub(super) scope: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
    pub(super) kind: &'a str,
    pub(super) source_kind: &'a str,
    pub(super) external_id: &'a str,
    pub(super) platform_id: &'a str,
    pub(super) item: &'a str,
    pub(super) state: i32,
    pub(super) delivery: i64,
    pub(super) next_try: i64,
    pub(super) received_at: i64,
    pub(super) weight: i64,
}

impl QueryFragment<Sqlite> for EventRow<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(
            "INSERT OR IGNORE INTO events (attempts, replayed, id, account, source, scope, reason, kind, source_kind, \
             external_id, platform_id, item, state, delivery, next_try, received_at, changed_at, weight) VALUES (0, 0, ",
        );
        out.push_bind_param::<Binary, _>(&self.id)?;
        for bytes in [&self.account, &self.source] {
            out.push_sql(", ");
            out.push_bind_param::<Nullable<Binary>, _>(bytes)?;
        }
        for text in [&self.scope, &self.reason] {
            out.push_sql(", ");
            out.push_bind_param::<Nullable<Text>, _>(text)?;
        }
        for text in [&self.kind, &self.source_kind, &self.external_id, &self.platform_id, &self.item] {
            out.push_sql(", ");
            out.push_bind_param::<Text, _>(text)?;
        }
        out.push_sql(", ");
        out.push_bind_param::<Integer, _>(&self.state)?;
        for number in [&self.delivery, &self.next_try, &self.received_at, &self.received_at, &self.weight] {
            out.push_sql(", ");
            out.push_bind_param::<BigInt, _>(number)?;
        }
        out.push_sql(")");
        Ok(())
    }
}

impl QueryId for EventRow<'_> {
    type QueryId = EventRow<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<SqliteConnection> for EventRow<'_> {}
