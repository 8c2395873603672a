//! How far campaigns are, counted when the enrichment of one of their prospects is over.

use chrono::TimeDelta;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, campaign_steps, dialect::locked};
use crate::{
    domain::{
        campaign::{self, BUDGET_REACHED},
        cost::Amount,
        prospect::{Prospect, status},
    },
    store::{
        Result,
        schema::{campaign_processing_status as progress, campaigns, enhanced_leads},
        types::{At, Figure, Word},
    },
};

/// What a stage means for its campaign.
pub(super) struct Step<'a> {
    pub campaign: &'a str,
    pub prospect: &'a Prospect,
    /// What the stage cost.
    pub paid: Amount,
    /// The prospect's enrichment has ended.
    pub is_over: bool,
}

/// A campaign as it was before.
#[derive(Queryable, Selectable)]
#[diesel(table_name = campaigns)]
struct Before {
    status: String,
    target_count: Option<i64>,
    budget_limit: Option<Figure>,
    leads_found: i64,
    total_cost: Figure,
    external_id: Option<String>,
}

/// The counts of a campaign.
struct Counts {
    processed: i64,
    qualified: i64,
    errors: i64,
    cost: Amount,
    started_at: Option<At>,
}

type Row = (i64, i64, i64, Figure, Option<At>);

/// Counts a step. `counted_as` is as what the prospect was counted before, if it was: one that is enriched again is not
/// counted twice.
pub(super) async fn count(c: &mut Conn, step: Step<'_>, counted_as: &mut Option<String>, now: At) -> Result<()> {
    if !step.is_over && step.paid.0 <= 0 {
        return Ok(());
    }
    let before: Before = locked!(campaigns::table.find(step.campaign).select(Before::as_select())).first(c).await?;
    let mut counts = read(c, &step, now).await?;
    counts.cost = counts.cost + step.paid;
    if step.is_over {
        recount(&mut counts, &step.prospect.status, counted_as);
    }
    let total = total(c, step.campaign).await?;
    let is_at_work = before.status == campaign::status::PROCESSING;
    let all_done = step.is_over && counts.processed >= total && before.target_count.is_none_or(|it| total >= it);
    // What another database's campaigns may cost, that database sees to.
    let limit = before.budget_limit.filter(|limit| limit.0.0 > 0 && before.external_id.is_none());
    let is_spent = limit.is_some_and(|limit| counts.cost >= limit.0);
    let completed = is_at_work && (all_done || is_spent);
    let state = if completed { campaign::status::COMPLETED } else { before.status.as_str() };
    write(c, &step, &counts, total, state, now).await?;
    if completed {
        let reason = (!all_done).then_some(BUDGET_REACHED);
        if let Some(reason) = reason {
            campaign_steps::end_unbegun(c, step.campaign, reason, now).await?;
        }
        let (found, cost) = (before.leads_found.max(total), before.total_cost.0.max(counts.cost));
        complete(c, step.campaign, found, cost, reason, now).await?;
    }
    Ok(())
}

/// Leads of a campaign.
pub(super) async fn total(c: &mut Conn, campaign: &str) -> Result<i64> {
    let of = enhanced_leads::table.filter(enhanced_leads::campaign_id.eq(campaign));
    Ok(of.count().get_result(c).await?)
}

async fn read(c: &mut Conn, step: &Step<'_>, now: At) -> Result<Counts> {
    let new = (
        progress::campaign_id.eq(step.campaign),
        progress::agency_id.eq(Word(step.prospect.agency)),
        progress::account_id.eq(Word(step.prospect.account)),
        progress::status.eq(campaign::status::PROCESSING),
        progress::started_at.eq(Some(now)),
    );
    diesel::insert_into(progress::table).values(new).on_conflict_do_nothing().execute(c).await?;
    let row = progress::table.find(step.campaign).select((
        progress::processed_leads,
        progress::qualified_leads,
        progress::error_leads,
        progress::processing_cost,
        progress::started_at,
    ));
    let (processed, qualified, errors, cost, started_at): Row = locked!(row).first(c).await?;
    Ok(Counts { processed, qualified, errors, cost: cost.0, started_at })
}

fn recount(counts: &mut Counts, now_is: &str, counted_as: &mut Option<String>) {
    let mut add = |status: &str, one: i64| match status {
        status::QUALIFIED => counts.qualified += one,
        status::ERROR => counts.errors += one,
        _ => {}
    };
    add(now_is, 1);
    match counted_as.replace(now_is.to_owned()) {
        Some(before) => add(&before, -1),
        None => counts.processed += 1,
    }
}

/// `campaign`: its status. One that was completed stays so when one of its prospects is enriched again.
async fn write(c: &mut Conn, step: &Step<'_>, counts: &Counts, total: i64, campaign: &str, now: At) -> Result<()> {
    let started_at = counts.started_at.unwrap_or(now);
    // As long as it took so far, for each that is left.
    let left = total - counts.processed;
    let each = (now.0 - started_at.0).num_milliseconds().checked_div(counts.processed).unwrap_or(0);
    let estimated = now.0 + TimeDelta::milliseconds(each.saturating_mul(left.max(0)).min(i64::MAX / 4));
    let ended = matches!(campaign, campaign::status::COMPLETED | campaign::status::CANCELLED);
    let set = (
        progress::status.eq(if ended { campaign } else { campaign::status::PROCESSING }),
        progress::total_leads.eq(total),
        progress::processed_leads.eq(counts.processed),
        progress::qualified_leads.eq(counts.qualified),
        progress::error_leads.eq(counts.errors),
        progress::processing_cost.eq(Figure(counts.cost)),
        progress::started_at.eq(Some(started_at)),
        progress::estimated_completion.eq((counts.processed > 0).then_some(At(estimated))),
        progress::current_stage.eq(Some("enrichment")),
        progress::stage_progress.eq(Figure(percent(counts.processed, total))),
        progress::updated_at.eq(now),
    );
    diesel::update(progress::table.find(step.campaign)).set(set).execute(c).await?;
    Ok(())
}

/// In hundredths of a percent, exact.
fn percent(processed: i64, total: i64) -> Amount {
    let hundredths = (processed.saturating_mul(10_000) / total.max(1)).clamp(0, 10_000);
    Amount(hundredths * (Amount::PARTS / 100))
}

/// A campaign has all that it is to have.
pub(super) async fn complete(
    c: &mut Conn,
    campaign: &str,
    found: i64,
    cost: Amount,
    reason: Option<&str>,
    now: At,
) -> Result<()> {
    let at = progress::completed_at.eq(Some(now));
    diesel::update(progress::table.find(campaign)).set(at).execute(c).await?;
    let set = (
        campaigns::status.eq(campaign::status::COMPLETED),
        campaigns::status_reason.eq(reason),
        campaigns::leads_found.eq(found),
        campaigns::total_cost.eq(Figure(cost)),
    );
    diesel::update(campaigns::table.find(campaign)).set(set).execute(c).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_enriched_again_is_counted_once_and_as_what_it_is_now() {
        let mut counts = Counts { processed: 0, qualified: 0, errors: 0, cost: Amount(0), started_at: None };
        let mut counted_as = None;
        recount(&mut counts, status::QUALIFIED, &mut counted_as);
        assert_eq!((counts.processed, counts.qualified, counts.errors), (1, 1, 0));
        recount(&mut counts, status::ERROR, &mut counted_as);
        assert_eq!((counts.processed, counts.qualified, counts.errors), (1, 0, 1));
        recount(&mut counts, status::FILTERED, &mut counted_as);
        assert_eq!((counts.processed, counts.qualified, counts.errors), (1, 0, 0));
        assert_eq!(counted_as.as_deref(), Some(status::FILTERED));
    }

    #[test]
    fn progress_is_between_nothing_and_all() {
        let of = [(0, 0), (1, 3), (3, 3), (5, 3)].map(|(processed, total)| percent(processed, total));
        assert_eq!(of, [0, 333_300, 1_000_000, 1_000_000].map(Amount));
    }
}
