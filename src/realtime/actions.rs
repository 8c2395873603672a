//! What sessions ask for that is not realtime's business: it is done elsewhere, and only the answer comes back here.

use futures_util::future::LocalBoxFuture;
use serde_json::Value;

use super::protocol::Refusal;
use crate::auth::Principal;

/// What is asked for. It means what the REST routes of the same name do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// `message:send`
    Send {
        /// The chat's id.
        chat: String,
        /// What it says.
        text: String,
        /// Makes a second one with the same harmless.
        client_id: Option<String>,
    },
    /// `chat:read`
    Read {
        /// The chat's id.
        chat: String,
    },
    /// `lead:update`
    UpdateLead {
        /// The lead's id.
        lead: String,
        /// Unless it stays.
        status: Option<String>,
        /// Unless they stay.
        notes: Option<String>,
    },
}

/// Does what is asked for, with all of its checks.
pub trait Actions: Send + Sync {
    /// Answers with what the reply says besides that it was done.
    fn act(&self, who: Principal, action: Action) -> LocalBoxFuture<'static, Result<Value, Refusal>>;
}

/// For tests: does nothing.
#[cfg(test)]
pub(super) struct Idle;

#[cfg(test)]
impl Actions for Idle {
    fn act(&self, _: Principal, _: Action) -> LocalBoxFuture<'static, Result<Value, Refusal>> {
        Box::pin(std::future::ready(Err(Refusal { code: "unavailable", message: String::new() })))
    }
}
