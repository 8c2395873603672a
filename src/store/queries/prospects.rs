//! Prospects. What people ask for takes the agency and the accounts first.

use diesel::{prelude::*, sql_types::Bool};
use diesel_async::RunQueryDsl;

use super::{
    Conn, DB,
    dialect::{insert_prospects, read_tx, write_tx},
    enrichments,
};
use crate::{
    domain::{
        AccountId, AgencyId, LeadId,
        lead::Lead,
        prospect::{Prospect, of_lead},
    },
    store::{
        Result, StoreError,
        prospects::{KnownProspect, PageCursor, ProspectFilter, ProspectPage, ProspectRow},
        schema::{accounts, campaigns, enhanced_leads, enriched_leads, leads},
        types::{At, Json, Word},
    },
};

type Condition = Box<dyn BoxableExpression<enhanced_leads::table, DB, SqlType = Bool>>;

/// What is outside of these accounts does not exist.
pub(super) fn within(agency: AgencyId, accounts: &[AccountId]) -> Condition {
    let accounts: Vec<_> = accounts.iter().copied().map(Word).collect();
    Box::new(enhanced_leads::account_id.eq_any(accounts).and(enhanced_leads::agency_id.eq(Word(agency))))
}

pub(in crate::store) async fn add(c: &mut Conn, rows: &[ProspectRow], now: At) -> Result<()> {
    write_tx!(c, async |c| {
        let mut named: Vec<_> =
            rows.iter().filter_map(|row| Some((row.campaign_id.clone()?, row.account_id, row.agency_id))).collect();
        named.sort_by_key(|(campaign, account, _)| (campaign.clone(), account.0));
        named.dedup();
        for (campaign, account, agency) in named {
            let known = campaigns::table
                .find(campaign)
                .filter(campaigns::account_id.eq(account))
                .filter(campaigns::agency_id.eq(agency));
            let known: Option<String> = known.select(campaigns::id).first(c).await.optional()?;
            known.ok_or(StoreError::NotFound("campaign"))?;
        }
        insert_prospects(c, rows.to_vec()).await?;
        let ids: Vec<_> = rows.iter().map(|row| (row.account_id.0, row.id.clone())).collect();
        enrichments::enqueue(c, &ids, now).await?;
        Ok(())
    })
    .await
}

/// Those of these accounts whose leads become prospects.
pub(super) async fn enriching(c: &mut Conn, of: &[AccountId]) -> Result<Vec<AccountId>> {
    let of: Vec<_> = of.iter().copied().map(Word).collect();
    let on = accounts::table.filter(accounts::id.eq_any(of)).filter(accounts::enrich_leads.eq(true));
    let on: Vec<Word<AccountId>> = on.select(accounts::id).load(c).await?;
    Ok(on.into_iter().map(|id| id.0).collect())
}

/// Makes prospects of leads that are stored, as far as they name a business, and has them enriched. One that was made
/// before stays as it is.
pub(super) async fn add_of_leads(c: &mut Conn, of: &[Lead], now: At) -> Result<()> {
    let mut made: Vec<Prospect> = of.iter().filter_map(|lead| of_lead(lead, now.0)).collect();
    if made.is_empty() {
        return Ok(());
    }
    // One that was there under another id was not stored.
    let named: Vec<_> = made.iter().filter_map(|prospect| prospect.lead).map(Word).collect();
    let stored = leads::table.filter(leads::id.eq_any(named)).select(leads::id);
    let stored: Vec<Word<LeadId>> = stored.load(c).await?;
    made.retain(|prospect| stored.iter().any(|lead| Some(lead.0) == prospect.lead));
    insert_prospects(c, made.iter().map(ProspectRow::from).collect()).await?;
    let ids: Vec<_> = made.into_iter().map(|prospect| (prospect.account, prospect.id)).collect();
    enrichments::enqueue(c, &ids, now).await.map(drop)
}

pub(in crate::store) async fn page(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
    filter: &ProspectFilter,
) -> Result<ProspectPage> {
    let size = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let mut found: Vec<ProspectRow> = Vec::new();
    // Each account is asked on its own, because only then the index is in order.
    for account in accounts {
        let mut query = enhanced_leads::table
            .filter(enhanced_leads::account_id.eq(Word(*account)))
            .filter(enhanced_leads::agency_id.eq(Word(agency)))
            .into_boxed::<DB>();
        if let Some(campaign) = &filter.campaign {
            query = query.filter(enhanced_leads::campaign_id.eq(campaign));
        }
        if let Some(status) = &filter.status {
            query = query.filter(enhanced_leads::status.eq(status));
        }
        if let Some(PageCursor { created_at, id }) = &filter.cursor {
            let older = enhanced_leads::created_at.lt(At(*created_at));
            let same = enhanced_leads::created_at.eq(At(*created_at)).and(enhanced_leads::id.lt(id));
            query = query.filter(enhanced_leads::created_at.le(At(*created_at))).filter(older.or(same));
        }
        // What is older than a full page of other accounts need not be looked at.
        if let Some(oldest) = found.get(size) {
            query = query.filter(enhanced_leads::created_at.ge(oldest.created_at));
        }
        let query = query.order((enhanced_leads::created_at.desc(), enhanced_leads::id.desc()));
        let rows = query.limit(i64::from(filter.limit) + 1).select(ProspectRow::as_select());
        found.extend(rows.load(c).await?);
        found.sort_by(|a, b| (b.created_at.0, &b.id).cmp(&(a.created_at.0, &a.id)));
        found.truncate(size.saturating_add(1));
    }
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more);
    let next = next.map(|last| PageCursor { created_at: last.created_at.0, id: last.id.clone() });
    Ok(ProspectPage { prospects: found.into_iter().map(Prospect::from).collect(), next })
}

pub(in crate::store) async fn one(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
    id: &str,
) -> Result<Option<KnownProspect>> {
    // All as of one moment: a stage may be kept meanwhile.
    read_tx!(c, async |c| {
        let row = enhanced_leads::table.filter(within(agency, accounts)).filter(enhanced_leads::id.eq(id));
        let Some(row) = row.select(ProspectRow::as_select()).first(c).await.optional()? else { return Ok(None) };
        let data = enriched_leads::table.find(id).select(enriched_leads::enrichment_data);
        let data: Option<Json> = data.first(c).await.optional()?.flatten();
        let enrichment = enrichments::of(c, id).await?;
        Ok(Some(KnownProspect { prospect: row.into(), enrichment, enrichment_data: data.map(|data| data.0) }))
    })
    .await
}
