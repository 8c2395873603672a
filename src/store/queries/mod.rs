//! The queries. This folder is compiled once for each engine: `super::super` is `engine::postgres` or `engine::sqlite`
//! and says what `Conn`, `DB` and `dialect` are.

pub(in crate::store) mod agencies;
pub(in crate::store) mod api_costs;
pub(in crate::store) mod audit;
pub(in crate::store) mod campaign_steps;
pub(in crate::store) mod campaigns;
pub(in crate::store) mod campaigns_told;
pub(in crate::store) mod chats;
pub(in crate::store) mod cost_hours;
pub(in crate::store) mod cost_records;
pub(in crate::store) mod costs;
pub(in crate::store) mod cover;
pub(in crate::store) mod deliveries;
pub(in crate::store) mod directory;
pub(in crate::store) mod endpoints;
pub(in crate::store) mod enrichments;
pub(in crate::store) mod erasures;
pub(in crate::store) mod exports;
pub(in crate::store) mod happenings;
pub(in crate::store) mod issuers;
pub(in crate::store) mod keys;
pub(in crate::store) mod leads;
pub(in crate::store) mod messages;
pub(in crate::store) mod outbox;
pub(in crate::store) mod persons;
pub(in crate::store) mod progress;
pub(in crate::store) mod prospects;
pub(in crate::store) mod prospects_told;
pub(in crate::store) mod reseal;
pub(in crate::store) mod retention;
pub(in crate::store) mod sends;
pub(in crate::store) mod sources;
pub(in crate::store) mod tokens;
pub(in crate::store) mod users;
pub(in crate::store) mod waits;

use diesel::QueryDsl;
use diesel_async::RunQueryDsl;

use super::{Conn, DB, dialect};
use crate::store::Result;

/// Tells others of the outbox.
pub(in crate::store) async fn notify_outbox(c: &mut Conn) -> Result<()> {
    dialect::notify_outbox(c).await
}

diesel::table! {
    __diesel_schema_migrations (version) {
        version -> Text,
    }
}

/// The versions of the migrations that the database has.
pub(in crate::store) async fn applied_migrations(c: &mut Conn) -> Result<Vec<String>> {
    Ok(__diesel_schema_migrations::table.select(__diesel_schema_migrations::version).load(c).await?)
}

/// The shortest question.
pub(in crate::store) async fn ping(c: &mut Conn) -> Result<()> {
    diesel::select(diesel::dsl::sql::<diesel::sql_types::Integer>("1")).execute(c).await?;
    Ok(())
}
