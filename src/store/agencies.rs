//! Tenants and their client businesses.

use diesel::prelude::*;

use super::{
    check,
    engine::run,
    error::Result,
    handle::Store,
    schema::{accounts, agencies},
    types::{At, Word},
};
use crate::domain::{
    AccountId, AgencyId, clock,
    directory::{Account, Agency},
};

/// A row of `agencies`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = agencies, treat_none_as_default_value = false)]
pub(super) struct AgencyRow {
    pub id: Word<AgencyId>,
    pub name: String,
    pub created_at: At,
}

/// A row of `accounts`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = accounts, treat_none_as_default_value = false)]
pub(super) struct AccountRow {
    pub id: Word<AccountId>,
    pub agency_id: Word<AgencyId>,
    pub name: String,
    pub created_at: At,
}

impl Store {
    /// Adds a tenant.
    ///
    /// # Errors
    /// [`super::StoreError::Rejected`] if the name is empty.
    pub async fn add_agency(&self, name: &str) -> Result<Agency> {
        check::filled("name", name)?;
        let row =
            AgencyRow { id: Word(AgencyId::generate()), name: name.trim().to_owned(), created_at: At(clock::now()) };
        let agency = Agency::from(row.clone());
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::agencies::add_agency(c, &row, &trail).await)?;
        Ok(agency)
    }

    /// Adds a client business to a tenant.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`] if there is no such agency, [`super::StoreError::Rejected`] if the name is empty.
    pub async fn add_account(&self, agency: AgencyId, name: &str) -> Result<Account> {
        check::filled("name", name)?;
        let row = AccountRow {
            id: Word(AccountId::generate()),
            agency_id: Word(agency),
            name: name.trim().to_owned(),
            created_at: At(clock::now()),
        };
        let account = Account::from(row.clone());
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::agencies::add_account(c, &row, &trail).await)?;
        Ok(account)
    }

    /// Removes an agency with all that it has.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`] if there is none.
    pub async fn remove_agency(&self, agency: AgencyId) -> Result<()> {
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::agencies::remove(c, agency, &trail).await)
    }
}

impl From<AgencyRow> for Agency {
    fn from(row: AgencyRow) -> Self {
        Self { id: row.id.0, name: row.name }
    }
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        Self { id: row.id.0, agency: row.agency_id.0, name: row.name }
    }
}
