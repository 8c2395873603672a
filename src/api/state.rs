//! What the handlers share.

use std::sync::Arc;

use actix_web::http::StatusCode;
use futures_util::future::BoxFuture;

use super::{ApiError, AttentionSource, Syncer};
use crate::{
    auth::Authenticator,
    domain::{directory::Watch, envelope::Envelope, erasure::Erasure},
    erasure::{Eraser, farewell},
    exports,
    http::{Pace, Proxies},
    outbox, prospecting,
    sending::Desk,
    store::Store,
};

/// What the handlers share; hand it in as `web::Data`.
#[derive(Clone)]
pub struct ApiState {
    /// Where leads are.
    pub store: Store,
    /// Lets callers in.
    pub auth: Authenticator,
    /// Names of agencies and accounts.
    pub directory: Watch,
    /// Takes replies in.
    pub desk: Desk,
    /// Tests endpoints.
    pub outbox: outbox::Desk,
    /// Makes files of campaigns.
    pub exports: exports::Desk,
    /// Enriches prospects.
    pub prospecting: prospecting::Desk,
    /// Finishes what was deleted.
    pub eraser: Eraser,
    /// Tells dashboards.
    pub publisher: Arc<dyn Publisher>,
    /// Knows what is parked or ailing.
    pub attention: Arc<dyn AttentionSource>,
    /// Reads what was missed.
    pub syncer: Arc<dyn Syncer>,
    /// The proxies that may name clients' addresses and schemes.
    pub proxies: Proxies,
    /// How fast bodies have to come.
    pub pace: Pace,
}

/// The envelope did not reach the registry.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Unpublished(pub String);

/// Sends envelopes to dashboards.
pub trait Publisher: Send + Sync {
    /// Resolves when the envelope has its position.
    fn publish(&self, envelope: Envelope) -> BoxFuture<'_, Result<(), Unpublished>>;
}

impl ApiState {
    /// Tells dashboards of a change that is already stored. If that fails the change stands: who asked for it is
    /// told so by the answer, the others see it when they next load.
    pub(super) async fn tell(&self, envelope: Envelope) {
        let (id, account) = (envelope.id, envelope.account);
        if let Err(error) = self.publisher.publish(envelope).await {
            tracing::error!(event = %id, account = %account, %error, "a stored change was not published");
        }
    }

    /// What follows on a deletion: it is taken out of what is shown and sent, and dashboards are told.
    pub(super) async fn erased(&self, erasures: &[Erasure]) -> Result<(), ApiError> {
        let concealed = self.eraser.conceal(erasures).await;
        for erasure in erasures {
            self.tell(farewell(erasure)).await;
        }
        concealed.map(drop).map_err(|error| {
            tracing::error!(%error, "what was deleted is still in the log of what was pushed; tried again until it is not");
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "It was deleted, but dashboards that come back may still be sent it: the hub can't write its log, and takes \
                 it out as soon as it can.",
            )
        })
    }
}
