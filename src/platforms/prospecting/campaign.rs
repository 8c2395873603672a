//! What happened to a campaign, and how far it is.

use serde_json::{Map, Value};

use super::{
    super::{
        Unreadable,
        item::{moment, number, text},
    },
    shape::{Item, amount, count, when},
};
use crate::domain::{
    EventId, Timestamp,
    prospecting::{CampaignFields, CampaignTold, Lifecycle, Progress, RecordId, lifecycle_of},
};

pub(super) fn read(item: &Item) -> Result<CampaignTold, Unreadable> {
    if let Some(row) = item.row() {
        return of_row(item, row);
    }
    let id = item.record(item.get("campaign_id"), RecordId::campaign);
    let id = id.ok_or_else(|| Unreadable::because("it says of no campaign"))?;
    let name = text(item.get("lifecycle_event")).ok_or_else(|| Unreadable::because("it says not what happened"))?;
    let nowhere = Map::new();
    let info = item.part("campaign_info").unwrap_or(&nowhere);
    let data = item.part("event_data").unwrap_or(&nowhere);
    let at = item.at(&[item.metadata("trigger_time"), data.get("status_changed_at")]);
    let mut fields = fields(&|key| info.get(key).or_else(|| data.get(key)), item);
    fields.name = fields.name.or_else(|| text(data.get("campaign_name")));
    let log_id = match item.own_event() {
        Some(event) => event.to_string(),
        None => derived(&id, &name, item, at.timestamp_micros()),
    };
    let (previous_state, told) = (text(data.get("old_status")), text(data.get("new_status")));
    let new_state = told.or_else(|| state_after(&name, fields.status.as_ref()));
    fields.status = new_state.clone().or(fields.status);
    let progress = progress(item, data, &name);
    let event = Lifecycle { log_id, name, previous_state, new_state, payload: item.payload() };
    Ok(CampaignTold { owner: item.owner, id, event: Some(event), fields, progress, at })
}

/// A whole row: what happened is told by its status.
fn of_row(item: &Item, row: &Map<String, Value>) -> Result<CampaignTold, Unreadable> {
    let id = item.record(row.get("id"), RecordId::campaign);
    let id = id.ok_or_else(|| Unreadable::because("a campaign without an id"))?;
    let fields = fields(&|key| row.get(key), item);
    let at = item.at(&[row.get("updated_at")]);
    let old = item.old_row().and_then(|old| text(old.get("status")));
    let name = match (text(item.get("type")).as_deref(), &old, &fields.status) {
        (Some("INSERT"), ..) => Some("created"),
        (_, Some(old), Some(new)) if old != new => Some(lifecycle_of(new)),
        _ => None,
    };
    let event = name.map(|name| Lifecycle {
        log_id: derived(&id, name, item, at.timestamp_micros()),
        name: name.to_owned(),
        previous_state: old,
        new_state: fields.status.clone(),
        payload: item.payload(),
    });
    Ok(CampaignTold { owner: item.owner, id, event, fields, progress: None, at })
}

/// The same however often it is told.
fn derived(id: &RecordId, name: &str, item: &Item, at: i64) -> String {
    // Where it tells no time, the time is that of its arrival, and a second telling has another: then only what it says
    // tells one from another.
    let at = if at == item.received_at.timestamp_micros() { 0 } else { at };
    let payload = item.payload().to_string();
    EventId::derive(&[id.id.as_bytes(), name.as_bytes(), &at.to_be_bytes(), payload.as_bytes()]).to_string()
}

fn state_after(event: &str, status: Option<&String>) -> Option<String> {
    match event {
        "created" => Some(status.cloned().unwrap_or_else(|| "pending".to_owned())),
        "processing_started" => Some("processing".to_owned()),
        "completed" | "error" | "cancelled" => Some(event.to_owned()),
        _ => status.cloned(),
    }
}

fn fields<'a>(get: &dyn Fn(&str) -> Option<&'a Value>, item: &Item) -> CampaignFields {
    CampaignFields {
        name: text(get("name")),
        user_id: text(get("user_id")),
        search_query: text(get("search_query")),
        location: text(get("location")),
        business_type: text(get("business_type")),
        target_count: count(get("target_count")),
        budget_limit: amount(get("budget_limit")),
        status: text(get("status")),
        leads_found: count(get("leads_found")),
        total_cost: amount(get("total_cost")),
        created_at: when(get("created_at"), item.received_at),
    }
}

/// The origin's triggers tell no processing status though they mean to: what of it stands in an update is taken from there.
fn progress(item: &Item, data: &Map<String, Value>, event: &str) -> Option<Progress> {
    let nowhere = Map::new();
    let told = item.part("processing_status");
    if told.is_none() && event != "progress_update" {
        return None;
    }
    let update = if event == "progress_update" { data } else { &nowhere };
    let get = |key: &str| told.and_then(|told| told.get(key)).or_else(|| update.get(key));
    let percent = |value: Option<&Value>| number(value).map(|percent| percent.clamp(0.0, 100.0));
    let time = |key: &str| when_planned(get(key));
    Some(Progress {
        status: text(get("status")),
        total_leads: count(get("total_leads")),
        processed_leads: count(get("processed_leads")),
        qualified_leads: count(get("qualified_leads")),
        error_leads: count(get("error_leads")),
        processing_cost: amount(get("processing_cost")),
        current_stage: text(get("current_stage")),
        stage_progress: percent(get("stage_progress").or_else(|| update.get("new_progress"))),
        completion_percentage: percent(get("completion_percentage")),
        started_at: time("started_at"),
        estimated_completion: time("estimated_completion"),
    })
}

/// Of what is to come as well.
fn when_planned(value: Option<&Value>) -> Option<Timestamp> {
    moment(value?)
}
