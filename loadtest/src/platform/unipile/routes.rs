//! The API over HTTP: `/api/v1/…`.

use std::{collections::HashMap, fmt, sync::MutexGuard, time::SystemTime};

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::StatusCode,
    web::{Bytes, Data, Json, Path, Query, ServiceConfig, delete, get, post, to},
};
use chrono::{DateTime, SecondsFormat, Utc};
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

/// Why there is no answer.
#[derive(Debug)]
enum Refused {
    /// Unipile's own error: a status and a kind.
    Error(u16, &'static str),
    Html,
    Huge,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl ResponseError for Refused {
    fn error_response(&self) -> HttpResponse {
        match self {
            Self::Error(status, kind) => {
                let body = json!({
                    "status": status, "type": format!("errors/{kind}"), "title": "Refused", "detail": "As told.",
                    "instance": "",
                });
                HttpResponse::build(StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_REQUEST)).json(body)
            }
            Self::Html => {
                let page = "<!DOCTYPE html><title>Bad Gateway</title>";
                HttpResponse::BadGateway().content_type("text/html").body(page)
            }
            Self::Huge => HttpResponse::Ok().body(format!("{{\"items\":[],\"x\":\"{}\"}}", "x".repeat(HUGE))),
        }
    }
}

type Answer = Result<HttpResponse, Refused>;

const NOT_FOUND: Refused = Refused::Error(404, "resource_not_found");
const INVALID: Refused = Refused::Error(400, "invalid_parameters");

/// Counts the call and lets it in, unless the key is wrong or there is trouble.
fn enter<'s>(request: &HttpRequest, shared: &'s Shared) -> Result<MutexGuard<'s, State>, Refused> {
    let mut state = shared.lock();
    state.calls.push(format!("{} {}", request.method(), request.uri()));
    match state.trouble {
        Some(Trouble::Html) => return Err(Refused::Html),
        Some(Trouble::Status(status)) => return Err(Refused::Error(status, "unexpected_error")),
        Some(Trouble::Huge) => return Err(Refused::Huge),
        Some(Trouble::Endless) | None => {}
    }
    match request.headers().get("x-api-key").map(|key| key.as_bytes() == state.key.as_bytes()) {
        Some(true) => Ok(state),
        Some(false) => Err(Refused::Error(401, "invalid_credentials")),
        None => Err(Refused::Error(401, "missing_credentials")),
    }
}

/// The page of a list that the cursor asks for.
fn page(state: &State, object: &str, items: &[Value], parameters: &Parameters) -> Answer {
    let limit = parameters.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(100);
    if !(1..=250).contains(&limit) {
        return Err(INVALID);
    }
    let limit = limit.min(state.page);
    let from: usize = parameters.get("cursor").and_then(|cursor| cursor.strip_prefix("c=")?.parse().ok()).unwrap_or(0);
    let shown: Vec<&Value> = items.iter().skip(from).take(limit).collect();
    let more = from + limit < items.len() || state.trouble == Some(Trouble::Endless);
    let cursor = more.then(|| format!("c={}", from + limit));
    Ok(HttpResponse::Ok().json(json!({"object": object, "items": shown, "cursor": cursor})))
}

fn filter<'a>(state: &State, parameters: &'a Parameters, chat: Option<&'a str>) -> Filter<'a> {
    let parameter = |key: &str| parameters.get(key).map(String::as_str);
    let account = parameter("account_id").filter(|_| !state.mixes_accounts);
    Filter { account, chat, after: parameter("after"), before: parameter("before") }
}

async fn list_webhooks(request: HttpRequest, shared: Data<Shared>, parameters: Parameters) -> Answer {
    let state = enter(&request, &shared)?;
    page(&state, "WebhookList", &state.list_webhooks(), &parameters)
}

async fn create_webhook(request: HttpRequest, shared: Data<Shared>, webhook: Json<Value>) -> Answer {
    let mut state = enter(&request, &shared)?;
    let known = ["messaging", "users", "account_status", "email", "email_tracking", "calendar_event"];
    let is_known = webhook["source"].as_str().is_some_and(|about| known.contains(&about));
    let no_events = webhook["events"].as_array().is_some_and(Vec::is_empty);
    if !is_known || no_events || !webhook["request_url"].is_string() {
        return Err(INVALID);
    }
    let id = state.register(webhook.into_inner());
    Ok(HttpResponse::Created().json(json!({"object": "WebhookCreated", "webhook_id": id})))
}

async fn delete_webhook(request: HttpRequest, shared: Data<Shared>, id: Path<String>) -> Answer {
    let mut state = enter(&request, &shared)?;
    let before = state.webhooks.len();
    state.webhooks.retain(|webhook| webhook["id"] != id.as_str());
    if state.webhooks.len() == before {
        return Err(NOT_FOUND);
    }
    Ok(HttpResponse::Ok().json(json!({"object": "WebhookDeleted"})))
}

async fn list_chats(request: HttpRequest, shared: Data<Shared>, parameters: Parameters) -> Answer {
    let state = enter(&request, &shared)?;
    page(&state, "ChatList", &state.list_chats(&filter(&state, &parameters, None)), &parameters)
}

async fn list_attendees(
    request: HttpRequest,
    shared: Data<Shared>,
    chat: Path<String>,
    parameters: Parameters,
) -> Answer {
    let state = enter(&request, &shared)?;
    match state.attendees.get(chat.as_str()) {
        Some(attendees) => {
            let attendees: Vec<Value> = attendees.values().cloned().collect();
            page(&state, "ChatAttendeeList", &attendees, &parameters)
        }
        None => Err(NOT_FOUND),
    }
}

async fn list_messages(request: HttpRequest, shared: Data<Shared>, parameters: Parameters) -> Answer {
    let state = enter(&request, &shared)?;
    let found = state.list_messages(&filter(&state, &parameters, request.match_info().get("id")));
    page(&state, "MessageList", &found, &parameters)
}

/// What was sent comes back as a webhook, as what others write does.
async fn send(request: HttpRequest, shared: Data<Shared>, chat: Path<String>, body: Bytes) -> Answer {
    let form = form(&request, &body);
    let id = {
        let mut state = enter(&request, &shared)?;
        let known = state.chats.get(chat.as_str());
        if known
            .is_none_or(|known| form.get("account_id").is_some_and(|account| known["account_id"] != account.as_str()))
        {
            return Err(NOT_FOUND);
        }
        state.new_id("sent")
    };
    let (account, text) = (form.get("account_id").cloned().unwrap_or_default(), form.get("text").cloned());
    let Some(text) = text else { return Err(INVALID) };
    let person = chat.strip_prefix("chat_").unwrap_or(&chat);
    let now = DateTime::<Utc>::from(SystemTime::now()).to_rfc3339_opts(SecondsFormat::Millis, true);
    shared.happen(&super::Connected::linked_in(&account).own_message(person, &id, &text, &now));
    Ok(HttpResponse::Created().json(json!({"object": "MessageSent", "message_id": id})))
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

async fn unknown(request: HttpRequest, shared: Data<Shared>) -> Answer {
    enter(&request, &shared).and(Err(NOT_FOUND))
}
