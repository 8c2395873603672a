//! The Graph API over HTTP: `GET /{version}/{id}`; what sends messages stands in [`messenger`].

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::{BodyStream, MessageBody},
    http::{StatusCode, header},
    web,
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::{
    failure::{Failure, GraphError},
    messenger,
    state::{Call, Decision, Outcome, Shared},
    wire,
};

/// The parameters that matter; others are taken and ignored, as Meta does.
#[derive(Deserialize)]
struct Parameters {
    access_token: Option<String>,
    appsecret_proof: Option<String>,
    fields: Option<String>,
}

/// Adds the routes.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/{version:v[0-9]+\\.[0-9]+}/{object:[0-9]+}", web::get().to(object))
        .route("/{version:v[0-9]+\\.[0-9]+}/{sender:me|[0-9]+}/messages", web::post().to(messenger::send))
        .default_service(web::to(unknown));
}

/// Says that a call is over, also when the caller went away in the middle.
struct Running<'a>(&'a Shared, Option<u64>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(page) = self.1 {
            self.0.lock().finished(page);
        }
    }
}

async fn object(
    request: HttpRequest,
    path: web::Path<(String, u64)>,
    parameters: web::Query<Parameters>,
    shared: web::Data<Shared>,
) -> HttpResponse {
    let (version, object) = path.into_inner();
    let bearer = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let call = Call {
        object,
        token: bearer.or(parameters.access_token.as_deref()),
        proof: parameters.appsecret_proof.as_deref(),
        fields: parameters.fields.as_deref(),
    };
    let decision = shared.lock().decide(&call);
    let running = Running(&shared, decision.page);
    shared.count_call();
    if !decision.delay.is_zero() {
        tokio::time::sleep(decision.delay).await;
    }
    if matches!(decision.outcome, Outcome::Broken(Failure::Hang)) {
        std::future::pending::<()>().await;
    }
    drop(running);
    respond(&decision, &version, object)
}

fn respond(decision: &Decision, version: &str, object: u64) -> HttpResponse {
    let body = match &decision.outcome {
        Outcome::Object(object) => wire::ascii(object),
        Outcome::Error(error) => {
            return with_headers(decision, version, error.status).body(wire::ascii(&error.body(object)));
        }
        Outcome::Broken(failure) => return broken(*failure),
    };
    with_headers(decision, version, 200).body(body)
}

/// The head of an answer: JSON by a name of its own, the version, and the usage headers in percent.
fn with_headers(decision: &Decision, version: &str, status: u16) -> HttpResponseBuilder {
    let (percent, minutes) = decision.usage;
    let mut answer = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST));
    answer.content_type("text/javascript; charset=UTF-8").insert_header(("facebook-api-version", version));
    let app = json!({"call_count": percent, "total_time": percent, "total_cputime": percent});
    answer.insert_header(("x-app-usage", app.to_string()));
    if let Some(page) = decision.page {
        let usage = json!({page.to_string(): [{
            "type": "leadgen", "call_count": percent, "total_cputime": percent, "total_time": percent,
            "estimated_time_to_regain_access": minutes, "ads_api_access_tier": "standard_access",
        }]});
        answer.insert_header(("x-business-use-case-usage", usage.to_string()));
    }
    answer
}

pub(super) fn broken(failure: Failure) -> HttpResponse {
    match failure {
        Failure::NotJson { status } => {
            HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY))
                .content_type("text/html")
                .body("<!DOCTYPE html><title>Sorry, something went wrong.</title>")
        }
        Failure::Truncated => HttpResponse::Ok()
            .content_type("text/javascript; charset=UTF-8")
            .body(r#"{"id":"1","field_data":[{"name":"full_name","val"#),
        // A body that fails before its first byte makes the server drop the connection, head and all.
        _ => HttpResponse::Ok().force_close().body(failing_body()),
    }
}

fn failing_body() -> impl MessageBody + 'static {
    BodyStream::new(futures_util::stream::once(async {
        Err::<Bytes, _>(std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "closed on purpose"))
    }))
}

async fn unknown(request: HttpRequest) -> HttpResponse {
    let error = GraphError::new(2500, format!("Unknown path components: {}", request.path()));
    HttpResponse::BadRequest().content_type("text/javascript; charset=UTF-8").body(wire::ascii(&error.body(0)))
}

/// The shared state as actix hands it to handlers.
pub(super) fn data(shared: &Arc<Shared>) -> web::Data<Shared> {
    web::Data::from(Arc::clone(shared))
}
