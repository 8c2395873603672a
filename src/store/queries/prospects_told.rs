//! Leads of prospecting, as databases tell of them.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    Conn, campaigns_told,
    dialect::{locked, write_tx},
    enrichments,
};
use crate::{
    domain::{
        prospect::status,
        prospecting::{ProspectTold, rank},
    },
    store::{
        Result,
        prospecting::ProspectRow,
        schema::enhanced_leads,
        types::{At, Word},
    },
};

/// Keeps what was told of leads, and has those enriched that are not yet. The hub's own rows come by here as well, each
/// after it was committed: nothing of them is to be written but that.
pub(in crate::store) async fn keep(c: &mut Conn, told: &[ProspectTold], now: At) -> Result<()> {
    write_tx!(c, async |c| {
        for one in told.iter().filter(|one| !one.id.is_own()) {
            upsert(c, one, now).await?;
        }
        // A status is told of one that somebody works with already; and what comes enriched needs nothing.
        let fresh = told.iter().filter(|one| one.status.is_none());
        let mut fresh: Vec<_> = fresh.map(|one| (one.owner.account, one.id.id.clone())).collect();
        let known = enhanced_leads::table.filter(enhanced_leads::id.eq_any(fresh.iter().map(|(_, id)| id)));
        let known: Vec<(String, String)> = known.select((enhanced_leads::id, enhanced_leads::status)).load(c).await?;
        let is_raw = |(id, status): (String, String)| (rank(&status) < rank(status::ENRICHED)).then_some(id);
        let raw: HashSet<String> = known.into_iter().filter_map(is_raw).collect();
        fresh.retain(|(_, id)| raw.contains(id));
        enrichments::enqueue(c, &fresh, now).await?;
        Ok(())
    })
    .await
}

async fn upsert(c: &mut Conn, told: &ProspectTold, now: At) -> Result<()> {
    if let Some(campaign) = &told.campaign {
        campaigns_told::name(c, told.owner, campaign, now).await?;
    }
    let fresh = ProspectRow::new(told);
    if diesel::insert_into(enhanced_leads::table).values(&fresh).on_conflict_do_nothing().execute(c).await? == 1 {
        return Ok(());
    }
    let row = enhanced_leads::table
        .filter(enhanced_leads::id.eq(&fresh.id))
        .filter(enhanced_leads::account_id.eq(Word(told.owner.account)))
        .filter(enhanced_leads::agency_id.eq(Word(told.owner.agency)));
    let before = locked!(row.select(ProspectRow::as_select())).first(c).await.optional()?;
    // Neither new nor there: it was deleted.
    let Some(before): Option<ProspectRow> = before else { return Ok(()) };
    let mut after = before.clone();
    after.take(told);
    if after != before {
        diesel::update(enhanced_leads::table.find(&fresh.id)).set(&after).execute(c).await?;
    }
    Ok(())
}
