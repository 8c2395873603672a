//! What has to be done now and then: retention, gauges, and looking whether every part is alive.

use std::{sync::Arc, time::Duration};

use super::Hub;
use crate::{config::Settings, domain::clock, inbox::Limits};

/// How often the parts are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Starts retention and gauges.
pub(super) fn start(settings: &Settings, hub: &Hub) {
    let limits = Limits {
        deliveries: settings.inbox.retention,
        events: settings.inbox.dedupe_retention,
        log: settings.inbox.log_retention,
        max_size: settings.inbox.max_size.as_u64(),
    };
    let interval = settings.inbox.prune_interval;
    let (inbox, metrics) = (hub.inbox.clone(), Arc::clone(&hub.metrics));
    actix_rt::spawn(async move {
        loop {
            tokio::time::sleep(interval).await;
            match inbox.prune(clock::now(), limits).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "records past their time were removed from the inbox"),
                Err(error) => tracing::error!(%error, "the inbox could not be pruned; tried again later"),
            }
        }
    });
    let inbox = hub.inbox.clone();
    let receiver = Arc::clone(&hub.receiver);
    actix_rt::spawn(async move {
        loop {
            if let Ok(bytes) = inbox.size().await {
                metrics.inbox_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
            }
            metrics.receiving_bytes.set(i64::try_from(receiver.waiting_bytes()).unwrap_or(i64::MAX));
            tokio::time::sleep(LOOK * 5).await;
        }
    });
}

/// Ends when a part that is one a node has failed, with its name. Everything is durable, so starting again is the cure.
pub(super) async fn watch(hub: &Hub) -> &'static str {
    loop {
        tokio::time::sleep(LOOK).await;
        if !hub.registry.connected() {
            return "the session registry";
        }
        if !hub.persister.connected() {
            return "the persister";
        }
        if !hub.supervisors.connected() {
            return "the parent of the supervisors";
        }
        if hub.inbox.is_closed() {
            return "the inbox";
        }
    }
}
