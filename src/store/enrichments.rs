//! Enrichments: how far each prospect's is, and whose turn it is. The hub's own, and so over all agencies.
//!
//! Claimed for a while like a delivery: who holds a claim does stage after stage, and what a stage leaves is kept in one
//! transaction with the prospect's new state, what it cost and the progress of its campaign.

use std::sync::Arc;

use diesel::prelude::*;
use serde_json::Value;

use super::{
    engine::run,
    error::{Result, StoreError},
    handle::Store,
    schema::enrichments,
    types::{At, Json, Word},
};
use crate::domain::{
    AccountId, AgencyId, Timestamp, clock,
    prospect::{Findings, Prospect, Stage},
};

/// How far a prospect's enrichment is.
#[derive(Debug, Clone, PartialEq)]
pub struct Enrichment {
    /// How often somebody asked for it.
    pub run: i32,
    /// The next to be done; the last one when it is finished.
    pub stage: Stage,
    /// What was found so far.
    pub findings: Findings,
    /// What was paid so far.
    pub cost: f64,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Why it ended early.
    pub reason: Option<String>,
}

/// A prospect whose enrichment is this hub's until its lease ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// As it stands in the database.
    pub prospect: Prospect,
    /// How far it is.
    pub enrichment: Enrichment,
    /// How often this stage was begun, this time included.
    pub attempts: i32,
    /// The score from which on it counts as qualified, if its account has its own.
    pub threshold: Option<i32>,
}

/// What something cost that was asked of others, in units of money.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Whom.
    pub service: &'static str,
    /// How much.
    pub amount: f64,
}

/// What is to be kept of a stage.
#[derive(Debug, Clone)]
pub struct StageDone {
    /// The case as it was before.
    pub of: Case,
    /// What is known of the prospect now.
    pub prospect: Prospect,
    /// What was found so far.
    pub findings: Findings,
    /// What the stage cost.
    pub costs: Vec<Cost>,
    /// How it goes on.
    pub then: Then,
}

/// How it goes on after a stage.
#[derive(Debug, Clone)]
pub enum Then {
    /// With this one; the claim holds until then.
    Next(Stage, Timestamp),
    /// It is over.
    Ended(Box<Ending>),
}

/// What an enrichment leaves behind when it is over.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Why it could not be done, for people.
    pub error: Option<String>,
    /// Why it ended before the last stage.
    pub reason: Option<&'static str>,
    /// The column of that name.
    pub enrichment_data: Value,
    /// Whether the website answers.
    pub website_validated: Option<bool>,
    /// Whether its address takes mail.
    pub email_validated: Option<bool>,
}

/// From which score on an account's prospects are qualified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threshold {
    /// That of the settings.
    OfSettings,
    /// This.
    Own(i32),
}

impl Threshold {
    pub(super) const fn column(self) -> Option<i32> {
        match self {
            Self::OfSettings => None,
            Self::Own(score) => Some(score),
        }
    }
}

/// A row of `enrichments`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = enrichments, treat_none_as_default_value = false)]
pub(super) struct EnrichmentRow {
    pub lead_id: String,
    pub agency_id: Word<AgencyId>,
    pub account_id: Word<AccountId>,
    pub run: i32,
    pub stage: i32,
    pub results: Json,
    pub cost: f64,
    pub attempts: i32,
    pub next_try: At,
    pub claimed_until: Option<At>,
    pub finished_at: Option<At>,
    pub reason: Option<String>,
    pub counted_as: Option<String>,
}

impl EnrichmentRow {
    /// One that is to begin.
    pub fn new(lead_id: String, agency: AgencyId, account: AccountId, now: At) -> Self {
        Self {
            lead_id,
            agency_id: Word(agency),
            account_id: Word(account),
            run: 1,
            stage: i32::from(Stage::PreValidation.number()),
            results: Json(Value::Object(serde_json::Map::new())),
            cost: 0.0,
            attempts: 0,
            next_try: now,
            claimed_until: None,
            finished_at: None,
            reason: None,
            counted_as: None,
        }
    }
}

impl TryFrom<EnrichmentRow> for Enrichment {
    type Error = StoreError;

    fn try_from(row: EnrichmentRow) -> Result<Self> {
        let corrupt = |what: String| StoreError::Corrupt(format!("enrichments of {}: {what}", row.lead_id));
        Ok(Self {
            run: row.run,
            stage: Stage::from_number(row.stage).ok_or_else(|| corrupt(format!("stage {}", row.stage)))?,
            findings: serde_json::from_value(row.results.0).map_err(|error| corrupt(error.to_string()))?,
            cost: row.cost,
            finished_at: row.finished_at.map(|at| at.0),
            reason: row.reason,
        })
    }
}

impl Store {
    /// The accounts for which something is to be done now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database is away, as with all of these.
    pub async fn accounts_to_enrich(&self) -> Result<Vec<AccountId>> {
        let now = At(clock::now());
        run!(self, Read, |c, q| q::enrichments::due(c, now).await)
    }

    /// Takes the account's next, for a while; no two calls take the same.
    ///
    /// # Errors
    /// As above.
    pub async fn claim_enrichment(&self, account: AccountId, until: Timestamp) -> Result<Option<Case>> {
        let (now, until) = (At(clock::now()), At(until));
        run!(self, Change, |c, q| q::enrichments::claim(c, account, now, until).await)
    }

    /// Keeps what a stage has left, all in one transaction. `None` if the case is not the caller's any more: its lease has
    /// ended and another is at it, it was cancelled, or the prospect is gone. Otherwise the case as it is now.
    ///
    /// # Errors
    /// As above; told twice changes nothing.
    pub async fn settle_stage(&self, done: Arc<StageDone>) -> Result<Option<Box<Case>>> {
        let now = At(clock::now());
        run!(self, Append, |c, q| q::enrichments::settle(c, &done, now).await)
    }

    /// Changes how an account's leads are enriched; `None` stays as it is. What it is then.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such account.
    pub async fn set_account_enrichment(
        &self,
        account: AccountId,
        leads: Option<bool>,
        threshold: Option<Threshold>,
    ) -> Result<(bool, Option<i32>)> {
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::agencies::set_enrichment(c, account, leads, threshold, &trail).await)
    }
}
