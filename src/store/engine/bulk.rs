//! Many leads in one statement of PostgreSQL, the same for any number of rows: one array a column.
//!
//! A `VALUES` list is another statement for each number of rows, prepared each time with 30 parameters a row; this one
//! is prepared once for each connection.

use crate::{
    domain::{AccountId, AgencyId, LeadId, SourceId},
    store::{
        leads::LeadRow,
        types::{At, Document, Json, Moment, Word},
    },
};
use chrono::NaiveDate;
use diesel::{
    QueryResult,
    pg::Pg,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{Array, BigInt, Bool, Date, Nullable, Text},
};

macro_rules! columns {
    ($($field:ident: $type:ty, $sql:ty;)*) => {
        /// The rows, turned on their side.
        pub(super) struct InsertLeads<'a> {
            $($field: Vec<&'a $type>,)*
        }

        impl<'a> From<&'a [LeadRow]> for InsertLeads<'a> {
            fn from(rows: &'a [LeadRow]) -> Self {
                Self { $($field: rows.iter().map(|row| &row.$field).collect(),)* }
            }
        }

        impl QueryFragment<Pg> for InsertLeads<'_> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                out.push_sql("INSERT INTO leads (");
                let names = [$(stringify!($field),)*].map(|field| if field == "kind" { "type" } else { field });
                out.push_sql(&names.join(", "));
                out.push_sql(") SELECT * FROM unnest(");
                let mut first = true;
                $(
                    if !std::mem::take(&mut first) {
                        out.push_sql(", ");
                    }
                    out.push_bind_param::<Array<$sql>, _>(&self.$field)?;
                )*
                out.push_sql(") ON CONFLICT DO NOTHING");
                Ok(())
            }
        }
    };
}

columns! {
    id: Word<LeadId>, Text;
    agency_id: Word<AgencyId>, Text;
    account_id: Word<AccountId>, Text;
    source_id: Option<Word<SourceId>>, Nullable<Text>;
    meta_lead_id: Option<String>, Nullable<Text>;
    meta_user_id: Option<String>, Nullable<Text>;
    name: String, Text;
    phone: String, Text;
    email: String, Text;
    message: String, Text;
    kind: String, Text;
    status: String, Text;
    potential_status: String, Text;
    notes: String, Text;
    is_manual: bool, Bool;
    premium: i64, BigInt;
    renewal_date: Option<NaiveDate>, Nullable<Date>;
    insurance_type: Option<String>, Nullable<Text>;
    policy_term: Option<String>, Nullable<Text>;
    visa_type: Option<String>, Nullable<Text>;
    coverage: Option<i64>, Nullable<BigInt>;
    trip_start: Option<NaiveDate>, Nullable<Date>;
    trip_end: Option<NaiveDate>, Nullable<Date>;
    last_sync: Option<At>, Nullable<Moment>;
    sync_status: String, Text;
    sync_signal: Option<String>, Nullable<Text>;
    driver_license_received: String, Text;
    created_at: At, Moment;
    updated_at: At, Moment;
    meta_data: Option<Json>, Nullable<Document>;
    first_seen_at: Option<At>, Nullable<Moment>;
}

impl QueryId for InsertLeads<'_> {
    type QueryId = InsertLeads<'static>;

    // The text never changes, so the prepared statement is kept.
    const HAS_STATIC_QUERY_ID: bool = true;
}
