//! Leads of campaigns, page by page, for whoever makes files of them; and the files.

use std::collections::HashMap;

use diesel::{dsl::sql, prelude::*, sql_types::Bool};
use diesel_async::RunQueryDsl;

use super::{
    Conn, DB,
    dialect::{locked, write_tx},
    prospects::within,
};
use crate::{
    domain::{
        AccountId, AgencyId,
        campaign::Campaign,
        prospect::{Findings, Prospect, status},
    },
    store::{
        Result,
        campaigns::{ExportFile, ExportFilter, ExportedLead, ListedFile},
        prospects::ProspectRow,
        schema::{campaign_exports as files, campaigns, enhanced_leads, enriched_leads, enrichments},
        types::{At, Figure, Json, Word},
    },
};

/// Leads of a page.
const PAGE: i64 = 500;
/// Campaigns of a page.
const CAMPAIGNS: i64 = 100;

fn chosen<'a>(
    agency: AgencyId,
    accounts: &[AccountId],
    campaign: &'a str,
    filter: ExportFilter,
) -> enhanced_leads::BoxedQuery<'a, DB> {
    let mut query = enhanced_leads::table
        .filter(within(agency, accounts))
        .filter(enhanced_leads::campaign_id.eq(campaign))
        .into_boxed::<DB>();
    if let Some(least) = filter.min_confidence {
        query = query.filter(enhanced_leads::confidence_score.ge(least));
    }
    if filter.qualified {
        let told = enhanced_leads::status.eq(status::QUALIFIED).nullable();
        query = query.filter(told.or(enhanced_leads::is_qualified.eq(Some(true))));
    }
    query
}

pub(in crate::store) async fn count(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
    campaign: &str,
    filter: ExportFilter,
) -> Result<i64> {
    Ok(chosen(agency, accounts, campaign, filter).count().get_result(c).await?)
}

pub(in crate::store) async fn leads(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
    campaign: &str,
    filter: ExportFilter,
    after: &str,
) -> Result<Vec<ExportedLead>> {
    let rows = chosen(agency, accounts, campaign, filter).filter(enhanced_leads::id.gt(after));
    let rows = rows.order(enhanced_leads::id).limit(PAGE).select(ProspectRow::as_select());
    let rows: Vec<ProspectRow> = rows.load(c).await?;
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let found = enrichments::table.filter(enrichments::lead_id.eq_any(&ids));
    let found: Vec<(String, Json, f64)> =
        found.select((enrichments::lead_id, enrichments::results, enrichments::cost)).load(c).await?;
    let mut found: HashMap<String, (Findings, f64)> = found
        .into_iter()
        // Nobody but the hub writes them; one that can't be read is as if nothing was found.
        .map(|(lead, results, cost)| (lead, (serde_json::from_value(results.0).unwrap_or_default(), cost)))
        .collect();
    let paid = enriched_leads::table.filter(enriched_leads::id.eq_any(&ids));
    let paid: Vec<(String, Option<Figure>)> =
        paid.select((enriched_leads::id, enriched_leads::processing_cost)).load(c).await?;
    let paid: HashMap<String, f64> =
        paid.into_iter().filter_map(|(lead, cost)| Some((lead, cost?.0.to_f64()))).collect();
    let lead = |row: ProspectRow| {
        let (findings, cost) = found.remove(&row.id).unwrap_or_default();
        let cost = paid.get(&row.id).copied().unwrap_or(cost);
        ExportedLead { prospect: Prospect::from(row), findings, cost }
    };
    Ok(rows.into_iter().map(lead).collect())
}

/// The ids of campaigns that are completed and have no files yet.
pub(in crate::store) async fn due(c: &mut Conn, after: &str) -> Result<Vec<String>> {
    // In these words, for the index is of them.
    let due = campaigns::table.filter(sql::<Bool>("status = 'completed' AND exported_at IS NULL"));
    let due = due.filter(campaigns::id.gt(after)).order(campaigns::id).limit(CAMPAIGNS);
    Ok(due.select(campaigns::id).load(c).await?)
}

/// The campaign, if it is to be exported now: `None` if it has files already, or some of its leads are being enriched.
pub(in crate::store) async fn ready(c: &mut Conn, id: &str) -> Result<Option<Campaign>> {
    type Whose = (Word<AgencyId>, Word<AccountId>);
    let of = enhanced_leads::table.filter(enhanced_leads::campaign_id.eq(id)).select(enhanced_leads::id);
    let open = enrichments::table.filter(enrichments::finished_at.is_null()).filter(enrichments::lead_id.eq_any(of));
    if diesel::select(diesel::dsl::exists(open)).get_result(c).await? {
        return Ok(None);
    }
    let whose = campaigns::table.find(id).filter(sql::<Bool>("status = 'completed' AND exported_at IS NULL"));
    let whose: Option<Whose> = whose.select((campaigns::agency_id, campaigns::account_id)).first(c).await.optional()?;
    let Some((Word(agency), Word(account))) = whose else { return Ok(None) };
    super::campaigns::one(c, agency, &[account], id).await
}

/// Keeps a campaign's files, unless another hub has done so meanwhile: whether they are these.
pub(in crate::store) async fn keep(
    c: &mut Conn,
    campaign: &Campaign,
    made: &[ExportFile],
    metadata: &Json,
    began: At,
    now: At,
) -> Result<bool> {
    write_tx!(c, async |c| {
        // They may list what was deleted meanwhile: they are made once more.
        if super::erasures::any_since(c, campaign.account, began).await? {
            return Ok(false);
        }
        let row = campaigns::table.find(&campaign.id).filter(campaigns::exported_at.is_null());
        let row: Option<String> = locked!(row.select(campaigns::id)).first(c).await.optional()?;
        if row.is_none() {
            return Ok(false);
        }
        for file in made {
            let row = (
                files::campaign_id.eq(&campaign.id),
                files::agency_id.eq(Word(campaign.agency)),
                files::account_id.eq(Word(campaign.account)),
                files::name.eq(&file.name),
                files::content.eq(&file.content),
                files::size.eq(i64::try_from(file.content.len()).unwrap_or(i64::MAX)),
                files::made_at.eq(now),
            );
            diesel::insert_into(files::table).values(row).on_conflict_do_nothing().execute(c).await?;
        }
        let set = (campaigns::exported_at.eq(Some(now)), campaigns::export_metadata.eq(Some(metadata.clone())));
        diesel::update(campaigns::table.find(&campaign.id)).set(set).execute(c).await?;
        Ok(true)
    })
    .await
}

pub(in crate::store) async fn list(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
    campaign: &str,
) -> Result<Vec<ListedFile>> {
    let accounts: Vec<_> = accounts.iter().copied().map(Word).collect();
    let rows = files::table
        .filter(files::campaign_id.eq(campaign))
        .filter(files::account_id.eq_any(accounts))
        .filter(files::agency_id.eq(Word(agency)))
        .order(files::name);
    let rows: Vec<(String, i64, At)> = rows.select((files::name, files::size, files::made_at)).load(c).await?;
    Ok(rows.into_iter().map(|(name, size, made_at)| ListedFile { name, size, made_at: made_at.0 }).collect())
}

pub(in crate::store) async fn file(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
    campaign: &str,
    name: &str,
) -> Result<Option<Vec<u8>>> {
    let accounts: Vec<_> = accounts.iter().copied().map(Word).collect();
    let row = files::table
        .find((campaign, name))
        .filter(files::account_id.eq_any(accounts))
        .filter(files::agency_id.eq(Word(agency)));
    Ok(row.select(files::content).first(c).await.optional()?)
}
