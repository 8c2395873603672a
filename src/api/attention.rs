//! What needs a person: parked webhooks, ailing sources.

use actix_web::{HttpResponse, web::Data};
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::json;

use super::{ApiError, ApiState, Caller};
use crate::domain::{AccountId, SourceId, Timestamp};

/// One line of the list: so many things of a kind, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttentionItem {
    /// `parked`, `token_invalid` and the like.
    pub kind: String,
    /// Whose it is.
    pub account: AccountId,
    /// Which source, if it is about one.
    pub source: Option<SourceId>,
    /// For people: why, and what to do.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// Since when the oldest waits.
    #[serde(serialize_with = "since")]
    pub oldest: Option<Timestamp>,
}

#[expect(clippy::ref_option, reason = "the shape that serde's `serialize_with` asks for")]
fn since<S: serde::Serializer>(oldest: &Option<Timestamp>, s: S) -> Result<S::Ok, S::Error> {
    match oldest {
        Some(at) => crate::domain::clock::wire::serialize(at, s),
        None => s.serialize_none(),
    }
}

/// Knows what needs a person.
pub trait AttentionSource: Send + Sync {
    /// What there is in these accounts, the gravest first; the text of the error goes to the log.
    fn items(&self, accounts: Vec<AccountId>) -> BoxFuture<'_, Result<Vec<AttentionItem>, String>>;
}

/// `GET /api/attention`, for those who manage an account: of the accounts that they manage.
pub async fn list(state: Data<ApiState>, caller: Caller) -> Result<HttpResponse, ApiError> {
    let mut managed = caller.accounts();
    managed.retain(|account| caller.role_in(*account).is_some_and(crate::domain::Role::may_operate));
    if managed.is_empty() {
        return Err(ApiError::forbidden("Only managers and owners see what needs attention."));
    }
    match state.attention.items(managed).await {
        Ok(items) => Ok(HttpResponse::Ok().json(json!({"items": items}))),
        Err(error) => {
            tracing::error!(error, "the attention list could not be read");
            Err(crate::auth::AuthError::Unavailable("the list could not be read").into())
        }
    }
}
