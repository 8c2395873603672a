//! Having what was missed read from the platform, in the shape of the message inbox that agencies switch over from:
//! `{success, message, stats}`.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Data, Path},
};
use futures_util::future::{BoxFuture, join_all};
use serde::Serialize;
use serde_json::json;

use super::{
    ApiError, ApiState, Caller,
    chat_query::{self, Query},
    chats,
};
use crate::domain::{AccountId, Role, SourceId};

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SyncStats {
    /// Messages that the platform has.
    pub messages: usize,
    /// Those of them that the hub did not have.
    pub new_messages: usize,
}

/// Why not all was read; for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSynced {
    /// It is not a source that can be read, or it is being read.
    #[error("{0}")]
    NotNow(String),
    /// The platform refused or failed.
    #[error("{0}")]
    Failed(String),
}

/// Reads what was missed.
pub trait Syncer: Send + Sync {
    /// Of a source, or of one chat by the platform's id: since the last time, or with `full` all that a new source is
    /// read.
    fn sync(&self, source: SourceId, chat: Option<String>, full: bool) -> BoxFuture<'_, Result<SyncStats, NotSynced>>;

    /// Those of the accounts that can be read.
    fn sources(&self, accounts: &[AccountId]) -> Vec<SourceId>;
}

/// `POST /api/chats/{id}/sync?full_sync=`: one chat.
pub async fn chat(
    state: Data<ApiState>,
    caller: Caller,
    id: Path<String>,
    query: web::Query<Query>,
) -> Result<HttpResponse, ApiError> {
    let full = chat_query::full_sync(&query)?;
    let chat = chats::find(&state, &caller, &id).await?;
    if !caller.role_in(chat.account).is_some_and(Role::may_edit) {
        return Err(refused());
    }
    let outcome = state.syncer.sync(chat.source, Some(chat.platform_id), full).await;
    Ok(answer(vec![outcome]))
}

/// `POST /api/chats/sync?full_sync=&account_id=`: all sources of the account, or of those that the caller may work in.
pub async fn all(state: Data<ApiState>, caller: Caller, query: web::Query<Query>) -> Result<HttpResponse, ApiError> {
    let full = chat_query::full_sync(&query)?;
    let (mut accounts, _) = chat_query::chats(&query, &caller)?;
    accounts.retain(|account| caller.role_in(*account).is_some_and(Role::may_edit));
    if accounts.is_empty() {
        return Err(refused());
    }
    let sources = state.syncer.sources(&accounts);
    Ok(answer(join_all(sources.into_iter().map(|source| state.syncer.sync(source, None, full))).await))
}

fn refused() -> ApiError {
    ApiError::forbidden("Your role may not have chats read from the platform.")
}

fn answer(outcomes: Vec<Result<SyncStats, NotSynced>>) -> HttpResponse {
    let sources = outcomes.len();
    let (mut read, mut failures) = (SyncStats::default(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(one) => {
                read.messages += one.messages;
                read.new_messages += one.new_messages;
            }
            Err(error) => failures.push(error),
        }
    }
    let status = match failures.first() {
        None => StatusCode::OK,
        Some(NotSynced::NotNow(_)) => StatusCode::CONFLICT,
        Some(NotSynced::Failed(_)) => StatusCode::BAD_GATEWAY,
    };
    let message = match failures.first() {
        None => format!("{} of {} messages were new.", read.new_messages, read.messages),
        Some(first) => format!("{} of {sources} sources could not be read: {first}", failures.len()),
    };
    HttpResponse::build(status).json(json!({"success": failures.is_empty(), "message": message, "stats": read}))
}
