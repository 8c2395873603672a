//! `/ready` and `/metrics`: for whoever runs the hub.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::Hub;
use crate::{domain::directory::Watch, inbox::Inbox, store::Store, telemetry::Metrics};

/// What the probes look at.
pub(super) struct Probed {
    store: Store,
    inbox: Inbox,
    directory: Watch,
    pub(super) metrics: Arc<Metrics>,
}

impl Probed {
    pub(super) fn new(hub: &Hub) -> Self {
        Self {
            store: hub.store.clone(),
            inbox: hub.inbox.clone(),
            directory: hub.directory.clone(),
            metrics: Arc::clone(&hub.metrics),
        }
    }
}

pub(super) fn configure(routes: &mut web::ServiceConfig) {
    routes.route("/ready", web::get().to(ready)).route("/metrics", web::get().to(metrics));
}

/// 200 while webhooks are accepted and dashboards served. A store that is away makes the hub degraded, not unready:
/// taking it out of service would help nobody.
async fn ready(probed: web::Data<Probed>) -> HttpResponse {
    let mut missing = Vec::new();
    if probed.inbox.size().await.is_err() {
        missing.push("inbox");
    }
    if probed.directory.borrow().is_none() {
        missing.push("directory");
    }
    let store = if probed.store.ping().await.is_ok() { "ok" } else { "away" };
    let body = json!({"ready": missing.is_empty(), "missing": missing, "store": store});
    if missing.is_empty() { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}

async fn metrics(probed: web::Data<Probed>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(probed.metrics.render())
}
