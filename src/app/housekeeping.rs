//! What has to be done now and then: retention, gauges, and looking whether every part is alive.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::TimeDelta;

use super::Hub;
use crate::{
    config::{KeyRing, Settings},
    costs::Watcher,
    domain::{Timestamp, clock, directory::Watch},
    exports::Exporter,
    inbox::Limits,
    persistence,
    realtime::presence,
    store::{self, Store},
    telemetry::Metrics,
};

/// How often the parts are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Starts retention and gauges, telling who comes and goes, watching costs, making files, finishing
/// what was deleted, and noting which leads were seen.
pub(super) fn start(settings: &Settings, hub: &Hub) {
    let registry = hub.registry.clone().recipient();
    actix_rt::spawn(presence::announce(hub.presence.clone(), hub.directory.clone(), registry));
    let watcher = Watcher {
        settings: settings.costs.clone(),
        store: hub.store.clone(),
        publish: hub.registry.clone().recipient(),
        metrics: Arc::clone(&hub.metrics),
    };
    actix_rt::spawn(watcher.run());
    actix_rt::spawn(Exporter::new(hub.store.clone(), hub.exports.clone(), Arc::clone(&hub.metrics)).run());
    let eraser = hub.eraser.clone();
    actix_rt::spawn({
        let publish = hub.registry.clone().recipient();
        async move { eraser.run(publish).await }
    });
    let longest = settings.persistence.backoff;
    actix_rt::spawn(persistence::mark_first_seen(hub.store.clone(), hub.inbox.clone(), longest));
    let (store, interval) = (hub.store.clone(), settings.inbox.prune_interval);
    let (outbox, sends) = (settings.outbox.retention, settings.sending.retention);
    actix_rt::spawn(async move {
        loop {
            prune("the outbox", outbox, |before| store.prune_outbox(before)).await;
            prune("the record of replies", sends, |before| store.prune_sends(before)).await;
            prune("the record of who did what", Duration::ZERO, |_| store.prune_audit()).await;
            tokio::time::sleep(interval).await;
        }
    });
    let limits = Limits {
        deliveries: settings.inbox.retention,
        events: settings.inbox.dedupe_retention,
        log: settings.inbox.log_retention,
        max_size: settings.inbox.max_size.as_u64(),
    };
    let interval = settings.inbox.prune_interval;
    let (inbox, metrics, receiver) = (hub.inbox.clone(), Arc::clone(&hub.metrics), Arc::clone(&hub.receiver));
    // In a task of its own: a database that is slow to answer must not keep the inbox from being pruned.
    let schema_fits = Arc::clone(&hub.schema_fits);
    actix_rt::spawn(look(hub.store.clone(), hub.directory.clone(), schema_fits, Arc::clone(&hub.metrics)));
    actix_rt::spawn(async move {
        let mut pruned = Instant::now();
        let mut crowded = false;
        loop {
            tokio::time::sleep(LOOK * 5).await;
            metrics.receiving_bytes.set(i64::try_from(receiver.waiting_bytes()).unwrap_or(i64::MAX));
            let size = inbox.size().await;
            metrics.set_healthy("inbox", size.is_ok());
            let size = size.unwrap_or(0);
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

/// Notices within a second when the file of master keys was changed.
pub(super) async fn watch_keys(keys: KeyRing) {
    loop {
        tokio::time::sleep(LOOK).await;
        keys.look_again();
    }
}

/// Looks again and again whether the parts work that may be away while the hub runs.
async fn look(store: Store, directory: Watch, schema_fits: Arc<AtomicBool>, metrics: Arc<Metrics>) {
    loop {
        let began = Instant::now();
        let schema = store.schema().await;
        let answers = schema.is_ok();
        if let Ok(schema) = schema {
            schema_fits.store(schema.fits(), Ordering::Relaxed);
        }
        metrics.store_ping_seconds.observe(began.elapsed().as_secs_f64());
        metrics.set_healthy("store", answers);
        metrics.set_healthy("directory", directory.borrow().is_some());
        metrics.store_connections.set(i64::try_from(store.connections()).unwrap_or(i64::MAX));
        tokio::time::sleep(LOOK * 5).await;
    }
}

/// Removes from the store what is past its time, a piece at a time.
async fn prune<F: Future<Output = store::Result<usize>>>(
    what: &str,
    retention: Duration,
    piece: impl Fn(Timestamp) -> F,
) {
    let before = TimeDelta::from_std(retention).ok().and_then(|age| clock::now().checked_sub_signed(age));
    let Some(before) = before else { return };
    loop {
        match piece(before).await {
            Ok(0) => return,
            Ok(removed) => tracing::info!(removed, what, "records past their time were removed"),
            Err(error) => return tracing::warn!(%error, what, "records past their time are kept; tried again later"),
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
        if !hub.prospector.connected() {
            return "the prospector";
        }
        if hub.inbox.is_closed() {
            return "the inbox";
        }
    }
}
