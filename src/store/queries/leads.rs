//! Leads. Every query but the insert takes the accounts first.

use std::cmp::Reverse;

use diesel::{prelude::*, sql_types::Bool};
use diesel_async::RunQueryDsl;

use super::{
    Conn, DB,
    dialect::{insert_leads, insert_leads_within, mentions, write_tx},
    prospects,
};
use crate::{
    domain::{AccountId, LeadId, Timestamp, lead::Lead},
    store::{
        Result,
        leads::{Cursor, LeadChanges, LeadFilter, LeadPage, LeadRow},
        schema::leads,
        types::{At, Word},
    },
};

type Condition = Box<dyn BoxableExpression<leads::table, DB, SqlType = Bool>>;

/// What is outside of these accounts does not exist.
fn within(accounts: &[AccountId]) -> Condition {
    Box::new(leads::account_id.eq_any(accounts.iter().copied().map(Word).collect::<Vec<_>>()))
}

pub(in crate::store) async fn insert(c: &mut Conn, rows: &[LeadRow], now: At) -> Result<usize> {
    let mut accounts: Vec<AccountId> = rows.iter().map(|row| row.account_id.0).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let enriching = prospects::enriching(c, &accounts).await?;
    if enriching.is_empty() {
        return insert_leads(c, rows).await;
    }
    let of = rows.iter().filter(|row| enriching.contains(&row.account_id.0));
    let of: Vec<Lead> = of.cloned().map(Lead::from).collect();
    write_tx!(c, async |c| {
        let stored = insert_leads_within(c, rows).await?;
        prospects::add_of_leads(c, &of, now).await?;
        Ok(stored)
    })
    .await
}

/// Finds the page in the index first and reads its rows after. Each account is asked on its own, because only then the
/// index is in order: sorting all leads of many accounts for each page is what would be slow.
pub(in crate::store) async fn page(c: &mut Conn, accounts: &[AccountId], filter: &LeadFilter) -> Result<LeadPage> {
    let size = filter.page_size();
    let mut found: Vec<Cursor> = Vec::new();
    for account in accounts {
        // What is older than a full page of other accounts need not be looked at.
        let oldest = found.get(size).map(|key| key.created_at);
        found.extend(keys(c, *account, filter, size + 1, oldest).await?);
        found.sort_unstable_by_key(|key| Reverse((key.created_at, key.id)));
        found.dedup();
        found.truncate(size + 1);
    }
    let more = found.len() > size;
    found.truncate(size);
    let rows = leads::table
        .filter(leads::id.eq_any(found.iter().map(|key| Word(key.id)).collect::<Vec<_>>()))
        .order((leads::created_at.desc(), leads::id.desc()))
        .select(LeadRow::as_select())
        .load(c)
        .await?;
    let leads = rows.into_iter().map(Lead::from).collect();
    Ok(LeadPage { leads, next: found.last().copied().filter(|_| more) })
}

/// The newest leads of one account that the filter lets through, by their places in the list.
async fn keys(
    c: &mut Conn,
    account: AccountId,
    filter: &LeadFilter,
    limit: usize,
    oldest: Option<Timestamp>,
) -> Result<Vec<Cursor>> {
    let mut query = leads::table.filter(leads::account_id.eq(Word(account))).into_boxed::<DB>();
    if let Some(status) = &filter.status {
        query = query.filter(leads::status.eq(status));
    }
    if let Some(text) = filter.text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        query = query.filter(mentions(text));
    }
    if let Some(since) = filter.since.max(oldest) {
        query = query.filter(leads::created_at.ge(At(since)));
    }
    if let Some(until) = filter.until {
        query = query.filter(leads::created_at.lt(At(until)));
    }
    if let Some(is_manual) = filter.is_manual {
        query = query.filter(leads::is_manual.eq(is_manual));
    }
    if let Some(Cursor { created_at, id }) = filter.cursor {
        let older = leads::created_at.lt(At(created_at));
        let same = leads::created_at.eq(At(created_at)).and(leads::id.lt(Word(id)));
        // Says again what the second part says, in a form that an index can begin at.
        query = query.filter(leads::created_at.le(At(created_at))).filter(older.or(same));
    }
    let query = query.order((leads::created_at.desc(), leads::id.desc())).limit(i64::try_from(limit).unwrap_or(250));
    let rows: Vec<(At, Word<LeadId>)> = query.select((leads::created_at, leads::id)).load(c).await?;
    Ok(rows.into_iter().map(|(created_at, id)| Cursor { created_at: created_at.0, id: id.0 }).collect())
}

pub(in crate::store) async fn one(c: &mut Conn, accounts: &[AccountId], id: LeadId) -> Result<Option<Lead>> {
    let lead = leads::table.filter(within(accounts)).filter(leads::id.eq(Word(id)));
    let row = lead.select(LeadRow::as_select()).first(c).await.optional()?;
    Ok(row.map(Lead::from))
}

pub(in crate::store) async fn update(
    c: &mut Conn,
    accounts: &[AccountId],
    id: LeadId,
    changes: &LeadChanges,
    now: At,
) -> Result<Option<Lead>> {
    let to = changes;
    let set = (
        to.name.as_ref().map(|value| leads::name.eq(value)),
        to.phone.as_ref().map(|value| leads::phone.eq(value)),
        to.email.as_ref().map(|value| leads::email.eq(value)),
        to.message.as_ref().map(|value| leads::message.eq(value)),
        to.kind.as_ref().map(|value| leads::kind.eq(value)),
        to.status.as_ref().map(|value| leads::status.eq(value)),
        to.potential_status.as_ref().map(|value| leads::potential_status.eq(value)),
        to.notes.as_ref().map(|value| leads::notes.eq(value)),
        to.premium.map(|value| leads::premium.eq(value.0)),
        to.renewal_date.map(|value| leads::renewal_date.eq(value)),
        to.insurance_type.as_ref().map(|value| leads::insurance_type.eq(value.as_deref())),
        to.policy_term.as_ref().map(|value| leads::policy_term.eq(value.as_deref())),
        to.visa_type.as_ref().map(|value| leads::visa_type.eq(value.as_deref())),
        to.coverage.map(|value| leads::coverage.eq(value.map(|amount| amount.0))),
        to.trip_start.map(|value| leads::trip_start.eq(value)),
        to.trip_end.map(|value| leads::trip_end.eq(value)),
        to.last_sync.map(|value| leads::last_sync.eq(value.map(At))),
        to.sync_status.as_ref().map(|value| leads::sync_status.eq(value)),
        to.sync_signal.as_ref().map(|value| leads::sync_signal.eq(value.as_deref())),
        to.driver_license_received.as_ref().map(|value| leads::driver_license_received.eq(value)),
        leads::updated_at.eq(now),
    );
    let lead = leads::table.filter(leads::id.eq(Word(id))).filter(within(accounts));
    let row = diesel::update(lead).set(set).returning(LeadRow::as_returning()).get_result(c).await.optional()?;
    Ok(row.map(Lead::from))
}

pub(in crate::store) async fn mark_first_seen(
    c: &mut Conn,
    account: AccountId,
    ids: &[LeadId],
    at: At,
) -> Result<usize> {
    let unseen = leads::table
        .filter(leads::account_id.eq(Word(account)))
        .filter(leads::id.eq_any(ids.iter().copied().map(Word).collect::<Vec<_>>()))
        .filter(leads::first_seen_at.is_null());
    Ok(diesel::update(unseen).set(leads::first_seen_at.eq(Some(at))).execute(c).await?)
}
