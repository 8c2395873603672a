//! Keys for programs.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, audit::note, cover, dialect::write_tx, directory::bump};
use crate::{
    domain::{
        AccountId, ApiKeyId, UserId,
        audit::{Action, Event},
        clock,
    },
    store::{
        Result, StoreError,
        audit::Trail,
        error::explain,
        keys::KeyRow,
        schema::api_keys,
        types::{At, Word},
    },
};

pub(in crate::store) async fn add(c: &mut Conn, row: &KeyRow, trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        let added = diesel::insert_into(api_keys::table).values(row).execute(c).await;
        added.map_err(explain("this key exists already", "agency, or account in it"))?;
        note(c, trail, event(Action::KeyAdded, row)).await?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn remove(c: &mut Conn, key: ApiKeyId, trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        let gone = diesel::delete(api_keys::table.find(Word(key))).returning(KeyRow::as_returning());
        let gone = gone.get_result(c).await.optional()?.ok_or(StoreError::NotFound("key"))?;
        note(c, trail, event(Action::KeyRemoved, &gone)).await?;
        cover::leave(c, &key.to_string(), None).await?;
        bump(c).await
    })
    .await
}

fn event(action: Action, row: &KeyRow) -> Event {
    let account = row.account_id.map(|account| account.0);
    Event::new(action, row.agency_id.0).within(account).on(row.id.0).with("role", row.role.0.as_str())
}

pub(in crate::store) async fn take_over(c: &mut Conn, key: ApiKeyId, by: UserId, trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        let set = (api_keys::responsible.eq(Some(Word(by))), api_keys::left_at.eq(None::<At>));
        let taken = diesel::update(api_keys::table.find(Word(key))).set(set).returning(KeyRow::as_returning());
        let taken = taken.get_result(c).await.optional()?.ok_or(StoreError::NotFound("key"))?;
        note(c, trail, event(Action::KeyTakenOver, &taken)).await?;
        bump(c).await
    })
    .await
}

/// Nobody answers any more for this person's keys: all of them, or those for one account. Part of the transaction that takes away
/// what the person may do.
pub(super) async fn leave(c: &mut Conn, user: UserId, account: Option<AccountId>) -> Result<()> {
    let left = api_keys::left_at.eq(Some(At(clock::now())));
    let theirs = api_keys::responsible.eq(Some(Word(user))).and(api_keys::left_at.is_null());
    match account {
        None => diesel::update(api_keys::table.filter(theirs)).set(left).execute(c).await?,
        Some(account) => {
            let there = api_keys::account_id.eq(Some(Word(account)));
            diesel::update(api_keys::table.filter(theirs).filter(there)).set(left).execute(c).await?
        }
    };
    Ok(())
}
