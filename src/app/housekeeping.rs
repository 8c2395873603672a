//! What has to be done now and then: retention, gauges, and looking whether every part is alive.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::TimeDelta;

use super::Hub;
use crate::{config::Settings, domain::clock, inbox::Limits, persistence, realtime::presence, store::Store};

/// How often the parts are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Starts retention and gauges, telling who comes and goes, and noting which leads were seen.
pub(super) fn start(settings: &Settings, hub: &Hub) {
    let registry = hub.registry.clone().recipient();
    actix_rt::spawn(presence::announce(hub.presence.clone(), hub.directory.clone(), registry));
    let longest = settings.persistence.backoff;
    actix_rt::spawn(persistence::mark_first_seen(hub.store.clone(), hub.inbox.clone(), longest));
    actix_rt::spawn(prune_outbox(hub.store.clone(), settings.outbox.retention, settings.inbox.prune_interval));
    let limits = Limits {
        deliveries: settings.inbox.retention,
        events: settings.inbox.dedupe_retention,
        log: settings.inbox.log_retention,
        max_size: settings.inbox.max_size.as_u64(),
    };
    let interval = settings.inbox.prune_interval;
    let (inbox, metrics, receiver) = (hub.inbox.clone(), Arc::clone(&hub.metrics), Arc::clone(&hub.receiver));
    actix_rt::spawn(async move {
        let mut pruned = Instant::now();
        let mut crowded = false;
        loop {
            tokio::time::sleep(LOOK * 5).await;
            metrics.receiving_bytes.set(i64::try_from(receiver.waiting_bytes()).unwrap_or(i64::MAX));
            let size = inbox.size().await.unwrap_or(0);
            metrics.inbox_bytes.set(i64::try_from(size).unwrap_or(i64::MAX));
            // Once more after it was too large, so that it is known to have room again.
            if pruned.elapsed() < interval && size <= limits.max_size && !crowded {
                continue;
            }
            crowded = size > limits.max_size;
            pruned = Instant::now();
            match inbox.prune(clock::now(), limits).await {
                Ok(0) if crowded => tracing::error!(size, "the inbox is larger than inbox.max_size: webhooks get 503"),
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "records past their time were removed from the inbox"),
                Err(error) => tracing::error!(%error, "the inbox could not be pruned; tried again later"),
            }
        }
    });
}

/// Removes what was delivered long ago, a piece at a time.
async fn prune_outbox(store: Store, retention: Duration, interval: Duration) {
    loop {
        let before = clock::now() - TimeDelta::from_std(retention).unwrap_or(TimeDelta::MAX);
        match store.prune_outbox(before).await {
            Ok(0) => tokio::time::sleep(interval).await,
            Ok(removed) => tracing::info!(removed, "events past their time were removed from the outbox"),
            Err(error) => {
                tracing::warn!(%error, "the outbox could not be pruned; tried again later");
                tokio::time::sleep(interval).await;
            }
        }
    }
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
        if !hub.sender.connected() {
            return "the sender";
        }
        if !hub.dispatcher.connected() {
            return "the dispatcher";
        }
        if hub.inbox.is_closed() {
            return "the inbox";
        }
    }
}
