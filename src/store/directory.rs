//! Loads the whole directory, as of one moment.

use std::collections::HashMap;

use secrecy::SecretString;

use super::{
    agencies::{AccountRow, AgencyRow},
    engine::run,
    error::Result,
    handle::Store,
    issuers::{self, IssuerRow},
    keys::{self, KeyRow},
    sources::{self, SourceRow},
    tokens::RevokedRow,
    types::At,
    users::{MembershipRow, UserRow},
    vault::Vault,
};
use crate::domain::{
    AccountId, Role, UserId, clock,
    directory::{Account, Agency, Directory, User},
};

/// The tables of the directory, read in one transaction.
pub(super) struct Rows {
    pub version: i64,
    pub agencies: Vec<AgencyRow>,
    pub accounts: Vec<AccountRow>,
    pub users: Vec<UserRow>,
    pub memberships: Vec<MembershipRow>,
    pub sources: Vec<SourceRow>,
    pub keys: Vec<KeyRow>,
    pub issuers: Vec<IssuerRow>,
    pub revoked: Vec<RevokedRow>,
}

impl Store {
    /// Grows with every change of the directory, by whichever process.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away.
    pub async fn directory_version(&self) -> Result<i64> {
        run!(self, Read, |c, q| q::directory::version(c).await)
    }

    /// Loads everything, with the tokens that are revoked and have not run out.
    ///
    /// # Errors
    /// [`super::StoreError::Corrupt`] if a secret was sealed with another master key, or a row can't be read.
    pub async fn load_directory(&self) -> Result<Directory> {
        let now = At(clock::now());
        let rows = run!(self, Read, |c, q| q::directory::load(c, now).await)?;
        assemble(self.vault(), rows)
    }
}

fn assemble(vault: &Vault, rows: Rows) -> Result<Directory> {
    let mut memberships: HashMap<UserId, HashMap<AccountId, Role>> = HashMap::new();
    for row in rows.memberships {
        memberships.entry(row.user_id.0).or_default().insert(row.account_id.0, row.role.0);
    }
    let mut directory = Directory {
        version: rows.version,
        agencies: rows.agencies.into_iter().map(Agency::from).map(|agency| (agency.id, agency)).collect(),
        accounts: rows.accounts.into_iter().map(Account::from).map(|account| (account.id, account)).collect(),
        api_keys: rows.keys.into_iter().map(keys::open).collect::<Result<_>>()?,
        revoked_tokens: rows.revoked.into_iter().map(|row| row.jti).collect(),
        ..Directory::default()
    };
    for row in rows.users {
        let memberships = memberships.remove(&row.id.0).unwrap_or_default();
        directory.users.insert(row.id.0, person(row, memberships));
    }
    for row in rows.sources {
        let source = sources::open(vault, row)?;
        directory.sources.insert(source.id, source);
    }
    for row in rows.issuers {
        let issuer = issuers::open(vault, row)?;
        directory.issuers.insert(issuer.id, issuer);
    }
    Ok(directory.indexed())
}

fn person(row: UserRow, memberships: HashMap<AccountId, Role>) -> User {
    User {
        id: row.id.0,
        agency: row.agency_id.0,
        email: row.email,
        name: row.name,
        password_hash: SecretString::from(row.password_hash),
        disabled: row.disabled,
        token_epoch: row.token_epoch,
        memberships,
    }
}
