//! Sign-ins that were ended before their token ran out.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, audit::note, dialect::write_tx, directory::bump};
use crate::{
    domain::audit::Event,
    store::{Result, audit::Trail, schema::revoked_tokens, tokens::RevokedRow, types::At},
};

/// Also takes away the records that nobody needs any more.
pub(in crate::store) async fn revoke(
    c: &mut Conn,
    row: &RevokedRow,
    now: At,
    trail: &Trail,
    event: &Event,
) -> Result<()> {
    write_tx!(c, async |c| {
        diesel::insert_into(revoked_tokens::table).values(row).on_conflict_do_nothing().execute(c).await?;
        diesel::delete(revoked_tokens::table.filter(revoked_tokens::expires_at.le(now))).execute(c).await?;
        note(c, trail, event.clone()).await?;
        bump(c).await
    })
    .await
}
