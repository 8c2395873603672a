//! Errors that belong to no route, as RFC 9457 problem details.

use actix_web::{HttpResponse, http::StatusCode};
use serde_json::json;

/// A problem with a status and a sentence for people.
#[must_use]
pub fn problem(status: StatusCode, detail: &str) -> HttpResponse {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail});
    HttpResponse::build(status).content_type("application/problem+json").body(body.to_string())
}
