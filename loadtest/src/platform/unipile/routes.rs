//! The API over HTTP: `/api/v1/…`.

use std::collections::HashMap;

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Bytes, Data, Json, Path, Query, ServiceConfig, delete, get, post, to},
};
use serde_json::{Value, json};

use super::{
    state::{Filter, State, Trouble},
    workspace::Shared,
};

type Parameters = Query<HashMap<String, String>>;

/// More than any client should read.
const HUGE: usize = 64 * 1024 * 1024;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/api/v1/webhooks", get().to(list_webhooks))
        .route("/api/v1/webhooks", post().to(create_webhook))
        .route("/api/v1/webhooks/{id}", delete().to(delete_webhook))
        .route("/api/v1/chats", get().to(list_chats))
        .route("/api/v1/chats/{id}/attendees", get().to(list_attendees))
        .route("/api/v1/chats/{id}/messages", get().to(list_messages))
        .route("/api/v1/chats/{id}/messages", post().to(send))
        .route("/api/v1/messages", get().to(list_messages))
        .default_service(to(unknown));
}

/// Counts the call and lets it in, unless the key is wrong or there is trouble.
fn enter<'s>(request: &HttpRequest, shared: &'s Shared) -> Result<std::sync::MutexGuard<'s, State>, HttpResponse> {
    let mut state = shared.lock();
    state.calls.push(format!("{} {}", request.method(), request.uri()));
    match state.trouble {
        Some(Trouble::Html) => {
            let page = "<!DOCTYPE html><title>Bad Gateway</title>";
            return Err(HttpResponse::BadGateway().content_type("text/html").body(page));
        }
        Some(Trouble::Status(status)) => return Err(refusal(status, "unexpected_error")),
        Some(Trouble::Huge) => {
            return Err(HttpResponse::Ok().body(format!("{{\"items\":[],\"x\":\"{}\"}}", "x".repeat(HUGE))));
        }
        Some(Trouble::Endless) | None => {}
    }
    match request.headers().get("x-api-key").map(|key| key.as_bytes() == state.key.as_bytes()) {
        Some(true) => Ok(state),
        Some(false) => Err(refusal(401, "invalid_credentials")),
        None => Err(refusal(401, "missing_credentials")),
    }
}

fn refusal(status: u16, kind: &str) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({
        "status": status.as_u16(), "type": format!("errors/{kind}"), "title": "Refused", "detail": "As told.", "instance": "",
    });
    HttpResponse::build(status).json(body)
}

/// The page of a list that the cursor asks for.
fn page(state: &State, object: &str, items: &[Value], parameters: &Parameters) -> HttpResponse {
    let limit = parameters.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(100);
    if !(1..=250).contains(&limit) {
        return refusal(400, "invalid_parameters");
    }
    let limit = limit.min(state.page);
    let from: usize = parameters.get("cursor").and_then(|cursor| cursor.strip_prefix("c=")?.parse().ok()).unwrap_or(0);
    let shown: Vec<&Value> = items.iter().skip(from).take(limit).collect();
    let more = from + limit < items.len() || state.trouble == Some(Trouble::Endless);
    let cursor = more.then(|| format!("c={}", from + limit));
    HttpResponse::Ok().json(json!({"object": object, "items": shown, "cursor": cursor}))
}

fn filter<'a>(parameters: &'a Parameters, chat: Option<&'a str>) -> Filter<'a> {
    let parameter = |key: &str| parameters.get(key).map(String::as_str);
    Filter { account: parameter("account_id"), chat, after: parameter("after"), before: parameter("before") }
}

async fn list_webhooks(request: HttpRequest, shared: Data<Shared>, parameters: Parameters) -> HttpResponse {
    let state = match enter(&request, &shared) {
        Ok(state) => state,
        Err(refusal) => return refusal,
    };
    page(&state, "WebhookList", &state.list_webhooks(), &parameters)
}

async fn create_webhook(request: HttpRequest, shared: Data<Shared>, webhook: Json<Value>) -> HttpResponse {
    let mut state = match enter(&request, &shared) {
        Ok(state) => state,
        Err(refusal) => return refusal,
    };
    let known = ["messaging", "users", "account_status", "email", "email_tracking", "calendar_event"];
    let is_known = webhook["source"].as_str().is_some_and(|about| known.contains(&about));
    let no_events = webhook["events"].as_array().is_some_and(Vec::is_empty);
    if !is_known || no_events || !webhook["request_url"].is_string() {
        return refusal(400, "invalid_parameters");
    }
    let id = state.register(webhook.into_inner());
    HttpResponse::Created().json(json!({"object": "WebhookCreated", "webhook_id": id}))
}

async fn delete_webhook(request: HttpRequest, shared: Data<Shared>, id: Path<String>) -> HttpResponse {
    let mut state = match enter(&request, &shared) {
        Ok(state) => state,
        Err(refusal) => return refusal,
    };
    let before = state.webhooks.len();
    state.webhooks.retain(|webhook| webhook["id"] != id.as_str());
    if state.webhooks.len() == before {
        return refusal(404, "resource_not_found");
    }
    HttpResponse::Ok().json(json!({"object": "WebhookDeleted"}))
}

async fn list_chats(request: HttpRequest, shared: Data<Shared>, parameters: Parameters) -> HttpResponse {
    let state = match enter(&request, &shared) {
        Ok(state) => state,
        Err(refusal) => return refusal,
    };
    page(&state, "ChatList", &state.list_chats(&filter(&parameters, None)), &parameters)
}

async fn list_attendees(
    request: HttpRequest,
    shared: Data<Shared>,
    chat: Path<String>,
    parameters: Parameters,
) -> HttpResponse {
    let state = match enter(&request, &shared) {
        Ok(state) => state,
        Err(refusal) => return refusal,
    };
    match state.attendees.get(chat.as_str()) {
        Some(attendees) => {
            let attendees: Vec<Value> = attendees.values().cloned().collect();
            page(&state, "ChatAttendeeList", &attendees, &parameters)
        }
        None => refusal(404, "resource_not_found"),
    }
}

async fn list_messages(request: HttpRequest, shared: Data<Shared>, parameters: Parameters) -> HttpResponse {
    let state = match enter(&request, &shared) {
        Ok(state) => state,
        Err(refusal) => return refusal,
    };
    let found = state.list_messages(&filter(&parameters, request.match_info().get("id")));
    page(&state, "MessageList", &found, &parameters)
}

/// What was sent comes back as a webhook, as what others write does.
async fn send(request: HttpRequest, shared: Data<Shared>, chat: Path<String>, body: Bytes) -> HttpResponse {
    let form = form(&request, &body);
    let id = {
        let mut state = match enter(&request, &shared) {
            Ok(state) => state,
            Err(refusal) => return refusal,
        };
        let known = state.chats.get(chat.as_str());
        if known
            .is_none_or(|known| form.get("account_id").is_some_and(|account| known["account_id"] != account.as_str()))
        {
            return refusal(404, "resource_not_found");
        }
        state.new_id("sent")
    };
    let (account, text) = (form.get("account_id").cloned().unwrap_or_default(), form.get("text").cloned());
    let Some(text) = text else { return refusal(400, "invalid_parameters") };
    let person = chat.strip_prefix("chat_").unwrap_or(&chat);
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    shared.happen(&super::Connected::linked_in(&account).own_message(person, &id, &text, &now));
    HttpResponse::Created().json(json!({"object": "MessageSent", "message_id": id}))
}

/// The texts of a multipart form.
fn form(request: &HttpRequest, body: &[u8]) -> HashMap<String, String> {
    let kind = request.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let Some(boundary) = kind.split("boundary=").nth(1) else { return HashMap::new() };
    let body = String::from_utf8_lossy(body);
    let part = |part: &str| {
        let (head, text) = part.split_once("\r\n\r\n")?;
        let name = head.split("name=\"").nth(1)?.split('"').next()?;
        Some((name.to_owned(), text.strip_suffix("\r\n")?.to_owned()))
    };
    body.split(&format!("--{boundary}")).filter_map(part).collect()
}

async fn unknown(request: HttpRequest, shared: Data<Shared>) -> HttpResponse {
    match enter(&request, &shared) {
        Ok(_) => refusal(404, "resource_not_found"),
        Err(refusal) => refusal,
    }
}
