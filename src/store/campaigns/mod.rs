//! Campaigns as people work with them: made, listed, begun and ended; and the files that are made of their leads.

mod files;
mod row;
mod summary;

pub use files::{ExportFile, ExportFilter, ExportedLead, ListedFile};
pub use row::{CampaignFilter, CampaignPage, NewCampaign};
pub(super) use row::{OwnColumns, campaign};
pub use summary::ProcessingSummary;

use super::{engine::run, error::Result, handle::Store, types::At};
use crate::domain::{
    AccountId, AgencyId,
    campaign::{Campaign, Step},
    clock,
};

/// What became of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Stepped {
    /// It is as asked for.
    Taken(Box<Campaign>),
    /// It can't follow this status.
    NotNow(String),
    /// Another database decides about it, and tells of it.
    OfAnother,
}

impl Store {
    /// Makes a campaign, which is pending.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`] if there is no such account; [`super::StoreError::Rejected`] if it can't be stored.
    pub async fn add_campaign(&self, new: NewCampaign) -> Result<Campaign> {
        let row = new.row(At(clock::now()))?;
        let made = campaign(row.clone(), OwnColumns::default(), None);
        run!(self, Change, |c, q| q::campaigns::add(c, &row).await)?;
        Ok(made)
    }

    /// A page of these accounts' campaigns, newest first.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away, as with all of these.
    pub async fn campaigns(
        &self,
        agency: AgencyId,
        accounts: &[AccountId],
        filter: &CampaignFilter,
    ) -> Result<CampaignPage> {
        let (accounts, filter) = (accounts.to_vec(), filter.clone());
        run!(self, Read, |c, q| q::campaigns::page(c, agency, &accounts, &filter).await)
    }

    /// One campaign of these accounts.
    ///
    /// # Errors
    /// As above.
    pub async fn campaign(&self, agency: AgencyId, accounts: &[AccountId], id: &str) -> Result<Option<Campaign>> {
        let (accounts, id) = (accounts.to_vec(), id.to_owned());
        run!(self, Read, |c, q| q::campaigns::one(c, agency, &accounts, &id).await)
    }

    /// Takes a step with a campaign of these accounts; `None` if there is none.
    ///
    /// # Errors
    /// As above.
    pub async fn step_campaign(
        &self,
        agency: AgencyId,
        accounts: &[AccountId],
        id: &str,
        step: Step,
    ) -> Result<Option<Stepped>> {
        let (accounts, id, now) = (accounts.to_vec(), id.to_owned(), At(clock::now()));
        run!(self, Change, |c, q| q::campaign_steps::take(c, agency, &accounts, &id, step, now).await)
    }

    /// What these accounts' campaigns, or one of them, come to.
    ///
    /// # Errors
    /// As above.
    pub async fn processing_summary(
        &self,
        agency: AgencyId,
        accounts: &[AccountId],
        campaign: Option<&str>,
    ) -> Result<ProcessingSummary> {
        let (accounts, campaign) = (accounts.to_vec(), campaign.map(str::to_owned));
        run!(self, Read, |c, q| q::campaigns::summary(c, agency, &accounts, campaign.as_deref()).await)
    }
}
