//! Agencies' own issuers of tokens.

use diesel::prelude::*;

use super::{
    check,
    engine::run,
    error::{Result, StoreError},
    handle::Store,
    schema::issuers,
    types::{At, Word},
    vault::{Place, Vault},
};
use crate::domain::{
    AgencyId, IssuerId, clock,
    directory::{Issuer, IssuerKey},
};

/// A row of `issuers`: either a sealed secret or an address.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = issuers, treat_none_as_default_value = false)]
pub(super) struct IssuerRow {
    pub id: Word<IssuerId>,
    pub agency_id: Word<AgencyId>,
    pub iss: String,
    pub audience: Option<String>,
    pub secret: Option<Vec<u8>>,
    pub jwks_url: Option<String>,
    pub created_at: At,
}

impl Store {
    /// Trusts an issuer for the users of one agency.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if its `iss` is trusted already, [`StoreError::NotFound`] if there is no such agency,
    /// [`StoreError::Rejected`] if `iss` is empty.
    pub async fn add_issuer(
        &self,
        agency: AgencyId,
        iss: &str,
        audience: Option<&str>,
        key: &IssuerKey,
    ) -> Result<IssuerId> {
        check::filled("iss", iss)?;
        audience.map_or(Ok(()), |audience| check::text("audience", audience))?;
        let id = IssuerId::generate();
        let (secret, jwks_url) = match key {
            IssuerKey::Secret(secret) => (Some(self.vault().seal(place(&id.to_string()), secret)?), None),
            IssuerKey::Jwks(url) => (None, Some(url.to_string())),
        };
        let row = IssuerRow {
            id: Word(id),
            agency_id: Word(agency),
            iss: iss.to_owned(),
            audience: audience.map(str::to_owned),
            secret,
            jwks_url,
            created_at: At(clock::now()),
        };
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::issuers::add(c, &row, &trail).await)?;
        Ok(id)
    }

    /// Trusts an issuer no more.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such issuer.
    pub async fn remove_issuer(&self, issuer: IssuerId) -> Result<()> {
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::issuers::remove(c, issuer, &trail).await)
    }
}

fn place(row: &str) -> Place<'_> {
    Place { table: "issuers", row, column: "secret" }
}

/// Back from its row.
pub(super) fn open(vault: &Vault, row: IssuerRow) -> Result<Issuer> {
    let name = row.id.0.to_string();
    let key = match (row.secret, row.jwks_url) {
        (Some(sealed), _) => IssuerKey::Secret(vault.open(place(&name), &sealed)?),
        (None, Some(url)) => IssuerKey::Jwks(
            url.parse().map_err(|_| StoreError::Corrupt(format!("issuers.jwks_url of {name} is not a URL")))?,
        ),
        (None, None) => return Err(StoreError::Corrupt(format!("issuer {name} has no key"))),
    };
    Ok(Issuer { id: row.id.0, agency: row.agency_id.0, iss: row.iss, audience: row.audience, key })
}
