//! Costs: held against thresholds, and summed.

mod alerts;
mod records;

use chrono::TimeDelta;
use leadwire::{
    domain::{
        Timestamp, clock,
        cost::{Amount, CallLimits, Comparison, CostAlert, ThresholdKind},
        directory::Account,
    },
    store::{AlertFilter, ThresholdChange},
};

use super::harness::Bench;

/// What others write.
pub struct Cost<'a> {
    pub service: &'a str,
    pub price: &'a str,
    pub ago: TimeDelta,
    pub lead: Option<&'a str>,
    pub campaign: Option<&'a str>,
}

pub fn cost<'a>(service: &'a str, price: &'a str) -> Cost<'a> {
    Cost { service, price, ago: TimeDelta::zero(), lead: None, campaign: None }
}

impl Bench {
    pub fn moment(&self, at: Timestamp) -> String {
        if self.is_sqlite() { at.timestamp_micros().to_string() } else { format!("'{}'", at.to_rfc3339()) }
    }

    pub fn insert(&self, account: &Account, cost: &Cost<'_>) -> String {
        let quoted = |text: Option<&str>| text.map_or("NULL".to_owned(), |text| format!("'{text}'"));
        format!(
            "INSERT INTO api_costs (agency_id, account_id, api_service, cost, created_at, lead_id, campaign_id)
             VALUES ('{}', '{}', '{}', {}, {}, {}, {});",
            account.agency,
            account.id,
            cost.service,
            cost.price,
            self.moment(clock::now() - cost.ago),
            quoted(cost.lead),
            quoted(cost.campaign),
        )
    }

    pub async fn spend(&self, account: &Account, costs: &[Cost<'_>]) {
        let inserts: String = costs.iter().map(|cost| self.insert(account, cost)).collect();
        self.execute(&inserts).await;
    }

    /// The types of the alerts that come of it now.
    pub async fn evaluate(&self, account: &Account) -> Vec<String> {
        types(&self.evaluate_at(account, clock::now()).await)
    }

    pub async fn evaluate_at(&self, account: &Account, at: Timestamp) -> Vec<CostAlert> {
        self.store.evaluate_costs(account.agency, account.id, &limits(), at).await.unwrap()
    }

    pub async fn put(&self, account: &Account, name: &str, kind: ThresholdKind, comparison: Comparison, value: &str) {
        let change = ThresholdChange {
            kind: Some(kind),
            value: Some(value.parse().unwrap()),
            comparison: Some(comparison),
            ..ThresholdChange::default()
        };
        self.store.put_threshold(account.agency, account.id, name, change).await.unwrap();
    }

    pub async fn is_due(&self, account: &Account) -> bool {
        self.store.costs_due().await.unwrap().accounts.contains(&(account.agency, account.id))
    }

    pub async fn alerts(&self, account: &Account, filter: &AlertFilter) -> Vec<CostAlert> {
        let filter = AlertFilter { limit: 100, ..filter.clone() };
        self.store.cost_alerts(account.agency, &[account.id], &filter).await.unwrap().alerts
    }
}

pub fn limits() -> CallLimits {
    CallLimits::from([("hunter_io".to_owned(), 4)])
}

pub fn types(alerts: &[CostAlert]) -> Vec<String> {
    let mut types: Vec<String> = alerts.iter().map(|alert| alert.threshold_type.clone()).collect();
    types.sort_unstable();
    types
}

pub fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}
