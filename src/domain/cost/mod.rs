//! Costs: what an account spends at others' APIs, the thresholds that this is held against, and the alerts that come of it.
//!
//! Names in JSON are those of the tables, and so of the system that agencies switch over from.

mod amount;
mod rules;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{AccountId, AgencyId, AlertId, EventId, ThresholdId, Timestamp, clock};

pub use amount::{Amount, ParseAmountError};
pub use rules::{Finding, Paid, Spending, judge};
pub use words::{Comparison, ParseWordError, Severity, ThresholdKind};

/// Calls an hour that a service allows.
pub type CallLimits = BTreeMap<String, u64>;

/// What spending is held against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Threshold {
    /// Its id.
    pub id: ThresholdId,
    /// The tenant.
    #[serde(rename = "agency_id")]
    pub agency: AgencyId,
    /// Whose spending.
    #[serde(rename = "account_id")]
    pub account: AccountId,
    /// For people; unique in the account.
    #[serde(rename = "threshold_name")]
    pub name: String,
    /// The word of a [`ThresholdKind`]; one that other programs wrote may be another, and never alerts.
    #[serde(rename = "threshold_type")]
    pub kind: String,
    /// Money, a percentage or a multiple.
    #[serde(rename = "threshold_value")]
    pub value: Amount,
    /// How the spending must stand to it for an alert.
    #[serde(rename = "comparison_operator")]
    pub comparison: Comparison,
    /// Alerts at all.
    pub is_active: bool,
    /// After an alert there is no other for so many minutes.
    #[serde(rename = "alert_frequency_minutes")]
    pub quiet_minutes: i32,
    /// When it was made.
    #[serde(with = "clock::wire")]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[serde(with = "clock::wire")]
    pub updated_at: Timestamp,
}

/// An alert as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostAlert {
    /// Its id; later ones sort after earlier ones.
    pub id: AlertId,
    /// The tenant.
    #[serde(rename = "agency_id")]
    pub agency: AgencyId,
    /// Whose spending.
    #[serde(rename = "account_id")]
    pub account: AccountId,
    /// What it was held against; `null` when that is gone.
    #[serde(rename = "threshold_id")]
    pub threshold: Option<ThresholdId>,
    /// Its name then.
    pub threshold_name: String,
    /// Its type then.
    pub threshold_type: String,
    /// What was found.
    pub alert_value: Amount,
    /// The threshold's value then.
    pub threshold_value: Amount,
    /// How grave it is.
    pub severity: Severity,
    /// Which service, if it is about one.
    pub api_service: Option<String>,
    /// Which campaign, if it is about one.
    pub campaign_id: Option<String>,
    /// `daily`, `hourly` or `real_time`.
    pub time_period: String,
    /// All of it, in the shape of the system that agencies switch over from.
    pub alert_data: Value,
    /// When it was raised.
    #[serde(with = "clock::wire")]
    pub created_at: Timestamp,
    /// Since when dashboards know.
    #[serde(with = "clock::wire::option")]
    pub announced_at: Option<Timestamp>,
    /// When a person said that it is dealt with.
    #[serde(with = "clock::wire::option")]
    pub resolved_at: Option<Timestamp>,
    /// What they said.
    pub resolution_note: Option<String>,
    /// Who they are: the id of a user or a key.
    pub resolved_by: Option<String>,
}

/// Payload of `cost:alert`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertRaised {
    /// The alert's id.
    pub alert_id: AlertId,
    /// The threshold's type.
    pub alert_type: String,
    /// Its name.
    pub threshold_name: String,
    /// Its value.
    pub threshold_value: Amount,
    /// What was found, to be held against it.
    pub current_value: Amount,
    /// How grave it is.
    pub severity: Severity,
    /// Which service, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_service: Option<String>,
    /// Which campaign, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// What it was found from.
    pub alert_data: Value,
    /// When it was raised.
    #[serde(with = "clock::wire")]
    pub timestamp: Timestamp,
}

impl CostAlert {
    /// The id of the envelope that tells of it, however often it does.
    #[must_use]
    pub fn event(&self) -> EventId {
        EventId::derive(&[b"cost_alert", &self.id.to_bytes()])
    }

    /// What dashboards are told.
    #[must_use]
    pub fn raised(self) -> AlertRaised {
        let alert_data = self.alert_data.get("alert_data").cloned().unwrap_or(self.alert_data);
        AlertRaised {
            alert_id: self.id,
            alert_type: self.threshold_type,
            threshold_name: self.threshold_name,
            threshold_value: self.threshold_value,
            current_value: self.alert_value,
            severity: self.severity,
            api_service: self.api_service,
            campaign: self.campaign_id,
            alert_data,
            timestamp: self.created_at,
        }
    }
}
