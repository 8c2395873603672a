//! Leads: stored after they were shown, listed for reports, changed and deleted by people.

mod changes;
mod filter;
mod row;
mod wire;

pub use changes::LeadChanges;
pub use filter::{Cursor, LeadFilter, LeadPage, ParseCursorError};
pub(super) use row::LeadRow;

use super::{check, engine::run, error::Result, handle::Store, types::At};
use crate::domain::{AccountId, LeadId, Timestamp, clock, lead::Lead};

impl Store {
    /// Stores leads, all or none, and answers how many were new: one that is there already, by its id or by its
    /// account and Meta's id, is left as it is. Those of accounts that enrich their leads become prospects as well, if
    /// they name a business.
    ///
    /// # Errors
    /// [`super::StoreError::Rejected`] if one of them can't be stored as it is, or its account is gone: try them one by
    /// one. [`super::StoreError::Unavailable`]: try again later; doing it twice does no harm.
    pub async fn insert_leads(&self, leads: &[Lead]) -> Result<usize> {
        leads.iter().try_for_each(check::lead)?;
        if leads.is_empty() {
            return Ok(0);
        }
        let mut rows: Vec<LeadRow> = leads.iter().map(LeadRow::from).collect();
        // Nodes that store the same leads at once must not wait for each other crosswise.
        rows.sort_by_key(|row| row.id.0);
        let now = At(clock::now());
        run!(self, Append, |c, q| q::leads::insert(c, &rows, now).await)
    }

    /// A page of these accounts' leads, newest first. No accounts: an empty page.
    ///
    /// # Errors
    /// [`super::StoreError::Rejected`] if the filter asks for what can't exist, such as text with NUL in it.
    pub async fn list_leads(&self, accounts: &[AccountId], filter: &LeadFilter) -> Result<LeadPage> {
        filter.check()?;
        if accounts.is_empty() {
            return Ok(LeadPage::default());
        }
        let (accounts, filter) = (accounts.to_vec(), filter.clone());
        run!(self, Read, |c, q| q::leads::page(c, &accounts, &filter).await)
    }

    /// One lead of these accounts.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away.
    pub async fn lead(&self, accounts: &[AccountId], id: LeadId) -> Result<Option<Lead>> {
        let accounts = accounts.to_vec();
        run!(self, Read, |c, q| q::leads::one(c, &accounts, id).await)
    }

    /// Changes a lead of these accounts and answers with all of it; `None` if there is none. Without changes it is
    /// only read.
    ///
    /// # Errors
    /// [`super::StoreError::Rejected`] if a value can't be stored.
    pub async fn update_lead(&self, accounts: &[AccountId], id: LeadId, changes: &LeadChanges) -> Result<Option<Lead>> {
        changes.check()?;
        if changes.is_empty() {
            return self.lead(accounts, id).await;
        }
        let (accounts, changes, now) = (accounts.to_vec(), changes.clone(), At(clock::now()));
        run!(self, Change, |c, q| q::leads::update(c, &accounts, id, &changes, now).await)
    }

    /// Notes when leads of an account were first seen, and answers for how many that was new: one that was seen before
    /// keeps its time, one that is not there is passed over.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`]: try again later; doing it twice does no harm.
    pub async fn mark_first_seen(&self, account: AccountId, ids: &[LeadId], at: Timestamp) -> Result<usize> {
        check::moment("first_seen_at", Some(at))?;
        let ids = ids.to_vec();
        run!(self, Append, |c, q| q::leads::mark_first_seen(c, account, &ids, At(at)).await)
    }
}
