//! Leads: found, or of another status.

use serde_json::{Map, Value};

use super::{
    super::{Unreadable, item::text},
    shape::{Item, score, when},
};
use crate::domain::prospecting::{ProspectFields, ProspectTold, RecordId, StatusChange};

pub(super) fn read(item: &Item) -> Result<ProspectTold, Unreadable> {
    if let Some(row) = item.row() {
        return of_row(item, row);
    }
    let nowhere = Map::new();
    let data = item.part("lead_data").unwrap_or(&nowhere);
    let more = item.part("enrichment_data").unwrap_or(&nowhere);
    let place = item.part("location").unwrap_or(&nowhere);
    let get = |key: &str| [item.get(key), data.get(key), more.get(key), place.get(key)].into_iter().flatten().next();
    let id = item.record(item.get("lead_id").or(data.get("id")), RecordId::lead);
    let id = id.ok_or_else(|| Unreadable::because("it says of no lead"))?;
    let status = text(item.get("new_status")).map(|new| StatusChange { old: text(item.get("old_status")), new });
    let times = [item.metadata("trigger_time"), item.get("updated_at"), item.get("created_at")];
    let mut fields = fields(&get, item);
    fields.name = text(item.get("business_name")).or_else(|| fields.name.take());
    // A location may be a text.
    fields.address = fields.address.or_else(|| text(item.get("location")));
    if let Some(status) = &status {
        fields.status = Some(status.new.clone());
    }
    let campaign = item.record(item.get("campaign_id").or(data.get("campaign_id")), RecordId::campaign);
    Ok(ProspectTold { owner: item.owner, id, campaign, fields, status, at: item.at(&times) })
}

fn of_row(item: &Item, row: &Map<String, Value>) -> Result<ProspectTold, Unreadable> {
    let id = item.record(row.get("id"), RecordId::lead).ok_or_else(|| Unreadable::because("a lead without an id"))?;
    let fields = fields(&|key| row.get(key), item);
    let old = item.old_row().and_then(|old| text(old.get("status")));
    let status = fields.status.clone().filter(|new| old.as_ref().is_some_and(|old| old != new));
    let status = status.map(|new| StatusChange { old, new });
    let at = item.at(&[row.get("updated_at"), row.get("created_at")]);
    let campaign = item.record(row.get("campaign_id"), RecordId::campaign);
    Ok(ProspectTold { owner: item.owner, id, campaign, fields, status, at })
}

fn fields<'a>(get: &dyn Fn(&str) -> Option<&'a Value>, item: &Item) -> ProspectFields {
    let either = |one: &str, other: &str| text(get(one)).or_else(|| text(get(other)));
    ProspectFields {
        name: either("name", "business_name"),
        address: text(get("address")),
        city: text(get("city")),
        state: text(get("state")),
        postal_code: text(get("postal_code")),
        country: text(get("country")),
        source: either("source", "discovery_source"),
        phone: text(get("phone")),
        website: text(get("website")),
        category: either("category", "business_type"),
        email: text(get("email")),
        owner_name: text(get("owner_name")),
        owner_title: text(get("owner_title")),
        status: text(get("status")),
        google_place_id: text(get("google_place_id")),
        confidence_score: score(get("confidence_score")),
        created_at: when(get("created_at"), item.received_at),
    }
}
