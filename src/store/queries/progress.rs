//! How far campaigns are, counted when the enrichment of one of their prospects is over.

use chrono::TimeDelta;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, dialect::locked, enrichments::money};
use crate::{
    domain::prospect::{Prospect, status},
    store::{
        Result,
        schema::{campaign_processing_status as progress, campaigns, enhanced_leads},
        types::{At, Word},
    },
};

/// What a stage means for its campaign.
pub(super) struct Step<'a> {
    pub campaign: &'a str,
    pub prospect: &'a Prospect,
    /// What the stage cost.
    pub paid: f64,
    /// The prospect's enrichment has ended.
    pub is_over: bool,
}

/// The counts of a campaign.
struct Counts {
    processed: i64,
    qualified: i64,
    errors: i64,
    cost: f64,
    started_at: Option<At>,
}

type Row = (i64, i64, i64, f64, Option<At>);

/// Counts a step. `counted_as` is as what the prospect was counted before, if it was: one that is enriched again is not
/// counted twice.
pub(super) async fn count(c: &mut Conn, step: Step<'_>, counted_as: &mut Option<String>, now: At) -> Result<()> {
    if !step.is_over && step.paid <= 0.0 {
        return Ok(());
    }
    let campaign = campaigns::table.find(step.campaign);
    let campaign = campaign.select((campaigns::status, campaigns::target_count, campaigns::leads_found));
    let campaign: (String, Option<i64>, i64) = locked!(campaign).first(c).await?;
    let mut counts = read(c, &step, now).await?;
    counts.cost += step.paid;
    if step.is_over {
        recount(&mut counts, &step.prospect.status, counted_as);
    }
    let total = enhanced_leads::table.filter(enhanced_leads::campaign_id.eq(step.campaign)).count();
    let total: i64 = total.get_result(c).await?;
    let (state, target, found) = campaign;
    let all_done = step.is_over && counts.processed >= total && target.is_none_or(|target| total >= target);
    let completed = all_done && state == "processing";
    let state = if completed { "completed" } else { state.as_str() };
    write(c, &step, &counts, total, state, now).await?;
    if completed {
        complete(c, step.campaign, found.max(total), counts.cost, now).await?;
    }
    Ok(())
}

async fn read(c: &mut Conn, step: &Step<'_>, now: At) -> Result<Counts> {
    let new = (
        progress::campaign_id.eq(step.campaign),
        progress::agency_id.eq(Word(step.prospect.agency)),
        progress::account_id.eq(Word(step.prospect.account)),
        progress::status.eq("processing"),
        progress::started_at.eq(Some(now)),
    );
    diesel::insert_into(progress::table).values(new).on_conflict_do_nothing().execute(c).await?;
    let row = progress::table.find(step.campaign).select((
        progress::processed_leads,
        progress::qualified_leads,
        progress::error_leads,
        money("processing_cost"),
        progress::started_at,
    ));
    let (processed, qualified, errors, cost, started_at): Row = locked!(row).first(c).await?;
    Ok(Counts { processed, qualified, errors, cost, started_at })
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
    let set = (
        progress::status.eq(if campaign == "completed" { campaign } else { "processing" }),
        progress::total_leads.eq(total),
        progress::processed_leads.eq(counts.processed),
        progress::qualified_leads.eq(counts.qualified),
        progress::error_leads.eq(counts.errors),
        progress::processing_cost.eq(counts.cost),
        progress::started_at.eq(Some(started_at)),
        progress::estimated_completion.eq((counts.processed > 0).then_some(At(estimated))),
        progress::current_stage.eq(Some("enrichment")),
        progress::stage_progress.eq(percent(counts.processed, total)),
        progress::updated_at.eq(now),
    );
    diesel::update(progress::table.find(step.campaign)).set(set).execute(c).await?;
    Ok(())
}

/// In hundredths of a percent, exact.
#[expect(clippy::cast_precision_loss, reason = "at most 10,000")]
fn percent(processed: i64, total: i64) -> f64 {
    (processed.saturating_mul(10_000) / total.max(1)).clamp(0, 10_000) as f64 / 100.0
}

async fn complete(c: &mut Conn, campaign: &str, found: i64, cost: f64, now: At) -> Result<()> {
    let at = progress::completed_at.eq(Some(now));
    diesel::update(progress::table.find(campaign)).set(at).execute(c).await?;
    let total = campaigns::table.find(campaign).select(money("total_cost"));
    let total: f64 = total.first(c).await?;
    let set = (
        campaigns::status.eq("completed"),
        campaigns::leads_found.eq(found),
        campaigns::total_cost.eq(total.max(cost)),
    );
    diesel::update(campaigns::table.find(campaign)).set(set).execute(c).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_enriched_again_is_counted_once_and_as_what_it_is_now() {
        let mut counts = Counts { processed: 0, qualified: 0, errors: 0, cost: 0.0, started_at: None };
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
        assert!(of.iter().zip([0.0, 33.33, 100.0, 100.0]).all(|(got, wanted)| (got - wanted).abs() < 1e-9), "{of:?}");
    }
}
