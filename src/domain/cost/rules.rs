//! What a threshold finds in an account's spending.

use std::{cmp::Reverse, collections::BTreeMap};

use serde_json::{Map, Value, json};

use super::{Amount, CallLimits, Severity, Threshold, ThresholdKind};
use crate::domain::{Timestamp, clock};

/// Campaigns and services that an alert names at most.
const NAMED: usize = 10;

/// So much for so many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paid {
    /// Together.
    pub cost: Amount,
    /// How many.
    pub count: i64,
}

impl Paid {
    /// For one of them; none if there were none.
    #[must_use]
    pub fn each(self) -> Option<Amount> {
        self.cost.among(self.count)
    }
}

/// What thresholds look at. Costs that are dated later than now count as of now: others' clocks may be ahead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spending {
    /// By service, since midnight, UTC.
    pub today: BTreeMap<String, Amount>,
    /// By service, in the last hour: what, and by how many calls.
    pub last_hour: BTreeMap<String, Paid>,
    /// In the hours of the seven days before that, by the clock, in which the sum is not 0.
    pub hours_before: Paid,
    /// For leads in the last hour, and how many they were. What was paid for none of them in particular is not in it: a search
    /// is paid before the leads that it finds.
    pub leads: Paid,
    /// For each campaign in the last hour.
    pub campaigns: BTreeMap<String, Amount>,
}

impl Spending {
    fn hour(&self) -> Amount {
        self.last_hour.values().map(|paid| paid.cost).sum()
    }

    fn per_campaign(&self) -> Option<Amount> {
        let count = i64::try_from(self.campaigns.len()).ok()?;
        self.campaigns.values().copied().sum::<Amount>().among(count)
    }

    /// The service that is nearest to what it allows in an hour: its name, its calls, and these in percent.
    fn nearest_limit(&self, limits: &CallLimits) -> Option<(String, i64, Amount)> {
        let used = |(service, limit): (&String, &u64)| {
            let calls = self.last_hour.get(service).map_or(0, |paid| paid.count);
            let percent = Amount::ratio(calls.checked_mul(100)?, i64::try_from(*limit).ok()?)?;
            Some((service.clone(), calls, percent))
        };
        limits.iter().filter_map(used).max_by_key(|(_, _, percent)| *percent)
    }

    fn find(&self, kind: ThresholdKind, limits: &CallLimits) -> Option<Amount> {
        match kind {
            ThresholdKind::DailySpend => Some(self.today.values().copied().sum()),
            ThresholdKind::CostPerLead => self.leads.each(),
            ThresholdKind::RateLimit => self.nearest_limit(limits).map(|(_, _, percent)| percent),
            ThresholdKind::Anomaly => {
                let Paid { cost, count } = self.hours_before;
                Amount::ratio(self.hour().0.checked_mul(count)?, cost.0)
            }
        }
    }
}

/// Why an alert is to be raised.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What was found, to be held against the threshold.
    pub value: Amount,
    /// How grave it is.
    pub severity: Severity,
    /// Which service, if only one is to blame.
    pub api_service: Option<String>,
    /// Which campaign, if only one has spent anything.
    pub campaign: Option<String>,
    /// `daily`, `hourly` or `real_time`.
    pub time_period: &'static str,
    /// All of it, in the shape of the system that agencies switch over from; what only its document has is there as well.
    pub payload: Value,
}

/// Holds an account's spending against one of its thresholds: an alert, or none. A threshold of an unknown type has none,
/// nor one for which there is nothing to look at.
#[must_use]
pub fn judge(threshold: &Threshold, spending: &Spending, limits: &CallLimits, at: Timestamp) -> Option<Finding> {
    let kind: ThresholdKind = threshold.kind.parse().ok()?;
    let value = spending.find(kind, limits)?;
    if !threshold.is_active || !threshold.comparison.holds(value, threshold.value) {
        return None;
    }
    let time_period = match kind {
        ThresholdKind::DailySpend => "daily",
        ThresholdKind::CostPerLead => "real_time",
        ThresholdKind::RateLimit | ThresholdKind::Anomaly => "hourly",
    };
    let is_critical = i128::from(value.0) * 2 > i128::from(threshold.value.0) * 3;
    let services = match kind {
        ThresholdKind::RateLimit => spending.nearest_limit(limits).map(|(service, ..)| service).into_iter().collect(),
        ThresholdKind::Anomaly => by_amount(spending.last_hour.iter().map(|(name, paid)| (name, paid.cost))),
        ThresholdKind::DailySpend | ThresholdKind::CostPerLead => {
            by_amount(spending.today.iter().map(|(name, cost)| (name, *cost)))
        }
    };
    let campaigns = by_amount(spending.campaigns.iter().map(|(id, cost)| (id, *cost)));
    let mut payload = particulars(kind, threshold, value, spending, limits, at);
    let common = [
        ("trigger_time", json!(clock::rfc3339(at))),
        ("threshold_name", json!(threshold.name)),
        ("comparison_operator", json!(threshold.comparison)),
        ("threshold_exceeded_by", json!(value - threshold.value)),
        ("time_period", json!(time_period)),
        (
            "alert_metadata",
            json!({"campaign_ids": campaigns, "top_cost_apis": services, "alert_triggered_at": clock::rfc3339(at)}),
        ),
    ];
    payload.extend(common.map(|(name, value)| (name.to_owned(), value)));
    Some(Finding {
        value,
        severity: if is_critical { Severity::Critical } else { Severity::Warning },
        api_service: only(services),
        campaign: only(campaigns),
        time_period,
        payload: payload.into(),
    })
}

/// What a type of alert says of itself.
fn particulars(
    kind: ThresholdKind,
    threshold: &Threshold,
    value: Amount,
    spending: &Spending,
    limits: &CallLimits,
    at: Timestamp,
) -> Map<String, Value> {
    let said = match kind {
        ThresholdKind::DailySpend => json!({
            "alert_type": "daily_spend_threshold", "trigger_event": "cost_threshold_exceeded",
            "current_value": value, "threshold_value": threshold.value,
            "alert_data": {
                "date": at.date_naive(), "api_breakdown": spending.today, "total_daily_spend": value,
            },
        }),
        ThresholdKind::CostPerLead => json!({
            "alert_type": "cost_per_lead_threshold", "trigger_event": "cost_per_lead_threshold_exceeded",
            "current_value": value, "threshold_value": threshold.value,
            "alert_data": {
                "recommendation": "Review API usage efficiency and lead quality filters",
                "calculation_period": "1 hour", "recent_cost_per_lead": value, "leads": spending.leads.count,
                "recent_cost_per_campaign": spending.per_campaign(), "campaigns": spending.campaigns.len(),
            },
        }),
        ThresholdKind::RateLimit => {
            let (service, calls, _) = spending.nearest_limit(limits).unwrap_or_default();
            json!({
                "alert_type": "rate_limit_warning", "trigger_event": "rate_limit_warning",
                "current_value": value, "threshold_value": threshold.value,
                "alert_data": {
                    "recommendation": "Spread the calls, or ask the service for a higher limit",
                    "calls_per_hour": limits.get(&service), "calls_last_hour": calls, "api_service": service,
                },
            })
        }
        ThresholdKind::Anomaly => {
            let (hour, average) = (spending.hour(), spending.hours_before.each());
            json!({
                "alert_type": "spending_anomaly", "trigger_event": "spending_anomaly_detected",
                "current_value": hour, "average_value": average,
                "anomaly_multiplier": value, "threshold_multiplier": threshold.value,
                "alert_data": {
                    "recommendation": "Investigate unusual API activity or check for runaway processes",
                    "comparison_period": "7 days", "average_hourly_spend": average, "current_hourly_spend": hour,
                },
            })
        }
    };
    match said {
        Value::Object(said) => said,
        _ => Map::new(),
    }
}

/// The dearest first.
fn by_amount<'a>(all: impl Iterator<Item = (&'a String, Amount)>) -> Vec<String> {
    let mut all: Vec<_> = all.filter(|(_, cost)| *cost != Amount::default()).collect();
    all.sort_by_key(|(_, cost)| Reverse(*cost));
    all.into_iter().take(NAMED).map(|(name, _)| name.clone()).collect()
}

fn only(mut names: Vec<String>) -> Option<String> {
    names.pop().filter(|_| names.is_empty())
}
