//! Leads of campaigns for files, page by page; and the files that were made.

use serde::Serialize;

use crate::{
    domain::{
        AccountId, AgencyId, Timestamp,
        campaign::Campaign,
        clock,
        prospect::{Findings, Prospect},
    },
    store::{
        Store,
        engine::run,
        error::Result,
        types::{At, Json},
    },
};
use serde_json::Value;

/// A lead of a campaign with what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedLead {
    /// The lead.
    pub prospect: Prospect,
    /// What enrichment found.
    pub findings: Findings,
    /// What it has cost, in units of money.
    pub cost: f64,
}

/// Which leads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExportFilter {
    /// With at least this score; one that has none is not among them.
    pub min_confidence: Option<i32>,
    /// Only those that qualify.
    pub qualified: bool,
}

/// A file that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportFile {
    /// As it is downloaded.
    pub name: String,
    /// All of it.
    pub content: Vec<u8>,
}

/// A file that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedFile {
    /// As it is downloaded.
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// When it was made.
    #[serde(with = "clock::wire")]
    pub made_at: Timestamp,
}

impl Store {
    /// A page of a campaign's leads in the order of their ids, from the one after this on; empty: there are no more.
    ///
    /// # Errors
    /// [`crate::store::StoreError::Unavailable`] if the database is away, as with all of these.
    pub async fn campaign_leads(
        &self,
        agency: AgencyId,
        accounts: &[AccountId],
        campaign: &str,
        filter: ExportFilter,
        after: &str,
    ) -> Result<Vec<ExportedLead>> {
        let (accounts, campaign, after) = (accounts.to_vec(), campaign.to_owned(), after.to_owned());
        run!(self, Read, |c, q| q::exports::leads(c, agency, &accounts, &campaign, filter, &after).await)
    }

    /// How many that are.
    ///
    /// # Errors
    /// As above.
    pub async fn count_campaign_leads(
        &self,
        agency: AgencyId,
        accounts: &[AccountId],
        campaign: &str,
        filter: ExportFilter,
    ) -> Result<i64> {
        let (accounts, campaign) = (accounts.to_vec(), campaign.to_owned());
        run!(self, Read, |c, q| q::exports::count(c, agency, &accounts, &campaign, filter).await)
    }

    /// The ids of campaigns of all agencies that are completed and have no files, a page of them from the one after this on.
    ///
    /// # Errors
    /// As above.
    pub async fn campaigns_to_export(&self, after: &str) -> Result<Vec<String>> {
        let after = after.to_owned();
        run!(self, Read, |c, q| q::exports::due(c, &after).await)
    }

    /// One of them, unless leads of it are still being enriched, or it has files by now.
    ///
    /// # Errors
    /// As above.
    pub async fn campaign_to_export(&self, id: &str) -> Result<Option<Campaign>> {
        let id = id.to_owned();
        run!(self, Read, |c, q| q::exports::ready(c, &id).await)
    }

    /// Keeps a campaign's files and what they hold, all in one transaction. `false`: another hub has made them meanwhile, or
    /// something of the account was deleted since their making began, and these are not kept.
    ///
    /// # Errors
    /// As above.
    pub async fn keep_exports(
        &self,
        campaign: &Campaign,
        files: Vec<ExportFile>,
        metadata: Value,
        began: Timestamp,
    ) -> Result<bool> {
        let (campaign, metadata, began, now) = (campaign.clone(), Json(metadata), At(began), At(clock::now()));
        run!(self, Change, |c, q| q::exports::keep(c, &campaign, &files, &metadata, began, now).await)
    }

    /// The files of a campaign of these accounts.
    ///
    /// # Errors
    /// As above.
    pub async fn campaign_files(
        &self,
        agency: AgencyId,
        accounts: &[AccountId],
        campaign: &str,
    ) -> Result<Vec<ListedFile>> {
        let (accounts, campaign) = (accounts.to_vec(), campaign.to_owned());
        run!(self, Read, |c, q| q::exports::list(c, agency, &accounts, &campaign).await)
    }

    /// One of them.
    ///
    /// # Errors
    /// As above.
    pub async fn campaign_file(
        &self,
        agency: AgencyId,
        accounts: &[AccountId],
        campaign: &str,
        name: &str,
    ) -> Result<Option<Vec<u8>>> {
        let (accounts, campaign, name) = (accounts.to_vec(), campaign.to_owned(), name.to_owned());
        run!(self, Read, |c, q| q::exports::file(c, agency, &accounts, &campaign, &name).await)
    }
}
