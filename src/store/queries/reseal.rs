//! Secrets that are sealed anew.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, dialect::write_tx};
use crate::store::{
    Result,
    reseal::{Column, PORTION, Portion, Resealed},
    schema::{endpoints, issuers, sources},
};

/// Does something with the table and the column that a [`Column`] names.
macro_rules! with_column {
    ($which:expr, |$table:ident, $column:ident| $body:expr) => {
        match $which {
            Column::SourceToken => with_column!(@ sources, token, $table, $column, $body),
            Column::SourceAppSecrets => with_column!(@ sources, app_secrets, $table, $column, $body),
            Column::SourceVerifyToken => with_column!(@ sources, verify_token, $table, $column, $body),
            Column::IssuerSecret => with_column!(@ issuers, secret, $table, $column, $body),
            Column::EndpointToken => with_column!(@ endpoints, token, $table, $column, $body),
            Column::EndpointSecret => with_column!(@ endpoints, secret, $table, $column, $body),
            Column::EndpointPreviousSecret => with_column!(@ endpoints, previous_secret, $table, $column, $body),
        }
    };
    (@ $from:ident, $of:ident, $table:ident, $column:ident, $body:expr) => {{
        use $from::{self as $table, $of as $column};
        $body
    }};
}

pub(in crate::store) async fn portion(c: &mut Conn, column: Column, after: &str) -> Result<Portion> {
    with_column!(column, |table, sealed| {
        let rows = table::table.filter(table::id.gt(after)).order(table::id).limit(PORTION);
        Ok(rows.select((table::id, sealed.nullable())).load(c).await?)
    })
}

/// Those that nobody changed since they were read.
pub(in crate::store) async fn replace(c: &mut Conn, column: Column, fresh: &[Resealed]) -> Result<usize> {
    write_tx!(c, async |c| {
        let mut replaced = 0;
        for (row, was, anew) in fresh {
            replaced += with_column!(column, |table, sealed| {
                let row = table::table.find(row).filter(sealed.eq(was));
                diesel::update(row).set(sealed.eq(anew)).execute(c).await?
            });
        }
        Ok(replaced)
    })
    .await
}
