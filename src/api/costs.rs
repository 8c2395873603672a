//! Costs: thresholds for those who manage an account; what is spent, and the alerts that came of it, for all its members.
//!
//! The two routes under `/api/webhooks/cost-alert` have the shapes of the system that agencies switch over from.

use std::{collections::HashMap, str::FromStr};

use actix_web::{
    HttpResponse,
    web::{Data, Path, Query},
};
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApiError, ApiState, Caller, extract::JsonObject};
use crate::{
    domain::{
        AccountId, AlertId, Role, ThresholdId, clock,
        cost::{Amount, Comparison, ThresholdKind},
    },
    store::{AlertFilter, SpendingSummary, StoreError, ThresholdChange},
};

type Answer = Result<HttpResponse, ApiError>;
type Parameters = Query<HashMap<String, String>>;

/// Alerts on a page, unless asked otherwise, and at most.
const PAGE: u32 = 50;
const LONGEST_PAGE: u32 = 200;
/// Of daily sums.
const DAYS: u32 = 30;
/// A threshold that is quiet for longer is as good as none.
const LONGEST_QUIET: i32 = 366 * 24 * 60;
/// Characters of a threshold's name.
const LONGEST_NAME: usize = 100;

/// `GET /api/cost-thresholds?account=`: of the accounts that the caller manages.
pub async fn thresholds(state: Data<ApiState>, caller: Caller, query: Parameters) -> Answer {
    let accounts = accounts(&caller, &query, Role::may_operate)?;
    let items = state.store.thresholds(caller.agency, &accounts).await?;
    let answer = json!({"items": items, "types": ThresholdKind::ALL, "operators": Comparison::ALL});
    Ok(HttpResponse::Ok().json(answer))
}

/// `PUT /api/cost-thresholds {"account", "threshold_name", "threshold_type"?, "threshold_value"?, "comparison_operator"?,
/// "is_active"?, "alert_frequency_minutes"?}`: changes what is given of the account's threshold of that name, or makes it: 201.
pub async fn put_threshold(state: Data<ApiState>, caller: Caller, body: JsonObject) -> Answer {
    let account = body.text("account")?.parse().ok().filter(|account| caller.role_in(*account).is_some());
    let account: AccountId = account.ok_or_else(|| ApiError::not_found("account"))?;
    if !caller.role_in(account).is_some_and(Role::may_operate) {
        return Err(ApiError::forbidden("Only managers and owners of the account may change its thresholds."));
    }
    let name = body.text("threshold_name")?.trim();
    if name.chars().count() > LONGEST_NAME {
        return Err(ApiError::bad_request(format!("`threshold_name` is longer than {LONGEST_NAME} characters.")));
    }
    let change = change(&body)?;
    let put = state.store.put_threshold(caller.agency, account, name, change).await;
    let (threshold, is_new) = put.map_err(|error| match error {
        StoreError::NotFound(what) => ApiError::not_found(what),
        other => other.into(),
    })?;
    let mut answer = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(answer.json(json!({"threshold": threshold})))
}

/// `DELETE /api/cost-thresholds/{id}`: its alerts stay.
pub async fn remove_threshold(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let not_there = || ApiError::not_found("threshold");
    let id: ThresholdId = id.parse().map_err(|_| not_there())?;
    let threshold = state.store.threshold(caller.agency, id).await?;
    threshold.filter(|it| caller.role_in(it.account).is_some_and(Role::may_operate)).ok_or_else(not_there)?;
    match state.store.remove_threshold(caller.agency, id).await {
        Err(StoreError::NotFound(_)) => Err(not_there()),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(HttpResponse::NoContent().finish()),
    }
}

/// `GET /api/cost-alerts?account=&resolved=&limit=&cursor=`: the newest first.
pub async fn alerts(state: Data<ApiState>, caller: Caller, query: Parameters) -> Answer {
    let accounts = accounts(&caller, &query, |_| true)?;
    let filter = AlertFilter {
        resolved: parameter(&query, "resolved")?,
        since: None,
        before: parameter(&query, "cursor")?,
        limit: parameter(&query, "limit")?.unwrap_or(PAGE).clamp(1, LONGEST_PAGE),
    };
    let page = state.store.cost_alerts(caller.agency, &accounts, &filter).await?;
    Ok(HttpResponse::Ok().json(json!({"items": page.alerts, "next": page.next})))
}

/// `GET /api/costs/summary?account=`: of each account what the view `cost_monitoring_summary` has, and the sums of 30 days.
pub async fn summary(state: Data<ApiState>, caller: Caller, query: Parameters) -> Answer {
    let accounts = accounts(&caller, &query, |_| true)?;
    let mut spending = state.store.spending(&accounts).await?;
    let mut days = state.store.daily_costs(caller.agency, &accounts, DAYS).await?;
    let item = |account: AccountId| {
        let mut item = spending.remove(&account).unwrap_or_default().to_json();
        item["account_id"] = json!(account);
        item["days"] = json!(days.remove(&account).unwrap_or_default());
        item
    };
    let items: Vec<Value> = accounts.into_iter().map(item).collect();
    Ok(HttpResponse::Ok().json(json!({"items": items})))
}

/// `GET /api/webhooks/cost-alert/status?account=`: of all accounts of the caller together, if none is named; the alerts of 24
/// hours that nobody has dealt with.
pub async fn status(state: Data<ApiState>, caller: Caller, query: Parameters) -> Answer {
    let accounts = accounts(&caller, &query, |_| true)?;
    let spending = state.store.spending(&accounts).await?;
    let together = spending.into_values().fold(SpendingSummary::default(), SpendingSummary::with);
    let now = clock::now();
    let filter = AlertFilter {
        resolved: Some(false),
        since: Some(now - TimeDelta::days(1)),
        limit: LONGEST_PAGE,
        ..AlertFilter::default()
    };
    let active = state.store.cost_alerts(caller.agency, &accounts, &filter).await?.alerts;
    Ok(HttpResponse::Ok().json(json!({
        "status": "operational",
        "timestamp": clock::rfc3339(now),
        "cost_summary": together.to_json(),
        "active_alerts": active,
        "metrics_integration": "enabled",
    })))
}

/// `POST /api/webhooks/cost-alert/resolve/{id} {"resolution_note"?}`, for those who work on the account: the alert is dealt
/// with. Nothing else resolves one.
pub async fn resolve(state: Data<ApiState>, caller: Caller, id: Path<String>, body: JsonObject) -> Answer {
    let mut accounts = caller.accounts();
    accounts.retain(|account| caller.role_in(*account).is_some_and(Role::may_edit));
    if accounts.is_empty() {
        return Err(ApiError::forbidden("Your role may not resolve alerts."));
    }
    let note = match body.0.get("resolution_note") {
        None | Some(Value::Null) => "",
        Some(_) => body.text("resolution_note")?,
    };
    let (by, id) = (caller.subject.to_string(), id.into_inner());
    let resolved = match id.parse::<AlertId>() {
        Ok(alert) => state.store.resolve_alert(caller.agency, &accounts, alert, note, &by).await?,
        Err(_) => false,
    };
    if !resolved {
        let message = "Alert not found or already resolved";
        return Ok(HttpResponse::NotFound().json(json!({"status": "not_found", "alert_id": id, "message": message})));
    }
    Ok(HttpResponse::Ok().json(json!({
        "status": "resolved",
        "alert_id": id,
        "resolution_note": note,
        "timestamp": clock::rfc3339(clock::now()),
    })))
}

/// The caller's accounts in which their role may do this, or the one of them that is named.
fn accounts(caller: &Caller, query: &Parameters, may: fn(Role) -> bool) -> Result<Vec<AccountId>, ApiError> {
    let mut accounts = caller.accounts();
    accounts.retain(|account| caller.role_in(*account).is_some_and(may));
    let named: Option<AccountId> = match query.get("account").filter(|named| !named.is_empty()) {
        None => return Ok(accounts),
        Some(named) => named.parse().ok(),
    };
    let named = named.filter(|named| accounts.contains(named)).ok_or_else(|| ApiError::not_found("account"))?;
    Ok(vec![named])
}

fn parameter<T: FromStr>(query: &Parameters, name: &str) -> Result<Option<T>, ApiError> {
    let wrong = |_| ApiError::bad_request(format!("`{name}` can't be read."));
    query.get(name).filter(|text| !text.is_empty()).map(|text| text.parse().map_err(wrong)).transpose()
}

fn change(body: &JsonObject) -> Result<ThresholdChange, ApiError> {
    let change = ThresholdChange {
        kind: word(body, "threshold_type")?,
        value: field::<Amount>(body, "threshold_value", "a number below a hundred million")?,
        comparison: word(body, "comparison_operator")?,
        is_active: field(body, "is_active", "true or false")?,
        quiet_minutes: field(body, "alert_frequency_minutes", "a whole number of minutes")?,
    };
    if change.quiet_minutes.is_some_and(|minutes| !(0..=LONGEST_QUIET).contains(&minutes)) {
        return Err(ApiError::bad_request("`alert_frequency_minutes` must be from 0 to a year."));
    }
    Ok(change)
}

fn word<T: FromStr<Err: std::fmt::Display>>(body: &JsonObject, name: &str) -> Result<Option<T>, ApiError> {
    let wrong = |error: T::Err| ApiError::bad_request(format!("`{name}`: {error}."));
    body.0.get(name).map(|_| body.text(name)?.trim().parse().map_err(wrong)).transpose()
}

fn field<T: for<'de> Deserialize<'de>>(body: &JsonObject, name: &str, what: &str) -> Result<Option<T>, ApiError> {
    let wrong = |_| ApiError::bad_request(format!("`{name}` must be {what}."));
    body.0.get(name).map(|value| T::deserialize(value).map_err(wrong)).transpose()
}
