//! Accounts that endpoints cover.

use diesel::{dsl::sql, prelude::*, sql_types::Bool};
use diesel_async::RunQueryDsl;

use super::{
    Conn,
    audit::note,
    deliveries::named,
    dialect::write_tx,
    endpoints::{event, subscribe},
};
use crate::{
    domain::{AccountId, AgencyId, EndpointId, audit::Action, clock, delivery::DeliveryState},
    store::{
        Result, StoreError,
        audit::Trail,
        cover::{CoverRow, CoveredBy},
        endpoints::EndpointRow,
        error::{explain, found},
        outbox::{Consent, LEFT_BEHIND},
        schema::{deliveries, endpoint_accounts, endpoints},
        types::{At, Word},
    },
};

pub(in crate::store) async fn of_agency(c: &mut Conn, agency: AgencyId) -> Result<Vec<CoverRow>> {
    let rows = endpoint_accounts::table
        .inner_join(endpoints::table.on(endpoints::id.eq(endpoint_accounts::endpoint_id)))
        .filter(endpoints::agency_id.eq(Word(agency)))
        .order(endpoint_accounts::account_id);
    Ok(rows.select(CoverRow::as_select()).load(c).await?)
}

pub(in crate::store) async fn of_endpoint(
    c: &mut Conn,
    agency: AgencyId,
    endpoint: EndpointId,
) -> Result<Vec<CoverRow>> {
    let rows = endpoint_accounts::table
        .filter(endpoint_accounts::endpoint_id.eq(Word(endpoint)))
        .filter(endpoint_accounts::agency_id.eq(Word(agency)))
        .order(endpoint_accounts::account_id);
    Ok(rows.select(CoverRow::as_select()).load(c).await?)
}

pub(in crate::store) async fn of_accounts(c: &mut Conn, accounts: &[AccountId]) -> Result<Vec<CoveredBy>> {
    let accounts: Vec<_> = accounts.iter().copied().map(Word).collect();
    let rows = endpoint_accounts::table
        .inner_join(endpoints::table.on(endpoints::id.eq(endpoint_accounts::endpoint_id)))
        .filter(endpoint_accounts::account_id.eq_any(accounts))
        .filter(endpoints::source_id.is_null())
        .order((endpoint_accounts::account_id, endpoint_accounts::endpoint_id))
        .select((CoverRow::as_select(), endpoints::description, endpoints::url, endpoints::enabled));
    let rows: Vec<(CoverRow, String, String, bool)> = rows.load(c).await?;
    let covered = |(cover, description, url, enabled): (CoverRow, String, String, bool)| CoveredBy {
        endpoint: cover.endpoint_id.0,
        name: named(description, &url),
        enabled,
        cover: cover.into(),
    };
    Ok(rows.into_iter().map(covered).collect())
}

/// Exactly these accounts from now on; whoever adds one answers for it. Part of a transaction, before [`subscribe`].
pub(super) async fn set(c: &mut Conn, of: &EndpointRow, accounts: &[AccountId], by: Option<&str>) -> Result<()> {
    let wanted: Vec<_> = accounts.iter().copied().map(Word).collect();
    let others = endpoint_accounts::table
        .filter(endpoint_accounts::endpoint_id.eq(of.id))
        .filter(endpoint_accounts::account_id.ne_all(wanted.clone()));
    diesel::delete(others).execute(c).await?;
    for account_id in wanted {
        let row = CoverRow {
            endpoint_id: of.id,
            account_id,
            agency_id: of.agency_id,
            responsible: by.map(str::to_owned),
            left_at: None,
            stopped_at: None,
            stopped_by: None,
        };
        let added = diesel::insert_into(endpoint_accounts::table).values(&row).on_conflict_do_nothing();
        added.execute(c).await.map_err(explain("this account is covered already", "account"))?;
    }
    Ok(())
}

pub(in crate::store) async fn stop(
    c: &mut Conn,
    agency: AgencyId,
    endpoint: EndpointId,
    account: AccountId,
    by: Option<&str>,
    now: At,
    trail: &Trail,
) -> Result<()> {
    write_tx!(c, async |c| {
        let row = touched(c, agency, endpoint, now).await?;
        let set = (endpoint_accounts::stopped_at.eq(by.is_some().then_some(now)), endpoint_accounts::stopped_by.eq(by));
        let cover = endpoint_accounts::table.find((Word(endpoint), Word(account)));
        found(diesel::update(cover).set(set).execute(c).await?, "account of this endpoint")?;
        subscribe(c, &row).await?;
        let stopped = if by.is_some() { "stopped" } else { "resumed" };
        let event = event(Action::EndpointStopped, &row).within(account).with("now", stopped);
        note(c, trail, event).await
    })
    .await
}

pub(in crate::store) async fn take_over(
    c: &mut Conn,
    agency: AgencyId,
    endpoint: EndpointId,
    accounts: &[AccountId],
    by: &str,
    now: At,
    trail: &Trail,
) -> Result<()> {
    write_tx!(c, async |c| {
        let row = touched(c, agency, endpoint, now).await?;
        let accounts: Vec<_> = accounts.iter().copied().map(Word).collect();
        let cover = endpoint_accounts::table
            .filter(endpoint_accounts::endpoint_id.eq(Word(endpoint)))
            .filter(endpoint_accounts::account_id.eq_any(accounts.clone()));
        let set = (endpoint_accounts::responsible.eq(Some(by)), endpoint_accounts::left_at.eq(None::<At>));
        found(diesel::update(cover).set(set).execute(c).await?, "account of this endpoint")?;
        let waits = deliveries::table
            .filter(deliveries::endpoint_id.eq(Word(endpoint)))
            .filter(sql::<Bool>("state = 'parked'"))
            .filter(deliveries::reason.eq(Some(LEFT_BEHIND)))
            .filter(deliveries::account_id.eq_any(accounts));
        let again = (
            deliveries::state.eq(Word(DeliveryState::Pending)),
            deliveries::reason.eq(None::<String>),
            deliveries::failures.eq(0),
            deliveries::since.eq(now),
            deliveries::next_try.eq(now),
            deliveries::finished_at.eq(None::<At>),
        );
        diesel::update(waits).set(again).execute(c).await?;
        note(c, trail, event(Action::EndpointTakenOver, &row)).await
    })
    .await
}

/// Nobody answers any more for what this user or key answered for: everywhere, or in one account. Part of the transaction that
/// takes away what they may do.
pub(super) async fn leave(c: &mut Conn, who: &str, account: Option<AccountId>) -> Result<()> {
    let left = endpoint_accounts::left_at.eq(Some(At(clock::now())));
    let theirs = endpoint_accounts::responsible.eq(Some(who)).and(endpoint_accounts::left_at.is_null());
    match account {
        None => diesel::update(endpoint_accounts::table.filter(theirs)).set(left).execute(c).await?,
        Some(account) => {
            let there = endpoint_accounts::account_id.eq(Word(account));
            diesel::update(endpoint_accounts::table.filter(theirs).filter(there)).set(left).execute(c).await?
        }
    };
    Ok(())
}

/// Written first, so that two changes go one after the other.
async fn touched(c: &mut Conn, agency: AgencyId, endpoint: EndpointId, now: At) -> Result<EndpointRow> {
    let row = endpoints::table.find(Word(endpoint)).filter(endpoints::agency_id.eq(Word(agency)));
    let touched = diesel::update(row).set(endpoints::updated_at.eq(now)).returning(EndpointRow::as_returning());
    touched.get_result(c).await.optional()?.ok_or(StoreError::NotFound("endpoint"))
}

/// The account, if it is covered; who answers for it; since when nobody does; since when it is stopped.
pub(super) type Covered = (Option<Word<AccountId>>, Option<String>, Option<At>, Option<At>);

/// Whether an endpoint may have an event of this account.
pub(super) fn consent(endpoint: &EndpointRow, account: Option<Word<AccountId>>, covered: Covered) -> Consent {
    match covered {
        (Some(_), _, _, Some(_)) => Consent::Stopped,
        (Some(_), _, Some(_), None) => Consent::LeftBehind,
        (Some(_), responsible, None, None) => Consent::By(responsible),
        // A test; or a hub of the version before added the endpoint, for this account.
        (None, ..) if account.is_none() || endpoint.account_id == account => Consent::By(None),
        (None, ..) => Consent::NotCovered,
    }
}
