//! One prospect through its stages: each is done, told, kept; then the next.

use std::{
    cell::Cell,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    prospector::Context,
    stages::{self, Tools, Work},
};
use crate::{
    domain::{
        AccountId, Timestamp, clock,
        envelope::{Body, Envelope},
        prospect::{Degraded, Findings, LeadEnriched, PreValidation, Prospect, status},
    },
    outbox,
    realtime::Publish,
    store::{Case, Cost, Ending, Result, StageDone, Then},
    telemetry::{Labelled, Staged},
};

/// A stage that was begun so often and never ended is not begun again: the hub died of it.
const MOST_ATTEMPTS: i32 = 5;
/// Between two tries while the database is away.
const AWAY: Duration = Duration::from_secs(1);
/// What `processing_stage` says at the end.
const COMPLETED: &str = "completed";
/// Under which name requests to websites stand in `api_costs`.
const WEBSITE: &str = "website";

/// Takes the account's next.
pub(super) async fn claim(context: &Context, account: AccountId) -> Result<Option<Case>> {
    context.store.claim_enrichment(account, lease(context)).await
}

/// Does what is left to be done for a prospect; how many requests to websites that took.
pub(super) async fn enrich(context: &Context, mut case: Case) -> u32 {
    let mut calls = 0;
    loop {
        let before = case.enrichment.findings.website_calls;
        let done = if case.attempts > MOST_ATTEMPTS { given_up(case) } else { stage(context, case).await };
        calls += done.findings.website_calls.saturating_sub(before);
        publish(context, &done).await;
        let tell = !done.costs.is_empty() || matches!(done.then, Then::Ended(_));
        let Some(kept) = keep(context, done).await else { return calls };
        if tell {
            // Full: it is awake.
            let _ = context.outbox.try_send(outbox::Wake);
            context.exports.wake();
        }
        if kept.enrichment.finished_at.is_some() {
            if let Some(score) = kept.prospect.confidence_score {
                context.metrics.prospect_score.observe(score.into());
            }
            return calls;
        }
        case = *kept;
    }
}

async fn stage(context: &Context, case: Case) -> StageDone {
    let (stage, began) = (case.enrichment.stage, Instant::now());
    let (prospect, findings) = (case.prospect.clone(), case.enrichment.findings.clone());
    let mut work = Work { prospect, findings, calls: Cell::new(0) };
    let known = work.findings.degraded.len();
    let tools = Tools { settings: &context.settings, websites: &context.websites, mail: &context.mail };
    let doing = AssertUnwindSafe(stages::run(stage, &tools, &mut work)).catch_unwind().await;
    if doing.is_err() {
        work.findings.degrade(stage, "stage", &"the hub failed at it");
    }
    let took = began.elapsed();
    let calls = work.calls.get();
    context.metrics.website_calls.inc_by(calls.into());
    work.findings.website_calls += calls;
    work.findings.took_ms.insert(stage, u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    let outcome = if work.findings.degraded.len() > known { "degraded" } else { "done" };
    let labels = Staged { stage: stage.as_str(), outcome };
    context.metrics.enrichment_seconds.get_or_create(&labels).observe(took.as_secs_f64());
    let paid = f64::from(calls) * context.settings.website_cost;
    context.metrics.api_cost.get_or_create(&Labelled { what: WEBSITE }).inc_by(paid);
    let costs = if paid > 0.0 { vec![Cost { service: WEBSITE, amount: paid }] } else { Vec::new() };
    let threshold = case.threshold.unwrap_or(context.settings.quality_threshold);
    let Work { prospect, findings, .. } = work;
    conclude(case, prospect, findings, costs, threshold, lease(context))
}

/// What a stage means for the prospect, and how it goes on.
fn conclude(
    of: Case,
    mut prospect: Prospect,
    findings: Findings,
    costs: Vec<Cost>,
    threshold: i32,
    lease: Timestamp,
) -> StageDone {
    prospect.updated_at = clock::now();
    let points = findings.pre_validation.map(PreValidation::total);
    let too_little = points.is_some_and(|points| points < stages::ENOUGH);
    let then = match of.enrichment.stage.next() {
        Some(next) if !too_little => {
            status::PROCESSING.clone_into(&mut prospect.status);
            prospect.processing_stage = Some(next.at_work().to_owned());
            Then::Next(next, lease)
        }
        _ => {
            let paid: f64 = costs.iter().map(|cost| cost.amount).sum();
            let cost = of.enrichment.cost + paid;
            prospect.is_qualified = Some(!too_little && prospect.confidence_score.is_some_and(|it| it >= threshold));
            let (word, stage) = match prospect.is_qualified {
                _ if too_little => (status::FILTERED, status::FILTERED),
                Some(true) => (status::QUALIFIED, COMPLETED),
                _ => (status::ENRICHED, COMPLETED),
            };
            word.clone_into(&mut prospect.status);
            prospect.processing_stage = Some(stage.to_owned());
            let reason = too_little.then_some(status::FILTERED);
            Then::Ended(Box::new(ending(&prospect, &findings, cost, reason)))
        }
    };
    StageDone { of, prospect, findings, costs, then }
}

/// It is not tried any more.
fn given_up(of: Case) -> StageDone {
    const WHY: &str = "the hub died of it each time it was tried";
    tracing::error!(prospect = %of.prospect.id, stage = %of.enrichment.stage, "the enrichment of a prospect is given up");
    let (mut prospect, mut findings) = (of.prospect.clone(), of.enrichment.findings.clone());
    findings.degrade(of.enrichment.stage, "stage", &WHY);
    status::ERROR.clone_into(&mut prospect.status);
    prospect.updated_at = clock::now();
    let ending = ending(&prospect, &findings, of.enrichment.cost, Some("gave_up"));
    let then = Then::Ended(Box::new(Ending { error: Some(WHY.to_owned()), ..ending }));
    StageDone { of, prospect, findings, costs: Vec::new(), then }
}

fn ending(prospect: &Prospect, findings: &Findings, cost: f64, reason: Option<&'static str>) -> Ending {
    let (email_validated, website_validated) = stages::validated(prospect, findings);
    Ending { error: None, reason, enrichment_data: data(prospect, findings, cost), website_validated, email_validated }
}

/// The column `enrichment_data`, with the names of the system that agencies switch over from.
fn data(prospect: &Prospect, findings: &Findings, cost: f64) -> Value {
    let Findings { pre_validation, discovery, validation, scores, degraded, took_ms, website_calls } = findings;
    json!({
        "qualityScores": {"preValidation": pre_validation, "components": scores, "final": prospect.confidence_score},
        "emailDiscovery": {
            "bestEmail": prospect.email,
            "emails": discovery.as_ref().map(|discovery| &discovery.emails),
            "validated": validation.as_ref().map(|validation| &validation.emails),
        },
        "websiteValidation": validation.as_ref().map(|validation| &validation.website),
        "registryValidation": prospect.registry_validated,
        "processingStats": {
            "took_ms": took_ms,
            "website_calls": website_calls,
            "cost": cost,
            "pages": discovery.as_ref().map(|discovery| &discovery.pages),
            "degraded": degraded,
        },
    })
}

fn lease(context: &Context) -> Timestamp {
    clock::now() + TimeDelta::from_std(context.settings.lease).unwrap_or(TimeDelta::MAX)
}

/// Push first. What is told twice after a crash has the same id.
async fn publish(context: &Context, done: &StageDone) {
    let (of, stage, timestamp) = (&done.of, done.of.enrichment.stage, done.prospect.updated_at);
    let degraded: Vec<Degraded> = done.findings.degraded.clone();
    let told = LeadEnriched::new(&of.prospect, &done.prospect, stage, degraded, timestamp);
    let envelope = Envelope {
        id: LeadEnriched::event(&of.prospect.id, of.enrichment.run, stage),
        account: of.prospect.account,
        timestamp,
        body: Body::LeadEnriched(Box::new(told)),
    };
    let prospect = &of.prospect.id;
    match context.publish.send(Publish { envelope, event: None }).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::error!(%error, %prospect, "what a stage has found was not published"),
        Err(error) => tracing::error!(%error, %prospect, "what a stage has found was not published"),
    }
}

/// Keeps what a stage has left, however long the database is away. `None`: somebody else goes on with it, or nobody.
async fn keep(context: &Context, done: StageDone) -> Option<Box<Case>> {
    let done = Arc::new(done);
    loop {
        match context.store.settle_stage(Arc::clone(&done)).await {
            Ok(kept) => return kept,
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, prospect = %done.prospect.id, "what a stage has found is not kept yet");
                sleep(AWAY).await;
            }
            Err(error) => {
                tracing::error!(%error, prospect = %done.prospect.id, "the database refuses what a stage has found");
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests;
