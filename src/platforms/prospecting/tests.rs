//! What is read of every shape.

use serde_json::{Value, json};

use super::*;
use crate::domain::{
    AccountId, AgencyId, SourceId, clock,
    cost::{Amount, Severity},
    prospecting::{CampaignTold, CostRecorded, ProspectTold, RecordId},
};

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../../inbound/providers/prospecting/samples/", $name, ".json"))
    };
}

fn account() -> AccountId {
    "acc_00000000000000000000000001".parse().unwrap()
}

fn told(item: &str) -> Result<Told, Unreadable> {
    let owner =
        Owner { agency: AgencyId::derive(&[b"agency"]), account: account(), source: SourceId::derive(&[b"source"]) };
    read(item, owner, clock::from_micros(1_795_400_000_000_000))
}

fn lead(item: &str) -> ProspectTold {
    match told(item) {
        Ok(Told::Prospect(told)) => *told,
        other => panic!("{other:?}"),
    }
}

fn campaign(item: &str) -> CampaignTold {
    match told(item) {
        Ok(Told::Campaign(told)) => *told,
        other => panic!("{other:?}"),
    }
}

fn cost(item: &str) -> CostRecorded {
    match told(item) {
        Ok(Told::Cost(told)) => *told,
        other => panic!("{other:?}"),
    }
}

fn at(text: &str) -> crate::domain::Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_lead_that_was_found_has_its_place_and_its_campaign() {
    let found = lead(sample!("lead_insert"));
    assert_eq!(found.id, RecordId::lead(account(), "1".to_owned()));
    assert_eq!(found.campaign, Some(RecordId::campaign(account(), "1".to_owned())));
    let fields = &found.fields;
    assert_eq!((fields.name.as_deref(), fields.city.as_deref()), (Some("Harbor Grill"), Some("San Diego")));
    assert_eq!((fields.confidence_score, fields.postal_code.as_deref()), (Some(62), Some("92101")));
    assert_eq!(found.at, at("2026-11-21T21:52:20.990702Z"));
    assert!(found.status.is_none() && found.update().is_none());
    let nested = lead(sample!("lead_nested"));
    assert_eq!((nested.fields.name.as_deref(), nested.fields.confidence_score), (Some("Example Business"), Some(85)));
    let own = lead(sample!("own_lead"));
    assert_eq!((own.id, own.campaign), (RecordId::own("lead_1".into()), Some(RecordId::own("cmp_1".into()))));
}

#[test]
fn a_new_status_is_told_with_what_came_beside_it() {
    let told = lead(sample!("lead_status"));
    let update = Value::Object(told.update().unwrap());
    assert_eq!(
        update,
        json!({"id": told.id.id, "external_id": "1", "status": "qualified", "previous_status": "new",
               "name": "Harbor Grill", "email": "o@harbor.example", "phone": "+16195550100",
               "website": "https://harbor.example", "owner_name": "Ann", "confidence_score": 81,
               "campaign_id": told.campaign.unwrap().id, "updated_at": "2026-11-21T21:52:20.993Z"})
    );
    let row = lead(sample!("row_lead"));
    assert_eq!(row.id.external.as_deref(), Some("8f1c2d3e-0000-4000-8000-000000000001"));
    assert_eq!(row.update().unwrap()["previous_status"], "new");
    let same = lead(&sample!("row_lead").replace("\"status\": \"new\"", "\"status\": \"qualified\""));
    assert!(same.update().is_none() && same.fields.name.is_some(), "columns changed, its status did not");
}

#[test]
fn what_happened_to_a_campaign_says_how_far_it_is() {
    let done = campaign(sample!("campaign_nested"));
    let event = done.event.clone().unwrap();
    assert_eq!((event.previous_state.as_deref(), event.new_state.as_deref()), (Some("processing"), Some("completed")));
    let shown = json!(done.lifecycle());
    assert_eq!(
        (&shown["external_id"], &shown["campaign_name"], &shown["lifecycle_event"]),
        (&json!("456"), &json!("San Diego Restaurants"), &json!("completed"))
    );
    assert_eq!(
        (&shown["progress"]["qualified_leads"], &shown["progress"]["processing_cost"]),
        (&json!(34), &json!(28.5))
    );
    let flat = campaign(sample!("campaign_completed"));
    assert_eq!((flat.fields.leads_found, flat.fields.total_cost), (Some(87), Some(Amount(285_000))));
    assert!(flat.progress.is_none(), "it told none");
    assert_eq!(flat.at, at("2026-11-21T21:52:20.997548Z"));
    let half = campaign(sample!("campaign_progress")).progress.unwrap();
    assert_eq!((half.processed_leads, half.stage_progress), (Some(40), Some(50.0)));
    assert_eq!(half.current_stage.as_deref(), Some("enrichment"));
}

#[test]
fn a_row_of_a_campaign_is_an_event_if_its_status_says_so() {
    let created = campaign(sample!("row_campaign")).event.unwrap();
    assert_eq!((created.name.as_str(), created.new_state.as_deref()), ("created", Some("running")));
    let update = |old: &str, new: &str| {
        json!({"type": "UPDATE", "table": "campaigns", "record": {"id": 7, "status": new, "name": "Ottawa"},
               "old_record": {"id": 7, "status": old}})
        .to_string()
    };
    for (old, new, event) in [
        ("running", "completed", Some("completed")),
        ("pending", "processing", Some("processing_started")),
        ("running", "paused", Some("status_changed")),
        ("running", "running", None),
    ] {
        let name = campaign(&update(old, new)).event.map(|event| event.name);
        assert_eq!(name.as_deref(), event, "{old} {new}");
    }
}

#[test]
fn an_entry_of_the_log_is_the_same_however_often_it_is_told() {
    let id = |item: &str| campaign(item).event.unwrap().log_id;
    for item in [sample!("campaign_completed"), sample!("campaign_nested"), sample!("row_campaign")] {
        assert_eq!(id(item), id(&serde_json::from_str::<Value>(item).unwrap().to_string()));
    }
    assert_ne!(id(sample!("campaign_completed")), id(sample!("campaign_progress")));
    let own = sample!("campaign_completed").replacen(
        '{',
        r#"{"event_id":"evt_00123456789ABCDEF012345678","account_id":"acc_00000000000000000000000001","#,
        1,
    );
    assert_eq!(id(&own), "evt_00123456789ABCDEF012345678");
}

#[test]
fn costs_are_read_to_the_fourth_digit() {
    let own = cost(sample!("own_cost"));
    assert_eq!((own.cost, own.api_service.as_str(), own.is_change), (Amount(170), "google_places", false));
    assert!(own.id.is_own());
    let row = cost(sample!("row_cost"));
    assert_eq!((row.cost, row.api_service.as_str()), (Amount(3000), "hunter_io"));
    assert_eq!(
        (row.campaign, row.lead),
        (Some(RecordId::campaign(account(), "7".into())), Some(RecordId::lead(account(), "12".into())))
    );
    assert!(cost(&sample!("row_cost").replace("INSERT", "UPDATE")).is_change);
}

#[test]
fn an_alert_of_either_shape_is_read() {
    let alert = |item: &str| match told(item) {
        Ok(Told::Alert(told)) => *told,
        other => panic!("{other:?}"),
    };
    let flat = alert(sample!("alert_daily"));
    assert_eq!((flat.threshold_name.as_str(), flat.threshold_type.as_str()), ("daily_spend_limit", "daily_spend"));
    assert_eq!((flat.alert_value, flat.threshold_value), (Amount(550_000), Amount(500_000)));
    assert_eq!((flat.severity, flat.time_period.as_str()), (Severity::Warning, "daily"));
    assert_eq!(flat.created_at, at("2026-11-21T21:52:35.727107Z"));
    assert_eq!(flat.id, alert(sample!("alert_daily")).id);
    let nested = alert(sample!("alert_nested"));
    assert_eq!((nested.threshold_name.as_str(), nested.threshold_value), ("daily_spend", Amount(500_000)));
    assert_eq!((nested.created_at, nested.api_service), (at("2024-01-01T15:30:00Z"), None));
    assert!(nested.id < flat.id, "alerts sort by age");
    let anomaly = alert(sample!("alert_anomaly"));
    assert_eq!((anomaly.alert_value, anomaly.threshold_value), (Amount(1_100_000), Amount(30_000)));
    assert_eq!((anomaly.threshold_type.as_str(), anomaly.severity), ("anomaly", Severity::Critical));
    assert!(told(&sample!("alert_daily").replace("current_value", "value")).is_err());
}

#[test]
fn what_says_of_nothing_is_unreadable() {
    for item in [
        "{}",
        "[]",
        r#"{"lead_id":{}}"#,
        r#"{"lifecycle_event":"created"}"#,
        r#"{"table":"users","record":{"id":1}}"#,
        r#"{"table":"leads","record":{"name":"x"}}"#,
        r#"{"table":"api_costs","record":{"id":1,"cost":"much"}}"#,
        r#"{"api_service":"x","cost":1e300,"cost_id":1}"#,
        r#"{"alert_type":"daily_spend","current_value":"much","threshold_value":1}"#,
    ] {
        assert!(told(item).is_err(), "{item}");
    }
}

#[test]
fn a_time_of_tomorrow_is_the_time_of_its_arrival() {
    let later = lead(&sample!("lead_insert").replace("2026-11-21T21:52:20.990702+00:00", "2999-01-01T00:00:00Z"));
    assert_eq!(later.at, clock::from_micros(1_795_400_000_000_000));
}
