//! Enrichments: whose turn it is, what a stage has left, and how far campaigns are.
//!
//! Locks are taken in one order: the enrichment, the prospect, the campaign, its progress.

use std::collections::BTreeSet;

use diesel::{dsl::exists, prelude::*};
use diesel_async::RunQueryDsl;

use super::{
    Conn, campaign_steps,
    dialect::{insert_enrichments, locked, unlocked, write_tx},
    progress,
    prospects::within,
};
use crate::{
    domain::{
        AccountId, AgencyId, campaign, clock,
        cost::Amount,
        prospect::{Findings, Prospect, Stage, status},
    },
    store::{
        Result, StoreError,
        enrichments::{Case, Ending, Enrichment, EnrichmentRow, StageDone, Then},
        prospects::{Again, ProspectRow},
        schema::{accounts, api_costs, campaigns, enhanced_leads, enriched_leads, enrichments},
        types::{At, Figure, Json, Word},
    },
};

/// Has prospects enriched that are there, except those for which that was asked before; so many are new. Those of a
/// campaign that is pending wait for it. Part of the transaction that writes them. A lead that
/// is another account's than was said is not there.
pub(in crate::store) async fn enqueue(c: &mut Conn, leads: &[(AccountId, String)], now: At) -> Result<usize> {
    type Found = (String, Word<AgencyId>, Word<AccountId>, Option<String>);
    let found = enhanced_leads::table.filter(enhanced_leads::id.eq_any(leads.iter().map(|(_, id)| id))).select((
        enhanced_leads::id,
        enhanced_leads::agency_id,
        enhanced_leads::account_id,
        enhanced_leads::campaign_id,
    ));
    let mut found: Vec<Found> = found.load(c).await?;
    let meant: BTreeSet<_> = leads.iter().map(|(account, id)| (*account, id.as_str())).collect();
    found.retain(|(id, _, account, _)| meant.contains(&(account.0, id.as_str())));
    let named: BTreeSet<&String> = found.iter().filter_map(|(.., campaign)| campaign.as_ref()).collect();
    // Whoever begins one of these waits here, and then finds what waits for it.
    let unbegun = campaigns::table
        .filter(campaigns::id.eq_any(named))
        .filter(campaigns::status.eq(campaign::status::PENDING))
        .filter(campaigns::external_id.is_null())
        .order(campaigns::id)
        .select(campaigns::id);
    let unbegun: BTreeSet<String> = locked!(unbegun).load(c).await?.into_iter().collect();
    let rows = found.into_iter().map(|(id, agency, account, campaign)| {
        let waits = campaign.is_some_and(|campaign| unbegun.contains(&campaign));
        EnrichmentRow::new(id, agency.0, account.0, if waits { end_of_time() } else { now })
    });
    insert_enrichments(c, rows.collect()).await
}

/// When those are due that wait for their campaign to begin. The trigger `campaigns_begun` knows it as well.
fn end_of_time() -> At {
    At(clock::from_micros(253_370_764_800_000_000))
}

pub(in crate::store) async fn of(c: &mut Conn, lead: &str) -> Result<Option<Enrichment>> {
    let row = enrichments::table.find(lead).select(EnrichmentRow::as_select());
    row.first(c).await.optional()?.map(Enrichment::try_from).transpose()
}

pub(in crate::store) async fn due(c: &mut Conn, now: At) -> Result<Vec<AccountId>> {
    let unclaimed = enrichments::claimed_until.is_null().or(enrichments::claimed_until.le(now));
    let waits = enrichments::table
        .filter(enrichments::account_id.eq(accounts::id))
        .filter(enrichments::finished_at.is_null())
        .filter(enrichments::next_try.le(now))
        .filter(unclaimed);
    // By account: each costs one look into the index, however much waits for it.
    let of: Vec<Word<AccountId>> = accounts::table.filter(exists(waits)).select(accounts::id).load(c).await?;
    Ok(of.into_iter().map(|id| id.0).collect())
}

pub(in crate::store) async fn claim(c: &mut Conn, account: AccountId, now: At, until: At) -> Result<Option<Case>> {
    write_tx!(c, async |c| {
        loop {
            let unclaimed = enrichments::claimed_until.is_null().or(enrichments::claimed_until.le(now));
            let first = enrichments::table
                .filter(enrichments::account_id.eq(Word(account)))
                .filter(enrichments::finished_at.is_null())
                .filter(enrichments::next_try.le(now))
                .filter(unclaimed)
                .order((enrichments::next_try, enrichments::lead_id))
                .limit(1);
            let first: Option<EnrichmentRow> =
                unlocked!(first.select(EnrichmentRow::as_select())).first(c).await.optional()?;
            let Some(mut row) = first else { return Ok(None) };
            let prospect = enhanced_leads::table.find(&row.lead_id).select(ProspectRow::as_select());
            let mut prospect = Prospect::from(prospect.first(c).await?);
            if let Some(campaign) = &prospect.campaign
                && is_cancelled(c, campaign).await?
            {
                campaign_steps::end_open(c, campaign, campaign_steps::CANCELLED, now).await?;
                continue;
            }
            row.attempts += 1;
            let set = (enrichments::claimed_until.eq(Some(until)), enrichments::attempts.eq(row.attempts));
            diesel::update(enrichments::table.find(&row.lead_id)).set(set).execute(c).await?;
            let attempts = row.attempts;
            let enrichment = Enrichment::try_from(row)?;
            if enrichment.stage == Stage::PreValidation {
                status::PROCESSING.clone_into(&mut prospect.status);
                prospect.processing_stage = Some(enrichment.stage.at_work().to_owned());
                prospect.updated_at = now.0;
                write(c, &prospect, &prospect).await?;
            }
            let threshold = accounts::table.find(Word(account)).select(accounts::quality_threshold).first(c).await?;
            return Ok(Some(Case { prospect, enrichment, attempts, threshold }));
        }
    })
    .await
}

async fn is_cancelled(c: &mut Conn, campaign: &str) -> Result<bool> {
    let state = campaigns::table.find(campaign).select(campaigns::status).first::<String>(c).await.optional()?;
    Ok(state.is_some_and(|state| state == campaign::status::CANCELLED))
}

pub(in crate::store) async fn settle(c: &mut Conn, done: &StageDone, now: At) -> Result<Option<Box<Case>>> {
    write_tx!(c, async |c| {
        let Case { prospect, enrichment, attempts, .. } = &done.of;
        // Whoever has claimed it since, after the lease had ended, goes on with it.
        let mine = enrichments::table
            .find(&prospect.id)
            .filter(enrichments::finished_at.is_null())
            .filter(enrichments::run.eq(enrichment.run))
            .filter(enrichments::stage.eq(i32::from(enrichment.stage.number())))
            .filter(enrichments::attempts.eq(*attempts));
        let row = locked!(mine.select(EnrichmentRow::as_select())).first(c).await.optional()?;
        let Some(mut row): Option<EnrichmentRow> = row else { return Ok(None) };
        row.results = Json(results(&done.findings)?);
        let paid: f64 = done.costs.iter().map(|cost| cost.amount).sum();
        row.cost += paid;
        let mut is_over = None;
        match &done.then {
            Then::Next(stage, until) => {
                (row.stage, row.claimed_until) = (i32::from(stage.number()), Some(At(*until)));
                row.attempts = 0;
            }
            Then::Ended(ending) => {
                (row.finished_at, row.claimed_until) = (Some(now), None);
                row.reason = ending.reason.map(str::to_owned);
                is_over = Some(ending);
            }
        }
        write(c, prospect, &done.prospect).await?;
        for cost in &done.costs {
            add_cost(c, &done.prospect, cost.service, cost.amount, now).await?;
        }
        if let Some(ending) = is_over {
            write_ending(c, &done.prospect, ending, row.cost, now).await?;
        }
        if let Some(campaign) = &done.prospect.campaign {
            let paid = Amount::from_f64(paid);
            let step = progress::Step { campaign, prospect: &done.prospect, paid, is_over: is_over.is_some() };
            progress::count(c, step, &mut row.counted_as, now).await?;
        }
        keep(c, &row).await?;
        let (attempts, threshold) = (row.attempts, done.of.threshold);
        let enrichment = row.try_into()?;
        Ok(Some(Box::new(Case { prospect: done.prospect.clone(), enrichment, attempts, threshold })))
    })
    .await
}

fn results(findings: &Findings) -> Result<serde_json::Value> {
    serde_json::to_value(findings).map_err(|error| StoreError::Rejected(error.to_string()))
}

async fn keep(c: &mut Conn, row: &EnrichmentRow) -> Result<()> {
    let set = (
        enrichments::run.eq(row.run),
        enrichments::stage.eq(row.stage),
        enrichments::results.eq(&row.results),
        enrichments::cost.eq(row.cost),
        enrichments::attempts.eq(row.attempts),
        enrichments::next_try.eq(row.next_try),
        enrichments::claimed_until.eq(row.claimed_until),
        enrichments::finished_at.eq(row.finished_at),
        enrichments::reason.eq(row.reason.clone()),
        enrichments::counted_as.eq(row.counted_as.clone()),
    );
    diesel::update(enrichments::table.find(&row.lead_id)).set(set).execute(c).await?;
    Ok(())
}

/// Writes what enrichment has changed since `before`: the rest may have been changed by others meanwhile.
async fn write(c: &mut Conn, before: &Prospect, prospect: &Prospect) -> Result<()> {
    let p = ProspectRow::from(prospect);
    let set = (
        (p.phone != before.phone).then(|| enhanced_leads::phone.eq(p.phone)),
        (p.email != before.email).then(|| enhanced_leads::email.eq(p.email)),
        (p.owner_name != before.owner_name).then(|| enhanced_leads::owner_name.eq(p.owner_name)),
        (p.owner_title != before.owner_title).then(|| enhanced_leads::owner_title.eq(p.owner_title)),
        (p.owner_email != before.owner_email).then(|| enhanced_leads::owner_email.eq(p.owner_email)),
        enhanced_leads::status.eq(p.status),
        enhanced_leads::processing_stage.eq(p.processing_stage),
        enhanced_leads::confidence_score.eq(p.confidence_score),
        enhanced_leads::pre_validation_score.eq(p.pre_validation_score),
        enhanced_leads::is_qualified.eq(p.is_qualified),
        enhanced_leads::updated_at.eq(p.updated_at),
    );
    diesel::update(enhanced_leads::table.find(p.id)).set(set).execute(c).await?;
    Ok(())
}

async fn write_ending(c: &mut Conn, prospect: &Prospect, ending: &Ending, cost: f64, now: At) -> Result<()> {
    let set = (
        enriched_leads::website_validated.eq(ending.website_validated),
        enriched_leads::email_validated.eq(ending.email_validated),
        enriched_leads::processing_cost.eq(Some(Figure(Amount::from_f64(cost)))),
        enriched_leads::enrichment_completed_at.eq(Some(now)),
        enriched_leads::enrichment_data.eq(Some(Json(ending.enrichment_data.clone()))),
        enriched_leads::error_message.eq(ending.error.clone()),
    );
    diesel::update(enriched_leads::table.find(&prospect.id)).set(set).execute(c).await?;
    Ok(())
}

async fn add_cost(c: &mut Conn, of: &Prospect, service: &str, amount: f64, now: At) -> Result<()> {
    let row = (
        api_costs::agency_id.eq(Word(of.agency)),
        api_costs::account_id.eq(Word(of.account)),
        api_costs::api_service.eq(service),
        api_costs::cost.eq(Figure(Amount::from_f64(amount))),
        api_costs::campaign_id.eq(of.campaign.clone()),
        api_costs::lead_id.eq(Some(&of.id)),
        api_costs::created_at.eq(now),
    );
    diesel::insert_into(api_costs::table).values(row).execute(c).await?;
    Ok(())
}

pub(in crate::store) async fn again(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
    id: &str,
    now: At,
) -> Result<Option<Again>> {
    write_tx!(c, async |c| {
        let row = enhanced_leads::table.filter(within(agency, accounts)).filter(enhanced_leads::id.eq(id));
        let Some(row) = row.select(ProspectRow::as_select()).first(c).await.optional()? else { return Ok(None) };
        let mut prospect = Prospect::from(row);
        if enqueue(c, &[(prospect.account, id.to_owned())], now).await? == 0 {
            let known = enrichments::table.find(id).select(EnrichmentRow::as_select());
            let known: EnrichmentRow = locked!(known).first(c).await?;
            if known.finished_at.is_none() {
                return Ok(Some(Again::UnderWay));
            }
            // What its campaign's progress has counted is counted already.
            let (run, counted_as) = (known.run + 1, known.counted_as);
            let anew = EnrichmentRow::new(known.lead_id, known.agency_id.0, known.account_id.0, now);
            keep(c, &EnrichmentRow { run, counted_as, ..anew }).await?;
        }
        status::NEW.clone_into(&mut prospect.status);
        (prospect.processing_stage, prospect.updated_at) = (None, now.0);
        write(c, &prospect, &prospect).await?;
        Ok(Some(Again::Begun(Box::new(prospect))))
    })
    .await
}
