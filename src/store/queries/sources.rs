//! Connected outside things.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, dialect::write_tx, directory::bump};
use crate::{
    domain::SourceId,
    store::{
        Result,
        error::{explain, found},
        schema::sources,
        sources::SourceRow,
        types::Word,
    },
};

pub(in crate::store) async fn add(c: &mut Conn, row: &SourceRow) -> Result<()> {
    write_tx!(c, async |c| {
        let added = diesel::insert_into(sources::table).values(row).execute(c).await;
        added.map_err(explain("this source is connected already", "account"))?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn set_token(c: &mut Conn, source: SourceId, sealed: &[u8]) -> Result<()> {
    write_tx!(c, async |c| {
        let set = sources::token.eq(sealed);
        found(diesel::update(sources::table.find(Word(source))).set(set).execute(c).await?, "source")?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn set_app_secrets(c: &mut Conn, source: SourceId, sealed: &[u8]) -> Result<()> {
    write_tx!(c, async |c| {
        let set = sources::app_secrets.eq(sealed);
        found(diesel::update(sources::table.find(Word(source))).set(set).execute(c).await?, "source")?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn set_api_url(c: &mut Conn, source: SourceId, url: &str) -> Result<()> {
    write_tx!(c, async |c| {
        let set = sources::api_url.eq(url);
        found(diesel::update(sources::table.find(Word(source))).set(set).execute(c).await?, "source")?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn set_enabled(c: &mut Conn, source: SourceId, enabled: bool) -> Result<()> {
    write_tx!(c, async |c| {
        let set = sources::enabled.eq(enabled);
        found(diesel::update(sources::table.find(Word(source))).set(set).execute(c).await?, "source")?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn remove(c: &mut Conn, source: SourceId) -> Result<()> {
    write_tx!(c, async |c| {
        found(diesel::delete(sources::table.find(Word(source))).execute(c).await?, "source")?;
        bump(c).await
    })
    .await
}
