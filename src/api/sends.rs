//! Replies: sent through the platform that a chat is at, once; what waits and what has failed.

use std::time::Duration;

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Data, Path},
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{ApiError, ApiState, Caller, chats, extract::JsonObject};
use crate::{
    auth::{Principal, Subject},
    domain::{
        Role, clock,
        message::Chat,
        send::{Longest, Outgoing, Reason, SendState},
    },
    sending::Submitted,
};

type Answer = Result<HttpResponse, ApiError>;

/// How long a request waits for what becomes of its reply: less than proxies wait for an answer.
const PATIENCE: Duration = Duration::from_secs(25);
/// Failed replies are listed for so long.
const LISTED_FOR: TimeDelta = TimeDelta::days(2);

/// `POST /api/chats/{id}/messages {"text", "client_id"?}`, and the message inbox's own address of it: 201 when the platform
/// has it, 202 while it waits, problem details when it has failed. The same `client_id` again sends nothing again.
pub async fn send(state: Data<ApiState>, caller: Caller, id: Path<String>, body: JsonObject) -> Answer {
    let client_id = match body.0.get("client_id") {
        None | Some(Value::Null) => None,
        Some(Value::String(client_id)) => Some(client_id.clone()),
        Some(_) => return Err(ApiError::bad_request("`client_id` must be text.")),
    };
    let (chat, submitted) = submit(&state, &caller, &id, body.text("text")?, client_id).await?;
    let send = state.desk.outcome(submitted, PATIENCE).await?;
    match send.state {
        SendState::Sent => Ok(HttpResponse::Created().json(json!({
            "object": "MessageSent",
            "message_id": send.message,
            "message": state.desk.message(&send, &chat),
            "send": send,
        }))),
        SendState::Failed => Err(failed(send)),
        SendState::Pending | SendState::Sending => {
            Ok(HttpResponse::Accepted().json(json!({"object": "MessagePending", "send": send})))
        }
    }
}

/// `GET /api/chats/{id}/sends`: what waits, and what has failed of late, the oldest first; and whether the caller can send
/// something, how much at once, or why not.
pub async fn list(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let chat = chats::find(&state, &caller, &id).await?;
    let since = clock::now() - LISTED_FOR;
    let sends = state.store.sends_of_chat(caller.agency, chat.account, chat.id, since).await?;
    let obstacle = obstacle(&caller, &chat).or_else(|| state.desk.obstacle(chat.source));
    let longest = Longest::of(&chat.account_type);
    Ok(HttpResponse::Ok().json(json!({
        "items": sends, "can_send": obstacle.is_none(), "reason": obstacle, "longest": longest,
    })))
}

/// Hands in a reply to a chat, if the caller may send one there.
///
/// # Errors
/// If there is no such chat, it is ignored, the caller's role is too low, or the reply is not taken in.
pub async fn submit(
    state: &ApiState,
    caller: &Principal,
    id: &str,
    text: &str,
    client_id: Option<String>,
) -> Result<(Chat, Submitted), ApiError> {
    let chat = chats::find(state, caller, id).await?;
    if let Some(obstacle) = obstacle(caller, &chat) {
        return Err(ApiError::forbidden(obstacle.message).with("code", obstacle.code));
    }
    let by = match caller.subject {
        Subject::User(user) => Some(user),
        Subject::ApiKey(_) | Subject::Anonymous(_) => None,
    };
    let submitted = state.desk.submit(&chat, text, client_id, by).await?;
    Ok((chat, submitted))
}

/// What keeps the caller from answering in a chat.
fn obstacle(caller: &Principal, chat: &Chat) -> Option<Reason> {
    let role = caller.role_in(chat.account);
    if !role.is_some_and(Role::may_edit) {
        let role = role.map_or("", Role::as_str);
        return Some(Reason::new("role", format!("Your role in this account, {role}, may not send messages.")));
    }
    let words = "This chat is ignored: take it up again before you answer in it.";
    chat.is_ignored.then(|| Reason::new("ignored", words))
}

/// What the platform does not take is the request's fault; what did not reach it is not.
fn failed(send: Outgoing) -> ApiError {
    let reason = send.reason.clone().unwrap_or_else(|| Reason::new("failed", "It was not sent."));
    let status = match reason.code.as_str() {
        "outside_window" | "person_unavailable" | "refused" | "chat_gone" => StatusCode::UNPROCESSABLE_ENTITY,
        "source_gone" | "source_disabled" | "no_api_url" | "no_token" => StatusCode::CONFLICT,
        _ => StatusCode::BAD_GATEWAY,
    };
    ApiError::new(status, reason.message).with("code", reason.code).with("send", send)
}
