//! What calls have cost, and alerts about it.

use serde_json::Value;

use super::{
    super::{Unreadable, item::text},
    shape::{Item, amount},
};
use crate::domain::{
    AlertId,
    cost::{CostAlert, Severity},
    message::Owner,
    prospecting::{CostRecorded, RecordId},
};

pub(super) fn read(item: &Item) -> Result<CostRecorded, Unreadable> {
    let row = item.row();
    let get = |key: &str| row.map_or_else(|| item.get(key), |row| row.get(key));
    let because = Unreadable::because;
    let trigger = [text(item.get("type")), text(item.metadata("trigger_event"))];
    let is_change = trigger.into_iter().flatten().any(|word| matches!(word.as_str(), "UPDATE" | "cost_update"));
    let id = if row.is_some() { get("id") } else { get("cost_id").or_else(|| get("id")) };
    Ok(CostRecorded {
        owner: item.owner,
        id: item.record(id, RecordId::cost).ok_or_else(|| because("a cost without an id"))?,
        // The origin's own test writes it so.
        api_service: text(get("api_service")).or_else(|| text(get("api_name"))).unwrap_or_else(|| "unknown".to_owned()),
        cost: amount(get("cost")).ok_or_else(|| because("a cost without an amount"))?,
        campaign: item.record(get("campaign_id"), RecordId::campaign),
        lead: item.record(get("lead_id"), RecordId::lead),
        created_at: item.at(&[get("created_at"), item.metadata("trigger_time")]),
        is_change,
    })
}

/// An alert, in the origin's shape or its document's.
pub(super) fn alert(item: &Item) -> Result<CostAlert, Unreadable> {
    let lacks = |what: &str| Unreadable::because(format!("a cost alert without {what}"));
    let said = |key: &str| text(item.get(key));
    let kind = said("alert_type").or_else(|| said("threshold_name")).ok_or_else(|| lacks("a type"))?;
    let kind = kind_of(&kind);
    // How many times the average is what an anomaly is held by; the amounts are beside it.
    let [value, limit] = [("anomaly_multiplier", "current_value"), ("threshold_multiplier", "threshold_value")]
        .map(|(first, second)| amount(item.get(first)).or_else(|| amount(item.get(second))));
    let [value, limit] =
        [value.ok_or_else(|| lacks("a current_value"))?, limit.ok_or_else(|| lacks("a threshold_value"))?];
    let is_critical = i128::from(value.0) * 2 > i128::from(limit.0) * 3;
    let metadata = |key: &str| item.part("alert_metadata").and_then(|metadata| metadata.get(key));
    let only = |key: &str| match metadata(key).and_then(Value::as_array).map(Vec::as_slice) {
        Some([only]) => Some(only),
        _ => None,
    };
    let created_at =
        item.at(&[item.get("trigger_time"), metadata("alert_triggered_at"), item.metadata("trigger_time")]);
    let Owner { agency, account, .. } = item.owner;
    let payload = item.payload();
    // The same however often it comes, and among the others by its age.
    let age = u64::try_from(created_at.timestamp_millis()).unwrap_or_default() << 16;
    let id = AlertId::derive(&[&account.to_bytes(), payload.to_string().as_bytes()]).sorted_by(age);
    Ok(CostAlert {
        id,
        agency,
        account,
        threshold: None,
        threshold_name: said("threshold_name").unwrap_or_else(|| kind.to_owned()),
        threshold_type: kind.to_owned(),
        alert_value: value,
        threshold_value: limit,
        severity: if is_critical { Severity::Critical } else { Severity::Warning },
        api_service: said("api_service").or_else(|| text(only("top_cost_apis"))),
        campaign_id: item.record(only("campaign_ids"), RecordId::campaign).map(|campaign| campaign.id),
        time_period: said("time_period").unwrap_or_else(|| period(kind).to_owned()),
        alert_data: payload,
        created_at,
        announced_at: None,
        resolved_at: None,
        resolution_note: None,
        resolved_by: None,
    })
}

/// The hub's word for a type of alert; the origin's code has others than its document. An unknown one stays.
fn kind_of(word: &str) -> &str {
    match word {
        "daily_spend_threshold" => "daily_spend",
        "cost_per_lead_threshold" => "cost_per_lead",
        "spending_anomaly" => "anomaly",
        "rate_limit_warning" => "rate_limit",
        other => other,
    }
}

fn period(kind: &str) -> &'static str {
    match kind {
        "daily_spend" => "daily",
        "anomaly" | "rate_limit" => "hourly",
        _ => "real_time",
    }
}
