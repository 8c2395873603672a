//! The outbox: rows, deliveries and their attempts, as the dispatcher works on them.
//!
//! What waits is told by a column that is null, and not by a word: so the questions stay prepared, and use the indexes
//! that hold nothing else.

use std::collections::HashMap;

use diesel::{
    dsl::{Eq, exists, not},
    prelude::*,
    sql_types::{Bool, Integer, Nullable, Text},
};
use diesel_async::RunQueryDsl;

use super::{
    Conn,
    cover::{Covered, consent},
    dialect::{locked, unlocked, write_tx},
    endpoints::disable,
};
use crate::{
    domain::{
        AccountId, AgencyId, EndpointId, EventId,
        delivery::{DeliveryState, Endpoint, TEST},
    },
    store::{
        Result, StoreError,
        audit::Trail,
        endpoints::EndpointRow,
        outbox::{Attempt, Claimed, Consent, Due, GONE, LEFT_BEHIND, Outcome, Settled, test_payload},
        schema::{deliveries, delivery_attempts, endpoint_accounts, endpoints, outbox, subscriptions},
        types::{At, Moment, Word},
    },
};

diesel::alias!(deliveries as earlier: Earlier);

/// Of a piece of pruning.
const PRUNED: i64 = 1_000;

pub(in crate::store) async fn due(c: &mut Conn, now: At) -> Result<Due> {
    let unrouted = outbox::table.filter(outbox::routed_at.is_null());
    let unrouted = diesel::select(exists(unrouted)).get_result(c).await?;
    let unclaimed = deliveries::claimed_until.is_null().or(deliveries::claimed_until.le(now));
    let waits = deliveries::table
        .filter(deliveries::endpoint_id.eq(endpoints::id))
        .filter(deliveries::finished_at.is_null())
        .filter(deliveries::next_try.le(now))
        .filter(unclaimed);
    // By endpoint: each costs one look into the index, however much waits for it.
    let of = endpoints::table.filter(endpoints::enabled.eq(true)).filter(exists(waits)).select(endpoints::id);
    let of: Vec<Word<EndpointId>> = of.load(c).await?;
    Ok(Due { unrouted, endpoints: of.into_iter().map(|id| id.0).collect() })
}

pub(in crate::store) async fn route(c: &mut Conn, most: u32, now: At) -> Result<(usize, Vec<EndpointId>)> {
    write_tx!(c, async |c| {
        // Waits for another hub that routes: a later row must not become a delivery before an earlier one.
        let rows = outbox::table.filter(outbox::routed_at.is_null()).order(outbox::id).limit(most.into());
        let rows: Vec<i64> = locked!(rows.select(outbox::id)).load(c).await?;
        if rows.is_empty() {
            return Ok((0, Vec::new()));
        }
        let wants = subscriptions::agency_id
            .eq(outbox::agency_id)
            .and(subscriptions::kind.eq(outbox::kind))
            .and(subscriptions::account_id.nullable().eq(outbox::account_id));
        let wanted = outbox::table
            .inner_join(subscriptions::table.on(wants))
            .filter(outbox::id.eq_any(&rows))
            .order(outbox::id)
            .select((
                subscriptions::endpoint_id,
                outbox::id,
                outbox::agency_id,
                outbox::account_id,
                outbox::subject,
                Word(DeliveryState::Pending).into_sql::<Text>(),
                0.into_sql::<Integer>(),
                0.into_sql::<Integer>(),
                now.into_sql::<Moment>(),
                now.into_sql::<Moment>(),
            ));
        let columns = (
            deliveries::endpoint_id,
            deliveries::outbox_id,
            deliveries::agency_id,
            deliveries::account_id,
            deliveries::subject,
            deliveries::state,
            deliveries::attempts,
            deliveries::failures,
            deliveries::since,
            deliveries::next_try,
        );
        let made = wanted.insert_into(deliveries::table).into_columns(columns).returning(deliveries::endpoint_id);
        let made: Vec<Word<EndpointId>> = made.get_results(c).await?;
        let routed = diesel::update(outbox::table.filter(outbox::id.eq_any(&rows)));
        routed.set(outbox::routed_at.eq(Some(now))).execute(c).await?;
        let mut made: Vec<EndpointId> = made.into_iter().map(|id| id.0).collect();
        made.sort_unstable();
        made.dedup();
        Ok((rows.len(), made))
    })
    .await
}

/// An event.
type Event = (i64, Word<EventId>, String, String, At, Option<Word<AccountId>>);
/// Attempts, failures in a row, since when.
type Tries = (i32, i32, At);

pub(in crate::store) async fn claim(
    c: &mut Conn,
    endpoint: EndpointId,
    most: u32,
    now: At,
    until: At,
) -> Result<Option<(EndpointRow, Vec<Claimed>)>> {
    write_tx!(c, async |c| {
        let row = endpoints::table.find(Word(endpoint)).filter(endpoints::enabled.eq(true));
        let row = row.select(EndpointRow::as_select()).first(c).await.optional()?;
        let Some(row) = row else { return Ok(None) };
        let before_it = earlier
            .filter(earlier.field(deliveries::endpoint_id).eq(deliveries::endpoint_id))
            .filter(earlier.field(deliveries::subject).eq(deliveries::subject))
            .filter(earlier.field(deliveries::outbox_id).lt(deliveries::outbox_id))
            .filter(earlier.field(deliveries::finished_at).is_null());
        let in_turn = (!row.ordered).into_sql::<Bool>().or(not(exists(before_it)));
        let unclaimed = deliveries::claimed_until.is_null().or(deliveries::claimed_until.le(now));
        let of = deliveries::table
            .filter(deliveries::endpoint_id.eq(Word(endpoint)))
            .filter(deliveries::finished_at.is_null())
            .filter(deliveries::next_try.le(now))
            .filter(unclaimed)
            .filter(in_turn)
            .order((deliveries::next_try, deliveries::outbox_id))
            .limit(most.into());
        let rows: Vec<i64> = unlocked!(of.select(deliveries::outbox_id)).load(c).await?;
        if rows.is_empty() {
            return Ok(Some((row, Vec::new())));
        }
        let mine = deliveries::endpoint_id.eq(Word(endpoint)).and(deliveries::outbox_id.eq_any(&rows));
        let set = (deliveries::claimed_until.eq(Some(until)), deliveries::attempts.eq(deliveries::attempts + 1));
        diesel::update(deliveries::table.filter(mine)).set(set).execute(c).await?;
        let mine = deliveries::endpoint_id.eq(Word(endpoint)).and(deliveries::outbox_id.eq_any(&rows));
        let covered = endpoint_accounts::endpoint_id
            .eq(deliveries::endpoint_id)
            .and(endpoint_accounts::account_id.nullable().eq(deliveries::account_id));
        let claimed = deliveries::table
            .inner_join(outbox::table.on(outbox::id.eq(deliveries::outbox_id)))
            .left_join(endpoint_accounts::table.on(covered))
            .filter(mine);
        let claimed = claimed.order(outbox::id).select((
            (outbox::id, outbox::event_id, outbox::kind, outbox::payload, outbox::created_at, outbox::account_id),
            (deliveries::attempts, deliveries::failures, deliveries::since),
            (
                endpoint_accounts::account_id.nullable(),
                endpoint_accounts::responsible.nullable(),
                endpoint_accounts::left_at.nullable(),
                endpoint_accounts::stopped_at.nullable(),
            ),
        ));
        let claimed: Vec<(Event, Tries, Covered)> = claimed.load(c).await?;
        let claimed = claimed.into_iter().map(|(event, tries, covered)| {
            let consent = consent(&row, event.5, covered);
            read(event, tries, consent)
        });
        let claimed = claimed.collect();
        Ok(Some((row, claimed)))
    })
    .await
}

fn read((row, event, kind, payload, created_at, account): Event, tries: Tries, consent: Consent) -> Claimed {
    let (attempt, failures, since) = (tries.0, tries.1, tries.2.0);
    let (event, created_at, account) = (event.0, created_at.0, account.map(|account| account.0));
    Claimed { row, event, kind, payload, attempt, failures, since, created_at, account, consent }
}

pub(in crate::store) async fn settle(c: &mut Conn, settled: &[Settled], now: At, trail: &Trail) -> Result<()> {
    write_tx!(c, async |c| {
        let mut delivered: HashMap<EndpointId, Vec<i64>> = HashMap::new();
        for one in settled {
            if let Some(attempt) = &one.attempt {
                add_attempt(c, one, attempt).await?;
            }
            if one.outcome == Outcome::Delivered {
                delivered.entry(one.endpoint).or_default().push(one.claimed.row);
            }
        }
        // What is delivered is delivered, whoever has claimed it since. First, for an endpoint that is gone has all parked that
        // is not over.
        for (endpoint, rows) in delivered {
            let waits = deliveries::table
                .filter(deliveries::endpoint_id.eq(Word(endpoint)))
                .filter(deliveries::outbox_id.eq_any(rows))
                .filter(deliveries::finished_at.is_null());
            diesel::update(waits).set(finish(DeliveryState::Delivered, None, now)).execute(c).await?;
        }
        for one in settled.iter().filter(|one| one.outcome != Outcome::Delivered) {
            conclude(c, one, now, trail).await?;
        }
        Ok(())
    })
    .await
}

pub(in crate::store) async fn settle_together(
    c: &mut Conn,
    endpoint: EndpointId,
    rows: &[i64],
    attempt: &Attempt,
    now: At,
) -> Result<()> {
    write_tx!(c, async |c| {
        let made = deliveries::table
            .filter(deliveries::endpoint_id.eq(Word(endpoint)))
            .filter(deliveries::outbox_id.eq_any(rows))
            .filter(deliveries::finished_at.is_null())
            .select((
                deliveries::endpoint_id,
                deliveries::outbox_id,
                deliveries::attempts,
                attempt.url.as_str().into_sql::<Text>(),
                At(attempt.started_at).into_sql::<Moment>(),
                attempt.duration_ms.into_sql::<Integer>(),
                attempt.status.map(i32::from).into_sql::<Nullable<Integer>>(),
            ));
        let columns = (
            delivery_attempts::endpoint_id,
            delivery_attempts::outbox_id,
            delivery_attempts::attempt,
            delivery_attempts::url,
            delivery_attempts::started_at,
            delivery_attempts::duration_ms,
            delivery_attempts::status,
        );
        made.insert_into(delivery_attempts::table).into_columns(columns).execute(c).await?;
        let waits = deliveries::table
            .filter(deliveries::endpoint_id.eq(Word(endpoint)))
            .filter(deliveries::outbox_id.eq_any(rows))
            .filter(deliveries::finished_at.is_null());
        diesel::update(waits).set(finish(DeliveryState::Delivered, None, now)).execute(c).await?;
        Ok(())
    })
    .await
}

/// A replay may have been pruned or its endpoint removed while it was under way: then nothing is kept of it. Nor is it kept
/// twice.
async fn add_attempt(c: &mut Conn, of: &Settled, attempt: &Attempt) -> Result<()> {
    let known = delivery_attempts::table
        .filter(delivery_attempts::endpoint_id.eq(Word(of.endpoint)))
        .filter(delivery_attempts::outbox_id.eq(of.claimed.row))
        .filter(delivery_attempts::attempt.eq(of.claimed.attempt));
    let row = deliveries::table
        .filter(deliveries::endpoint_id.eq(Word(of.endpoint)))
        .filter(deliveries::outbox_id.eq(of.claimed.row))
        .filter(not(exists(known)))
        .select((
            deliveries::endpoint_id,
            deliveries::outbox_id,
            of.claimed.attempt.into_sql::<Integer>(),
            attempt.url.as_str().into_sql::<Text>(),
            At(attempt.started_at).into_sql::<Moment>(),
            attempt.duration_ms.into_sql::<Integer>(),
            attempt.status.map(i32::from).into_sql::<Nullable<Integer>>(),
            attempt.answer.as_deref().into_sql::<Nullable<Text>>(),
            attempt.error.as_deref().into_sql::<Nullable<Text>>(),
        ));
    let columns = (
        delivery_attempts::endpoint_id,
        delivery_attempts::outbox_id,
        delivery_attempts::attempt,
        delivery_attempts::url,
        delivery_attempts::started_at,
        delivery_attempts::duration_ms,
        delivery_attempts::status,
        delivery_attempts::answer,
        delivery_attempts::error,
    );
    row.insert_into(delivery_attempts::table).into_columns(columns).execute(c).await?;
    Ok(())
}

pub(super) type Finish = (
    Eq<deliveries::state, Word<DeliveryState>>,
    Eq<deliveries::reason, Option<&'static str>>,
    Eq<deliveries::finished_at, Option<At>>,
    Eq<deliveries::claimed_until, Option<At>>,
);

pub(super) fn finish(state: DeliveryState, reason: Option<&'static str>, now: At) -> Finish {
    (
        deliveries::state.eq(Word(state)),
        deliveries::reason.eq(reason),
        deliveries::finished_at.eq(Some(now)),
        deliveries::claimed_until.eq(None::<At>),
    )
}

async fn conclude(c: &mut Conn, of: &Settled, now: At, trail: &Trail) -> Result<()> {
    // Whoever has claimed it since, after the lease had ended, decides.
    let mine = deliveries::table
        .find((Word(of.endpoint), of.claimed.row))
        .filter(deliveries::finished_at.is_null())
        .filter(deliveries::attempts.eq(of.claimed.attempt));
    let unclaim = deliveries::claimed_until.eq(None::<At>);
    match of.outcome {
        Outcome::Delivered => diesel::update(mine).set(finish(DeliveryState::Delivered, None, now)).execute(c).await?,
        Outcome::Retry(at) => {
            let again = (unclaim, deliveries::next_try.eq(At(at)), deliveries::failures.eq(deliveries::failures + 1));
            diesel::update(mine).set(again).execute(c).await?
        }
        Outcome::PutOff(at) => {
            let again = (unclaim, deliveries::next_try.eq(At(at)), deliveries::attempts.eq(deliveries::attempts - 1));
            diesel::update(mine).set(again).execute(c).await?
        }
        Outcome::Parked(why) => {
            diesel::update(mine).set(finish(DeliveryState::Parked, Some(why), now)).execute(c).await?
        }
        Outcome::Cancelled(why) => {
            diesel::update(mine).set(finish(DeliveryState::Cancelled, Some(why), now)).execute(c).await?
        }
        Outcome::Gone => {
            disable(c, of.endpoint, GONE, now, trail).await?;
            let all = deliveries::table.filter(deliveries::endpoint_id.eq(Word(of.endpoint)));
            let all = all.filter(deliveries::finished_at.is_null());
            diesel::update(all).set(finish(DeliveryState::Parked, Some(GONE), now)).execute(c).await?
        }
    };
    Ok(())
}

pub(in crate::store) async fn add_test(
    c: &mut Conn,
    agency: AgencyId,
    endpoint: EndpointId,
    now: At,
    until: At,
) -> Result<(EndpointRow, Claimed)> {
    write_tx!(c, async |c| {
        let row = super::endpoints::one(c, agency, endpoint).await?.ok_or(StoreError::NotFound("endpoint"))?;
        let (event, id) = (EventId::generate(), endpoint.to_string());
        let payload = test_payload(&Endpoint::try_from(row.clone())?, event, now.0);
        let added = (
            outbox::event_id.eq(Word(event)),
            outbox::agency_id.eq(row.agency_id),
            outbox::account_id.eq(row.account_id),
            outbox::kind.eq(TEST),
            outbox::subject.eq(&id),
            outbox::record_id.eq(&id),
            outbox::payload.eq(&payload),
            outbox::created_at.eq(now),
            outbox::routed_at.eq(Some(now)),
        );
        let added: i64 = diesel::insert_into(outbox::table).values(added).returning(outbox::id).get_result(c).await?;
        let delivery = (
            deliveries::endpoint_id.eq(row.id),
            deliveries::outbox_id.eq(added),
            deliveries::agency_id.eq(row.agency_id),
            deliveries::account_id.eq(row.account_id),
            deliveries::subject.eq(&id),
            deliveries::state.eq(Word(DeliveryState::Pending)),
            deliveries::attempts.eq(1),
            deliveries::failures.eq(0),
            deliveries::since.eq(now),
            deliveries::next_try.eq(now),
            deliveries::claimed_until.eq(Some(until)),
        );
        diesel::insert_into(deliveries::table).values(delivery).execute(c).await?;
        let claimed = (added, Word(event), TEST.to_owned(), payload, now, row.account_id);
        let claimed = read(claimed, (1, 0, now), Consent::By(None));
        Ok((row, claimed))
    })
    .await
}

pub(in crate::store) async fn prune(c: &mut Conn, before: At) -> Result<usize> {
    let kept = deliveries::state.eq_any([DeliveryState::Pending, DeliveryState::Parked].map(Word));
    let left = deliveries::reason.is_not_null().and(deliveries::reason.assume_not_null().eq(LEFT_BEHIND));
    let open = deliveries::table.filter(deliveries::outbox_id.eq(outbox::id)).filter(kept).filter(not(left));
    let done = outbox::table
        .filter(outbox::created_at.lt(before))
        .filter(outbox::routed_at.is_not_null())
        .filter(not(exists(open)))
        .order(outbox::id)
        .limit(PRUNED)
        .select(outbox::id);
    let done: Vec<i64> = done.load(c).await?;
    if done.is_empty() {
        return Ok(0);
    }
    Ok(diesel::delete(outbox::table.filter(outbox::id.eq_any(done))).execute(c).await?)
}
