//! Rows of thresholds and alerts.

use diesel::prelude::*;

use crate::{
    domain::{
        AccountId, AgencyId, AlertId, ThresholdId,
        cost::{Comparison, CostAlert, Finding, Severity, Threshold},
    },
    store::{
        schema::{cost_alert_history, cost_alert_thresholds},
        types::{At, Figure, Json, Word},
    },
};

/// A row of `cost_alert_thresholds`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = cost_alert_thresholds)]
pub(in crate::store) struct ThresholdRow {
    pub id: Word<ThresholdId>,
    pub agency_id: Word<AgencyId>,
    pub account_id: Word<AccountId>,
    pub threshold_name: String,
    pub threshold_type: String,
    pub threshold_value: Figure,
    pub comparison_operator: Word<Comparison>,
    pub is_active: bool,
    pub alert_frequency_minutes: i32,
    pub created_at: At,
    pub updated_at: At,
}

impl From<ThresholdRow> for Threshold {
    fn from(row: ThresholdRow) -> Self {
        Self {
            id: row.id.0,
            agency: row.agency_id.0,
            account: row.account_id.0,
            name: row.threshold_name,
            kind: row.threshold_type,
            value: row.threshold_value.0,
            comparison: row.comparison_operator.0,
            is_active: row.is_active,
            quiet_minutes: row.alert_frequency_minutes,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}

/// A row of `cost_alert_history`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = cost_alert_history)]
pub(in crate::store) struct AlertRow {
    pub id: Word<AlertId>,
    pub agency_id: Word<AgencyId>,
    pub account_id: Word<AccountId>,
    pub threshold_id: Option<Word<ThresholdId>>,
    pub threshold_name: String,
    pub threshold_type: String,
    pub threshold_value: Figure,
    pub alert_value: Figure,
    pub severity: Word<Severity>,
    pub api_service: Option<String>,
    pub campaign_id: Option<String>,
    pub time_period: String,
    pub alert_data: Json,
    pub window_number: Option<i64>,
    pub created_at: At,
    pub announced_at: Option<At>,
    pub resolved_at: Option<At>,
    pub resolution_note: Option<String>,
    pub resolved_by: Option<String>,
}

impl AlertRow {
    pub fn new(threshold: Threshold, found: Finding, window: i64, at: At) -> Self {
        Self {
            id: Word(AlertId::generate()),
            agency_id: Word(threshold.agency),
            account_id: Word(threshold.account),
            threshold_id: Some(Word(threshold.id)),
            threshold_name: threshold.name,
            threshold_type: threshold.kind,
            threshold_value: Figure(threshold.value),
            alert_value: Figure(found.value),
            severity: Word(found.severity),
            api_service: found.api_service,
            campaign_id: found.campaign,
            time_period: found.time_period.to_owned(),
            alert_data: Json(found.payload),
            window_number: Some(window),
            created_at: at,
            announced_at: None,
            resolved_at: None,
            resolution_note: None,
            resolved_by: None,
        }
    }
}

impl From<AlertRow> for CostAlert {
    fn from(row: AlertRow) -> Self {
        Self {
            id: row.id.0,
            agency: row.agency_id.0,
            account: row.account_id.0,
            threshold: row.threshold_id.map(|id| id.0),
            threshold_name: row.threshold_name,
            threshold_type: row.threshold_type,
            alert_value: row.alert_value.0,
            threshold_value: row.threshold_value.0,
            severity: row.severity.0,
            api_service: row.api_service,
            campaign_id: row.campaign_id,
            time_period: row.time_period,
            alert_data: row.alert_data.0,
            created_at: row.created_at.0,
            announced_at: row.announced_at.map(|at| at.0),
            resolved_at: row.resolved_at.map(|at| at.0),
            resolution_note: row.resolution_note,
            resolved_by: row.resolved_by,
        }
    }
}

impl From<CostAlert> for AlertRow {
    fn from(alert: CostAlert) -> Self {
        Self {
            id: Word(alert.id),
            agency_id: Word(alert.agency),
            account_id: Word(alert.account),
            threshold_id: alert.threshold.map(Word),
            threshold_name: alert.threshold_name,
            threshold_type: alert.threshold_type,
            threshold_value: Figure(alert.threshold_value),
            alert_value: Figure(alert.alert_value),
            severity: Word(alert.severity),
            api_service: alert.api_service,
            campaign_id: alert.campaign_id,
            time_period: alert.time_period,
            alert_data: Json(alert.alert_data),
            window_number: None,
            created_at: At(alert.created_at),
            announced_at: alert.announced_at.map(At),
            resolved_at: alert.resolved_at.map(At),
            resolution_note: alert.resolution_note,
            resolved_by: alert.resolved_by,
        }
    }
}
