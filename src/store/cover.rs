//! Which accounts an endpoint covers, who answers for each, and where somebody has stopped it.
//!
//! An account that is not named here is not covered: one that is added to an agency is nobody's until somebody names it.

use std::collections::HashMap;

use diesel::prelude::*;

use super::{
    engine::run,
    error::Result,
    handle::Store,
    schema::endpoint_accounts,
    types::{At, Word},
};
use crate::domain::{AccountId, AgencyId, EndpointId, clock, delivery::Cover};

/// A row of `endpoint_accounts`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = endpoint_accounts, treat_none_as_default_value = false)]
pub(super) struct CoverRow {
    pub endpoint_id: Word<EndpointId>,
    pub account_id: Word<AccountId>,
    pub agency_id: Word<AgencyId>,
    pub responsible: Option<String>,
    pub left_at: Option<At>,
    pub stopped_at: Option<At>,
    pub stopped_by: Option<String>,
}

impl From<CoverRow> for Cover {
    fn from(row: CoverRow) -> Self {
        Self {
            account: row.account_id.0,
            responsible: row.responsible,
            left_at: row.left_at.map(|at| at.0),
            stopped_at: row.stopped_at.map(|at| at.0),
            stopped_by: row.stopped_by,
        }
    }
}

/// An endpoint of an account, as the attention list asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoveredBy {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// For people: its description, or where it leads.
    pub name: String,
    /// Gets events.
    pub enabled: bool,
    /// The account, and who answers for it.
    pub cover: Cover,
}

impl Store {
    /// What the agency's endpoints cover.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away, as with all of these.
    pub async fn endpoint_covers(&self, agency: AgencyId) -> Result<HashMap<EndpointId, Vec<Cover>>> {
        let rows = run!(self, Read, |c, q| q::cover::of_agency(c, agency).await)?;
        let mut covers: HashMap<EndpointId, Vec<Cover>> = HashMap::new();
        for row in rows {
            covers.entry(row.endpoint_id.0).or_default().push(row.into());
        }
        Ok(covers)
    }

    /// What one of the agency's endpoints covers.
    ///
    /// # Errors
    /// As above.
    pub async fn endpoint_cover(&self, agency: AgencyId, endpoint: EndpointId) -> Result<Vec<Cover>> {
        let rows = run!(self, Read, |c, q| q::cover::of_endpoint(c, agency, endpoint).await)?;
        Ok(rows.into_iter().map(Cover::from).collect())
    }

    /// The endpoints that cover these accounts, except the hub's own.
    ///
    /// # Errors
    /// As above.
    pub async fn covered_by(&self, accounts: &[AccountId]) -> Result<Vec<CoveredBy>> {
        let accounts = accounts.to_vec();
        run!(self, Read, |c, q| q::cover::of_accounts(c, &accounts).await)
    }

    /// Stops an endpoint for an account, or lets it go on: events that happen meanwhile are not kept for it, and what waits
    /// is cancelled when its turn comes.
    ///
    /// # Errors
    /// As above; [`super::StoreError::NotFound`] if it does not cover the account.
    pub async fn stop_endpoint(
        &self,
        agency: AgencyId,
        endpoint: EndpointId,
        account: AccountId,
        stopped_by: Option<String>,
    ) -> Result<()> {
        let (now, trail) = (At(clock::now()), self.trail().clone());
        let by = stopped_by;
        run!(self, Change, |c, q| q::cover::stop(c, agency, endpoint, account, by.as_deref(), now, &trail).await)
    }

    /// Makes somebody answer for these accounts of an endpoint: what was parked because nobody did goes out.
    ///
    /// # Errors
    /// As above; [`super::StoreError::NotFound`] if it covers none of them.
    pub async fn take_over_endpoint(
        &self,
        agency: AgencyId,
        endpoint: EndpointId,
        accounts: &[AccountId],
        by: &str,
    ) -> Result<()> {
        let (accounts, by, now) = (accounts.to_vec(), by.to_owned(), At(clock::now()));
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::cover::take_over(c, agency, endpoint, &accounts, &by, now, &trail).await)
    }
}
