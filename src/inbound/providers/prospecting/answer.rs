//! What the origin answers, to the letter. Its fields come back as they came.

use serde_json::{Map, Value, json, value::RawValue};

use super::{
    super::{Answer, Kept, Post},
    Door,
    payload::{Body, Shape, Table},
    raw::text,
};
use crate::domain::{clock, prospecting::LIFECYCLE};

/// The token is missing or wrong.
pub fn unauthorized(door: Door) -> Answer {
    Answer::json(
        401,
        &match door {
            Door::Campaigns => json!({"error": "Unauthorized"}),
            _ => json!({"error": "Unauthorized", "message": "Invalid webhook authentication token"}),
        },
    )
}

/// Why a body is not taken: the origin's 400, for what it demands.
pub fn objection(door: Door, post: Post<'_, '_>) -> Option<Answer> {
    let item = String::from_utf8_lossy(post.body);
    let body = Body::of(&item);
    let shape = body.as_ref().map_or(Shape::Other, Body::shape);
    match (door, shape) {
        (_, Shape::Row(_)) | (Door::Costs, _) => None,
        (Door::Campaigns, _) | (Door::Own, Shape::Campaign) => campaign(body.as_ref()),
        (Door::Leads, _) | (Door::Own, Shape::Lead | Shape::Status) => {
            let header = (post.header)("x-webhook-type");
            let is_status = shape == Shape::Status || header == Some(b"lead_status_update");
            lead(body.as_ref(), is_status)
        }
        (Door::Own, _) => None,
    }
}

fn campaign(body: Option<&Body<'_>>) -> Option<Answer> {
    let complete = body.is_some_and(|body| is_said(body.campaign_id) && is_said(body.lifecycle_event));
    let missing = || Answer::json(400, &json!({"error": "Missing required fields: campaign_id, lifecycle_event"}));
    (!complete).then(missing)
}

fn lead(body: Option<&Body<'_>>, is_status: bool) -> Option<Answer> {
    let lacks = |message: &str, required: &[&str]| {
        Some(Answer::json(400, &json!({"error": "Invalid payload", "message": message, "required": required})))
    };
    let id = body.and_then(Body::record_id).is_some_and(|id| !matches!(&*id, "" | "0" | "false"));
    if is_status {
        let complete = id && body.is_some_and(|body| is_said(body.new_status));
        let required = ["lead_id", "new_status"];
        return if complete { None } else { lacks("Missing required fields: lead_id, new_status", &required) };
    }
    // The document's shape has no location, and its metadata another word for what triggered.
    let is_nested = body.is_some_and(|body| body.lead_data.is_some());
    let complete = id && body.is_some_and(|body| is_said(body.business()) && (is_nested || is_said(body.location)));
    if !complete {
        let required = ["lead_id", "business_name", "location"];
        return lacks("Missing required fields: lead_id, business_name, location", &required);
    }
    let metadata = body.and_then(|body| Body::inner(body.webhook_metadata));
    let complete = metadata.is_some_and(|metadata| {
        let trigger = is_said(metadata.trigger_event) || is_nested && is_said(metadata.trigger_source);
        trigger && is_said(metadata.trigger_time)
    });
    let required = ["webhook_metadata.trigger_event", "webhook_metadata.trigger_time"];
    if complete { None } else { lacks("Missing webhook metadata", &required) }
}

/// As the origin's language sees it: not empty, not nothing.
fn is_said(raw: Option<&RawValue>) -> bool {
    raw.is_some_and(|raw| !matches!(raw.get(), "null" | "false" | "0" | "\"\""))
}

/// It is kept.
pub fn accepted(door: Door, post: Post<'_, '_>, kept: Kept) -> Answer {
    let item = String::from_utf8_lossy(post.body);
    let Some(body) = Body::of(&item) else { return Answer::json(200, &received(None, post, kept)) };
    let answer = match (door, body.shape()) {
        (Door::Campaigns, _) | (Door::Own, Shape::Campaign | Shape::Row(Table::Campaigns)) => lived(&body, kept),
        (Door::Costs, _) | (Door::Own, Shape::Alert | Shape::Cost | Shape::Row(Table::Costs)) => {
            received(Some(&body), post, kept)
        }
        (Door::Leads | Door::Own, _) => json!({
            "status": "accepted",
            "lead_id": value(body.lead_id.or_else(|| Body::inner(body.record.or(body.lead_data))?.id)),
            "business_name": value(body.business()),
            "message": "Lead enrichment started",
            "timestamp": clock::rfc3339(kept.at),
            "processing_time_ms": kept.took_ms,
        }),
    };
    Answer::json(200, &answer)
}

/// What is not there is left out.
fn received(body: Option<&Body<'_>>, post: Post<'_, '_>, kept: Kept) -> Value {
    let alert = (post.header)("x-alert-id").map(|id| Value::from(String::from_utf8_lossy(id)));
    let said = [
        ("status", Some("received".into())),
        ("alert_id", alert),
        ("alert_type", body.and_then(|body| body.alert_type).map(|raw| value(Some(raw)))),
        ("threshold_name", body.and_then(|body| body.threshold_name).map(|raw| value(Some(raw)))),
        ("message", Some("Cost alert processed".into())),
        ("timestamp", Some(clock::rfc3339(kept.at).into())),
        ("processing_time_ms", Some(kept.took_ms.into())),
    ];
    Value::Object(said.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect::<Map<_, _>>())
}

fn lived(body: &Body<'_>, kept: Kept) -> Value {
    let row = || Body::inner(body.record.or(body.old_record));
    let campaign = value(body.campaign_id.or_else(|| row()?.id));
    let inserted = text(body.operation).is_some_and(|operation| operation == "INSERT");
    let of_row = || match (body.table, inserted) {
        (Some(_), true) => Some("created".into()),
        (Some(_), false) => Some("status_changed".into()),
        (None, _) => None,
    };
    let event = text(body.lifecycle_event).or_else(of_row).unwrap_or_default();
    let mut result = if LIFECYCLE.contains(&&*event) {
        json!({"status": "processed", "action": action(&event), "campaign_id": campaign})
    } else {
        json!({"status": "ignored", "reason": "Unknown lifecycle event", "lifecycle_event": event})
    };
    let progress = Body::inner(body.processing_status);
    let data = Body::inner(body.event_data);
    match &*event {
        "created" => result["processing_initiated"] = true.into(),
        "completed" => {
            let qualified = value(progress.and_then(|progress| progress.qualified_leads));
            result["export_attempted"] = qualified.as_f64().is_some_and(|count| count > 0.0).into();
            result["qualified_leads"] = if qualified.is_null() { 0.into() } else { qualified };
        }
        "progress_update" => {
            let told = progress.and_then(|progress| progress.stage_progress);
            result["current_progress"] = value(told.or_else(|| data?.new_progress));
        }
        "error" => result["error_recorded"] = true.into(),
        _ => {}
    }
    json!({
        "success": true,
        "processed_at": clock::rfc3339(kept.at),
        "campaign_id": campaign,
        "lifecycle_event": event,
        "result": result,
    })
}

fn action(event: &str) -> &'static str {
    match event {
        "created" => "campaign_initialized",
        "processing_started" => "processing_started_logged",
        "progress_update" => "progress_updated",
        "completed" => "campaign_completed",
        "error" => "error_logged",
        "cancelled" => "cancellation_logged",
        _ => "status_change_logged",
    }
}

/// As it came, if it is no more than a word or a number.
fn value(raw: Option<&RawValue>) -> Value {
    raw.filter(|raw| text(Some(raw)).is_some()).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}
