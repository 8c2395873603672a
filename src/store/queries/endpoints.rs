//! Endpoints, and what they want as triggers ask for it.

use std::collections::BTreeSet;

use diesel::{prelude::*, sql_types::Text};
use diesel_async::RunQueryDsl;

use super::{Conn, audit::note, cover, dialect::write_tx, outbox::finish};
use crate::{
    domain::{
        AccountId, AgencyId, EndpointId,
        audit::{Action, Event},
        delivery::DeliveryState,
    },
    store::{
        Result, StoreError,
        audit::Trail,
        endpoints::{EndpointRow, RowChange},
        error::explain,
        outbox::MOVED,
        schema::{deliveries, endpoint_accounts, endpoints, subscriptions},
        types::{At, Word},
    },
};

/// Endpoints of an agency: each event costs a row for each that wants it.
const MOST: i64 = 100;

pub(in crate::store) async fn add(
    c: &mut Conn,
    row: &EndpointRow,
    accounts: &[AccountId],
    trail: &Trail,
) -> Result<EndpointRow> {
    write_tx!(c, async |c| {
        let of_agency =
            endpoints::table.filter(endpoints::agency_id.eq(row.agency_id)).filter(endpoints::source_id.is_null());
        if of_agency.count().get_result::<i64>(c).await? >= MOST {
            let why = format!(
                "an agency has {MOST} endpoints at most: remove one that is not needed, or let one take more types"
            );
            return Err(StoreError::Rejected(why));
        }
        insert(c, row, accounts).await?;
        note(c, trail, event(Action::EndpointAdded, row)).await?;
        Ok(row.clone())
    })
    .await
}

/// With what it covers and wants. Part of a transaction.
pub(super) async fn insert(c: &mut Conn, row: &EndpointRow, accounts: &[AccountId]) -> Result<()> {
    let added = diesel::insert_into(endpoints::table).values(row).execute(c).await;
    added.map_err(explain("this endpoint exists already", "account"))?;
    cover::set(c, row, accounts, row.created_by.as_deref()).await?;
    subscribe(c, row).await
}

pub(in crate::store) async fn all(c: &mut Conn, agency: AgencyId) -> Result<Vec<EndpointRow>> {
    let rows = endpoints::table.filter(endpoints::agency_id.eq(Word(agency))).order(endpoints::id);
    Ok(rows.select(EndpointRow::as_select()).load(c).await?)
}

pub(in crate::store) async fn one(c: &mut Conn, agency: AgencyId, id: EndpointId) -> Result<Option<EndpointRow>> {
    let row = endpoints::table.find(Word(id)).filter(endpoints::agency_id.eq(Word(agency)));
    Ok(row.select(EndpointRow::as_select()).first(c).await.optional()?)
}

pub(in crate::store) async fn change(
    c: &mut Conn,
    agency: AgencyId,
    id: EndpointId,
    change: &RowChange,
    now: At,
    trail: &Trail,
) -> Result<(EndpointRow, bool)> {
    write_tx!(c, async |c| {
        // Written first, so that of two changes the second sees what the first made of it.
        let row = endpoints::table.find(Word(id)).filter(endpoints::agency_id.eq(Word(agency)));
        let touched = diesel::update(row).set(endpoints::updated_at.eq(now)).returning(EndpointRow::as_returning());
        let Some(mut row) = touched.get_result(c).await.optional()? else {
            return Err(StoreError::NotFound("endpoint"));
        };
        let moved = change.apply(&mut row)?;
        diesel::update(endpoints::table.find(Word(id))).set(&row).execute(c).await?;
        if let Some((accounts, by)) = change.accounts() {
            cover::set(c, &row, accounts, by).await?;
        }
        if moved {
            // They were for where it led; a person may send them to where it leads now.
            let waits = deliveries::table.filter(deliveries::endpoint_id.eq(Word(id)));
            let waits = waits.filter(deliveries::finished_at.is_null());
            diesel::update(waits).set(finish(DeliveryState::Parked, Some(MOVED), now)).execute(c).await?;
        }
        subscribe(c, &row).await?;
        note(c, trail, change.told(event(change.action(), &row))).await?;
        Ok((row, moved))
    })
    .await
}

pub(in crate::store) async fn remove(c: &mut Conn, agency: AgencyId, id: EndpointId, trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        let row = endpoints::table.find(Word(id)).filter(endpoints::agency_id.eq(Word(agency)));
        let gone = diesel::delete(row).returning(EndpointRow::as_returning()).get_result(c).await.optional()?;
        note(c, trail, event(Action::EndpointRemoved, &gone.ok_or(StoreError::NotFound("endpoint"))?)).await
    })
    .await
}

pub(super) fn event(action: Action, row: &EndpointRow) -> Event {
    Event::new(action, row.agency_id.0).within(row.account_id.map(|account| account.0)).on(row.id.0)
}

/// Stops events from being kept for an endpoint that can't be delivered to, and records it; one that is disabled already
/// stays so for its reason.
pub(super) async fn disable(c: &mut Conn, id: EndpointId, reason: &str, now: At, trail: &Trail) -> Result<()> {
    let set =
        (endpoints::enabled.eq(false), endpoints::disabled_reason.eq(Some(reason)), endpoints::updated_at.eq(now));
    let enabled = endpoints::table.find(Word(id)).filter(endpoints::enabled);
    let whose = diesel::update(enabled).set(set).returning((endpoints::agency_id, endpoints::account_id));
    let whose: Option<(Word<AgencyId>, Option<Word<AccountId>>)> = whose.get_result(c).await.optional()?;
    let Some((agency, account)) = whose else { return Ok(()) };
    let event = Event::new(Action::EndpointChanged, agency.0).within(account.map(|account| account.0)).on(id);
    note(c, trail, event.with("enabled", false).with("reason", reason)).await?;
    unsubscribe(c, id).await
}

async fn unsubscribe(c: &mut Conn, id: EndpointId) -> Result<()> {
    let known = subscriptions::table.filter(subscriptions::endpoint_id.eq(Word(id)));
    diesel::delete(known).execute(c).await?;
    Ok(())
}

/// What an enabled endpoint wants of the accounts that it covers and is not stopped for; nothing for another.
pub(super) async fn subscribe(c: &mut Conn, row: &EndpointRow) -> Result<()> {
    unsubscribe(c, row.id.0).await?;
    let types = row.types.0.as_array().filter(|_| row.enabled).into_iter().flatten();
    let types: BTreeSet<&str> = types.filter_map(|kind| kind.as_str()).collect();
    for kind in types {
        let covered = endpoint_accounts::table
            .filter(endpoint_accounts::endpoint_id.eq(row.id))
            .filter(endpoint_accounts::stopped_at.is_null())
            .select((
                endpoint_accounts::endpoint_id,
                kind.into_sql::<Text>(),
                endpoint_accounts::agency_id,
                endpoint_accounts::account_id,
            ));
        let columns =
            (subscriptions::endpoint_id, subscriptions::kind, subscriptions::agency_id, subscriptions::account_id);
        covered.insert_into(subscriptions::table).into_columns(columns).execute(c).await?;
    }
    Ok(())
}
