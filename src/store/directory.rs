//! Loads the whole directory, as of one moment.

use std::{collections::HashMap, fmt::Display};

use secrecy::SecretString;

use super::{
    agencies::{AccountRow, AgencyRow},
    engine::run,
    error::{Result, StoreError},
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
    directory::{Account, Agency, Directory, Unreadable, User},
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

    /// Loads everything, with the tokens that are revoked and have not run out. A row whose secrets don't open is noted in
    /// [`Directory::unreadable`] and keeps nobody else from being known.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away, [`super::StoreError::Corrupt`] if a row has no meaning.
    pub async fn load_directory(&self) -> Result<Directory> {
        let now = At(clock::now());
        let rows = run!(self, Read, |c, q| q::directory::load(c, now).await)?;
        Ok(assemble(self.vault(), rows))
    }
}

fn assemble(vault: &Vault, rows: Rows) -> Directory {
    let wrong_key = is_wrong_key(vault, &rows);
    let mut memberships: HashMap<UserId, HashMap<AccountId, Role>> = HashMap::new();
    for row in rows.memberships {
        memberships.entry(row.user_id.0).or_default().insert(row.account_id.0, row.role.0);
    }
    let mut directory = Directory {
        version: rows.version,
        agencies: rows.agencies.into_iter().map(Agency::from).map(|agency| (agency.id, agency)).collect(),
        accounts: rows.accounts.into_iter().map(Account::from).map(|account| (account.id, account)).collect(),
        wrong_key,
        revoked_tokens: rows.revoked.into_iter().map(|row| row.jti).collect(),
        ..Directory::default()
    };
    for row in rows.users {
        let memberships = memberships.remove(&row.id.0).unwrap_or_default();
        directory.users.insert(row.id.0, person(row, memberships));
    }
    let mut unreadable = Vec::new();
    let mut note = |table, id: &dyn Display, account, error: Option<StoreError>| {
        unreadable.extend(error.map(|why| Unreadable { table, id: id.to_string(), account, why: why.to_string() }));
    };
    for row in rows.sources {
        let (source, error) = sources::open(vault, row);
        note("sources", &source.id, Some(source.account), error);
        directory.sources.insert(source.id, source);
    }
    for row in rows.issuers {
        let (issuer, error) = issuers::open(vault, row);
        note("issuers", &issuer.id, None, error);
        directory.issuers.insert(issuer.id, issuer);
    }
    for row in rows.keys {
        let id = row.id.0;
        match keys::open(row) {
            Ok((hash, key)) => drop(directory.api_keys.insert(hash, key)),
            Err(error) => note("api_keys", &id, None, Some(error)),
        }
    }
    directory.unreadable = unreadable;
    directory.indexed()
}

/// Whether there are secrets and none of them was sealed with a key of this vault.
fn is_wrong_key(vault: &Vault, rows: &Rows) -> bool {
    let tokens = rows.sources.iter().map(|row| &row.token);
    let mut sealed = tokens.chain(rows.issuers.iter().filter_map(|row| row.secret.as_ref())).peekable();
    sealed.peek().is_some() && !sealed.any(|sealed| vault.knows(sealed))
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
