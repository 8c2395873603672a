//! Keys for programs. Only their SHA-256 is kept.

use diesel::prelude::*;

use super::{
    check,
    engine::run,
    error::{Result, StoreError},
    handle::Store,
    schema::api_keys,
    types::{At, Word},
};
use crate::domain::{AccountId, AgencyId, ApiKeyId, Role, UserId, clock, directory::ApiKey};

/// A row of `api_keys`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys, treat_none_as_default_value = false)]
pub(super) struct KeyRow {
    pub id: Word<ApiKeyId>,
    pub agency_id: Word<AgencyId>,
    pub account_id: Option<Word<AccountId>>,
    pub role: Word<Role>,
    pub name: String,
    pub key_hash: Vec<u8>,
    pub created_at: At,
    pub responsible: Option<Word<UserId>>,
    pub left_at: Option<At>,
}

impl Store {
    /// Adds a key by the SHA-256 of it, for one account of the agency or for all; with somebody who answers for it, perhaps.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such agency, or no such account in it; [`StoreError::Conflict`] if the
    /// key exists.
    pub async fn add_api_key(
        &self,
        agency: AgencyId,
        account: Option<AccountId>,
        role: Role,
        name: &str,
        hash: [u8; 32],
        responsible: Option<UserId>,
    ) -> Result<ApiKeyId> {
        check::key("name", name)?;
        let id = ApiKeyId::generate();
        let row = KeyRow {
            id: Word(id),
            agency_id: Word(agency),
            account_id: account.map(Word),
            role: Word(role),
            name: name.to_owned(),
            key_hash: hash.to_vec(),
            created_at: At(clock::now()),
            responsible: responsible.map(Word),
            left_at: None,
        };
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::keys::add(c, &row, &trail).await)?;
        Ok(id)
    }

    /// Takes a key back; what it answered for is left behind.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such key.
    pub async fn remove_api_key(&self, key: ApiKeyId) -> Result<()> {
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::keys::remove(c, key, &trail).await)
    }

    /// Makes a person answer for a key, which opens what they manage from now on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such key.
    pub async fn take_over_api_key(&self, key: ApiKeyId, by: UserId) -> Result<()> {
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::keys::take_over(c, key, by, &trail).await)
    }
}

/// Back from its row, with the hash.
pub(super) fn open(row: KeyRow) -> Result<([u8; 32], ApiKey)> {
    let id = row.id.0;
    let hash = <[u8; 32]>::try_from(row.key_hash)
        .map_err(|_| StoreError::Corrupt(format!("api_keys.key_hash of {id} is not a SHA-256")))?;
    let account = row.account_id.map(|account| account.0);
    let responsible = row.responsible.map(|user| user.0);
    let left = row.left_at.is_some();
    Ok((hash, ApiKey { id, agency: row.agency_id.0, account, role: row.role.0, name: row.name, responsible, left }))
}
