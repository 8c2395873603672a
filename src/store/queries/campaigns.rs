//! Campaigns. What people ask for takes the agency and the accounts first.

use diesel::{
    dsl::{count_star, sql},
    prelude::*,
    sql_types::{BigInt, Bool, Double, Nullable},
};
use diesel_async::RunQueryDsl;

use super::{
    Conn, DB,
    dialect::{SECONDS_TAKEN, write_tx},
};
use crate::{
    domain::{AccountId, AgencyId, campaign::Campaign, cost::Amount},
    store::{
        Result, StoreError,
        campaigns::{CampaignFilter, CampaignPage, OwnColumns, ProcessingSummary, campaign},
        prospecting::{CampaignRow, ProgressRow},
        prospects::PageCursor,
        schema::{accounts, campaign_processing_status as progress, campaigns, deliveries, outbox},
        types::{At, Word},
    },
};

type Condition = Box<dyn BoxableExpression<campaigns::table, DB, SqlType = Bool>>;
type Found = (CampaignRow, OwnColumns, Option<ProgressRow>);

/// What is outside of these accounts does not exist.
pub(super) fn within(agency: AgencyId, accounts: &[AccountId]) -> Condition {
    let accounts: Vec<_> = accounts.iter().copied().map(Word).collect();
    Box::new(campaigns::account_id.eq_any(accounts).and(campaigns::agency_id.eq(Word(agency))))
}

pub(in crate::store) async fn add(c: &mut Conn, row: &CampaignRow) -> Result<()> {
    write_tx!(c, async |c| {
        let account = accounts::table.find(row.account_id).filter(accounts::agency_id.eq(row.agency_id));
        let known: Option<Word<AccountId>> = account.select(accounts::id).first(c).await.optional()?;
        known.ok_or(StoreError::NotFound("account"))?;
        diesel::insert_into(campaigns::table).values(row).execute(c).await?;
        Ok(())
    })
    .await
}

pub(in crate::store) async fn page(
    c: &mut Conn,
    agency: AgencyId,
    of: &[AccountId],
    filter: &CampaignFilter,
) -> Result<CampaignPage> {
    let size = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let mut found: Vec<Campaign> = Vec::new();
    // Each account is asked on its own, because only then the index is in order.
    for account in of {
        let mut query = campaigns::table
            .left_join(progress::table.on(progress::campaign_id.eq(campaigns::id)))
            .filter(campaigns::account_id.eq(Word(*account)))
            .filter(campaigns::agency_id.eq(Word(agency)))
            .into_boxed::<DB>();
        if let Some(status) = &filter.status {
            query = query.filter(campaigns::status.eq(status));
        }
        if let Some(PageCursor { created_at, id }) = &filter.cursor {
            let older = campaigns::created_at.lt(At(*created_at));
            let same = campaigns::created_at.eq(At(*created_at)).and(campaigns::id.lt(id));
            query = query.filter(campaigns::created_at.le(At(*created_at))).filter(older.or(same));
        }
        let query = query.order((campaigns::created_at.desc(), campaigns::id.desc()));
        let rows = query.limit(i64::from(filter.limit) + 1).select((
            CampaignRow::as_select(),
            OwnColumns::as_select(),
            Option::<ProgressRow>::as_select(),
        ));
        let rows: Vec<Found> = rows.load(c).await?;
        found.extend(rows.into_iter().map(|(row, exported, progress)| campaign(row, exported, progress)));
        found.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        found.truncate(size.saturating_add(1));
    }
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more);
    let next = next.map(|last| PageCursor { created_at: last.created_at, id: last.id.clone() });
    Ok(CampaignPage { campaigns: found, next })
}

pub(in crate::store) async fn one(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
    id: &str,
) -> Result<Option<Campaign>> {
    let row = campaigns::table
        .left_join(progress::table.on(progress::campaign_id.eq(campaigns::id)))
        .filter(within_joined(agency, accounts))
        .filter(campaigns::id.eq(id))
        .select((CampaignRow::as_select(), OwnColumns::as_select(), Option::<ProgressRow>::as_select()));
    let found: Option<Found> = row.first(c).await.optional()?;
    Ok(found.map(|(row, exported, progress)| campaign(row, exported, progress)))
}

#[diesel::dsl::auto_type]
fn within_joined(agency: AgencyId, accounts: &[AccountId]) -> _ {
    let accounts: Vec<Word<AccountId>> = accounts.iter().copied().map(Word).collect();
    let agency: Word<AgencyId> = Word(agency);
    campaigns::account_id.eq_any(accounts).and(campaigns::agency_id.eq(agency))
}

pub(in crate::store) async fn summary(
    c: &mut Conn,
    agency: AgencyId,
    of: &[AccountId],
    campaign: Option<&str>,
) -> Result<ProcessingSummary> {
    let accounts: Vec<_> = of.iter().copied().map(Word).collect();
    let rows = campaigns::table.filter(within(agency, of)).group_by(campaigns::status);
    let rows = rows.select((campaigns::status, count_star()));
    let by_status: Vec<(String, i64)> = match campaign {
        Some(campaign) => rows.filter(campaigns::id.eq(campaign)).load(c).await?,
        None => rows.load(c).await?,
    };
    // One row a campaign: nothing is counted as often as something happened to it.
    let done = progress::table
        .filter(progress::account_id.eq_any(accounts.clone()))
        .filter(progress::agency_id.eq(Word(agency)))
        .select((
            sql::<BigInt>("CAST(coalesce(sum(round(processing_cost * 10000)), 0) AS BIGINT)"),
            sql::<Nullable<Double>>(&format!("avg({SECONDS_TAKEN})")),
        ));
    let (cost, seconds): (i64, Option<f64>) = match campaign {
        Some(campaign) => done.filter(progress::campaign_id.eq(campaign)).first(c).await?,
        None => done.first(c).await?,
    };
    let told = deliveries::table
        .inner_join(outbox::table.on(outbox::id.eq(deliveries::outbox_id)))
        .filter(sql::<Bool>("outbox.type = 'campaign_lifecycle'"))
        .filter(outbox::agency_id.eq(Word(agency)))
        .filter(outbox::account_id.eq_any(accounts))
        .group_by(deliveries::state)
        .select((deliveries::state, count_star()));
    let deliveries: Vec<(String, i64)> = match campaign {
        Some(campaign) => told.filter(outbox::record_id.eq(campaign)).load(c).await?,
        None => told.load(c).await?,
    };
    Ok(ProcessingSummary { by_status, cost: Amount(cost), seconds, deliveries })
}
