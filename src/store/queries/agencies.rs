//! Tenants and their client businesses.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, dialect::write_tx, directory::bump};
use crate::{
    domain::{AccountId, AgencyId},
    store::{
        Result, StoreError,
        agencies::{AccountRow, AgencyRow},
        enrichments::Threshold,
        error::{explain, found},
        schema::{accounts, agencies},
        types::Word,
    },
};

pub(in crate::store) async fn add_agency(c: &mut Conn, row: &AgencyRow) -> Result<()> {
    write_tx!(c, async |c| {
        diesel::insert_into(agencies::table).values(row).execute(c).await?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn add_account(c: &mut Conn, row: &AccountRow) -> Result<()> {
    write_tx!(c, async |c| {
        let added = diesel::insert_into(accounts::table).values(row).execute(c).await;
        added.map_err(explain("this account exists already", "agency"))?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn remove(c: &mut Conn, agency: AgencyId) -> Result<()> {
    write_tx!(c, async |c| {
        let removed = diesel::delete(agencies::table.find(Word(agency))).execute(c).await?;
        found(removed, "agency")?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn agency_of(c: &mut Conn, account: AccountId) -> Result<AgencyId> {
    let agency = accounts::table.find(Word(account)).select(accounts::agency_id).first::<Word<AgencyId>>(c).await;
    Ok(agency.optional()?.ok_or(StoreError::NotFound("account"))?.0)
}

pub(in crate::store) async fn set_enrichment(
    c: &mut Conn,
    account: AccountId,
    leads: Option<bool>,
    threshold: Option<Threshold>,
) -> Result<(bool, Option<i32>)> {
    write_tx!(c, async |c| {
        if let Some(on) = leads {
            let account = accounts::table.find(Word(account));
            diesel::update(account).set(accounts::enrich_leads.eq(on)).execute(c).await?;
        }
        if let Some(threshold) = threshold {
            let account = accounts::table.find(Word(account));
            diesel::update(account).set(accounts::quality_threshold.eq(threshold.column())).execute(c).await?;
        }
        let set = accounts::table.find(Word(account)).select((accounts::enrich_leads, accounts::quality_threshold));
        set.first(c).await.optional()?.ok_or(StoreError::NotFound("account"))
    })
    .await
}
