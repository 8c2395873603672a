//! Prospecting as databases elsewhere tell of it: their leads, campaigns and costs as rows here, and what happened to
//! campaigns. The hub's own rows are written by whoever works with them; what is told of those needs no row.
//!
//! What is told comes late, twice and in any order; the times that it names decide.

mod campaign;
mod cost;
mod prospect;

use serde::Serialize;
use serde_json::Value;

pub(super) use campaign::{CampaignRow, LogRow, ProgressRow};
pub(super) use cost::CostRow;
pub(super) use prospect::ProspectRow;

use super::{check, engine::run, error::Result, handle::Store, types::At};
use crate::domain::{
    AccountId, Timestamp, clock,
    prospecting::{CampaignTold, CostRecorded, ProspectTold},
};

/// What happened to a campaign, as it was written down.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "they are the columns of `campaign_lifecycle_log`")]
pub struct LoggedLifecycle {
    pub id: String,
    pub campaign_id: String,
    pub lifecycle_event: String,
    pub previous_state: Option<String>,
    pub new_state: String,
    pub event_data: Value,
    pub triggered_by: String,
    #[serde(with = "clock::wire")]
    pub created_at: Timestamp,
    #[serde(with = "clock::wire::option")]
    pub processed_at: Option<Timestamp>,
}

impl Store {
    /// Keeps what was told of leads, all or nothing; telling it again changes nothing.
    ///
    /// # Errors
    /// [`super::StoreError::Rejected`] if one of them can't be kept as it is, or its account is gone: try them one by one.
    /// [`super::StoreError::Unavailable`]: try again later.
    pub async fn keep_prospects(&self, told: &[ProspectTold]) -> Result<()> {
        if told.is_empty() {
            return Ok(());
        }
        told.iter().try_for_each(|told| check::moment("created_at", told.fields.created_at))?;
        // In this order rows are locked; nodes that keep the same ones at once must not wait crosswise.
        let mut told = told.to_vec();
        told.sort_by(|one, other| one.id.cmp(&other.id));
        let now = At(clock::now());
        run!(self, Append, |c, q| q::prospects_told::keep(c, &told, now).await)
    }

    /// Keeps what was told of campaigns: those of other databases as rows and in the log; in the log of the hub's own it is
    /// noted that dashboards were told. All or nothing; telling it again changes nothing.
    ///
    /// # Errors
    /// As above.
    pub async fn keep_campaigns(&self, told: &[CampaignTold]) -> Result<()> {
        if told.is_empty() {
            return Ok(());
        }
        let mut told = told.to_vec();
        told.sort_by(|one, other| one.id.cmp(&other.id));
        let now = At(clock::now());
        run!(self, Append, |c, q| q::campaigns_told::keep(c, &told, now).await)
    }

    /// Keeps what calls have cost, all or nothing; telling it again changes nothing.
    ///
    /// # Errors
    /// As above.
    pub async fn keep_costs(&self, told: &[CostRecorded]) -> Result<()> {
        if told.is_empty() {
            return Ok(());
        }
        let mut told = told.to_vec();
        told.sort_by(|one, other| one.id.cmp(&other.id));
        let now = At(clock::now());
        run!(self, Append, |c, q| q::api_costs::keep(c, &told, now).await)
    }

    /// What happened to a campaign of these accounts, the newest first. `campaign` is its id here, or that in the database
    /// that told of it.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away.
    pub async fn lifecycle(&self, accounts: &[AccountId], campaign: &str, limit: u32) -> Result<Vec<LoggedLifecycle>> {
        if accounts.is_empty() || check::key("id", campaign).is_err() {
            return Ok(Vec::new());
        }
        let (accounts, campaign) = (accounts.to_vec(), campaign.to_owned());
        run!(self, Read, |c, q| q::campaigns_told::lifecycle(c, &accounts, &campaign, limit).await)
    }
}
