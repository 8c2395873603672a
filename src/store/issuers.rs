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
    pub trust_email: bool,
    pub secret: Option<Vec<u8>>,
    pub jwks_url: Option<String>,
    pub created_at: At,
}

/// An issuer to trust.
#[derive(Debug, Clone)]
pub struct NewIssuer {
    /// Whose users its tokens may name.
    pub agency: AgencyId,
    /// The `iss` of its tokens.
    pub iss: String,
    /// The `aud` of its tokens; whoever publishes keys for everybody must name one.
    pub audience: Option<String>,
    /// Whether e-mail addresses count that a token does not call verified.
    pub trust_email: bool,
    /// How its tokens are verified.
    pub key: IssuerKey,
}

impl Store {
    /// Trusts an issuer for the users of one agency.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if its `iss` is trusted already for this audience, [`StoreError::NotFound`] if there is no
    /// such agency, [`StoreError::Rejected`] if `iss` or the audience is empty, or there is no audience beside published keys.
    pub async fn add_issuer(&self, new: NewIssuer) -> Result<IssuerId> {
        check::filled("iss", &new.iss)?;
        match (&new.audience, &new.key) {
            (Some(audience), _) => check::filled("audience", audience)?,
            (None, IssuerKey::Jwks(_)) => {
                let why =
                    "an issuer that publishes its keys needs an audience: its tokens for other sites would count here";
                return Err(StoreError::Rejected(why.to_owned()));
            }
            (None, IssuerKey::Secret(_) | IssuerKey::Unreadable) => {}
        }
        let id = IssuerId::generate();
        let (secret, jwks_url) = match &new.key {
            IssuerKey::Secret(secret) => (Some(self.vault().seal(place(&id.to_string()), secret)?), None),
            IssuerKey::Jwks(url) => (None, Some(url.to_string())),
            IssuerKey::Unreadable => return Err(StoreError::Rejected("an issuer needs a key".to_owned())),
        };
        let row = IssuerRow {
            id: Word(id),
            agency_id: Word(new.agency),
            iss: new.iss,
            audience: new.audience,
            trust_email: new.trust_email,
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

/// Back from its row. One that can't be read verifies nothing; why stands beside it.
pub(super) fn open(vault: &Vault, row: IssuerRow) -> (Issuer, Option<StoreError>) {
    let name = row.id.0.to_string();
    let key = match (row.secret, row.jwks_url) {
        (Some(sealed), _) => vault.open(place(&name), &sealed).map(IssuerKey::Secret),
        (None, Some(url)) => {
            let corrupt = |_| StoreError::Corrupt(format!("issuers.jwks_url of {name} is not a URL"));
            url.parse().map(IssuerKey::Jwks).map_err(corrupt)
        }
        (None, None) => Err(StoreError::Corrupt(format!("issuer {name} has no key"))),
    };
    let (key, error) = match key {
        Ok(key) => (key, None),
        Err(error) => (IssuerKey::Unreadable, Some(error)),
    };
    let issuer = Issuer {
        id: row.id.0,
        agency: row.agency_id.0,
        iss: row.iss,
        audience: row.audience,
        trust_email: row.trust_email,
        key,
    };
    (issuer, error)
}
