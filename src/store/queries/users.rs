//! People, and what they may do where.

use diesel::{prelude::*, upsert::excluded};
use diesel_async::RunQueryDsl;

use super::{Conn, agencies::agency_of, dialect::write_tx, directory::bump};
use crate::{
    domain::{AccountId, AgencyId, Role, UserId},
    store::{
        Result, StoreError,
        error::{explain, found},
        schema::{memberships, users},
        types::Word,
        users::{MembershipRow, UserRow},
    },
};

pub(in crate::store) async fn add(c: &mut Conn, row: &UserRow) -> Result<()> {
    write_tx!(c, async |c| {
        let added = diesel::insert_into(users::table).values(row).execute(c).await;
        added.map_err(explain("a user with this e-mail address exists already", "agency"))?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn set_membership(
    c: &mut Conn,
    user: UserId,
    account: AccountId,
    role: Option<Role>,
) -> Result<()> {
    write_tx!(c, async |c| {
        let agency = users::table.find(Word(user)).select(users::agency_id).first::<Word<AgencyId>>(c).await;
        let agency = agency.optional()?.ok_or(StoreError::NotFound("user"))?;
        if agency_of(c, account).await? != agency.0 {
            return Err(StoreError::NotFound("account in the user's agency"));
        }
        let (user_id, account_id) = (Word(user), Word(account));
        match role {
            Some(role) => {
                diesel::insert_into(memberships::table)
                    .values(&MembershipRow { user_id, account_id, agency_id: agency, role: Word(role) })
                    .on_conflict((memberships::user_id, memberships::account_id))
                    .do_update()
                    .set(memberships::role.eq(excluded(memberships::role)))
                    .execute(c)
                    .await?
            }
            None => diesel::delete(memberships::table.find((user_id, account_id))).execute(c).await?,
        };
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn set_disabled(c: &mut Conn, user: UserId, disabled: bool) -> Result<()> {
    write_tx!(c, async |c| {
        let set = users::disabled.eq(disabled);
        found(diesel::update(users::table.find(Word(user))).set(set).execute(c).await?, "user")?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn set_password(c: &mut Conn, user: UserId, hash: &str) -> Result<()> {
    write_tx!(c, async |c| {
        let set = (users::password_hash.eq(hash), users::token_epoch.eq(users::token_epoch + 1));
        found(diesel::update(users::table.find(Word(user))).set(set).execute(c).await?, "user")?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn bump_token_epoch(c: &mut Conn, user: UserId) -> Result<()> {
    write_tx!(c, async |c| {
        let set = users::token_epoch.eq(users::token_epoch + 1);
        found(diesel::update(users::table.find(Word(user))).set(set).execute(c).await?, "user")?;
        bump(c).await
    })
    .await
}
