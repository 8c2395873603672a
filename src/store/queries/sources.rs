//! Connected outside things.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, dialect::write_tx, directory::bump, endpoints};
use crate::{
    domain::{AccountId, SourceId, event::SourceKind},
    store::{
        Result,
        endpoints::EndpointRow,
        error::{explain, found},
        schema::sources,
        sources::SourceRow,
        types::Word,
    },
};

pub(in crate::store) async fn add(c: &mut Conn, row: &SourceRow, endpoint: Option<&EndpointRow>) -> Result<()> {
    write_tx!(c, async |c| {
        let added = diesel::insert_into(sources::table).values(row).execute(c).await;
        added.map_err(explain("this source is connected already", "account"))?;
        if let Some(endpoint) = endpoint {
            endpoints::insert(c, endpoint).await?;
        }
        bump(c).await
    })
    .await
}

/// Whether the account has a prospecting source.
pub(in crate::store) async fn is_prospecting(c: &mut Conn, account: AccountId) -> Result<bool> {
    let of = sources::table.filter(sources::account_id.eq(Word(account)));
    let of = of.filter(sources::kind.eq(Word(SourceKind::Prospecting)));
    Ok(diesel::select(diesel::dsl::exists(of)).get_result(c).await?)
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
