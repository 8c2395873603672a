//! Alive or not. Whether the hub is ready for work is another question, answered elsewhere.

use actix_web::HttpResponse;
use serde_json::json;

/// `GET /health`: 200 as long as requests are answered at all.
pub async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({"ok": true}))
}

/// `GET /api/health`, in the origin's shape.
pub async fn origin() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok", "service": "Leadwire"}))
}
