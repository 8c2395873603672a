//! Counts and times requests to the API and for the page, by route.

use std::{sync::Arc, time::Instant};

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
    web::Data,
};

use super::probes::Probed;
use crate::telemetry::Requested;

/// A middleware.
pub(super) async fn measured(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let (began, method) = (Instant::now(), word(request.method()));
    let metrics = request.app_data::<Data<Probed>>().map(|probed| Arc::clone(&probed.metrics));
    let response = next.call(request).await?;
    if let Some(metrics) = metrics {
        let route = response.request().match_pattern().unwrap_or_else(|| "none".to_owned());
        let labels = Requested { method, route, status: response.status().as_u16() };
        metrics.http_seconds.get_or_create(&labels).observe(began.elapsed().as_secs_f64());
    }
    Ok(response)
}

/// Anybody may send a method of their own.
fn word(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
