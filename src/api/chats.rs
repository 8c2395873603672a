//! Chats and their messages, in the shapes of the message inbox that agencies switch over from. Whoever changes a chat
//! also tells the account's dashboards.
//!
//! A chat of an account that the caller may not see does not exist for them; one that they see but may not touch is
//! refused by role. `{id}` is the hub's id of a chat, or the platform's, if that names one chat only.

use actix_web::{
    HttpResponse,
    web::{self, Data, Path},
};
use serde_json::{Value, json};

use super::{
    ApiError, ApiState, Caller,
    chat_query::{self, Query},
    extract::JsonObject,
};
use crate::{
    auth::Principal,
    domain::{
        EventId, Role, clock,
        envelope::{Body, Envelope},
        message::Chat,
    },
    store::{Changed, ChatChange},
};

type Answer = Result<HttpResponse, ApiError>;

/// `GET /api/chats?is_read=&is_ignored=&account_id=&limit=&offset=`: those with the newest messages first.
pub async fn list(state: Data<ApiState>, caller: Caller, query: web::Query<Query>) -> Answer {
    let (accounts, filter) = chat_query::chats(&query, &caller)?;
    let page = state.store.list_chats(caller.agency, &accounts, &filter).await?;
    let (limit, offset) = (filter.limit, filter.offset);
    Ok(HttpResponse::Ok().json(json!({"items": page.chats, "total": page.total, "limit": limit, "offset": offset})))
}

/// `GET /api/chats/{id}`.
pub async fn read(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    Ok(HttpResponse::Ok().json(find(&state, &caller, &id).await?))
}

/// `GET /api/chats/{id}/messages?order_desc=&before=&limit=&offset=`: the newest first, unless `order_desc` is false.
pub async fn messages(state: Data<ApiState>, caller: Caller, id: Path<String>, query: web::Query<Query>) -> Answer {
    let filter = chat_query::messages(&query)?;
    let chat = find(&state, &caller, &id).await?;
    let page = state.store.messages(caller.agency, &[chat.account], chat.id, &filter).await?;
    let page = page.ok_or_else(no_such_chat)?;
    let (limit, offset) = (filter.limit, filter.offset);
    Ok(HttpResponse::Ok().json(json!({"items": page.messages, "total": page.total, "limit": limit, "offset": offset})))
}

/// `GET /api/chats/{id}/attendee/{provider_id}`: who writes in the chat under this id of the messenger's.
pub async fn attendee(state: Data<ApiState>, caller: Caller, path: Path<(String, String)>) -> Answer {
    let (id, provider_id) = path.into_inner();
    let chat = find(&state, &caller, &id).await?;
    let attendee = state.store.attendee(caller.agency, &[chat.account], chat.id, &provider_id).await?;
    let attendee = attendee.ok_or_else(|| ApiError::not_found("attendee"))?;
    Ok(HttpResponse::Ok().json(json!({
        "object": "ChatAttendee",
        "id": attendee.id,
        "account_id": attendee.account,
        "provider_id": attendee.provider_id,
        "name": attendee.name,
        "is_self": u8::from(attendee.is_self),
        "hidden": 0,
        "picture_url": null,
        "profile_url": null,
        "specifics": null,
    })))
}

/// `POST /api/chats/{id}/mark-read`: everything that is in it now.
pub async fn mark_read(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    Ok(HttpResponse::Ok().json(mark_as_read(&state, &caller, &id).await?))
}

/// `POST /api/chats/{id}/ignore`.
pub async fn ignore(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    change(&state, &caller, &id, &ChatChange::Ignored(true)).await
}

/// `POST /api/chats/{id}/unignore`.
pub async fn unignore(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    change(&state, &caller, &id, &ChatChange::Ignored(false)).await
}

/// `POST /api/chats/{id}/assist-mode {"assist_mode":"manual"|"ai-assisted"|"autopilot"}`.
pub async fn set_assist_mode(state: Data<ApiState>, caller: Caller, id: Path<String>, body: JsonObject) -> Answer {
    let mode = body.text("assist_mode")?.to_owned();
    change(&state, &caller, &id, &ChatChange::AssistMode(mode)).await
}

/// `POST /api/chats/{id}/assign {"user":"usr_…"|null}`.
pub async fn assign(state: Data<ApiState>, caller: Caller, id: Path<String>, body: JsonObject) -> Answer {
    let user = match body.0.get("user") {
        Some(Value::Null) => None,
        Some(Value::String(user)) if let Ok(user) = user.parse() => Some(user),
        _ => return Err(ApiError::bad_request("`user` must be the id of a user, or null for nobody.")),
    };
    change(&state, &caller, &id, &ChatChange::Assigned(user)).await
}

/// `DELETE /api/chats/{id}`: with its messages and replies. What is written in it later begins it anew.
pub async fn remove(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let chat = find(&state, &caller, &id).await?;
    may_delete(&caller, &chat)?;
    let erased =
        state.store.by(caller.author()).erase_chat(&[chat.account], chat.id, true).await?.ok_or_else(no_such_chat)?;
    state.erased(&[erased]).await?;
    Ok(HttpResponse::Ok().json(json!({"deleted": true, "id": chat.id})))
}

/// `DELETE /api/chats/{id}/messages/{message}`: from what the hub holds. At the platform it stays.
pub async fn remove_message(state: Data<ApiState>, caller: Caller, path: Path<(String, String)>) -> Answer {
    let (id, message) = path.into_inner();
    let chat = find(&state, &caller, &id).await?;
    may_delete(&caller, &chat)?;
    let no_such_message = || ApiError::not_found("message");
    let message = message.parse().map_err(|_| no_such_message())?;
    let erased = state.store.by(caller.author()).erase_message(&[chat.account], chat.id, message, true).await?;
    let erased = erased.ok_or_else(no_such_message)?;
    let outcome = state.erased(&[erased.erasure]).await;
    let body = Body::ChatUpdated(Box::new(erased.chat));
    state.tell(Envelope { id: EventId::generate(), account: chat.account, timestamp: clock::now(), body }).await;
    outcome?;
    Ok(HttpResponse::Ok().json(json!({"deleted": true, "id": message})))
}

fn may_delete(caller: &Principal, chat: &Chat) -> Result<(), ApiError> {
    let role = caller.role_in(chat.account);
    if role.is_some_and(Role::may_operate) {
        return Ok(());
    }
    let role = role.map_or("", Role::as_str);
    Err(ApiError::forbidden(format!("Your role in this account, {role}, may not delete chats or messages.")))
}

/// What `mark-read` does, for a caller who says it in another way.
///
/// # Errors
/// As the route.
pub async fn mark_as_read(state: &ApiState, caller: &Principal, id: &str) -> Result<Chat, ApiError> {
    let changed = apply(state, caller, id, &ChatChange::Read).await?;
    if changed.differs {
        state.desk.mark_read(&changed.chat);
    }
    Ok(changed.chat)
}

async fn change(state: &ApiState, caller: &Principal, id: &str, change: &ChatChange) -> Answer {
    Ok(HttpResponse::Ok().json(apply(state, caller, id, change).await?.chat))
}

async fn apply(state: &ApiState, caller: &Principal, id: &str, change: &ChatChange) -> Result<Changed, ApiError> {
    let chat = find(state, caller, id).await?;
    let role = caller.role_in(chat.account);
    if !role.is_some_and(Role::may_edit) {
        let role = role.map_or("", Role::as_str);
        return Err(ApiError::forbidden(format!("Your role in this account, {role}, may not change chats.")));
    }
    let changed = state.store.change_chat(caller.agency, &[chat.account], chat.id, change).await?;
    let changed = changed.ok_or_else(no_such_chat)?;
    if changed.differs {
        let (account, body) = (chat.account, Body::ChatUpdated(Box::new(changed.chat.clone())));
        state.tell(Envelope { id: EventId::generate(), account, timestamp: clock::now(), body }).await;
    }
    Ok(changed)
}

pub(super) async fn find(state: &ApiState, caller: &Principal, id: &str) -> Result<Chat, ApiError> {
    state.store.chat(caller.agency, &caller.accounts(), id).await?.ok_or_else(no_such_chat)
}

fn no_such_chat() -> ApiError {
    ApiError::not_found("chat")
}
