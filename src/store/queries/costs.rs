//! Costs are held against thresholds, and alerts kept until dashboards know of them.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use diesel::{
    dsl::{count_star, exists, sql},
    prelude::*,
    sql_types::BigInt,
};
use diesel_async::RunQueryDsl;

use super::{
    Conn,
    dialect::{locked, span, unlocked, write_tx},
};
use crate::{
    domain::{
        AccountId, AgencyId, AlertId, ThresholdId, Timestamp,
        cost::{Amount, CallLimits, CostAlert, Paid, Spending, Threshold, judge},
    },
    store::{
        Result,
        costs::{AlertRow, CostsDue, ThresholdRow},
        messages::Tenancy,
        schema::{api_costs, cost_alert_history, cost_alert_thresholds},
        types::{At, Word},
    },
};

/// The exact sum of costs, in parts, on both engines. What others wrote that is no amount counts as nothing.
pub(super) const SUM: &str = "CAST(coalesce(sum(CASE WHEN cost BETWEEN -99999999.9999 AND 99999999.9999
    THEN CAST(round(cost * 10000) AS BIGINT) ELSE 0 END), 0) AS BIGINT)";
/// Costs that one evaluation ticks off; more are seen by the next.
const TICKED: i64 = 5_000;
/// Alerts told in one go.
const TOLD: i64 = 100;
/// An hour in microseconds.
const HOUR: i64 = 3_600_000_000;
/// What is usual is found in these.
const WEEK: TimeDelta = TimeDelta::days(7);

pub(in crate::store) async fn due(c: &mut Conn, now: At) -> Result<CostsDue> {
    type Account = (Word<AgencyId>, Word<AccountId>);
    let unevaluated = api_costs::table
        .filter(api_costs::evaluated_at.is_null())
        .select((api_costs::agency_id, api_costs::account_id))
        .distinct();
    let mut accounts: Vec<Account> = unevaluated.load(c).await?;
    let again = cost_alert_thresholds::table
        .filter(cost_alert_thresholds::look_again_at.le(now))
        .filter(cost_alert_thresholds::is_active.eq(true))
        .select((cost_alert_thresholds::agency_id, cost_alert_thresholds::account_id));
    accounts.extend(again.load::<Account>(c).await?);
    let mut accounts: Vec<_> = accounts.into_iter().map(|(agency, account)| (agency.0, account.0)).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let untold = cost_alert_history::table.filter(cost_alert_history::announced_at.is_null());
    let untold = diesel::select(exists(untold)).get_result(c).await?;
    Ok(CostsDue { accounts, untold })
}

/// Costs of the account since then.
macro_rules! costs_since {
    ($tenancy:expr, $since:expr) => {
        api_costs::table
            .filter(api_costs::account_id.eq(Word($tenancy.account)))
            .filter(api_costs::agency_id.eq(Word($tenancy.agency)))
            .filter(api_costs::created_at.ge(At($since)))
    };
}

pub(in crate::store) async fn evaluate(
    c: &mut Conn,
    tenancy: Tenancy,
    limits: &CallLimits,
    at: At,
) -> Result<Vec<CostAlert>> {
    write_tx!(c, async |c| {
        // Whoever evaluates the account at the same time waits here, and then sees these alerts.
        let thresholds = cost_alert_thresholds::table
            .filter(cost_alert_thresholds::account_id.eq(Word(tenancy.account)))
            .filter(cost_alert_thresholds::agency_id.eq(Word(tenancy.agency)))
            .filter(cost_alert_thresholds::is_active.eq(true))
            .order(cost_alert_thresholds::id);
        let thresholds: Vec<ThresholdRow> = locked!(thresholds.select(ThresholdRow::as_select())).load(c).await?;
        tick_off(c, tenancy, at).await?;
        if thresholds.is_empty() {
            return Ok(Vec::new());
        }
        // Read after that: what is ticked off is in these sums, and what is committed later is not ticked off.
        let spending = spending(c, tenancy, at.0).await?;
        let mut alerts = Vec::new();
        for threshold in thresholds {
            alerts.extend(hold_against(c, threshold.into(), &spending, limits, at).await?);
        }
        Ok(alerts)
    })
    .await
}

/// Passes over rows that others are changing: they are ticked off next time, and nobody waits for anybody crosswise.
async fn tick_off(c: &mut Conn, tenancy: Tenancy, at: At) -> Result<()> {
    let rows = api_costs::table
        .filter(api_costs::account_id.eq(Word(tenancy.account)))
        .filter(api_costs::agency_id.eq(Word(tenancy.agency)))
        .filter(api_costs::evaluated_at.is_null())
        .limit(TICKED);
    let rows: Vec<String> = unlocked!(rows.select(api_costs::id)).load(c).await?;
    if !rows.is_empty() {
        let rows = api_costs::table.filter(api_costs::id.eq_any(rows));
        diesel::update(rows).set(api_costs::evaluated_at.eq(Some(at))).execute(c).await?;
    }
    Ok(())
}

async fn spending(c: &mut Conn, tenancy: Tenancy, at: Timestamp) -> Result<Spending> {
    let (hour_ago, day_ago) = (at - TimeDelta::hours(1), at - TimeDelta::days(1));
    let midnight = at.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    let by_service = (api_costs::api_service, sql::<BigInt>(SUM));
    let today = costs_since!(tenancy, midnight).group_by(api_costs::api_service).select(by_service);
    let today: Vec<(String, i64)> = today.load(c).await?;

    let by_service = (api_costs::api_service, sql::<BigInt>(SUM), count_star());
    let last_hour = costs_since!(tenancy, hour_ago).group_by(api_costs::api_service).select(by_service);
    let last_hour: Vec<(String, i64, i64)> = last_hour.load(c).await?;

    // Whole hours, as the last one is.
    let hour = span(HOUR, hour_ago.timestamp_micros().rem_euclid(HOUR));
    let before = costs_since!(tenancy, hour_ago - WEEK).filter(api_costs::created_at.lt(At(hour_ago)));
    let before = before.group_by(sql::<BigInt>(&hour)).select(sql::<BigInt>(SUM));
    let mut before: Vec<i64> = before.load(c).await?;
    before.retain(|sum| *sum != 0);

    let leads = costs_since!(tenancy, day_ago).filter(api_costs::lead_id.is_not_null());
    let leads = leads.select((sql::<BigInt>(SUM), sql::<BigInt>("count(DISTINCT lead_id)")));
    let leads: (i64, i64) = leads.first(c).await?;

    let campaigns = costs_since!(tenancy, day_ago).filter(api_costs::campaign_id.is_not_null());
    let campaigns = campaigns.group_by(api_costs::campaign_id).select((api_costs::campaign_id, sql::<BigInt>(SUM)));
    let campaigns: Vec<(Option<String>, i64)> = campaigns.load(c).await?;

    let hours = i64::try_from(before.len()).unwrap_or(i64::MAX);
    let before: Amount = before.into_iter().map(Amount).sum();
    let paid = |(service, cost, count)| (service, Paid { cost: Amount(cost), count });
    Ok(Spending {
        today: today.into_iter().map(|(service, cost)| (service, Amount(cost))).collect(),
        last_hour: last_hour.into_iter().map(paid).collect(),
        hours_before: Paid { cost: before, count: hours },
        leads: Paid { cost: Amount(leads.0), count: leads.1 },
        campaigns: campaigns.into_iter().filter_map(|(id, cost)| Some((id?, Amount(cost)))).collect::<BTreeMap<_, _>>(),
    })
}

async fn hold_against(
    c: &mut Conn,
    threshold: Threshold,
    spending: &Spending,
    limits: &CallLimits,
    at: At,
) -> Result<Option<CostAlert>> {
    let (id, quiet) = (threshold.id, TimeDelta::minutes(threshold.quiet_minutes.into()));
    let found = judge(&threshold, spending, limits, at.0);
    let (mut alert, mut again) = (None, None);
    if let Some(found) = found {
        let last = cost_alert_history::table
            .filter(cost_alert_history::threshold_id.eq(Some(Word(id))))
            .order(cost_alert_history::window_number.desc())
            .select((cost_alert_history::window_number, cost_alert_history::created_at));
        let last: Option<(Option<i64>, At)> = last.first(c).await.optional()?;
        match last {
            Some((_, before)) if before.0 + quiet > at.0 => again = Some(At(before.0 + quiet)),
            last => {
                let window = last.and_then(|(window, _)| window).unwrap_or(0) + 1;
                let row = AlertRow::new(threshold, found, window, at);
                let added = diesel::insert_into(cost_alert_history::table).values(&row).on_conflict_do_nothing();
                alert = (added.execute(c).await? > 0).then(|| row.into());
            }
        }
    }
    look_again(c, id, again).await?;
    Ok(alert)
}

/// What stands there already is not written again.
async fn look_again(c: &mut Conn, id: ThresholdId, again: Option<At>) -> Result<()> {
    let (row, column) = (cost_alert_thresholds::table.find(Word(id)), cost_alert_thresholds::look_again_at);
    match again {
        None => diesel::update(row.filter(column.is_not_null())).set(column.eq(again)).execute(c).await?,
        Some(_) => {
            let changed = row.filter(column.is_null().or(column.ne(again)));
            diesel::update(changed).set(column.eq(again)).execute(c).await?
        }
    };
    Ok(())
}

pub(in crate::store) async fn unannounced(c: &mut Conn) -> Result<Vec<CostAlert>> {
    let rows = cost_alert_history::table.filter(cost_alert_history::announced_at.is_null());
    let rows = rows.order(cost_alert_history::id).limit(TOLD).select(AlertRow::as_select());
    Ok(rows.load(c).await?.into_iter().map(CostAlert::from).collect())
}

pub(in crate::store) async fn mark_announced(c: &mut Conn, alerts: &[AlertId], now: At) -> Result<()> {
    let rows = cost_alert_history::table
        .filter(cost_alert_history::id.eq_any(alerts.iter().copied().map(Word).collect::<Vec<_>>()))
        .filter(cost_alert_history::announced_at.is_null());
    diesel::update(rows).set(cost_alert_history::announced_at.eq(Some(now))).execute(c).await?;
    Ok(())
}
