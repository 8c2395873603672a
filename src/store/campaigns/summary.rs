//! What campaigns come to, in the words of `get_campaign_processing_summary`.

use serde_json::{Value, json};

use crate::domain::{campaign::status, cost::Amount, delivery::DeliveryState};

/// What campaigns come to.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessingSummary {
    /// Campaigns of each status.
    pub by_status: Vec<(String, i64)>,
    /// What they have cost.
    pub cost: Amount,
    /// From the beginning to completion, on average.
    pub seconds: Option<f64>,
    /// Deliveries of what happened to them, of each state; as long as they are kept.
    pub deliveries: Vec<(String, i64)>,
}

impl ProcessingSummary {
    /// Rates are percentages; `avg_completion_time` is in seconds.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let of = |counts: &[(String, i64)], wanted: &[&str]| -> i64 {
            counts.iter().filter(|(word, _)| wanted.contains(&word.as_str())).map(|(_, count)| count).sum()
        };
        let delivered = of(&self.deliveries, &[DeliveryState::Delivered.as_str()]);
        let ended = delivered + of(&self.deliveries, &[DeliveryState::Parked.as_str()]);
        json!({
            "total_campaigns": self.by_status.iter().map(|(_, count)| count).sum::<i64>(),
            // Other databases say `running`.
            "active_campaigns": of(&self.by_status, &[status::PROCESSING, "running"]),
            "completed_campaigns": of(&self.by_status, &[status::COMPLETED]),
            "error_campaigns": of(&self.by_status, &[status::ERROR]),
            "total_processing_cost": self.cost,
            "avg_completion_time": self.seconds.map(|seconds| (seconds * 1000.0).round() / 1000.0),
            "webhook_success_rate": Amount::ratio(delivered * 100, ended),
        })
    }
}
