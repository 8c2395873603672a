//! What people do to campaigns, and what that means for the enrichments of their leads.
//!
//! Locks are taken in the order of enrichments: those, then the campaign, then its progress.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    Conn, campaigns as read,
    dialect::{locked, unlocked, write_tx},
    progress as counts,
};
use crate::{
    domain::{AccountId, AgencyId, campaign::Step, cost::Amount, prospect::status},
    store::{
        Result,
        campaigns::Stepped,
        prospecting::{CampaignRow, ProgressRow},
        schema::{campaign_processing_status as progress, campaigns, enhanced_leads, enrichments},
        types::{At, Figure},
    },
};

/// Why the enrichments of a campaign end that is cancelled.
pub(super) const CANCELLED: &str = "campaign_cancelled";
/// Why those end that were not begun when a person found that the campaign has all that it is to have.
const COMPLETED: &str = "campaign_completed";
/// Enrichments that one statement ends.
const AT_ONCE: i64 = 1_000;

/// Takes a step with a campaign of these accounts; `None` if there is none.
pub(in crate::store) async fn take(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
    id: &str,
    step: Step,
    now: At,
) -> Result<Option<Stepped>> {
    write_tx!(c, async |c| {
        if step == Step::Cancel {
            let open = enrichments::table.filter(enrichments::lead_id.eq_any(leads_of(id.to_owned())));
            let open = open.filter(enrichments::finished_at.is_null()).order(enrichments::lead_id);
            let _: Vec<String> = locked!(open.select(enrichments::lead_id)).load(c).await?;
        }
        let row = campaigns::table.filter(read::within(agency, accounts)).filter(campaigns::id.eq(id));
        let row: Option<CampaignRow> = locked!(row.select(CampaignRow::as_select())).first(c).await.optional()?;
        let Some(row) = row else { return Ok(None) };
        if row.external_id.is_some() {
            return Ok(Some(Stepped::OfAnother));
        }
        if !step.follows(&row.status) {
            return Ok(Some(Stepped::NotNow(row.status)));
        }
        let total = counts::total(c, id).await?;
        let cost = advance(c, &row, step, total, now).await?;
        match step {
            Step::Start => {
                let set = (campaigns::status.eq(step.to()), campaigns::status_reason.eq(None::<String>));
                diesel::update(campaigns::table.find(id)).set(set).execute(c).await?;
            }
            Step::Complete => {
                end_unbegun(c, id, COMPLETED, now).await?;
                let (found, cost) = (row.leads_found.max(total), row.total_cost.0.max(cost));
                counts::complete(c, id, found, cost, None, now).await?;
            }
            Step::Cancel => {
                end_open(c, id, CANCELLED, now).await?;
                let set = (campaigns::status.eq(step.to()), campaigns::status_reason.eq(None::<String>));
                diesel::update(campaigns::table.find(id)).set(set).execute(c).await?;
            }
        }
        let known = read::one(c, agency, accounts, id).await?;
        Ok(known.map(|campaign| Stepped::Taken(Box::new(campaign))))
    })
    .await
}

/// Notes the step in the campaign's progress, before the step itself: who is told of it is told how far it is. Answers what
/// it has cost so far.
async fn advance(c: &mut Conn, of: &CampaignRow, step: Step, total: i64, now: At) -> Result<Amount> {
    let row = progress::table.find(&of.id).select(ProgressRow::as_select());
    let row: Option<ProgressRow> = locked!(row).first(c).await.optional()?;
    let is_new = row.is_none();
    let mut row = row.unwrap_or_else(|| ProgressRow::unbegun(of, now));
    step.to().clone_into(&mut row.status);
    (row.total_leads, row.updated_at) = (total, now);
    if step == Step::Start {
        row.started_at = row.started_at.or(Some(now));
    }
    if is_new {
        diesel::insert_into(progress::table).values(&row).execute(c).await?;
    } else {
        diesel::update(progress::table.find(&of.id)).set(&row).execute(c).await?;
    }
    let Figure(cost) = row.processing_cost;
    Ok(cost)
}

/// Ends all that is to be done for a campaign; what is under way ends with its stage.
pub(super) async fn end_open(c: &mut Conn, campaign: &str, reason: &'static str, now: At) -> Result<()> {
    loop {
        let open = enrichments::table
            .filter(enrichments::lead_id.eq_any(leads_of(campaign.to_owned())))
            .filter(enrichments::finished_at.is_null())
            .limit(AT_ONCE);
        let open: Vec<String> = unlocked!(open.select(enrichments::lead_id)).load(c).await?;
        if end(c, open, reason, now).await? {
            return Ok(());
        }
    }
}

/// The same for what nobody is at: the rest goes on to its end.
pub(super) async fn end_unbegun(c: &mut Conn, campaign: &str, reason: &'static str, now: At) -> Result<()> {
    loop {
        let unclaimed = enrichments::claimed_until.is_null().or(enrichments::claimed_until.le(now));
        let open = enrichments::table
            .filter(enrichments::lead_id.eq_any(leads_of(campaign.to_owned())))
            .filter(enrichments::finished_at.is_null())
            .filter(unclaimed)
            .limit(AT_ONCE);
        let open: Vec<String> = unlocked!(open.select(enrichments::lead_id)).load(c).await?;
        if end(c, open, reason, now).await? {
            return Ok(());
        }
    }
}

/// Whether these were the last.
async fn end(c: &mut Conn, open: Vec<String>, reason: &'static str, now: At) -> Result<bool> {
    let set = (
        enrichments::finished_at.eq(Some(now)),
        enrichments::claimed_until.eq(None::<At>),
        enrichments::reason.eq(Some(reason)),
    );
    diesel::update(enrichments::table.filter(enrichments::lead_id.eq_any(&open))).set(set).execute(c).await?;
    let begun = enhanced_leads::table
        .filter(enhanced_leads::id.eq_any(&open))
        .filter(enhanced_leads::status.eq(status::PROCESSING));
    let set = (
        enhanced_leads::status.eq(status::NEW),
        enhanced_leads::processing_stage.eq(None::<String>),
        enhanced_leads::updated_at.eq(now),
    );
    diesel::update(begun).set(set).execute(c).await?;
    Ok(i64::try_from(open.len()).is_ok_and(|ended| ended < AT_ONCE))
}

#[diesel::dsl::auto_type]
fn leads_of(campaign: String) -> _ {
    enhanced_leads::table.filter(enhanced_leads::campaign_id.eq(campaign)).select(enhanced_leads::id)
}
