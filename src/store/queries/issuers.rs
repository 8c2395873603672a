//! Agencies' own issuers of tokens.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, audit::note, dialect::write_tx, directory::bump};
use crate::{
    domain::{
        AgencyId, IssuerId,
        audit::{Action, Event},
    },
    store::{Result, StoreError, audit::Trail, error::explain, issuers::IssuerRow, schema::issuers, types::Word},
};

pub(in crate::store) async fn add(c: &mut Conn, row: &IssuerRow, trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        let added = diesel::insert_into(issuers::table).values(row).execute(c).await;
        added.map_err(explain("this issuer is trusted already for this audience", "agency"))?;
        note(c, trail, Event::new(Action::IssuerAdded, row.agency_id.0).on(row.id.0)).await?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn remove(c: &mut Conn, issuer: IssuerId, trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        let gone = diesel::delete(issuers::table.find(Word(issuer))).returning(issuers::agency_id);
        let agency: Option<Word<AgencyId>> = gone.get_result(c).await.optional()?;
        let agency = agency.ok_or(StoreError::NotFound("issuer"))?.0;
        note(c, trail, Event::new(Action::IssuerRemoved, agency).on(issuer)).await?;
        bump(c).await
    })
    .await
}
