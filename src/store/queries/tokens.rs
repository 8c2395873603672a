//! Sign-ins that were ended before their token ran out.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, dialect::write_tx, directory::bump};
use crate::store::{Result, schema::revoked_tokens, tokens::RevokedRow, types::At};

/// Also takes away the records that nobody needs any more.
pub(in crate::store) async fn revoke(c: &mut Conn, row: &RevokedRow, now: At) -> Result<()> {
    write_tx!(c, async |c| {
        diesel::insert_into(revoked_tokens::table).values(row).on_conflict_do_nothing().execute(c).await?;
        diesel::delete(revoked_tokens::table.filter(revoked_tokens::expires_at.le(now))).execute(c).await?;
        bump(c).await
    })
    .await
}
