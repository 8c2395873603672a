//! Costs are held against thresholds, and alerts kept until dashboards know of them.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use diesel::{dsl::exists, prelude::*};
use diesel_async::RunQueryDsl;

use super::{
    Conn, cost_hours,
    dialect::{unlocked, write_tx},
};
use crate::{
    domain::{
        AccountId, AgencyId, AlertId, ThresholdId,
        cost::{CallLimits, CostAlert, Spending, Threshold, judge},
    },
    store::{
        Result,
        costs::{AlertRow, CostsDue, ThresholdRow},
        messages::Tenancy,
        schema::{api_costs, cost_alert_history, cost_alert_thresholds},
        types::{At, Word},
    },
};

/// Costs that one evaluation ticks off; more are seen by the next.
const TICKED: i64 = 5_000;
/// Alerts told in one go.
const TOLD: i64 = 100;
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

pub(in crate::store) async fn evaluate(
    c: &mut Conn,
    tenancy: Tenancy,
    limits: &CallLimits,
    at: At,
) -> Result<Vec<CostAlert>> {
    write_tx!(c, async |c| {
        // Whoever evaluates the account at the same time waits here, and then sees these alerts.
        let until = cost_hours::lock(c, tenancy, at.0).await?;
        let hours = tick_off(c, tenancy, at).await?;
        // Read after that: what is ticked off is in these sums, and what is committed later is not ticked off.
        let until = cost_hours::sum(c, tenancy, until, &hours, at.0).await?;
        let spending = cost_hours::spending(c, tenancy, until, at.0).await?;
        let thresholds = cost_alert_thresholds::table
            .filter(cost_alert_thresholds::account_id.eq(Word(tenancy.account)))
            .filter(cost_alert_thresholds::agency_id.eq(Word(tenancy.agency)))
            .filter(cost_alert_thresholds::is_active.eq(true))
            .order(cost_alert_thresholds::id);
        let thresholds: Vec<ThresholdRow> = thresholds.select(ThresholdRow::as_select()).load(c).await?;
        let mut alerts = Vec::new();
        for threshold in thresholds {
            alerts.extend(hold_against(c, threshold.into(), &spending, limits, at).await?);
        }
        Ok(alerts)
    })
    .await
}

/// The hours of the costs that are ticked off. Rows that others are changing are left to the next time: nobody waits for
/// anybody crosswise.
async fn tick_off(c: &mut Conn, tenancy: Tenancy, at: At) -> Result<BTreeSet<i64>> {
    let rows = api_costs::table
        .filter(api_costs::account_id.eq(Word(tenancy.account)))
        .filter(api_costs::agency_id.eq(Word(tenancy.agency)))
        .filter(api_costs::evaluated_at.is_null())
        .limit(TICKED);
    let rows: Vec<(String, At)> = unlocked!(rows.select((api_costs::id, api_costs::created_at))).load(c).await?;
    let (rows, hours): (Vec<String>, BTreeSet<i64>) =
        rows.into_iter().map(|(id, created_at)| (id, cost_hours::hour_of(created_at.0))).unzip();
    if !rows.is_empty() {
        let rows = api_costs::table.filter(api_costs::id.eq_any(rows));
        diesel::update(rows).set(api_costs::evaluated_at.eq(Some(at))).execute(c).await?;
    }
    Ok(hours)
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
    if again.is_some() {
        let changed = row.filter(column.is_null().or(column.ne(again)));
        diesel::update(changed).set(column.eq(again)).execute(c).await?;
    } else {
        diesel::update(row.filter(column.is_not_null())).set(column.eq(again)).execute(c).await?;
    }
    Ok(())
}

pub(in crate::store) async fn keep(c: &mut Conn, alerts: &[CostAlert], now: At) -> Result<()> {
    write_tx!(c, async |c| {
        for alert in alerts {
            let row = AlertRow { announced_at: Some(now), ..alert.clone().into() };
            diesel::insert_into(cost_alert_history::table).values(&row).on_conflict_do_nothing().execute(c).await?;
        }
        Ok(())
    })
    .await
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
