//! Keys for programs.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, dialect::write_tx, directory::bump};
use crate::{
    domain::ApiKeyId,
    store::{
        Result,
        error::{explain, found},
        keys::KeyRow,
        schema::api_keys,
        types::Word,
    },
};

pub(in crate::store) async fn add(c: &mut Conn, row: &KeyRow) -> Result<()> {
    write_tx!(c, async |c| {
        let added = diesel::insert_into(api_keys::table).values(row).execute(c).await;
        added.map_err(explain("this key exists already", "agency, or account in it"))?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn remove(c: &mut Conn, key: ApiKeyId) -> Result<()> {
    write_tx!(c, async |c| {
        found(diesel::delete(api_keys::table.find(Word(key))).execute(c).await?, "key")?;
        bump(c).await
    })
    .await
}
