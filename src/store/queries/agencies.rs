//! Tenants and their client businesses.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, audit::note, dialect::write_tx, directory::bump};
use crate::{
    domain::{
        AccountId, AgencyId,
        audit::{Action, Event},
    },
    store::{
        Result, StoreError,
        agencies::{AccountRow, AgencyRow},
        audit::Trail,
        enrichments::Threshold,
        error::{explain, found},
        schema::{accounts, agencies},
        types::Word,
    },
};

pub(in crate::store) async fn add_agency(c: &mut Conn, row: &AgencyRow, trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        diesel::insert_into(agencies::table).values(row).execute(c).await?;
        note(c, trail, Event::new(Action::AgencyAdded, row.id.0).on(row.id.0)).await?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn add_account(c: &mut Conn, row: &AccountRow, trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        let added = diesel::insert_into(accounts::table).values(row).execute(c).await;
        added.map_err(explain("this account exists already", "agency"))?;
        note(c, trail, Event::new(Action::AccountAdded, row.agency_id.0).within(row.id.0).on(row.id.0)).await?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn remove(c: &mut Conn, agency: AgencyId, trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        let removed = diesel::delete(agencies::table.find(Word(agency))).execute(c).await?;
        found(removed, "agency")?;
        note(c, trail, Event::new(Action::AgencyRemoved, agency).on(agency)).await?;
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
    trail: &Trail,
) -> Result<(bool, Option<i32>)> {
    write_tx!(c, async |c| {
        if leads.is_some() || threshold.is_some() {
            let agency = agency_of(c, account).await?;
            let mut event = Event::new(Action::AccountChanged, agency).within(account).on(account);
            if let Some(on) = leads {
                event = event.with("enrich_leads", on);
            }
            if let Some(threshold) = threshold {
                event = event.with("quality_threshold", threshold.column());
            }
            note(c, trail, event).await?;
        }
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
