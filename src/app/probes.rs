//! `/ready` for load balancers; in detail, with `/metrics`, for whoever runs the hub, on a listener of their own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_web::{HttpResponse, http::StatusCode, web};
use serde_json::json;

use super::Hub;
use crate::{
    domain::directory::Watch,
    http::routes::{Routes, get},
    inbox::{Inbox, Space},
    store::{Schema, Store},
    telemetry::Metrics,
};

/// A probe that asks is patient for a second or so: a database that is slower is away for it.
const PATIENCE: Duration = Duration::from_millis(700);

/// What the probes look at.
pub(super) struct Probed {
    store: Store,
    inbox: Inbox,
    directory: Watch,
    schema_fits: Arc<AtomicBool>,
    pub(super) metrics: Arc<Metrics>,
}

impl Probed {
    pub(super) fn new(hub: &Hub) -> Self {
        Self {
            store: hub.store.clone(),
            inbox: hub.inbox.clone(),
            directory: hub.directory.clone(),
            schema_fits: Arc::clone(&hub.schema_fits),
            metrics: Arc::clone(&hub.metrics),
        }
    }
}

/// For anybody.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    Routes::new().route("/ready", get().to(ready)).register(app);
}

/// For whoever runs the hub.
pub(super) fn configure_telemetry(app: &mut web::ServiceConfig) {
    let routes = Routes::new().route("/health", get().to(alive)).route("/ready", get().to(ready_in_detail));
    routes.route("/metrics", get().to(metrics)).register(app);
}

async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({"ok": true}))
}

/// 200 while webhooks are accepted and dashboards served from tables of the hub's own version, without a word on why not.
/// It asks no file and no database: anybody may call it as often as they like.
async fn ready(probed: web::Data<Probed>) -> HttpResponse {
    let tables = probed.directory.borrow().is_some() && probed.schema_fits.load(Ordering::Relaxed);
    let ready = !probed.inbox.is_closed() && probed.inbox.space() != Space::Full && tables;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    HttpResponse::build(status).json(json!({"ready": ready}))
}

/// 200 while webhooks are accepted and dashboards served. A store that is away makes the hub degraded, not unready:
/// taking it out of service would help nobody. Tables of another version make it unready.
async fn ready_in_detail(probed: web::Data<Probed>) -> HttpResponse {
    let mut missing = Vec::new();
    if probed.inbox.size().await.is_err() {
        missing.push("inbox");
    }
    if probed.inbox.space() == Space::Full {
        missing.push("room in the inbox");
    }
    if probed.directory.borrow().is_none() {
        missing.push("directory");
    }
    let schema = tokio::time::timeout(PATIENCE, probed.store.schema()).await.ok().and_then(Result::ok);
    if schema.as_ref().is_some_and(|schema| !schema.fits()) {
        missing.push("schema");
    }
    let store = if schema.is_some() { "ok" } else { "away" };
    let schema = schema.map(
        |Schema { version, pending, unknown }| json!({"version": version, "pending": pending, "unknown": unknown}),
    );
    let body = json!({"ready": missing.is_empty(), "missing": missing, "store": store, "schema": schema});
    if missing.is_empty() { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}

async fn metrics(probed: web::Data<Probed>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(probed.metrics.render())
}
