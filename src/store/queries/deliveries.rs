//! Deliveries as people see them.

use std::collections::HashMap;

use diesel::{
    dsl::{count_star, exists, sql},
    prelude::*,
    sql_types::{BigInt, Bool, Nullable},
};
use diesel_async::RunQueryDsl;
use url::Url;

use super::{Conn, DB, audit::note, dialect::write_tx};
use crate::{
    domain::{
        AccountId, AgencyId, EndpointId, EventId, ReplayId,
        audit::{Action, Event},
        delivery::DeliveryState,
    },
    store::{
        Result, StoreError,
        audit::Trail,
        deliveries::{Delivery, DeliveryFilter, ListedAttempt, ParkedDeliveries, Replay, Traffic, Whose},
        schema::{deliveries, delivery_attempts, endpoints, outbox, replays},
        types::{At, Moment, Word},
    },
};

/// Rows that one statement names; both engines take as many.
const NAMED: usize = 5_000;
/// Replays of one agency that are under way at the same time.
const REPLAYS_AT_ONCE: i64 = 4;
/// Why a delivery is cancelled whose replay was.
const CANCELLED: &str = "replay_cancelled";

/// `deliveries` of these.
macro_rules! of {
    ($whose:expr) => {{
        let whose: &Whose = $whose;
        let accounts: Vec<_> = whose.accounts.iter().copied().map(Word).collect();
        let tests = deliveries::account_id.is_null().and(whose.tests.into_sql::<Bool>());
        tests.or(deliveries::account_id.is_not_null().and(deliveries::account_id.assume_not_null().eq_any(accounts)))
    }};
}

/// `deliveries` with their rows of the outbox, as the filter has them.
macro_rules! filtered {
    ($endpoint:expr, $filter:expr) => {{
        let (endpoint, filter): (EndpointId, &DeliveryFilter) = ($endpoint, $filter);
        let mut query = deliveries::table
            .inner_join(outbox::table.on(outbox::id.eq(deliveries::outbox_id)))
            .filter(deliveries::endpoint_id.eq(Word(endpoint)))
            .into_boxed::<DB>();
        if let Some(whose) = &filter.whose {
            query = query.filter(of!(whose));
        }
        if let Some(event) = filter.event {
            query = query.filter(outbox::event_id.eq(Word(event)));
        }
        if let Some(state) = filter.state {
            query = query.filter(deliveries::state.eq(Word(state)));
        }
        if let Some(kind) = &filter.kind {
            query = query.filter(outbox::kind.eq(kind));
        }
        if let Some(since) = filter.since {
            query = query.filter(outbox::created_at.ge(At(since)));
        }
        if let Some(until) = filter.until {
            query = query.filter(outbox::created_at.lt(At(until)));
        }
        query
    }};
}

type Row = (
    (i64, Word<EventId>, String, Option<Word<AccountId>>, String, At),
    (Word<DeliveryState>, Option<String>, At, Option<At>),
);

pub(in crate::store) async fn list(
    c: &mut Conn,
    endpoint: EndpointId,
    filter: &DeliveryFilter,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Delivery>> {
    let mut query = filtered!(endpoint, filter);
    if let Some(before) = before {
        query = query.filter(deliveries::outbox_id.lt(before));
    }
    let rows = query.order(deliveries::outbox_id.desc()).limit(limit.into()).select((
        (outbox::id, outbox::event_id, outbox::kind, outbox::account_id, outbox::subject, outbox::created_at),
        (deliveries::state, deliveries::reason, deliveries::next_try, deliveries::finished_at),
    ));
    let rows: Vec<Row> = rows.load(c).await?;
    let ids: Vec<i64> = rows.iter().map(|row| row.0.0).collect();
    let mut attempts = attempts(c, endpoint, &ids).await?;
    Ok(rows.into_iter().map(|row| delivery(row, &mut attempts)).collect())
}

fn delivery(row: Row, attempts: &mut HashMap<i64, Vec<ListedAttempt>>) -> Delivery {
    let ((row, event, kind, account, subject, created_at), (state, reason, next_try, finished_at)) = row;
    Delivery {
        row,
        event: event.0,
        kind,
        account: account.map(|account| account.0),
        subject,
        state: state.0,
        reason,
        next_try: (state.0 == DeliveryState::Pending).then_some(next_try.0),
        created_at: created_at.0,
        finished_at: finished_at.map(|at| at.0),
        attempts: attempts.remove(&row).unwrap_or_default(),
    }
}

pub(in crate::store) async fn traffic(
    c: &mut Conn,
    of: &[EndpointId],
    whose: &Whose,
) -> Result<HashMap<EndpointId, Traffic>> {
    type Row = (Word<EndpointId>, i64, Option<i64>);
    let mut all: HashMap<EndpointId, Traffic> = HashMap::new();
    let words: Vec<_> = of.iter().copied().map(Word).collect();
    let pending = deliveries::table
        .filter(deliveries::finished_at.is_null())
        .filter(deliveries::endpoint_id.eq_any(words.clone()))
        .filter(of!(whose))
        .group_by(deliveries::endpoint_id)
        .select((
            deliveries::endpoint_id,
            count_star(),
            sql::<Nullable<BigInt>>("sum(CASE WHEN failures > 0 THEN 1 ELSE 0 END)"),
        ));
    for (endpoint, pending, retrying) in pending.load::<Row>(c).await? {
        let traffic = all.entry(endpoint.0).or_default();
        (traffic.pending, traffic.retrying) = (pending, retrying.unwrap_or_default());
    }
    let parked = deliveries::table
        .filter(sql::<Bool>("state = 'parked'"))
        .filter(deliveries::endpoint_id.eq_any(words))
        .filter(of!(whose))
        .group_by(deliveries::endpoint_id)
        .select((deliveries::endpoint_id, count_star()));
    for (endpoint, parked) in parked.load::<(Word<EndpointId>, i64)>(c).await? {
        all.entry(endpoint.0).or_default().parked = parked;
    }
    for endpoint in of {
        // The key's own order: of the newest delivery that was tried, and not of all of them the latest try.
        let theirs = deliveries::endpoint_id
            .eq(delivery_attempts::endpoint_id)
            .and(deliveries::outbox_id.eq(delivery_attempts::outbox_id));
        let newest = delivery_attempts::table
            .inner_join(deliveries::table.on(theirs))
            .filter(delivery_attempts::endpoint_id.eq(Word(*endpoint)))
            .filter(of!(whose))
            .order((delivery_attempts::outbox_id.desc(), delivery_attempts::attempt.desc()))
            .select(delivery_attempts::outbox_id);
        if let Some(newest) = newest.first::<i64>(c).await.optional()? {
            let last = attempts(c, *endpoint, &[newest]).await?.remove(&newest);
            all.entry(*endpoint).or_default().last_attempt = last.and_then(|mut attempts| attempts.pop());
        }
    }
    Ok(all)
}

async fn attempts(c: &mut Conn, endpoint: EndpointId, of: &[i64]) -> Result<HashMap<i64, Vec<ListedAttempt>>> {
    type Row = (i64, i32, At, i32, Option<i32>, Option<String>, Option<String>);
    let rows = delivery_attempts::table
        .filter(delivery_attempts::endpoint_id.eq(Word(endpoint)))
        .filter(delivery_attempts::outbox_id.eq_any(of))
        .order((delivery_attempts::outbox_id, delivery_attempts::attempt))
        .select((
            delivery_attempts::outbox_id,
            delivery_attempts::attempt,
            delivery_attempts::started_at,
            delivery_attempts::duration_ms,
            delivery_attempts::status,
            delivery_attempts::answer,
            delivery_attempts::error,
        ));
    let rows: Vec<Row> = rows.load(c).await?;
    let mut by_row: HashMap<i64, Vec<ListedAttempt>> = HashMap::new();
    for (row, attempt, started_at, duration_ms, status, answer, error) in rows {
        let one = ListedAttempt { attempt, started_at: started_at.0, duration_ms, status, answer, error };
        by_row.entry(row).or_default().push(one);
    }
    Ok(by_row)
}

pub(in crate::store) async fn parked(c: &mut Conn, accounts: &[AccountId]) -> Result<Vec<ParkedDeliveries>> {
    type Row = (Option<Word<AccountId>>, Word<EndpointId>, Option<String>, i64, At);
    let accounts: Vec<_> = accounts.iter().copied().map(Word).collect();
    let key = (deliveries::account_id, deliveries::endpoint_id, deliveries::reason);
    let rows = deliveries::table
        .filter(sql::<Bool>("state = 'parked'"))
        .filter(deliveries::account_id.eq_any(accounts))
        .group_by(key)
        .select((
            deliveries::account_id,
            deliveries::endpoint_id,
            deliveries::reason,
            count_star(),
            sql::<Moment>("min(since)"),
        ));
    let rows: Vec<Row> = rows.load(c).await?;
    let named = endpoints::table.filter(endpoints::id.eq_any(rows.iter().map(|row| row.1)));
    let named = named.select((endpoints::id, endpoints::description, endpoints::url));
    let named: Vec<(Word<EndpointId>, String, String)> = named.load(c).await?;
    let name = |(id, description, url): (Word<EndpointId>, String, String)| (id.0, self::named(description, &url));
    let named: HashMap<EndpointId, String> = named.into_iter().map(name).collect();
    let parked = |(account, endpoint, reason, count, oldest): Row| {
        Some(ParkedDeliveries {
            account: account?.0,
            endpoint_id: endpoint.0,
            endpoint: named.get(&endpoint.0)?.clone(),
            reason: reason.unwrap_or_default(),
            count: u64::try_from(count).unwrap_or(0),
            oldest: oldest.0,
        })
    };
    Ok(rows.into_iter().filter_map(parked).collect())
}

/// What people call an endpoint.
pub(super) fn named(description: String, url: &str) -> String {
    if description.is_empty() { host(url) } else { description }
}

/// Where an address leads; the rest of it may be a secret.
fn host(url: &str) -> String {
    let url = url.parse::<Url>().ok();
    url.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned()
}

pub(in crate::store) async fn finished(
    c: &mut Conn,
    endpoint: EndpointId,
    filter: &DeliveryFilter,
    most: u32,
) -> Result<Vec<i64>> {
    let query = filtered!(endpoint, filter).filter(deliveries::finished_at.is_not_null());
    let rows = query.order(deliveries::outbox_id).limit(i64::from(most) + 1).select(deliveries::outbox_id);
    Ok(rows.load(c).await?)
}

pub(in crate::store) async fn replay(
    c: &mut Conn,
    (id, endpoint): (ReplayId, EndpointId),
    filter: &DeliveryFilter,
    most: u32,
    now: At,
    trail: &Trail,
) -> Result<Option<Replay>> {
    write_tx!(c, async |c| {
        let rows = finished(c, endpoint, filter, most).await?;
        let total = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        if total > i64::from(most) {
            return Ok(None);
        }
        let of = endpoints::table.find(Word(endpoint)).select((endpoints::agency_id, endpoints::account_id));
        let of: (Word<AgencyId>, Option<Word<AccountId>>) = of.first(c).await?;
        refuse_more_replays(c, of.0.0).await?;
        let row = (
            replays::id.eq(Word(id)),
            replays::endpoint_id.eq(Word(endpoint)),
            replays::total.eq(total),
            replays::cancelled.eq(false),
            replays::created_at.eq(now),
        );
        diesel::insert_into(replays::table).values(row).execute(c).await?;
        let event = Event::new(Action::EndpointReplayed, of.0.0).within(of.1.map(|account| account.0)).on(endpoint);
        note(c, trail, event.with("replay_id", id.to_string()).with("deliveries", total)).await?;
        for rows in rows.chunks(NAMED) {
            let again = deliveries::table
                .filter(deliveries::endpoint_id.eq(Word(endpoint)))
                .filter(deliveries::outbox_id.eq_any(rows))
                .filter(deliveries::finished_at.is_not_null());
            let set = (
                deliveries::state.eq(Word(DeliveryState::Pending)),
                deliveries::reason.eq(None::<String>),
                deliveries::failures.eq(0),
                deliveries::since.eq(now),
                deliveries::next_try.eq(now),
                deliveries::finished_at.eq(None::<At>),
                deliveries::replay_id.eq(Some(Word(id))),
            );
            diesel::update(again).set(set).execute(c).await?;
        }
        progress(c, endpoint, id).await
    })
    .await
}

/// An agency has so many replays under way at most.
async fn refuse_more_replays(c: &mut Conn, agency: AgencyId) -> Result<()> {
    let is_under_way = exists(
        deliveries::table
            .filter(deliveries::replay_id.eq(replays::id.nullable()))
            .filter(deliveries::finished_at.is_null()),
    );
    let under_way: i64 = replays::table
        .inner_join(endpoints::table.on(endpoints::id.eq(replays::endpoint_id)))
        .filter(endpoints::agency_id.eq(Word(agency)))
        .filter(is_under_way)
        .count()
        .get_result(c)
        .await?;
    if under_way < REPLAYS_AT_ONCE {
        return Ok(());
    }
    let words = format!("the agency has {REPLAYS_AT_ONCE} replays under way: wait for one to end, or cancel one");
    Err(StoreError::Conflict(words))
}

pub(in crate::store) async fn progress(c: &mut Conn, endpoint: EndpointId, id: ReplayId) -> Result<Option<Replay>> {
    let row = replays::table.find(Word(id)).filter(replays::endpoint_id.eq(Word(endpoint)));
    let row = row.select((replays::total, replays::cancelled, replays::created_at));
    let Some((total, cancelled, created_at)) = row.first::<(i64, bool, At)>(c).await.optional()? else {
        return Ok(None);
    };
    let states = deliveries::table.filter(deliveries::replay_id.eq(Some(Word(id)))).group_by(deliveries::state);
    let states: Vec<(Word<DeliveryState>, i64)> = states.select((deliveries::state, count_star())).load(c).await?;
    let count = |wanted| states.iter().find(|(state, _)| state.0 == wanted).map_or(0, |(_, count)| *count);
    Ok(Some(Replay {
        id,
        endpoint,
        total,
        pending: count(DeliveryState::Pending),
        delivered: count(DeliveryState::Delivered),
        parked: count(DeliveryState::Parked),
        cancelled,
        created_at: created_at.0,
    }))
}

pub(in crate::store) async fn cancel(
    c: &mut Conn,
    endpoint: EndpointId,
    id: ReplayId,
    now: At,
) -> Result<Option<Replay>> {
    write_tx!(c, async |c| {
        let row = replays::table.find(Word(id)).filter(replays::endpoint_id.eq(Word(endpoint)));
        if diesel::update(row).set(replays::cancelled.eq(true)).execute(c).await? == 0 {
            return Ok(None);
        }
        let idle = deliveries::claimed_until.is_null().or(deliveries::claimed_until.le(now));
        let waits = deliveries::table
            .filter(deliveries::replay_id.eq(Some(Word(id))))
            .filter(deliveries::finished_at.is_null())
            .filter(idle);
        let set = (
            deliveries::state.eq(Word(DeliveryState::Cancelled)),
            deliveries::reason.eq(Some(CANCELLED)),
            deliveries::finished_at.eq(Some(now)),
        );
        diesel::update(waits).set(set).execute(c).await?;
        progress(c, endpoint, id).await
    })
    .await
}
