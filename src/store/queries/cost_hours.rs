//! What an account has spent, hour by hour: hours that are over are summed once, the others are read as they are.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use diesel::{
    dsl::{count_star, sql},
    prelude::*,
    sql_types::{BigInt, Text},
};
use diesel_async::RunQueryDsl;

use super::{
    Conn,
    dialect::{HOUR, locked},
};
use crate::{
    domain::{
        Timestamp, clock,
        cost::{Amount, Paid, Spending},
    },
    store::{
        Result,
        error::explain,
        messages::Tenancy,
        schema::{api_costs, cost_hours, cost_hours_until},
        types::{At, Word},
    },
};

/// The exact sum of costs, in parts, on both engines. What others wrote that is no amount counts as nothing.
const SUM: &str = "CAST(coalesce(sum(CASE WHEN cost BETWEEN -99999999.9999 AND 99999999.9999
    THEN CAST(round(cost * 10000) AS BIGINT) ELSE 0 END), 0) AS BIGINT)";
/// Of a service's name what an index takes; the rest of it is no name.
const SERVICE: &str = "substr(api_service, 1, 200)";
/// An hour in microseconds.
const LENGTH: i64 = 3_600_000_000;
/// What is usual is found in so many hours.
const WEEK: i64 = 7 * 24;
/// Hours that are kept: those of the daily sums.
const KEPT: i64 = 32 * 24;

/// By hour and service, in parts.
pub(super) type Hours = BTreeMap<(i64, String), i64>;

/// Costs of the account since then.
macro_rules! since {
    ($tenancy:expr, $since:expr) => {
        api_costs::table
            .filter(api_costs::account_id.eq(Word($tenancy.account)))
            .filter(api_costs::agency_id.eq(Word($tenancy.agency)))
            .filter(api_costs::created_at.ge(At($since)))
    };
}

/// Sums of the account's hours.
macro_rules! summed {
    ($tenancy:expr) => {
        cost_hours::table
            .filter(cost_hours::account_id.eq(Word($tenancy.account)))
            .filter(cost_hours::agency_id.eq(Word($tenancy.agency)))
    };
}

pub(super) const fn hour_of(at: Timestamp) -> i64 {
    at.timestamp_micros().div_euclid(LENGTH)
}

pub(super) fn start_of(hour: i64) -> Timestamp {
    clock::from_micros(hour * LENGTH)
}

/// Up to where hours are summed; keeps others from summing the account's until the transaction ends.
pub(super) async fn lock(c: &mut Conn, tenancy: Tenancy, at: Timestamp) -> Result<i64> {
    let new = (
        cost_hours_until::account_id.eq(Word(tenancy.account)),
        cost_hours_until::agency_id.eq(Word(tenancy.agency)),
        cost_hours_until::hour.eq(hour_of(at) - KEPT),
    );
    let new = diesel::insert_into(cost_hours_until::table).values(new).on_conflict_do_nothing();
    new.execute(c).await.map_err(explain("the account is known already", "account"))?;
    let row = cost_hours_until::table.find((Word(tenancy.account), Word(tenancy.agency)));
    Ok(locked!(row.select(cost_hours_until::hour)).first(c).await?)
}

/// Sums the hours that are over by more than one, and again those of before `until` in which a cost came late. Answers
/// up to where hours are summed now.
pub(super) async fn sum(
    c: &mut Conn,
    tenancy: Tenancy,
    until: i64,
    late: &BTreeSet<i64>,
    at: Timestamp,
) -> Result<i64> {
    let now = hour_of(at);
    let oldest = now - KEPT;
    for hour in late.iter().filter(|hour| (oldest..until).contains(hour)) {
        diesel::delete(summed!(tenancy).filter(cost_hours::hour.eq(hour))).execute(c).await?;
        add(c, tenancy, *hour, hour + 1).await?;
    }
    let to = now - 1;
    if to <= until {
        return Ok(until);
    }
    add(c, tenancy, until.max(oldest), to).await?;
    diesel::delete(summed!(tenancy).filter(cost_hours::hour.lt(oldest))).execute(c).await?;
    let row = cost_hours_until::table.find((Word(tenancy.account), Word(tenancy.agency)));
    diesel::update(row).set(cost_hours_until::hour.eq(to)).execute(c).await?;
    Ok(to)
}

async fn add(c: &mut Conn, tenancy: Tenancy, from: i64, to: i64) -> Result<()> {
    let sums = since!(tenancy, start_of(from))
        .filter(api_costs::created_at.lt(At(start_of(to))))
        .group_by(sql::<BigInt>(&format!("{HOUR}, {SERVICE}")))
        .select((
            Word(tenancy.account).into_sql::<Text>(),
            Word(tenancy.agency).into_sql::<Text>(),
            sql::<BigInt>(HOUR),
            sql::<Text>(SERVICE),
            sql::<BigInt>(SUM),
        ));
    let columns =
        (cost_hours::account_id, cost_hours::agency_id, cost_hours::hour, cost_hours::api_service, cost_hours::cost);
    sums.insert_into(cost_hours::table).into_columns(columns).execute(c).await?;
    Ok(())
}

/// All hours from one on, also those that are not summed yet; costs that are dated later than now are among them.
pub(super) async fn read(c: &mut Conn, tenancy: Tenancy, from: i64, until: i64) -> Result<Hours> {
    let summed = summed!(tenancy).filter(cost_hours::hour.ge(from)).filter(cost_hours::hour.lt(until));
    let summed = summed.select((cost_hours::hour, cost_hours::api_service, cost_hours::cost));
    let mut hours: Vec<(i64, String, i64)> = summed.load(c).await?;
    let others = since!(tenancy, start_of(from.max(until)))
        .group_by(sql::<BigInt>(&format!("{HOUR}, {SERVICE}")))
        .select((sql::<BigInt>(HOUR), sql::<Text>(SERVICE), sql::<BigInt>(SUM)));
    hours.extend(others.load::<(i64, String, i64)>(c).await?);
    Ok(hours.into_iter().map(|(hour, service, cost)| ((hour, service), cost)).collect())
}

/// The same for who does not evaluate.
pub(super) async fn read_apart(c: &mut Conn, tenancy: Tenancy, from: i64) -> Result<Hours> {
    let row = cost_hours_until::table.find((Word(tenancy.account), Word(tenancy.agency)));
    let until: Option<i64> = row.select(cost_hours_until::hour).first(c).await.optional()?;
    read(c, tenancy, from, until.unwrap_or(i64::MIN)).await
}

/// What thresholds look at. Hours are summed until then.
pub(super) async fn spending(c: &mut Conn, tenancy: Tenancy, until: i64, at: Timestamp) -> Result<Spending> {
    let hour_ago = at - TimeDelta::hours(1);
    let midnight = hour_of(at.date_naive().and_time(chrono::NaiveTime::MIN).and_utc());
    let hours = read(c, tenancy, until.min(hour_of(at)) - WEEK, until).await?;
    let mut today: BTreeMap<String, Amount> = BTreeMap::new();
    for ((_, service), cost) in hours.range((midnight, String::new())..) {
        let sum = today.entry(service.clone()).or_default();
        *sum = *sum + Amount(*cost);
    }

    let by_service = (api_costs::api_service, sql::<BigInt>(SUM), count_star());
    let last_hour = since!(tenancy, hour_ago).group_by(api_costs::api_service).select(by_service);
    let last_hour: Vec<(String, i64, i64)> = last_hour.load(c).await?;

    // The hour that the last one began in, as far as it is before that.
    let rest = since!(tenancy, start_of(hour_of(hour_ago))).filter(api_costs::created_at.lt(At(hour_ago)));
    let rest: i64 = rest.select(sql::<BigInt>(SUM)).first(c).await?;
    let mut before: BTreeMap<i64, i64> = BTreeMap::from([(hour_of(hour_ago), rest)]);
    for ((hour, _), cost) in hours.range(..(hour_of(hour_ago), String::new())) {
        *before.entry(*hour).or_default() += cost;
    }
    before.retain(|_, cost| *cost != 0);

    let leads = since!(tenancy, hour_ago).filter(api_costs::lead_id.is_not_null());
    let leads = leads.select((sql::<BigInt>(SUM), sql::<BigInt>("count(DISTINCT lead_id)")));
    let leads: (i64, i64) = leads.first(c).await?;

    let campaigns = since!(tenancy, hour_ago).filter(api_costs::campaign_id.is_not_null());
    let campaigns = campaigns.group_by(api_costs::campaign_id).select((api_costs::campaign_id, sql::<BigInt>(SUM)));
    let campaigns: Vec<(Option<String>, i64)> = campaigns.load(c).await?;

    let count = i64::try_from(before.len()).unwrap_or(i64::MAX);
    let paid = |(service, cost, count)| (service, Paid { cost: Amount(cost), count });
    Ok(Spending {
        today,
        last_hour: last_hour.into_iter().map(paid).collect(),
        hours_before: Paid { cost: before.into_values().map(Amount).sum(), count },
        leads: Paid { cost: Amount(leads.0), count: leads.1 },
        campaigns: campaigns.into_iter().filter_map(|(id, cost)| Some((id?, Amount(cost)))).collect(),
    })
}
