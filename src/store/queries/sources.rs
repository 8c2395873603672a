//! Connected outside things.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, audit::note, dialect::write_tx, directory::bump, endpoints};
use crate::{
    domain::{
        AccountId, AgencyId, SourceId,
        audit::{Action, Event},
        event::SourceKind,
    },
    store::{
        Result, StoreError, audit::Trail, endpoints::EndpointRow, error::explain, schema::sources, sources::SourceRow,
        types::Word,
    },
};

pub(in crate::store) async fn add(
    c: &mut Conn,
    row: &SourceRow,
    endpoint: Option<&EndpointRow>,
    trail: &Trail,
) -> Result<()> {
    write_tx!(c, async |c| {
        let added = diesel::insert_into(sources::table).values(row).execute(c).await;
        added.map_err(explain("this source is connected already", "account"))?;
        if let Some(endpoint) = endpoint {
            endpoints::insert(c, endpoint, &[row.account_id.0]).await?;
        }
        let event = event(Action::SourceAdded, Some((row.agency_id, row.account_id)), row.id.0)?;
        note(c, trail, event.with("kind", row.kind.0.as_str())).await?;
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

pub(in crate::store) async fn set_token(c: &mut Conn, id: SourceId, sealed: &[u8], trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        let row = diesel::update(sources::table.find(Word(id))).set(sources::token.eq(sealed));
        let of = row.returning(OWNER).get_result(c).await.optional()?;
        note(c, trail, event(Action::SourceChanged, of, id)?.with("token", "replaced")).await?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn set_app_secrets(c: &mut Conn, id: SourceId, sealed: &[u8], trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        let row = diesel::update(sources::table.find(Word(id))).set(sources::app_secrets.eq(sealed));
        let of = row.returning(OWNER).get_result(c).await.optional()?;
        note(c, trail, event(Action::SourceChanged, of, id)?.with("app_secret", "replaced")).await?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn set_api_url(c: &mut Conn, id: SourceId, url: &str, trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        let row = diesel::update(sources::table.find(Word(id))).set(sources::api_url.eq(url));
        let of = row.returning(OWNER).get_result(c).await.optional()?;
        note(c, trail, event(Action::SourceChanged, of, id)?.with("api_url", "replaced")).await?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn set_enabled(c: &mut Conn, id: SourceId, enabled: bool, trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        let row = diesel::update(sources::table.find(Word(id))).set(sources::enabled.eq(enabled));
        let of = row.returning(OWNER).get_result(c).await.optional()?;
        note(c, trail, event(Action::SourceChanged, of, id)?.with("enabled", enabled)).await?;
        bump(c).await
    })
    .await
}

pub(in crate::store) async fn remove(c: &mut Conn, id: SourceId, trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        let row = diesel::delete(sources::table.find(Word(id)));
        let of = row.returning(OWNER).get_result(c).await.optional()?;
        note(c, trail, event(Action::SourceRemoved, of, id)?).await?;
        bump(c).await
    })
    .await
}

const OWNER: (sources::agency_id, sources::account_id) = (sources::agency_id, sources::account_id);

type Owner = (Word<AgencyId>, Word<AccountId>);

fn event(action: Action, of: Option<Owner>, id: SourceId) -> Result<Event> {
    let (agency, account) = of.ok_or(StoreError::NotFound("source"))?;
    Ok(Event::new(action, agency.0).within(account.0).on(id))
}
