//! People, and what they may do where.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, agencies::agency_of, audit::note, cover, dialect::write_tx, directory::bump, keys};
use crate::{
    domain::{
        AccountId, AgencyId, Role, UserId,
        audit::{Action, Event},
    },
    store::{
        Result, StoreError,
        audit::Trail,
        error::explain,
        schema::{memberships, users},
        types::Word,
        users::{MembershipRow, UserRow},
    },
};

pub(in crate::store) async fn add(c: &mut Conn, row: &UserRow, trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        let added = diesel::insert_into(users::table).values(row).execute(c).await;
        added.map_err(explain("a user with this e-mail address exists already", "agency"))?;
        note(c, trail, Event::new(Action::UserAdded, row.agency_id.0).on(row.id.0)).await?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn set_membership(
    c: &mut Conn,
    user: UserId,
    account: AccountId,
    role: Option<Role>,
    trail: &Trail,
) -> Result<()> {
    write_tx!(c, async |c| {
        let agency = users::table.find(Word(user)).select(users::agency_id).first::<Word<AgencyId>>(c).await;
        let agency = agency.optional()?.ok_or(StoreError::NotFound("user"))?;
        if agency_of(c, account).await? != agency.0 {
            return Err(StoreError::NotFound("account in the user's agency"));
        }
        let (user_id, account_id) = (Word(user), Word(account));
        let row = memberships::table.find((user_id, account_id));
        let was: Option<Word<Role>> = row.select(memberships::role).first(c).await.optional()?;
        let action = match (role, was) {
            (Some(role), Some(was)) if role == was.0 => return Ok(()),
            (Some(role), Some(_)) => {
                diesel::update(row).set(memberships::role.eq(Word(role))).execute(c).await?;
                Action::MemberChanged
            }
            (Some(role), None) => {
                let row = MembershipRow { user_id, account_id, agency_id: agency, role: Word(role) };
                let set = memberships::role.eq(row.role);
                let key = (memberships::user_id, memberships::account_id);
                let insert = diesel::insert_into(memberships::table).values(&row);
                insert.on_conflict(key).do_update().set(set).execute(c).await?;
                Action::MemberAdded
            }
            (None, Some(_)) => {
                diesel::delete(row).execute(c).await?;
                Action::MemberRemoved
            }
            (None, None) => return Ok(()),
        };
        let mut event = Event::new(action, agency.0).within(account).on(user);
        if let Some(role) = role {
            event = event.with("role", role.as_str());
        }
        note(c, trail, was.iter().fold(event, |event, was| event.with("was", was.0.as_str()))).await?;
        if !role.is_some_and(Role::may_operate) {
            leave(c, user, Some(account)).await?;
        }
        bump(c).await
    })
    .await
}

/// Nobody answers any more for what this person answered for.
async fn leave(c: &mut Conn, user: UserId, account: Option<AccountId>) -> Result<()> {
    cover::leave(c, &user.to_string(), account).await?;
    keys::leave(c, user, account).await
}

pub(in crate::store) async fn set_disabled(c: &mut Conn, user: UserId, disabled: bool, trail: &Trail) -> Result<()> {
    let action = if disabled { Action::UserDisabled } else { Action::UserEnabled };
    write_tx!(c, async |c| {
        let row = diesel::update(users::table.find(Word(user))).set(users::disabled.eq(disabled));
        let agency = row.returning(users::agency_id).get_result(c).await.optional()?;
        note(c, trail, event(action, agency, user)?).await?;
        if disabled {
            leave(c, user, None).await?;
        }
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn set_password(c: &mut Conn, user: UserId, hash: &str, trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        let set = (users::password_hash.eq(hash), users::token_epoch.eq(users::token_epoch + 1));
        let row = diesel::update(users::table.find(Word(user))).set(set);
        let agency = row.returning(users::agency_id).get_result(c).await.optional()?;
        note(c, trail, event(Action::UserChanged, agency, user)?.with("password", "replaced")).await?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn bump_token_epoch(c: &mut Conn, user: UserId, trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        let row = diesel::update(users::table.find(Word(user))).set(users::token_epoch.eq(users::token_epoch + 1));
        let agency = row.returning(users::agency_id).get_result(c).await.optional()?;
        note(c, trail, event(Action::UserSignedOut, agency, user)?).await?;
        bump(c).await
    })
    .await
}

fn event(action: Action, agency: Option<Word<AgencyId>>, user: UserId) -> Result<Event> {
    Ok(Event::new(action, agency.ok_or(StoreError::NotFound("user"))?.0).on(user))
}
