//! What the origin's prospecting system answers beside its webhooks: how they are doing, and what happened to a campaign.

use std::collections::HashMap;

use actix_web::{
    HttpResponse,
    web::{Data, Path, Query},
};
use serde_json::{Value, json};

use super::{ApiError, ApiState, Caller, extract::storable};
use crate::domain::clock;

/// Events of a campaign, unless asked otherwise, and at most.
const PAGE: u32 = 50;
const LONGEST_PAGE: u32 = 1000;
/// The version of these answers' shapes.
const VERSION: &str = "1.0.0";

/// `GET /api/webhooks/lead-enrichment/health`
pub async fn lead_health(state: Data<ApiState>) -> HttpResponse {
    let discovery = if state.directory.borrow().is_some() { "initialized" } else { "not_initialized" };
    healthy("lead-enrichment-webhook", &json!({"supabase": database(&state).await, "leadDiscovery": discovery}))
}

/// `GET /api/webhooks/cost-alert/health`
pub async fn cost_health(state: Data<ApiState>) -> HttpResponse {
    healthy("cost-alert-webhook", &json!({"supabase": database(&state).await, "metrics": "initialized"}))
}

/// `GET /api/webhooks/campaign-lifecycle/health`
pub async fn campaign_health(state: Data<ApiState>) -> HttpResponse {
    let connected = state.store.ping().await.is_ok();
    HttpResponse::Ok().json(json!({
        "status": "healthy",
        "webhook_type": "campaign_lifecycle",
        "timestamp": clock::rfc3339(clock::now()),
        "integrations": {"supabase": connected, "csv_exporter": true, "metrics": true},
    }))
}

/// `GET /api/webhooks/campaign-lifecycle/events/{id}?limit=50`: the newest first. Of a campaign that the caller does not see
/// there are none.
pub async fn events(
    state: Data<ApiState>,
    caller: Caller,
    id: Path<String>,
    query: Query<HashMap<String, String>>,
) -> Result<HttpResponse, ApiError> {
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
    let events = state.store.lifecycle(&caller.accounts(), &storable(&id), limit).await?;
    Ok(HttpResponse::Ok().json(json!({"campaign_id": *id, "count": events.len(), "events": events})))
}

fn healthy(service: &str, dependencies: &Value) -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "status": "healthy",
        "service": service,
        "timestamp": clock::rfc3339(clock::now()),
        "version": VERSION,
        "dependencies": dependencies,
    }))
}

async fn database(state: &ApiState) -> &'static str {
    if state.store.ping().await.is_ok() { "connected" } else { "disconnected" }
}
