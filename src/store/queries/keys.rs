//! Keys for programs.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, audit::note, dialect::write_tx, directory::bump};
use crate::{
    domain::{
        ApiKeyId,
        audit::{Action, Event},
    },
    store::{Result, StoreError, audit::Trail, error::explain, keys::KeyRow, schema::api_keys, types::Word},
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
        bump(c).await
    })
    .await
}

fn event(action: Action, row: &KeyRow) -> Event {
    let account = row.account_id.map(|account| account.0);
    Event::new(action, row.agency_id.0).within(account).on(row.id.0).with("role", row.role.0.as_str())
}
