//! Asking a platform to send, and what its answer means; telling it what was read.

use std::time::Duration;

use secrecy::SecretString;

use super::{reasons, sender::Context};
use crate::{
    domain::{directory::Source, event::SourceKind, message::Chat, send::Reason},
    platforms::{
        meta::{self, GraphClient, GraphError},
        unipile::{self, UnipileClient, UnipileError},
    },
    telemetry::Metrics,
};

/// The platforms' APIs.
#[derive(Clone)]
pub struct Clients {
    /// Meta's.
    pub graph: GraphClient,
    /// The secret of the hub's own Meta app, the newest.
    pub app_secret: Option<SecretString>,
    /// Unipile's.
    pub unipile: UnipileClient,
}

/// What a platform's answer means.
pub(super) enum Outcome {
    /// It has it, under this id if it said one.
    Sent(Option<String>),
    /// It has certainly not sent it, and might later.
    NotNow {
        reason: Reason,
        /// Not before, if it said so.
        wait: Option<Duration>,
    },
    /// It does not take this, however often it is asked.
    Refused(Reason),
    /// Nobody knows; why.
    Unknown(String),
}

/// Asks once.
pub(super) async fn ask(context: &Context, source: &Source, chat: &Chat, text: &str) -> Outcome {
    let clients = &context.clients;
    let outcome = match source.kind {
        SourceKind::Meta => {
            let app_secret = source.app_secrets.first().or(clients.app_secret.as_ref());
            let message = meta::Reply { from: &source.external_id, to: &chat.platform_id, text };
            match clients.graph.send(&source.token, app_secret, message, context.settings.timeout).await {
                Ok(id) => Outcome::Sent(id),
                Err(meta::SendError::NotSent(error)) => of_meta(&error),
                Err(meta::SendError::Unknown(error)) => Outcome::Unknown(error.to_string()),
            }
        }
        SourceKind::Unipile => {
            let Some(url) = &source.api_url else { return no_api(source) };
            let workspace = clients.unipile.workspace(url, &source.token);
            match workspace.send(&chat.platform_id, &source.external_id, text).await {
                Ok(id) => Outcome::Sent(id),
                Err(unipile::SendError::NotSent(error)) => of_unipile(&error),
                Err(unipile::SendError::Unknown(error)) => Outcome::Unknown(error.to_string()),
            }
        }
        SourceKind::Prospecting => no_api(source),
    };
    Metrics::count(&context.metrics.platform_calls, outcome.word());
    outcome
}

/// Tells a platform that a chat, by its id there, was read here.
///
/// # Errors
/// Why it does not take that, in words.
pub(super) async fn mark_read(context: &Context, source: &Source, platform_id: &str) -> Result<(), String> {
    let clients = &context.clients;
    match source.kind {
        SourceKind::Meta => {
            let app_secret = source.app_secrets.first().or(clients.app_secret.as_ref());
            let people = [&*source.external_id, platform_id];
            let told = clients.graph.mark_seen(&source.token, app_secret, people, context.settings.timeout).await;
            told.map_err(|error| error.to_string())
        }
        SourceKind::Unipile => {
            let Some(url) = &source.api_url else { return Ok(()) };
            let told = clients.unipile.workspace(url, &source.token).mark_read(platform_id).await;
            told.map_err(|error| error.to_string())
        }
        SourceKind::Prospecting => Ok(()),
    }
}

impl Outcome {
    const fn word(&self) -> &'static str {
        match self {
            Self::Sent(_) => "sent",
            Self::NotNow { .. } => "send_not_now",
            Self::Refused(_) => "send_refused",
            Self::Unknown(_) => "send_unknown",
        }
    }
}

/// Its source lost it since it was looked at.
fn no_api(source: &Source) -> Outcome {
    Outcome::Refused(reasons::usable(Some(source)).err().unwrap_or_else(reasons::chat_gone))
}

fn of_meta(error: &GraphError) -> Outcome {
    let reason = reasons::of_meta(error);
    match error.remedy {
        meta::Remedy::Retry => Outcome::NotNow { reason, wait: None },
        meta::Remedy::Pause { wait, .. } => Outcome::NotNow { reason, wait },
        _ => Outcome::Refused(reason),
    }
}

fn of_unipile(error: &UnipileError) -> Outcome {
    let reason = reasons::of_unipile(error);
    match error.remedy {
        unipile::Remedy::Retry => Outcome::NotNow { reason, wait: None },
        _ => Outcome::Refused(reason),
    }
}
