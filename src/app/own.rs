//! What the hub hands to itself: rows of its own tables that its outbox tells of, and what is to be kept of them.

use std::sync::Arc;

use actix::Recipient;
use futures_util::future::BoxFuture;
use tokio::sync::SetOnce;

use crate::{
    domain::{
        AccountId, SourceId, Timestamp, clock,
        directory::Watch,
        event::{Scope, SourceKind},
        message::Owner,
    },
    enrichment::{Arrived, hand_on},
    inbound::providers,
    inbox::{Delivery, Inbox},
    outbox::Own,
    persistence::{Keep, Recall},
    platforms::prospecting,
    store::Claimed,
    telemetry::Metrics,
};

/// Takes the outbox's deliveries into the inbox, as the provider finds them in a webhook.
pub(super) struct OwnInbox {
    pub(super) inbox: Inbox,
    pub(super) directory: Watch,
    /// The supervisors; they come to be after the dispatcher.
    pub(super) arrived: SetOnce<Recipient<Arrived>>,
    pub(super) metrics: Arc<Metrics>,
}

impl OwnInbox {
    fn deliveries(&self, source: SourceId, claimed: &[Claimed]) -> Result<Vec<Delivery>, String> {
        let directory = self.directory.borrow().clone().ok_or("the directory is not loaded yet")?;
        let source = directory.sources.get(&source).ok_or("the source is not in the directory yet")?;
        let provider = providers::named(SourceKind::Prospecting.as_str()).ok_or("there is no such provider")?;
        let (received_at, scope) = (clock::now(), Scope::Agency(source.agency));
        let delivery = |one: &Claimed| Delivery {
            received_at,
            provider: provider.kind().as_str(),
            path: source.id.to_string(),
            remote: String::new(),
            headers: serde_json::json!({"x-webhook-type": one.kind}).to_string(),
            body: one.payload.clone().into(),
            events: provider.split(one.payload.as_bytes(), &directory, scope, Some(source)),
        };
        Ok(claimed.iter().map(delivery).collect())
    }
}

impl Own for OwnInbox {
    fn take<'a>(&'a self, source: SourceId, claimed: &'a [Claimed]) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let batch = self.deliveries(source, claimed)?;
            let accepted = self.inbox.accept(batch).await.map_err(|error| error.to_string())?;
            hand_on(self.arrived.wait().await, accepted, &self.metrics);
            Ok(())
        })
    }
}

/// Reads an item again, for the persister.
pub(super) struct Reread(pub(super) Watch);

impl Recall for Reread {
    fn keep(
        &self,
        account: AccountId,
        source: SourceId,
        item: &str,
        received_at: Timestamp,
    ) -> Result<Option<Keep>, String> {
        let Some(directory) = self.0.borrow().clone() else { return Ok(None) };
        let agency = directory.agency_of(account).ok_or("its account is gone")?;
        let told = prospecting::read(item, Owner { agency, account, source }, received_at);
        told.map(|told| Some(Keep::from(told))).map_err(|error| error.to_string())
    }
}
