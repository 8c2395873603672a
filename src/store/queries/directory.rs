//! The whole directory as of one moment, and its version.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, dialect::read_tx};
use crate::store::{
    Result,
    agencies::{AccountRow, AgencyRow},
    directory::Rows,
    error::found,
    issuers::IssuerRow,
    keys::KeyRow,
    schema::{accounts, agencies, api_keys, directory_version, issuers, memberships, revoked_tokens, sources, users},
    sources::SourceRow,
    tokens::RevokedRow,
    types::At,
    users::{MembershipRow, UserRow},
};

/// Says that something changed. Part of the transaction that changes it; the row's lock keeps versions in the order of
/// the commits.
pub(super) async fn bump(c: &mut Conn) -> Result<()> {
    let next = directory_version::version.eq(directory_version::version + 1);
    found(diesel::update(directory_version::table).set(next).execute(c).await?, "directory version")
}

pub(in crate::store) async fn version(c: &mut Conn) -> Result<i64> {
    Ok(directory_version::table.select(directory_version::version).first(c).await?)
}

pub(in crate::store) async fn load(c: &mut Conn, now: At) -> Result<Rows> {
    read_tx!(c, async |c| {
        Ok(Rows {
            version: version(c).await?,
            agencies: agencies::table.select(AgencyRow::as_select()).load(c).await?,
            accounts: accounts::table.select(AccountRow::as_select()).load(c).await?,
            users: users::table.select(UserRow::as_select()).load(c).await?,
            memberships: memberships::table.select(MembershipRow::as_select()).load(c).await?,
            sources: sources::table.select(SourceRow::as_select()).load(c).await?,
            keys: api_keys::table.select(KeyRow::as_select()).load(c).await?,
            issuers: issuers::table.select(IssuerRow::as_select()).load(c).await?,
            revoked: revoked_tokens::table
                .filter(revoked_tokens::expires_at.gt(now))
                .select(RevokedRow::as_select())
                .load(c)
                .await?,
        })
    })
    .await
}
