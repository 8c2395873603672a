//! Thresholds, alerts and sums of costs, as people ask for them.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::{
    Conn, DB, cost_hours,
    dialect::{locked, read_tx, write_tx},
};
use crate::{
    domain::{
        AccountId, AgencyId, AlertId, ThresholdId,
        cost::{Amount, Comparison, CostAlert, Threshold},
    },
    store::{
        Result, StoreError,
        costs::{AlertFilter, AlertPage, AlertRow, SpendingSummary, ThresholdChange, ThresholdRow},
        error::{explain, found},
        messages::Tenancy,
        schema::{cost_alert_history, cost_alert_thresholds, cost_monitoring_summary},
        types::{At, Figure, Json, Word},
    },
};

/// Unless a new threshold says otherwise.
const QUIET_MINUTES: i32 = 60;

fn words(accounts: &[AccountId]) -> Vec<Word<AccountId>> {
    accounts.iter().copied().map(Word).collect()
}

pub(in crate::store) async fn thresholds(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
) -> Result<Vec<Threshold>> {
    let rows = cost_alert_thresholds::table
        .filter(cost_alert_thresholds::account_id.eq_any(words(accounts)))
        .filter(cost_alert_thresholds::agency_id.eq(Word(agency)))
        .order((cost_alert_thresholds::account_id, cost_alert_thresholds::threshold_name))
        .select(ThresholdRow::as_select());
    Ok(rows.load(c).await?.into_iter().map(Threshold::from).collect())
}

pub(in crate::store) async fn threshold(c: &mut Conn, agency: AgencyId, id: ThresholdId) -> Result<Option<Threshold>> {
    let row = cost_alert_thresholds::table.find(Word(id)).filter(cost_alert_thresholds::agency_id.eq(Word(agency)));
    Ok(row.select(ThresholdRow::as_select()).first(c).await.optional()?.map(Threshold::from))
}

pub(in crate::store) async fn put_threshold(
    c: &mut Conn,
    tenancy: Tenancy,
    name: &str,
    change: &ThresholdChange,
    now: At,
) -> Result<(Threshold, bool)> {
    write_tx!(c, async |c| {
        let named = cost_alert_thresholds::table
            .filter(cost_alert_thresholds::account_id.eq(Word(tenancy.account)))
            .filter(cost_alert_thresholds::agency_id.eq(Word(tenancy.agency)))
            .filter(cost_alert_thresholds::threshold_name.eq(name));
        let known = locked!(named.select(ThresholdRow::as_select())).first(c).await.optional()?;
        let Some(mut row) = known else {
            let row = new_threshold(tenancy, name, change, now)?;
            let added = diesel::insert_into(cost_alert_thresholds::table).values(&row).execute(c).await;
            added.map_err(explain("this threshold exists already", "account"))?;
            return Ok((row.into(), true));
        };
        row.threshold_type = change.kind.map_or(row.threshold_type, |kind| kind.to_string());
        row.threshold_value = change.value.map_or(row.threshold_value, Figure);
        row.comparison_operator = change.comparison.map_or(row.comparison_operator, Word);
        row.is_active = change.is_active.unwrap_or(row.is_active);
        row.alert_frequency_minutes = change.quiet_minutes.unwrap_or(row.alert_frequency_minutes);
        row.updated_at = now;
        let set = (
            cost_alert_thresholds::threshold_type.eq(&row.threshold_type),
            cost_alert_thresholds::threshold_value.eq(row.threshold_value),
            cost_alert_thresholds::comparison_operator.eq(row.comparison_operator),
            cost_alert_thresholds::is_active.eq(row.is_active),
            cost_alert_thresholds::alert_frequency_minutes.eq(row.alert_frequency_minutes),
            cost_alert_thresholds::updated_at.eq(row.updated_at),
        );
        diesel::update(cost_alert_thresholds::table.find(row.id)).set(set).execute(c).await?;
        Ok((row.into(), false))
    })
    .await
}

fn new_threshold(tenancy: Tenancy, name: &str, change: &ThresholdChange, now: At) -> Result<ThresholdRow> {
    let (Some(kind), Some(value)) = (change.kind, change.value) else {
        let lacking = "a new threshold needs `threshold_type` and `threshold_value`";
        return Err(StoreError::Rejected(lacking.to_owned()));
    };
    Ok(ThresholdRow {
        id: Word(ThresholdId::generate()),
        agency_id: Word(tenancy.agency),
        account_id: Word(tenancy.account),
        threshold_name: name.to_owned(),
        threshold_type: kind.to_string(),
        threshold_value: Figure(value),
        comparison_operator: Word(change.comparison.unwrap_or(Comparison::Above)),
        is_active: change.is_active.unwrap_or(true),
        alert_frequency_minutes: change.quiet_minutes.unwrap_or(QUIET_MINUTES),
        created_at: now,
        updated_at: now,
    })
}

pub(in crate::store) async fn remove_threshold(c: &mut Conn, agency: AgencyId, id: ThresholdId) -> Result<()> {
    let row = cost_alert_thresholds::table.find(Word(id)).filter(cost_alert_thresholds::agency_id.eq(Word(agency)));
    found(diesel::delete(row).execute(c).await?, "threshold")
}

/// Each account is asked on its own, because only then the index is in order.
pub(in crate::store) async fn alerts(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
    filter: &AlertFilter,
) -> Result<AlertPage> {
    let size = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let mut rows: Vec<AlertRow> = Vec::new();
    for account in accounts {
        let mut query = cost_alert_history::table
            .filter(cost_alert_history::account_id.eq(Word(*account)))
            .filter(cost_alert_history::agency_id.eq(Word(agency)))
            .into_boxed::<DB>();
        query = match filter.resolved {
            Some(true) => query.filter(cost_alert_history::resolved_at.is_not_null()),
            Some(false) => query.filter(cost_alert_history::resolved_at.is_null()),
            None => query,
        };
        if let Some(since) = filter.since {
            query = query.filter(cost_alert_history::created_at.ge(At(since)));
        }
        if let Some(before) = filter.before {
            query = query.filter(cost_alert_history::id.lt(Word(before)));
        }
        let query = query.order(cost_alert_history::id.desc()).limit(i64::from(filter.limit) + 1);
        rows.extend(query.select(AlertRow::as_select()).load(c).await?);
        rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id.0));
        rows.truncate(size + 1);
    }
    let more = rows.len() > size;
    rows.truncate(size);
    let alerts: Vec<CostAlert> = rows.into_iter().map(CostAlert::from).collect();
    Ok(AlertPage { next: alerts.last().filter(|_| more).map(|alert| alert.id), alerts })
}

pub(in crate::store) async fn resolve(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
    id: AlertId,
    note: &str,
    by: &str,
    now: At,
) -> Result<bool> {
    let open = cost_alert_history::table
        .find(Word(id))
        .filter(cost_alert_history::account_id.eq_any(words(accounts)))
        .filter(cost_alert_history::agency_id.eq(Word(agency)))
        .filter(cost_alert_history::resolved_at.is_null());
    let set = (
        cost_alert_history::resolved_at.eq(Some(now)),
        cost_alert_history::resolution_note.eq(Some(note)),
        cost_alert_history::resolved_by.eq(Some(by)),
    );
    Ok(diesel::update(open).set(set).execute(c).await? > 0)
}

type SummaryRow = (Word<AccountId>, Figure, Figure, Figure, i64, Figure, i64, i64, Json);

pub(in crate::store) async fn summaries(
    c: &mut Conn,
    accounts: &[AccountId],
) -> Result<BTreeMap<AccountId, SpendingSummary>> {
    let rows = cost_monitoring_summary::table.filter(cost_monitoring_summary::account_id.eq_any(words(accounts)));
    let rows: Vec<SummaryRow> = rows.load(c).await?;
    Ok(rows.into_iter().map(summary).collect())
}

fn summary(row: SummaryRow) -> (AccountId, SpendingSummary) {
    let (account, daily, hourly, lead_spend, leads, campaign_spend, campaigns, active_alerts, top) = row;
    let services = match top.0 {
        Value::Object(services) => services,
        _ => serde_json::Map::new(),
    };
    let service = |(name, cost): (String, Value)| Some((name, Amount::from_f64(cost.as_f64()?)));
    let summary = SpendingSummary {
        daily_spend: daily.0,
        hourly_spend: hourly.0,
        lead_spend: lead_spend.0,
        leads,
        campaign_spend: campaign_spend.0,
        campaigns,
        active_alerts,
        top_services: services.into_iter().filter_map(service).collect(),
    };
    (account.0, summary)
}

/// By account and day, each service.
pub(in crate::store) async fn daily(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
    first: NaiveDate,
) -> Result<BTreeMap<(AccountId, NaiveDate), BTreeMap<String, Amount>>> {
    read_tx!(c, async |c| {
        let first = cost_hours::hour_of(first.and_time(chrono::NaiveTime::MIN).and_utc());
        let mut days: BTreeMap<_, BTreeMap<String, Amount>> = BTreeMap::new();
        for account in accounts {
            let tenancy = Tenancy { account: *account, agency };
            for ((hour, service), cost) in cost_hours::read_apart(c, tenancy, first).await? {
                let day = cost_hours::start_of(hour).date_naive();
                let sum = days.entry((*account, day)).or_default().entry(service).or_default();
                *sum = *sum + Amount(cost);
            }
        }
        Ok(days)
    })
    .await
}
