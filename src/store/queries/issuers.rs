//! Agencies' own issuers of tokens.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, dialect::write_tx, directory::bump};
use crate::{
    domain::IssuerId,
    store::{
        Result,
        error::{explain, found},
        issuers::IssuerRow,
        schema::issuers,
        types::Word,
    },
};

pub(in crate::store) async fn add(c: &mut Conn, row: &IssuerRow) -> Result<()> {
    write_tx!(c, async |c| {
        let added = diesel::insert_into(issuers::table).values(row).execute(c).await;
        added.map_err(explain("this issuer is trusted already", "agency"))?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn remove(c: &mut Conn, issuer: IssuerId) -> Result<()> {
    write_tx!(c, async |c| {
        found(diesel::delete(issuers::table.find(Word(issuer))).execute(c).await?, "issuer")?;
        bump(c).await
    })
    .await
}
